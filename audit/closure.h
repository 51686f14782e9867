// The rules about the meaning of a sequence of records, checked one record after another: every REQ has
// a DECISION and an end, nothing is erased without an ERASE that covers it and none under a hold, boots begin
// with BOOT, time does not run back within a boot, heartbeats come, keys belong to their records. CLOSURE in
// FORMAT.md. The records may be hostile: memory grows with their number, whatever they say. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "audit/event.h"
#include "audit/record.h"

namespace portcullis::audit {

struct ClosureFault {
  bool tampered = false;  // otherwise something is missing: INCOMPLETE
  uint64_t seq = 0;
  std::string message;
};

// What the last BOOT or HEARTBEAT says of the hardware counter.
struct CounterSeen {
  Hash name{};
  uint64_t value = 0;
  bool answers = true;
  uint64_t seq = 0;  // of the record
};

class ClosureChecker {
 public:
  // `shredded`: parts of which only zeros are left (PartBit).
  void Take(const Leaf& leaf, bool erased = false, uint16_t shredded = 0);
  // After the last record. The requests that the running boot has not ended yet are no fault.
  void Finish();

  const std::optional<ClosureFault>& fault() const { return fault_; }
  uint64_t requests() const { return requests_; }
  uint64_t open_requests() const { return open_.size(); }
  uint64_t recoveries() const { return recoveries_; }
  uint64_t overrides() const { return overrides_; }
  uint64_t erased() const { return erased_; }
  uint64_t shredded() const { return shredded_parts_; }
  const std::optional<CounterSeen>& counter() const { return counter_; }
  uint64_t unsynchronised() const { return unsynchronised_; }  // records without a trusted clock
  // True when an ERASE before the present record says that this record's key is gone. For an opener.
  bool KeyDestroyed(const Leaf& leaf) {
    const SubjectKeyId key = SubjectKeyOf(leaf);
    return leaf.seq < DestroyedUntil(key, erased_keys_[key]);
  }
  // True when an ERASE after it says that this part of the record is gone. After the last record.
  bool PartShredded(const Leaf& leaf, PartType type) const;
  // Years whose tag keys are destroyed, by what the log says.
  const std::set<uint32_t>& years() const { return years_; }
  bool stopped() const { return last_kind_ == Kind::kStop; }

 private:
  struct Request {
    Id id{};
    bool decided = false;
    bool aborted = false;
  };
  struct KeyRecord {
    Tag subject{};
    uint32_t epoch = 0;
    Hash wrap_set_hash{};
    uint64_t used = 0;  // indexes below it
  };
  void Fail(bool tampered, uint64_t seq, std::string message);
  void TakeBoot(const Leaf& leaf);
  void CheckTime(const Leaf& leaf);
  void CheckCounter(const Leaf& leaf);
  void CheckKey(const Leaf& leaf);
  void CheckRequest(const Leaf& leaf);
  void TakeErasure(const Leaf& leaf);
  void TakeHold(const Leaf& leaf);
  struct HoldTime {
    uint64_t placed = 0;  // seq of the first HOLD
    uint64_t lifted = 0;  // of the lift of the last one; 0: in force
  };
  struct Holds {
    int count = 0;  // in force
    std::vector<HoldTime> times;
  };
  struct ErasedKey {
    std::optional<uint64_t> first;  // seq that is erased after the last ERASE of the key
    uint64_t expired = 0;           // the last expiry that no hold forbade, of those looked at
    size_t looked_at = 0;
  };
  // Seq of the last ERASE that this key falls under; 0: none.
  uint64_t DestroyedUntil(const SubjectKeyId& key, ErasedKey& known);
  // The hold that this subject was under when the record `seq` was written; null: none.
  const HoldTime* HoldAt(const Tag& subject, uint64_t seq) const;

  std::optional<ClosureFault> fault_;
  std::map<uint64_t, Request> open_;     // by seq of the REQ
  std::map<uint64_t, Request> aborted_;
  std::unordered_map<uint64_t, KeyRecord> keys_;  // by seq of the KEY record, of the running boot
  std::set<Id> boots_;
  Id boot_{};
  Hash boot_counter_{};  // that its BOOT names; zeros: none
  std::optional<CounterSeen> counter_;
  bool begun_ = false;
  Kind last_kind_ = Kind::kStop;
  uint64_t last_wall_us_ = 0, last_mono_us_ = 0;
  uint64_t last_beat_us_ = 0;
  uint16_t heartbeat_seconds_ = 0;
  uint64_t requests_ = 0, recoveries_ = 0, overrides_ = 0, erased_ = 0, unsynchronised_ = 0, shredded_parts_ = 0;
  std::map<SubjectKeyId, ErasedKey> erased_keys_;
  std::map<Tag, uint64_t> erase_subjects_;  // latest ERASE of the subject
  std::map<std::tuple<uint64_t, PartType, Tag>, uint64_t> shreddings_;  // latest ERASE, by record, part and subject
  struct Shredded {
    Leaf leaf;
    uint16_t parts = 0;
  };
  std::vector<Shredded> shredded_;
  std::map<std::pair<uint16_t, uint16_t>, std::vector<uint64_t>> expired_;  // seqs, by class and week
  std::map<Tag, Holds> held_;
  int everybody_held_ = 0;
  std::set<uint32_t> years_;
};

}  // namespace portcullis::audit
