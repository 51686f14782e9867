// Turns events into records: gives them their seqs, times, blind tags and keys, seals their parts and
// lays out their frames. Where a subject has no live key chain, a KEY record with the wraps goes first.
// One composer belongs to one writer thread. What it composed counts only after Commit of the
// appender; Abandon() takes everything since the last Settle() back.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "audit/auditors.h"
#include "audit/chains.h"
#include "audit/error.h"
#include "audit/event.h"
#include "audit/keystore.h"
#include "audit/record.h"
#include "audit/seal.h"
#include "audit/subject_key.h"

namespace portcullis::audit {

struct ClockReading {
  uint64_t wall_us = 0;
  uint64_t mono_us = 0;  // CLOCK_BOOTTIME
  ClockState state = ClockState::kUnknown;
};
ClockReading ReadSystemClock();
using Clock = std::function<ClockReading()>;

// Whom the records of auditd itself are about; nobody from outside may be called so.
inline constexpr std::string_view kSystemSubject = "portcullis:system";
inline constexpr size_t kMaxOpenRequests = 1 << 16;

// One append, composed.
struct Composed {
  std::vector<uint64_t> seqs;   // one per event (KEY records are not among them)
  std::vector<Hash> leaf_hashes;
};

class Composer {
 public:
  // REQs without an end, by seq.
  using OpenRequests = std::map<uint64_t, Id>;

  Composer(std::string_view origin, const Id& boot, uint64_t next_seq, std::unique_ptr<KeyStore> keys,
           AuditorPolicy auditors);

  KeyStore& keys() { return *keys_; }
  // The subject's tag in every epoch that the key store knows, newest first. The log's own: also in destroyed years.
  Result<std::vector<Tag>> SubjectTags(std::string_view subject);
  Result<Tag> SubjectTag(std::string_view subject, uint32_t epoch);
  // No further record under the subject's present keys.
  void ForgetSubject(const Tag& subject) { chains_.ForgetSubject(subject); }

  // The key store has destroyed one.
  void ForgetTagKey() {
    tag_epoch_ = 0;
    tag_key_.Wipe();
  }

  // Begins a batch whose records all carry the time `now`, so that what was decided by that reading (the
  // day's key, this) is true of every one of them. Where the wall clock was set since the last batch of this
  // boot, or its state changed, a CLOCK record goes first.
  Result<void> Begin(const ClockReading& now);
  // Adds the records of one append to the batch. On an error the batch is as it was before.
  Result<Composed> Add(std::span<const Event> events);
  // Makes new keys durable; to be called before the batch is written.
  Result<void> CommitKeys() { return keys_->Commit(); }
  // The batch became durable.
  void Settle();
  // The batch was not written: seqs, chains, keys and open requests go back.
  void Abandon();

  const std::string& frames() const { return frames_; }
  const std::vector<Hash>& leaves() const { return leaves_; }
  uint64_t next_seq() const { return next_seq_; }
  const OpenRequests& open() const { return open_; }
  // For recovery: requests that earlier boots left open, to be closed by ABORT records.
  void Adopt(OpenRequests open) { open_ = std::move(open); }

 private:
  // A change to open_ or aborted_ since the last Settle(), so that it can be taken back.
  struct Change {
    OpenRequests* map;
    uint64_t seq;
    std::optional<Id> before;
  };
  void Set(OpenRequests& map, uint64_t seq, const std::optional<Id>& id);
  void Undo(size_t mark);
  Result<void> Check(const Event& event, uint64_t parent) const;
  Result<void> AddOne(const Event& event, uint64_t parent, Composed& out);
  Result<Tag> BlindTag(std::string_view label, std::string_view text, uint32_t epoch);
  Result<ChainTable::Link> LinkFor(const Leaf& proto, const ChainTable::Owner& owner);
  void PutRecord(const Leaf& leaf, std::string_view payload);
  void Track(const Event& event, uint64_t seq, uint64_t parent);

  const Id origin_;
  const Id boot_;
  std::unique_ptr<KeyStore> keys_;
  const AuditorPolicy auditors_;
  ClockReading now_;                        // of the present batch
  std::optional<ClockReading> settled_now_;  // of the last batch that became durable
  ChainTable chains_;
  Sealer sealer_;
  certs::SecretBytes record_key_, record_node_;
  uint32_t tag_epoch_ = 0;
  certs::SecretBytes tag_key_;

  uint64_t next_seq_;
  std::string frames_;
  std::vector<Hash> leaves_;
  uint64_t settled_seq_;
  OpenRequests open_;
  OpenRequests aborted_;  // closed by ABORT in this boot: a late RESP may still come
  std::vector<Change> changes_;
};

uint32_t EpochOf(uint64_t wall_us);  // the calendar year, UTC
inline uint32_t DayOf(uint64_t wall_us) { return static_cast<uint32_t>(wall_us / kDayUs); }

}  // namespace portcullis::audit
