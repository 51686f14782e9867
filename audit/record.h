// The leaf and the part table: what one record says about itself in the clear. Byte layout: LEAF and
// PART TABLE in FORMAT.md. A leaf is permanent and is what the Merkle tree hashes, so it holds no
// personal data and no hash of plaintext. Decoding accepts exactly what encoding produces. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/event.h"

namespace portcullis::audit {

inline constexpr uint8_t kRecordVersion = 3;
inline constexpr size_t kLeafSize = 368;
// The associated data of the payload: the leaf up to, and without, ct_hash.
inline constexpr size_t kLeafBoundSize = 336;
inline constexpr size_t kPartEntrySize = 96;

// DO NOT CHANGE THESE ENUM VALUES: they are part of every record on disk.
enum class ClockState : uint8_t { kUnknown = 0, kSynchronised = 1, kUnsynchronised = 2 };

struct Leaf {
  Kind kind = Kind::kAdmin;
  ClockState clock = ClockState::kUnknown;
  uint8_t parts = 0;
  uint32_t epoch = 0;          // of the tag key: the calendar year, UTC
  Id origin{};                 // first 16 bytes of SHA-256(origin name)
  uint64_t seq = 0;
  Id boot{};                   // random, one per start of auditd
  uint64_t wall_us = 0;        // microseconds since 1970
  uint64_t mono_us = 0;        // CLOCK_BOOTTIME, microseconds
  Id request_id{};
  uint64_t parent_seq = 0;
  Tag subject{}, tenant{};
  Hash policy_hash{}, model_hash{};
  uint16_t outcome = 0;
  uint8_t tag_count = 0;
  uint8_t pad_class = 0;       // largest of the parts' classes
  std::array<Tag, 4> tags{};
  uint64_t chain = 0;          // seq of the KEY record with the wraps; 0: no encrypted part
  uint32_t chain_index = 0;
  uint16_t retention = 0;      // days the content is kept; 0: no limit
  uint16_t period = 0;         // of the subject key: weeks since 1970 (PeriodOf); 0: no encrypted part
  Hash wrap_set_hash{};        // SHA-256 of that record's wrap set
  Hash key_commit{};           // commits to the record key
  uint32_t payload_size = 0;   // part table and ciphertexts
  Hash ct_hash{};              // SHA-256 of the part table, which holds a hash per ciphertext

  bool operator==(const Leaf&) const = default;
};

// Subject keys are one a week, so that a release and an expiry can cover a span of time.
uint16_t PeriodOf(uint64_t wall_us);
inline constexpr uint64_t kDayUs = 86'400'000'000;
inline constexpr unsigned kPeriodDays = 7;

// Names a subject key: whose, of which retention class and week.
struct SubjectKeyId {
  Tag subject{};
  uint16_t retention = 0;
  uint16_t period = 0;

  auto operator<=>(const SubjectKeyId&) const = default;
};
inline SubjectKeyId SubjectKeyOf(const Leaf& leaf) { return {leaf.subject, leaf.retention, leaf.period}; }

std::string EncodeLeaf(const Leaf& leaf);
Result<Leaf> DecodeLeaf(std::string_view bytes);

struct PartEntry {
  PartType type = PartType::kMetadata;
  uint8_t pad_class = 0;
  bool clear = false;               // bytes are stored as they are (wrap sets)
  bool stream = false;              // encrypted in chunks (secretstream), the last one marked as such
  bool shredded = false;            // not of the table: zeros are stored instead of the part (CheckPayload)
  uint32_t size = 0;                // stored bytes, with the tag of the cipher
  std::array<uint8_t, 24> nonce{};
  Hash stored_hash{};               // SHA-256 of the stored bytes
  Hash key_commit{};                // commits to the part key

  bool operator==(const PartEntry&) const = default;
};

// A set of parts of one record: a bit each. A wrap set has none.
constexpr uint16_t PartBit(PartType type) {
  return static_cast<unsigned>(type) < 16 ? static_cast<uint16_t>(1u << static_cast<unsigned>(type)) : uint16_t{0};
}

std::string EncodePartTable(const std::vector<PartEntry>& entries);
// The entries alone, without the stored parts.
Result<std::vector<PartEntry>> DecodePartEntries(std::string_view table, size_t count);
// `count` comes from the leaf. Checks that the sizes add up to the payload.
Result<std::vector<PartEntry>> DecodePartTable(std::string_view payload, size_t count);

// Padded sizes: 64 bytes at least, then Padmé (Nikitin et al. 2019): at most 12 % more, and the size
// tells O(log log n) bits. The class is the exponent of the padded size.
struct Padding {
  size_t size;
  uint8_t pad_class;
};
Padding PaddedSize(size_t size);

}  // namespace portcullis::audit
