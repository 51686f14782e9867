// Sealing: how the content of a record becomes bytes that the gateway's machine cannot read back.
// Every part has its own key, derived from the record key, which the subject's key chain gives
// (chains.h), and a share that the subject key's tree gives (subject_key.h). A chain's first key is wrapped to each auditor and then, once more, under the subject's
// key, so that the box alone cannot read, nor an auditor without the release of the subject key. In
// two-person mode each pair of auditors gets the two halves of an XOR. Long parts are encrypted in
// chunks whose last one is marked, so that a part cut short does not open. SEALING in FORMAT.md. Pure but for random nonces; not thread-safe (a Sealer keeps scratch keys).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/error.h"
#include "audit/event.h"
#include "audit/record.h"
#include "certs/secret.h"

namespace portcullis::audit {

inline constexpr size_t kKeySize = 32;
inline constexpr size_t kMaxAuditors = 16;
inline constexpr size_t kMaxTwoPerson = 5;        // auditors of a two-person jurisdiction: 10 pairs
inline constexpr size_t kStreamFrom = 1u << 20;   // content of this size or more is encrypted in chunks
inline constexpr size_t kStreamChunk = 64u << 10;

using AuditorKey = std::array<uint8_t, 32>;  // X25519 public key
using AuditorKeyId = std::array<uint8_t, 8>; // first 8 bytes of SHA-256(public key)
AuditorKeyId KeyIdOf(const AuditorKey& key);

// The auditors a record is sealed to.
struct SealTo {
  std::vector<AuditorKey> auditors;
  bool two_person = false;  // any two of them together
};

// DEK = BLAKE2b-256(key chain_i, "portcullis dek v1" ‖ seq)
void DeriveRecordKey(std::span<const uint8_t> chain, uint64_t seq, certs::SecretBytes& record_key);
// chain_{i+1} = BLAKE2b-256(key chain_i, "portcullis next v1"), in place
void AdvanceChain(std::span<uint8_t> chain);

// BLAKE2b-256(key record key, "portcullis part v2" ‖ type ‖ share): opens that part and tells nothing of the others.
void DerivePartKey(const certs::SecretBytes& record_key, PartType type, std::span<const uint8_t> share,
                   certs::SecretBytes& part_key);
// Gives the 32 bytes that the subject key's tree holds for a part of this record; false: the part was shredded.
using ShareOf = std::function<bool(PartType, std::span<uint8_t> share)>;

// A record's content, as far as it is still there.
struct Opened {
  std::vector<Part> parts;
  std::vector<PartType> shredded;
};

Error PartShredded(uint64_t seq, PartType type);  // kNotFound

class Sealer {
 public:
  Sealer();
  // Encrypts the parts under keys of the record key, completes the leaf's fields that tell of the
  // payload (parts, pad_class, key_commit, payload_size, ct_hash) and returns the payload. Everything
  // else in the leaf must be final: it is associated data.
  std::string Seal(Leaf& leaf, std::span<const Part> parts, const certs::SecretBytes& record_key, const ShareOf& share);
  // One part by its own key alone; `table` is the part table, checked against the leaf.
  Result<std::string> OpenOne(const Leaf& leaf, std::string_view table, size_t index, std::string_view stored,
                              const certs::SecretBytes& part_key);
  // The opposite of Seal; kTampered when any byte, key or commitment does not fit. A part is shredded when it has
  // no share or nothing but zeros is stored of it; that it may be is the verifier's to judge.
  Result<Opened> Open(const Leaf& leaf, std::string_view payload, const certs::SecretBytes& record_key,
                      const ShareOf& share);

 private:
  static Result<std::string> OpenPart(const Leaf& leaf, const PartEntry& entry, size_t index, std::string_view stored,
                                      const certs::SecretBytes& part_key);

  certs::SecretBytes part_key_, share_;
};

// The payload of a KEY record: one clear part. Completes the leaf in the same way.
std::string ClearPayload(Leaf& leaf, std::string_view wrap_set);
// For a record without parts.
void NoPayload(Leaf& leaf);
// Checks the part table and every stored part against the leaf's ct_hash; needs no key. In a SHREDDED frame a
// part may be zeros instead; its entry says so.
enum class Zeros { kRefused, kShredded };
Result<std::vector<PartEntry>> CheckPayload(const Leaf& leaf, std::string_view payload, Zeros zeros = Zeros::kRefused);

// What a wrap set is bound to.
struct WrapContext {
  Id origin{};
  SubjectKeyId key;
  uint32_t epoch = 0;
  uint64_t chain = 0;  // seq of the KEY record

  bool operator==(const WrapContext&) const = default;
};

struct WrapSetHead {
  WrapContext context;
  std::string jurisdiction;  // empty: none
  bool two_person = false;
  std::vector<AuditorKeyId> auditors;  // one per wrap
};

std::string MakeWrapSet(const WrapContext& context, std::string_view jurisdiction,
                        std::span<const uint8_t> chain_0, std::span<const uint8_t> subject_key,
                        const SealTo& to);
// What the clear part says, without any key.
Result<WrapSetHead> ReadWrapSet(std::string_view wrap_set);
// In two-person mode: another auditor's half of a group, as he has opened it (share.h); empty: he gave none.
using HalfOf = std::function<std::span<const uint8_t>(uint8_t group, const AuditorKeyId& auditor)>;
// chain_0, with the subject's key and the secret keys of one auditor, or two in two-person mode, or one and the other's
// half.
Result<certs::SecretBytes> OpenWrapSet(std::string_view wrap_set, const WrapContext& expected,
                                       std::span<const uint8_t> subject_key,
                                       std::span<const certs::SecretBytes* const> auditor_secrets,
                                       const HalfOf& half_of = {});
struct WrapHalf {
  uint8_t group = 0;
  certs::SecretBytes half;
};
// In two-person mode: what this auditor's secret key opens of the group that he has with the other. kOtherAuditor:
// there is none.
Result<WrapHalf> OpenHalf(std::string_view wrap_set, const WrapContext& expected, std::span<const uint8_t> subject_key,
                          const certs::SecretBytes& auditor_secret, const AuditorKeyId& other);
// True when this is the key that the leaf commits to.
bool IsRecordKey(const Leaf& leaf, const certs::SecretBytes& record_key);

}  // namespace portcullis::audit
