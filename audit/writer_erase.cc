// Destroying keys: for a person's right, of one part of one record, or because a retention class ran out. The order
// is the point:
//   holds are looked at → the key store notes what is to go → a new segment begins, with ERASE, durable →
//   keys and chains are gone → the key store is re-encrypted under a new salt → ciphertext is taken out of
//   the older segments, in the background → ERASE (done) is durable.
// A crash anywhere in between is taken up at the next start.

#include <algorithm>

#include "audit/erase.h"
#include "audit/json.h"
#include "audit/writer.h"

namespace portcullis::audit {
namespace {

constexpr size_t kTagsPerRecord = 4;
constexpr size_t kMaxReason = 1024;
constexpr size_t kKeysAtOnce = 2000;  // of an expiry
const std::string kResumed = "{\"resumed\":true}";

// The first day on which nothing of this key may be left.
uint64_t ExpiryDay(const SubjectKeyId& id) { return (uint64_t{id.period} + 1) * kPeriodDays + id.retention; }

Error NoSuchPart(const Leaf& leaf, PartType type) {
  return Error{Code::kNotFound, "shred: record " + std::to_string(leaf.seq) + " has no part `" + std::string(PartName(type)) +
                                    "`, or its content was erased"};
}

std::vector<Event> EraseEvents(EraseOutcome outcome, const std::vector<Tag>& tags, const std::string& metadata) {
  std::vector<Event> events;
  for (size_t i = 0; i < tags.size(); i += kTagsPerRecord) {
    Event& event = events.emplace_back();
    event.kind = Kind::kErase;
    event.outcome = static_cast<uint16_t>(outcome);
    for (size_t j = i; j < std::min(tags.size(), i + kTagsPerRecord); ++j) event.about.push_back(tags[j]);
    event.parts.push_back(Part{PartType::kMetadata, metadata});
  }
  return events;
}

// Names the record by its seq; that a part of it is gone tells nothing of a person.
Event ShredEvent(const PartShredding& part, const Id& request_id, const std::string& metadata) {
  Event event;
  event.kind = Kind::kErase;
  event.outcome = static_cast<uint16_t>(kShredBase + static_cast<uint16_t>(PartOf(part.point)));
  event.parent_seq = part.seq;
  event.request_id = request_id;
  event.about = {part.key.subject};
  event.parts.push_back(Part{PartType::kMetadata, metadata});
  return event;
}

// One ERASE record per class and week covers everybody whose key goes.
std::vector<Event> ExpiryEvents(const std::vector<SubjectKeyId>& keys) {
  std::set<std::pair<uint16_t, uint16_t>> classes;
  for (const SubjectKeyId& id : keys) classes.emplace(id.retention, id.period);
  std::vector<Event> events;
  for (const auto& [retention, period] : classes) {
    Event& event = events.emplace_back();
    event.kind = Kind::kErase;
    event.outcome = static_cast<uint16_t>(EraseOutcome::kExpired);
    event.retention_days = retention;
    event.about_period = period;
  }
  return events;
}

}  // namespace

Result<std::set<Tag>> Writer::HeldTags(bool& everybody) {
  everybody = false;
  std::set<Tag> held;
  BOOST_OUTCOME_TRY(const std::vector<Hold> holds, composer_->keys().Holds());
  for (const Hold& hold : holds) {
    everybody = everybody || hold.subject == "*";
    BOOST_OUTCOME_TRY(const std::vector<Tag> tags, composer_->SubjectTags(hold.subject));
    held.insert(tags.begin(), tags.end());
  }
  return held;
}

Result<void> Writer::BeginErase(ActJob& job) {
  const auto subject = job.request.arguments.find("subject");
  const auto reason = job.request.arguments.find("reason");
  if (subject == job.request.arguments.end() || subject->second.empty() ||
      reason == job.request.arguments.end() || reason->second.empty() || reason->second.size() > kMaxReason) {
    return Error{Code::kInvalidArgument, "erase: `subject` and `reason` are needed"};
  }
  if (subject->second == kSystemSubject) {
    return Error{Code::kPermission, "erase: the log's own records are about no person and are kept"};
  }
  BOOST_OUTCOME_TRY(const std::vector<Tag> tags, composer_->SubjectTags(subject->second));
  BOOST_OUTCOME_TRY(const std::vector<SubjectKeyId> keys, composer_->keys().SubjectKeysOf(tags));
  if (keys.empty()) return Error{Code::kNotFound, "erase: there is no key of that subject"};
  JsonObject facts;
  facts.Add("reason", reason->second);
  facts.Add("keys", keys.size());
  facts.Add("uid", uint64_t{job.uid});
  bool everybody = false;
  BOOST_OUTCOME_TRY(const std::set<Tag> held, HeldTags(everybody));
  if (everybody || std::any_of(tags.begin(), tags.end(), [&](const Tag& tag) { return held.contains(tag); })) {
    BOOST_OUTCOME_TRY(WriteEvents(EraseEvents(EraseOutcome::kRefusedByHold, tags, facts.Text())));
    return Error{Code::kHeld, "erase: the subject is under legal hold; the attempt is recorded. "
                              "`portcullis audit hold` lists holds, `release --hold` lifts one"};
  }
  BOOST_OUTCOME_TRY(DestroyKeys(EndBeforeErasing(), keys, {}, EraseEvents(EraseOutcome::kBegun, tags, facts.Text())));
  EraseInBackground(std::move(job.done), job.request.correlation);
  return Ok();
}

// Whether the record has such a part is looked up in the segments, beside the writer; then goes on here.
Result<void> Writer::BeginShred(ActJob& job) {
  const auto argument = [&job](const char* name) {
    const auto found = job.request.arguments.find(name);
    return found == job.request.arguments.end() ? std::string() : found->second;
  };
  const auto seq = ParseDecimal(argument("record"));
  const auto type = PartFromName(argument("part"));
  const std::string reason = argument("reason");
  if (!seq || !type || *type == PartType::kWrapSet || reason.empty() || reason.size() > kMaxReason) {
    return Error{Code::kInvalidArgument, "shred: `record` (a number), `part` (metadata, prompt, answer, reasoning, tools "
                                         "or decision) and `reason` are needed"};
  }
  const auto proof = MakeProof(ProofRequest{0, seq.value(), {}});
  if (!proof && proof.error().code == Code::kTampered) RebuildTiles();
  if (!proof) return proof.error();
  BOOST_OUTCOME_TRY(const Leaf leaf, DecodeLeaf(proof.value().leaf));
  BOOST_OUTCOME_TRY(const std::vector<Tag> own, composer_->SubjectTags(kSystemSubject));
  if (std::find(own.begin(), own.end(), leaf.subject) != own.end()) {
    return Error{Code::kPermission, "shred: the log's own records are about no person and are kept"};
  }
  if (leaf.parts == 0 || leaf.kind == Kind::kKey) return NoSuchPart(leaf, *type);
  worker_->Post([this, job = std::move(job), leaf, type = *type, folder = options_.log_folder] {
    auto found = FindParts(folder, leaf.seq);
    const std::lock_guard guard(mutex_);
    finished_.push_back([this, job, leaf, type, found = std::move(found)] {
      const auto is = [type](const PartEntry& entry) { return entry.type == type; };
      Result<void> done = Ok();
      if (!found) done = found.error();
      else if (std::none_of(found.value().begin(), found.value().end(), is)) done = NoSuchPart(leaf, type);
      else done = Shred(job, leaf, type);
      if (done) return;
      composer_->keys().Rollback();
      ActReply reply;
      reply.correlation = job.request.correlation;
      reply.error_code = static_cast<uint32_t>(done.error().code);
      reply.error = done.error().message;
      job.done(std::move(reply));
    });
    wake_.notify_one();
  });
  return Ok();
}

Result<void> Writer::Shred(const ActJob& job, const Leaf& leaf, PartType type) {
  const PartShredding part{SubjectKeyOf(leaf), leaf.seq, PointOf(leaf.chain, leaf.chain_index, type)};
  auto key = composer_->keys().KeyOf(part.key);
  if (!key && key.error().code == Code::kNotFound) {
    return Error{Code::kNotFound, "shred: the content of record " + std::to_string(leaf.seq) + " was erased or has expired"};
  }
  if (!key) return key.error();
  if (key.value().Punctured(part.point)) return PartShredded(leaf.seq, type);
  JsonObject facts;
  facts.Add("seq", leaf.seq);
  facts.Add("part", PartName(type));
  facts.Add("reason", job.request.arguments.at("reason"));
  facts.Add("uid", uint64_t{job.uid});
  bool everybody = false;
  BOOST_OUTCOME_TRY(const std::set<Tag> held, HeldTags(everybody));
  if (everybody || held.contains(leaf.subject)) {
    Event refused = ShredEvent(part, leaf.request_id, facts.Text());
    refused.outcome = static_cast<uint16_t>(EraseOutcome::kRefusedByHold);
    BOOST_OUTCOME_TRY(WriteEvents({refused}));
    return Error{Code::kHeld, "shred: the record's subject is under legal hold; the attempt is recorded. "
                              "`portcullis audit hold` lists holds, `release --hold` lifts one"};
  }
  BOOST_OUTCOME_TRY(key.value().Puncture(part.point));  // on a copy: too many are refused before anything is told
  BOOST_OUTCOME_TRY(DestroyKeys(EndBeforeErasing(), {}, {part}, {ShredEvent(part, leaf.request_id, facts.Text())}));
  EraseInBackground(job.done, job.request.correlation);
  return Ok();
}

// What is destroyed from now on lies below this segment.
uint64_t Writer::EndBeforeErasing() {
  appender_.Roll();
  return appender_.segment() + 1;
}

Result<void> Writer::DestroyKeys(uint64_t end_segment, const std::vector<SubjectKeyId>& keys,
                                 const std::vector<PartShredding>& parts, const std::vector<Event>& told,
                                 std::optional<uint32_t> year) {
  BOOST_OUTCOME_TRY(MakeRoomForRekey());  // asked before anything is told: a log that says so must not go on without
  KeyStore::Erasures noted;
  for (const SubjectKeyId& key : keys) {
    noted.begun[end_segment].insert(key);
    BOOST_OUTCOME_TRY(composer_->keys().BeginErasure(key, end_segment));
  }
  for (const PartShredding& part : parts) {
    noted.parts_begun[end_segment].insert(part);
    BOOST_OUTCOME_TRY(composer_->keys().BeginShredding(part, end_segment));
  }
  if (year) {
    noted.years.insert(*year);
    BOOST_OUTCOME_TRY(composer_->keys().BeginYear(*year));
  }
  // What is noted is committed with the batch, just before it is written.
  if (auto written = WriteEvents(told); !written) {
    // After a failed sync ERASE may be on the disk: the note stays, and the next start goes on.
    if (appender_.poisoned()) return written;
    Result<void> undone = composer_->keys().FinishErasures(noted.begun);
    if (undone) undone = composer_->keys().FinishShreddings(noted.parts_begun);
    if (undone && year) undone = composer_->keys().CancelYear(*year);
    if (undone) undone = composer_->keys().Commit();
    if (!undone) return Refuted(undone.error());
    return written;
  }
  // The log says now that the keys are gone: it must not go on with them.
  if (auto destroyed = FinishDestroying(noted); !destroyed) return Refuted(destroyed.error());
  // It is done, and told, whether a checkpoint can be written now or in a later turn.
  if (auto signed_now = SignNow(); !signed_now) Say("no checkpoint: " + signed_now.error().message);
  return Ok();
}

Result<void> Writer::FinishDestroying(const KeyStore::Erasures& noted) {
  for (const auto& [end_segment, keys] : noted.begun) {
    for (const SubjectKeyId& key : keys) {
      BOOST_OUTCOME_TRY(composer_->keys().DestroyKey(key, end_segment));
      composer_->ForgetSubject(key.subject);
    }
  }
  for (const auto& [end_segment, parts] : noted.parts_begun) {
    for (const PartShredding& part : parts) {
      BOOST_OUTCOME_TRY(composer_->keys().PuncturePart(part, end_segment));
      composer_->ForgetSubject(part.key.subject);  // its live chains hold nodes of the key as it was
    }
  }
  for (const uint32_t year : noted.years) {
    BOOST_OUTCOME_TRY(const Tag own, composer_->SubjectTag(kSystemSubject, year));
    BOOST_OUTCOME_TRY(composer_->keys().DestroyYear(year, own));
    composer_->ForgetTagKey();
  }
  // One transaction with the re-encryption: a crash leaves the note, or neither key nor old salt.
  return composer_->keys().Rekey();
}

// At start: keys that a crash left between ERASE and their destruction. The ERASE is told again, in case
// it was not written.
Result<void> Writer::ResumeErasures() {
  BOOST_OUTCOME_TRY(KeyStore::Erasures pending, composer_->keys().PendingErasures());
  if (pending.empty()) return Ok();
  const uint64_t today = DayOf(options_.clock().wall_us);
  std::vector<SubjectKeyId> expired;  // told as such: an erasure of the subject would explain more than is gone
  std::vector<Tag> tags;
  for (const auto& [end, keys] : pending.begun) {
    for (const SubjectKeyId& key : keys) {
      if (key.retention > 0 && ExpiryDay(key) <= today) expired.push_back(key);
      else if (std::find(tags.begin(), tags.end(), key.subject) == tags.end()) tags.push_back(key.subject);
    }
  }
  std::vector<Event> told = EraseEvents(EraseOutcome::kBegun, tags, kResumed);
  for (Event& event : ExpiryEvents(expired)) told.push_back(std::move(event));
  for (const auto& [end, parts] : pending.parts_begun) {
    for (const PartShredding& part : parts) told.push_back(ShredEvent(part, {}, kResumed));
  }
  for (const uint32_t year : pending.years) told.push_back(YearEvent(year, kResumed));
  if (!told.empty()) {
    BOOST_OUTCOME_TRY(MakeRoomForRekey());
    BOOST_OUTCOME_TRY(WriteEvents(told));
    BOOST_OUTCOME_TRY(FinishDestroying(pending));
    BOOST_OUTCOME_TRY(SignNow());
  }
  pending.years.clear();
  if (!pending.empty()) EraseInBackground(nullptr, 0);
  return Ok();
}

void Writer::EraseInBackground(ActDone done, uint64_t correlation) {
  auto pending = composer_->keys().PendingErasures();
  if (!pending) {
    const Error error = pending.error();
    Say("erasure: " + error.message);
    if (done) done(ActReply{correlation, static_cast<uint32_t>(error.code), error.message, {}});
    return;
  }
  worker_->Post([this, done = std::move(done), correlation, folder = options_.log_folder,
                 pending = std::move(pending.value())] {
    EraseReport sum;
    Result<void> outcome = Ok();
    uint64_t segments = 0;
    const auto targets = TargetsOf(pending);
    for (const auto& [end, gone] : targets) segments += end;
    erase_looked_at_ = 0;
    erase_segments_ = segments;
    for (const auto& [end, gone] : targets) {
      const auto erased = EraseFromSegments(folder, end, gone, [this] { ++erase_looked_at_; });
      if (!erased) {
        outcome = erased.error();
        break;
      }
      sum.records += erased.value().records;
      sum.bytes += erased.value().bytes;
      sum.segments += erased.value().segments;
    }
    erase_segments_ = 0;
    const std::lock_guard guard(mutex_);
    finished_.push_back([this, done, correlation, outcome, sum, pending] {
      JsonObject facts;
      facts.Add("records", sum.records);
      facts.Add("bytes", sum.bytes);
      facts.Add("segments", sum.segments);
      Result<void> told = outcome;
      if (told) return ForgetErasures(pending, facts.Text(), done, correlation);
      ReplyErased(told, facts.Text(), done, correlation);
    });
    wake_.notify_one();
  });
}

// The notes go by slices as well. ERASE (done) is told before the last of them goes: a crash in between tells it
// twice, not never.
void Writer::ForgetErasures(KeyStore::Erasures gone, const std::string& facts, const ActDone& done, uint64_t correlation) {
  std::map<uint64_t, std::set<SubjectKeyId>> slice;
  for (size_t taken = 0; taken < kKeysAtOnce && !gone.destroyed.empty(); ++taken) {
    auto& [end, keys] = *gone.destroyed.begin();
    slice[end].insert(keys.extract(keys.begin()));
    if (keys.empty()) gone.destroyed.erase(gone.destroyed.begin());
  }
  const bool last = gone.destroyed.empty();
  Result<void> told = Ok();
  if (last) {
    Event event;
    event.kind = Kind::kErase;
    event.outcome = static_cast<uint16_t>(EraseOutcome::kDone);
    event.parts.push_back(Part{PartType::kMetadata, facts});
    told = WriteEvents({event});
  }
  if (told) told = composer_->keys().FinishErasures(slice);
  if (told && last) told = composer_->keys().FinishShreddings(gone.parts_destroyed);
  if (told) told = composer_->keys().Commit();
  if (!told) composer_->keys().Rollback();
  if (!told || last) return ReplyErased(told, facts, done, correlation);
  const std::lock_guard guard(mutex_);
  finished_.push_back([this, gone = std::move(gone), facts, done, correlation]() mutable {
    ForgetErasures(std::move(gone), facts, done, correlation);
  });
}

void Writer::ReplyErased(const Result<void>& told, const std::string& facts, const ActDone& done, uint64_t correlation) {
  if (!told) Say("ciphertext of destroyed keys remains and is tried again at the next start: " + told.error().message);
  if (!done) return;
  ActReply reply;
  reply.correlation = correlation;
  reply.error_code = told ? 0 : static_cast<uint32_t>(told.error().code);
  reply.error = told ? "" : told.error().message;
  reply.text = facts;
  done(std::move(reply));
}

// Keys go by slices of neighbours, which lie in few buckets of the key store, and appends are served in between;
// ciphertext is taken out when the last slice is gone.
Result<void> Writer::ExpireKeys() {
  if (expiring_.empty()) {
    const uint64_t today = DayOf(options_.clock().wall_us);
    BOOST_OUTCOME_TRY(expiring_, composer_->keys().SubjectKeys());
    std::erase_if(expiring_, [today](const SubjectKeyId& id) { return id.retention == 0 || ExpiryDay(id) > today; });
  }
  bool everybody = false;
  BOOST_OUTCOME_TRY(const std::set<Tag> held, HeldTags(everybody));
  std::erase_if(expiring_, [&](const SubjectKeyId& id) { return everybody || held.contains(id.subject); });
  const size_t kept = expiring_.size() - std::min(expiring_.size(), kKeysAtOnce);
  const std::vector<SubjectKeyId> slice(expiring_.begin() + static_cast<std::ptrdiff_t>(kept), expiring_.end());
  expiring_.resize(kept);
  if (!slice.empty()) {
    if (!expiry_end_) expiry_end_ = EndBeforeErasing();
    BOOST_OUTCOME_TRY(DestroyKeys(*expiry_end_, slice, {}, ExpiryEvents(slice)));
    Say("retention: " + std::to_string(slice.size()) + " expired keys were destroyed");
  }
  if (!expiring_.empty()) {
    next_expiry_ = std::chrono::steady_clock::now();
  } else if (std::exchange(expiry_end_, std::nullopt)) {
    EraseInBackground(nullptr, 0);
  }
  return Ok();
}

}  // namespace portcullis::audit
