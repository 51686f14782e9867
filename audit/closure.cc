#include "audit/closure.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

#include "audit/bytes.h"
#include "audit/counter.h"

namespace portcullis::audit {
namespace {

constexpr uint64_t kSecondUs = 1'000'000;
constexpr int64_t kClockToleranceUs = 2 * 1'000'000;
constexpr uint64_t kBeatSlackUs = 5 * kSecondUs;
constexpr uint16_t kFirstRefusal = 400;  // outcomes of RESP are HTTP statuses

int64_t Offset(uint64_t wall_us, uint64_t mono_us) { return static_cast<int64_t>(wall_us - mono_us); }

std::string Name(const Leaf& leaf) {
  return std::string(KindName(leaf.kind)) + " record " + std::to_string(leaf.seq);
}

}  // namespace

void ClosureChecker::Fail(bool tampered, uint64_t seq, std::string message) {
  if (!fault_) fault_ = ClosureFault{tampered, seq, std::move(message)};
}

void ClosureChecker::Take(const Leaf& leaf, bool erased, uint16_t shredded) {
  if (!begun_ || leaf.boot != boot_) {
    TakeBoot(leaf);
  } else {
    if (leaf.kind == Kind::kBoot) Fail(true, leaf.seq, "a second BOOT in one boot");
    if (last_kind_ == Kind::kStop) Fail(true, leaf.seq, "records after STOP without a BOOT");
    CheckTime(leaf);
  }
  CheckCounter(leaf);
  CheckKey(leaf);
  CheckRequest(leaf);
  if (leaf.kind == Kind::kRecovery) ++(leaf.outcome == 2 ? overrides_ : recoveries_);
  if (leaf.kind == Kind::kErase) TakeErasure(leaf);
  if (leaf.kind == Kind::kHold) TakeHold(leaf);
  if (leaf.clock != ClockState::kSynchronised) ++unsynchronised_;
  if (erased) {
    ++erased_;
    const SubjectKeyId key = SubjectKeyOf(leaf);
    ErasedKey& known = erased_keys_[key];
    const bool explained = known.first && *known.first < DestroyedUntil(key, known);
    if (!known.first || explained) known.first = leaf.seq;
  }
  if (shredded != 0) {
    shredded_parts_ += static_cast<uint64_t>(std::popcount(shredded));
    shredded_.push_back({leaf, shredded});
  }
  if (leaf.kind == Kind::kHeartbeat) last_beat_us_ = leaf.mono_us;
  if (leaf.kind == Kind::kStop && !open_.empty()) {
    const uint64_t seq = open_.begin()->first;
    Fail(false, seq, "REQ record " + std::to_string(seq) + " has no RESP and no ABORT before STOP");
  }
  last_kind_ = leaf.kind;
  last_wall_us_ = leaf.wall_us;
  last_mono_us_ = leaf.mono_us;
}

void ClosureChecker::TakeBoot(const Leaf& leaf) {
  if (leaf.kind != Kind::kBoot) Fail(true, leaf.seq, "a boot does not begin with a BOOT record");
  if (!boots_.insert(leaf.boot).second) Fail(true, leaf.seq, "a boot goes on after another one");
  begun_ = true;
  boot_ = leaf.boot;
  heartbeat_seconds_ = leaf.outcome;
  last_beat_us_ = leaf.mono_us;
  keys_.clear();
  aborted_.clear();
}

void ClosureChecker::CheckTime(const Leaf& leaf) {
  if (leaf.mono_us < last_mono_us_) {
    return Fail(true, leaf.seq, Name(leaf) + " is older than the record before it");
  }
  const int64_t jump =
      Offset(leaf.wall_us, leaf.mono_us) - Offset(last_wall_us_, last_mono_us_);
  if ((jump > kClockToleranceUs || jump < -kClockToleranceUs) && leaf.kind != Kind::kClock) {
    Fail(false, leaf.seq, "the wall clock jumped before " + Name(leaf) + " without a CLOCK record");
  }
  const uint64_t allowed = 2 * heartbeat_seconds_ * kSecondUs + kBeatSlackUs;
  if (heartbeat_seconds_ > 0 && leaf.mono_us - last_beat_us_ > allowed) {
    Fail(false, leaf.seq, "no HEARTBEAT for " + std::to_string((leaf.mono_us - last_beat_us_) / kSecondUs) +
                              " s before " + Name(leaf) + ": recording was paused");
  }
}

// Once a log has a hardware counter, it stays, and never goes back.
void ClosureChecker::CheckCounter(const Leaf& leaf) {
  const bool boots = leaf.kind == Kind::kBoot;
  if (!boots && leaf.kind != Kind::kHeartbeat) return;
  if (boots) boot_counter_ = leaf.model_hash;
  ByteReader id(AsText(leaf.request_id));
  const uint64_t state = id.Get<uint64_t>();
  const CounterSeen seen{leaf.model_hash, id.Get<uint64_t>(), state == 0, leaf.seq};
  const bool named = seen.name != Hash{};
  if (named ? state != 0 && state != kCounterSilent : leaf.request_id != Id{}) {
    return Fail(true, leaf.seq, Name(leaf) + " says of a hardware counter what cannot be");
  }
  if (seen.name != boot_counter_ || (counter_ && seen.name != counter_->name)) {
    return Fail(true, leaf.seq, Name(leaf) + " names another hardware counter, or none");
  }
  if (counter_ && (seen.value < counter_->value || (boots && seen.value == counter_->value))) {
    return Fail(true, leaf.seq, "the hardware counter does not go on in " + Name(leaf) + ": an old copy of the machine wrote it");
  }
  if (named) counter_ = seen;
}

void ClosureChecker::CheckKey(const Leaf& leaf) {
  if (leaf.kind == Kind::kKey) {
    if (leaf.chain != leaf.seq) Fail(true, leaf.seq, Name(leaf) + " names another chain");
    keys_[leaf.seq] = KeyRecord{leaf.subject, leaf.epoch, leaf.wrap_set_hash, 0};
    return;
  }
  if (leaf.parts == 0) return;
  const auto key = keys_.find(leaf.chain);
  if (key == keys_.end() || key->second.subject != leaf.subject || key->second.epoch != leaf.epoch ||
      key->second.wrap_set_hash != leaf.wrap_set_hash) {
    return Fail(true, leaf.seq, Name(leaf) + " has no KEY record that fits it");
  }
  if (leaf.chain_index < key->second.used) {
    return Fail(true, leaf.seq, Name(leaf) + " uses a key of its chain a second time");
  }
  key->second.used = uint64_t{leaf.chain_index} + 1;
}

void ClosureChecker::CheckRequest(const Leaf& leaf) {
  if (leaf.kind == Kind::kReq) {
    ++requests_;
    open_[leaf.seq] = Request{leaf.request_id, false, false};
    return;
  }
  if (leaf.kind != Kind::kDecision && leaf.kind != Kind::kResp && leaf.kind != Kind::kAbort) return;
  auto request = open_.find(leaf.parent_seq);
  if (request == open_.end()) {
    const auto late = aborted_.find(leaf.parent_seq);
    if (late != aborted_.end() && leaf.kind == Kind::kResp && late->second.id == leaf.request_id) {
      aborted_.erase(late);
      return;
    }
    return Fail(true, leaf.seq, Name(leaf) + " belongs to no open REQ");
  }
  if (request->second.id != leaf.request_id) {
    return Fail(true, leaf.seq, Name(leaf) + " and its REQ name different requests");
  }
  if (leaf.kind == Kind::kDecision) {
    request->second.decided = true;
    return;
  }
  if (leaf.kind == Kind::kResp && leaf.outcome < kFirstRefusal && !request->second.decided) {
    Fail(false, leaf.seq, Name(leaf) + " answers a request without a DECISION");
  }
  if (leaf.kind == Kind::kAbort) aborted_[leaf.parent_seq] = request->second;
  open_.erase(request);
}

void ClosureChecker::TakeErasure(const Leaf& leaf) {
  const auto outcome = static_cast<EraseOutcome>(leaf.outcome);
  const auto part = ShreddedPart(leaf.outcome);
  const auto year = DestroyedYear(leaf.outcome);
  const bool destroys = outcome == EraseOutcome::kBegun || outcome == EraseOutcome::kExpired || part || year;
  if (destroys && everybody_held_ > 0) Fail(true, leaf.seq, Name(leaf) + " erases while everybody is under legal hold");
  if (outcome == EraseOutcome::kExpired) expired_[{leaf.retention, leaf.period}].push_back(leaf.seq);
  if (year) {
    years_.insert(*year);
    const bool held = std::ranges::any_of(held_, [](const auto& one) { return one.second.count > 0; });
    if (held) Fail(true, leaf.seq, Name(leaf) + " destroys the tag key of a year while somebody is under legal hold");
  }
  if (outcome != EraseOutcome::kBegun && !part) return;
  for (size_t i = 0; i < leaf.tag_count; ++i) {
    if (part) shreddings_[{leaf.parent_seq, *part, leaf.tags[i]}] = leaf.seq;
    else erase_subjects_[leaf.tags[i]] = leaf.seq;
    if (const auto held = held_.find(leaf.tags[i]); held != held_.end() && held->second.count > 0) {
      Fail(true, leaf.seq, Name(leaf) + " erases a subject under legal hold");
    }
  }
}

void ClosureChecker::TakeHold(const Leaf& leaf) {
  const int change = static_cast<HoldOutcome>(leaf.outcome) == HoldOutcome::kPlaced ? 1 : -1;
  if (leaf.tag_count == 0) everybody_held_ = std::max(0, everybody_held_ + change);
  for (size_t i = 0; i < leaf.tag_count; ++i) {
    // A lift may name the tag of a new year, which the hold did not name yet.
    Holds& holds = held_[leaf.tags[i]];
    const int before = std::exchange(holds.count, std::max(0, holds.count + change));
    if (before == 0 && holds.count > 0) holds.times.push_back({leaf.seq, 0});
    if (before > 0 && holds.count == 0) holds.times.back().lifted = leaf.seq;
  }
}

const ClosureChecker::HoldTime* ClosureChecker::HoldAt(const Tag& subject, uint64_t seq) const {
  const auto held = held_.find(subject);
  if (held == held_.end()) return nullptr;
  const std::vector<HoldTime>& times = held->second.times;
  const auto after = std::upper_bound(times.begin(), times.end(), seq,
                                      [](uint64_t at, const HoldTime& time) { return at < time.placed; });
  if (after == times.begin()) return nullptr;
  const HoldTime& last = *std::prev(after);
  return last.lifted == 0 || seq < last.lifted ? &last : nullptr;
}

// From the last expiry back to those that were looked at before: a hold is skipped with all that it forbade.
uint64_t ClosureChecker::DestroyedUntil(const SubjectKeyId& key, ErasedKey& known) {
  if (const auto expired = expired_.find({key.retention, key.period}); expired != expired_.end()) {
    const std::vector<uint64_t>& seqs = expired->second;
    const auto begin = seqs.begin() + static_cast<std::ptrdiff_t>(known.looked_at);
    auto end = seqs.end();
    while (end != begin) {
      const HoldTime* hold = HoldAt(key.subject, *std::prev(end));
      if (hold == nullptr) {
        known.expired = *std::prev(end);
        break;
      }
      end = std::lower_bound(begin, end, hold->placed);
    }
    known.looked_at = seqs.size();
  }
  const auto subject = erase_subjects_.find(key.subject);
  return std::max(known.expired, subject != erase_subjects_.end() ? subject->second : 0);
}

bool ClosureChecker::PartShredded(const Leaf& leaf, PartType type) const {
  const auto told = shreddings_.find({leaf.seq, type, leaf.subject});
  return told != shreddings_.end() && told->second > leaf.seq;
}

// Every payload that is gone, or part of one, needs an ERASE after it.
void ClosureChecker::Finish() {
  std::optional<uint64_t> first;
  for (auto& [key, known] : erased_keys_) {
    if (!known.first || *known.first < DestroyedUntil(key, known)) continue;
    if (!first || *known.first < *first) first = known.first;
  }
  for (const auto& [leaf, parts] : shredded_) {
    for (unsigned type = 0; type < 16; ++type) {
      const auto part = static_cast<PartType>(type);
      if ((parts & PartBit(part)) == 0 || PartShredded(leaf, part) || (first && *first <= leaf.seq)) continue;
      first = leaf.seq;
    }
  }
  if (first) {
    Fail(false, *first, "the payload of record " + std::to_string(*first) + " is gone, all or in part, and no ERASE record says so");
  }
}

}  // namespace portcullis::audit
