#include "audit/composer.h"

#include <sys/timex.h>
#include <time.h>

#include <algorithm>

#include "audit/merkle.h"
#include "audit/segment.h"
#include "audit/tags.h"

namespace portcullis::audit {
namespace {

uint64_t ReadClock(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

constexpr uint64_t kClockStepUs = 1'000'000;

bool Stepped(const ClockReading& before, const ClockReading& now) {
  const int64_t was = static_cast<int64_t>(before.wall_us - before.mono_us);
  const int64_t is = static_cast<int64_t>(now.wall_us - now.mono_us);
  const uint64_t step = static_cast<uint64_t>(is > was ? is - was : was - is);
  return step > kClockStepUs || now.state != before.state;
}

bool Closes(Kind kind) { return kind == Kind::kResp || kind == Kind::kAbort; }

}  // namespace

ClockReading ReadSystemClock() {
  ClockReading reading{ReadClock(CLOCK_REALTIME), ReadClock(CLOCK_BOOTTIME), ClockState::kUnknown};
  timex state{};
  const int status = ::adjtimex(&state);
  if (status >= 0) {
    const bool unsynchronised = status == TIME_ERROR || (state.status & STA_UNSYNC) != 0;
    reading.state = unsynchronised ? ClockState::kUnsynchronised : ClockState::kSynchronised;
  }
  return reading;
}

uint32_t EpochOf(uint64_t wall_us) {
  const time_t seconds = static_cast<time_t>(wall_us / 1'000'000);
  tm parts{};
  ::gmtime_r(&seconds, &parts);
  return static_cast<uint32_t>(parts.tm_year + 1900);
}

Composer::Composer(std::string_view origin, const Id& boot, uint64_t next_seq,
                   std::unique_ptr<KeyStore> keys, AuditorPolicy auditors)
    : origin_(OriginId(origin)), boot_(boot), keys_(std::move(keys)), auditors_(std::move(auditors)),
      record_key_(kKeySize), record_node_(kNodeSize), next_seq_(next_seq), settled_seq_(next_seq) {}

Result<void> Composer::Check(const Event& event, uint64_t parent) const {
  const auto invalid = [](const char* why) { return Error{Code::kInvalidEvent, why}; };
  if (!event.jurisdiction.empty() && !ValidJurisdiction(event.jurisdiction)) {
    return invalid("a jurisdiction is 1 to 16 of A-Z, 0-9 and `-`");
  }
  if (event.subject == kSystemSubject) return invalid("the subject is the log's own name");
  if (event.tags.size() > 4) return invalid("an event has at most 4 tags");
  if (parent != kNoParent && parent >= next_seq_) return invalid("the parent is not in the log");
  if (event.kind == Kind::kReq && open_.size() >= kMaxOpenRequests) {
    return Error{Code::kOverloaded, "too many requests without an end in the log"};
  }
  if (event.kind == Kind::kDecision || Closes(event.kind)) {
    auto request = open_.find(parent);
    if (request == open_.end()) {
      request = aborted_.find(parent);
      if (request == aborted_.end() || event.kind != Kind::kResp) {
        return invalid("DECISION, RESP and ABORT need an open REQ as their parent");
      }
    }
    if (request->second != event.request_id) return invalid("the request id is not that of the parent");
  }
  return Ok();
}

void Composer::Set(OpenRequests& map, uint64_t seq, const std::optional<Id>& id) {
  const auto found = map.find(seq);
  changes_.push_back(Change{&map, seq, found == map.end() ? std::nullopt : std::optional(found->second)});
  if (id) {
    map[seq] = *id;
  } else {
    map.erase(seq);
  }
}

void Composer::Undo(size_t mark) {
  for (; changes_.size() > mark; changes_.pop_back()) {
    const Change& change = changes_.back();
    if (change.before) {
      (*change.map)[change.seq] = *change.before;
    } else {
      change.map->erase(change.seq);
    }
  }
}

void Composer::Track(const Event& event, uint64_t seq, uint64_t parent) {
  if (event.kind == Kind::kReq) Set(open_, seq, event.request_id);
  if (!Closes(event.kind)) return;
  if (event.kind == Kind::kAbort && aborted_.size() < kMaxOpenRequests) {
    Set(aborted_, parent, event.request_id);
  }
  if (event.kind == Kind::kResp) Set(aborted_, parent, std::nullopt);
  Set(open_, parent, std::nullopt);
}

Result<void> Composer::Begin(const ClockReading& now) {
  now_ = now;
  if (!settled_now_ || !Stepped(*settled_now_, now)) return Ok();
  Event clock;
  clock.kind = Kind::kClock;
  BOOST_OUTCOME_TRY(Add({&clock, 1}));
  return Ok();
}

Result<Composed> Composer::Add(std::span<const Event> events) {
  const size_t frames_size = frames_.size();
  const size_t leaves_size = leaves_.size();
  const size_t mark = changes_.size();
  const uint64_t seq = next_seq_;
  Composed composed;
  for (const Event& event : events) {
    uint64_t parent = event.parent_seq;
    if (parent == kParentFirst) parent = composed.seqs.empty() ? kNoParent : composed.seqs.front();
    Result<void> added = Check(event, parent);
    if (added) added = AddOne(event, parent, composed);
    if (!added) {
      Undo(mark);
      frames_.resize(frames_size);
      leaves_.resize(leaves_size);
      // A chain may have begun in what is taken back; new ones begin with the next append.
      if (next_seq_ != seq) chains_.Clear();
      next_seq_ = seq;
      return added.error();
    }
  }
  return composed;
}

Result<void> Composer::AddOne(const Event& event, uint64_t parent, Composed& out) {
  Leaf leaf;
  leaf.kind = event.kind;
  leaf.clock = now_.state;
  leaf.epoch = EpochOf(now_.wall_us);
  leaf.origin = origin_;
  leaf.boot = boot_;
  leaf.wall_us = now_.wall_us;
  leaf.mono_us = now_.mono_us;
  leaf.request_id = event.request_id;
  leaf.parent_seq = parent;
  leaf.policy_hash = event.policy_hash;
  leaf.model_hash = event.model_hash;
  leaf.outcome = event.outcome;
  leaf.tag_count = static_cast<uint8_t>(event.tags.size());
  const std::string_view subject = event.subject.empty() ? kSystemSubject
                                                         : std::string_view(event.subject);
  BOOST_OUTCOME_TRY(leaf.subject, BlindTag("subject", subject, leaf.epoch));
  if (!event.tenant.empty()) {
    BOOST_OUTCOME_TRY(leaf.tenant, BlindTag("tenant", event.tenant, leaf.epoch));
  }
  for (size_t i = 0; i < event.tags.size(); ++i) {
    BOOST_OUTCOME_TRY(leaf.tags[i], BlindTag("tag", event.tags[i], leaf.epoch));
  }
  for (size_t i = 0; i < event.about.size() && i < leaf.tags.size(); ++i) {
    leaf.tags[i] = event.about[i];
    leaf.tag_count = static_cast<uint8_t>(i + 1);
  }
  leaf.retention = event.retention_days;
  leaf.period = event.about_period;
  std::string payload;
  if (event.parts.empty()) {
    leaf.seq = next_seq_;
    NoPayload(leaf);
  } else {
    leaf.period = PeriodOf(now_.wall_us);
    const ChainTable::Owner owner{SubjectKeyOf(leaf), event.jurisdiction};
    BOOST_OUTCOME_TRY(const ChainTable::Link link, LinkFor(leaf, owner));
    leaf.seq = next_seq_;
    leaf.chain = link.chain;
    leaf.chain_index = link.index;
    leaf.wrap_set_hash = link.wrap_set_hash;
    DeriveRecordKey(link.key, leaf.seq, record_key_);
    std::copy(link.node.begin(), link.node.end(), record_node_.data());
    Descend(record_node_.bytes(), kChainDepth, kRecordDepth, PointOf(leaf.chain, leaf.chain_index, {}));
    chains_.Advance(owner);
    payload = sealer_.Seal(leaf, event.parts, record_key_, [&](PartType type, std::span<uint8_t> share) {
      std::copy(record_node_.bytes().begin(), record_node_.bytes().end(), share.begin());
      Descend(share, kRecordDepth, kTreeDepth, PointOf(leaf.chain, leaf.chain_index, type));
      return true;
    });
    record_key_.Wipe();
    record_node_.Wipe();
  }
  Track(event, leaf.seq, parent);
  out.seqs.push_back(leaf.seq);
  PutRecord(leaf, payload);
  out.leaf_hashes.push_back(leaves_.back());
  return Ok();
}

Result<Tag> Composer::BlindTag(std::string_view label, std::string_view text, uint32_t epoch) {
  if (tag_epoch_ != epoch) {
    BOOST_OUTCOME_TRY(tag_key_, keys_->TagKeyOrCreate(epoch));
    tag_epoch_ = epoch;
  }
  return KeyedTag(tag_key_, label, text);
}

Result<Tag> Composer::SubjectTag(std::string_view subject, uint32_t epoch) {
  BOOST_OUTCOME_TRY(keys_->TagKey(epoch));
  return BlindTag("subject", subject, epoch);
}

Result<std::vector<Tag>> Composer::SubjectTags(std::string_view subject) {
  BOOST_OUTCOME_TRY(const std::vector<uint32_t> epochs, keys_->Epochs());
  std::vector<Tag> tags;
  for (auto epoch = epochs.rbegin(); epoch != epochs.rend(); ++epoch) {
    BOOST_OUTCOME_TRY(const Tag tag, BlindTag("subject", subject, *epoch));
    tags.push_back(tag);
  }
  if (subject != kSystemSubject) return tags;
  BOOST_OUTCOME_TRY(const auto destroyed, keys_->DestroyedYears());
  for (const auto& [year, own] : destroyed) tags.push_back(own);
  return tags;
}

// The subject's live chain, or a new one whose KEY record goes into the batch now.
Result<ChainTable::Link> Composer::LinkFor(const Leaf& proto, const ChainTable::Owner& owner) {
  if (auto link = chains_.Current(owner, proto.epoch, proto.mono_us)) return *link;
  BOOST_OUTCOME_TRY(const SubjectKey subject_key, keys_->SubjectKeyOrCreate(owner.key));
  Leaf key;
  key.kind = Kind::kKey;
  key.clock = proto.clock;
  key.epoch = proto.epoch;
  key.origin = origin_;
  key.seq = next_seq_;
  key.boot = boot_;
  key.wall_us = proto.wall_us;
  key.mono_us = proto.mono_us;
  key.subject = proto.subject;
  key.retention = proto.retention;
  key.period = proto.period;
  key.chain = key.seq;
  BOOST_OUTCOME_TRY(CheckPlaceInTree(key));
  const ChainTable::Fresh fresh = chains_.Begin(owner, proto.epoch, key.chain, proto.mono_us);
  if (!subject_key.Node(PointOfChain(key.chain), kChainDepth, fresh.node)) {
    chains_.Forget(owner);
    return Error{Code::kTampered, "the key store says that parts of a chain were shredded that only now begins"};
  }
  const WrapContext context{origin_, owner.key, proto.epoch, key.chain};
  const std::string wrap_set =
      MakeWrapSet(context, owner.jurisdiction, fresh.key, subject_key.wrap(), auditors_.For(owner.jurisdiction));
  key.wrap_set_hash = Sha256(wrap_set);
  chains_.SetWrap(owner, key.wrap_set_hash);
  const std::string payload = ClearPayload(key, wrap_set);
  PutRecord(key, payload);
  return *chains_.Current(owner, proto.epoch, proto.mono_us);
}

void Composer::PutRecord(const Leaf& leaf, std::string_view payload) {
  const std::string bytes = EncodeLeaf(leaf);
  AppendRecordFrame(frames_, bytes, payload);
  leaves_.push_back(LeafHash(bytes));
  ++next_seq_;
}

void Composer::Settle() {
  settled_now_ = now_;
  settled_seq_ = next_seq_;
  changes_.clear();
  frames_.clear();
  leaves_.clear();
}

void Composer::Abandon() {
  keys_->Rollback();
  chains_.Clear();
  tag_epoch_ = 0;
  next_seq_ = settled_seq_;
  Undo(0);
  frames_.clear();
  leaves_.clear();
}

}  // namespace portcullis::audit
