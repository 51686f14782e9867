// Acts on the log itself, on the writer's thread, between two batches. Each is recorded durably before
// it takes effect: RELEASE before a key leaves, ERASE before a key is destroyed. Arguments come from an
// administrator's tool over the socket (protocol.h); the names of people go into sealed parts only.

#include <algorithm>
#include <string>

#include "audit/cosignature.h"
#include "audit/erase.h"
#include "audit/json.h"
#include "audit/release.h"
#include "audit/witness.h"
#include "audit/writer.h"

namespace portcullis::audit {
namespace {

constexpr size_t kMaxReason = 1024;
constexpr size_t kTagsPerRecord = 4;

Result<std::string> Argument(const ActRequest& request, const char* name, size_t max = kMaxName) {
  const auto found = request.arguments.find(name);
  if (found == request.arguments.end() || found->second.empty() || found->second.size() > max) {
    return Error{Code::kInvalidArgument, request.name + ": `" + name + "` is missing or too long"};
  }
  return found->second;
}

std::string Optional(const ActRequest& request, const char* name) {
  const auto found = request.arguments.find(name);
  return found == request.arguments.end() ? std::string() : found->second.substr(0, kMaxReason);
}

Result<uint16_t> Week(const ActRequest& request, const char* name, uint16_t otherwise) {
  const std::string text = Optional(request, name);
  if (text.empty()) return otherwise;
  const auto number = ParseDecimal(text);
  if (!number || number.value() > UINT16_MAX) {
    return Error{Code::kInvalidArgument, request.name + ": `" + name + "` is not a number of a week"};
  }
  return static_cast<uint16_t>(number.value());
}

// One event per four tags.
std::vector<Event> About(Kind kind, uint16_t outcome, const std::vector<Tag>& tags, const std::string& metadata) {
  std::vector<Event> events;
  for (size_t i = 0; i < tags.size() || events.empty(); i += kTagsPerRecord) {
    Event& event = events.emplace_back();
    event.kind = kind;
    event.outcome = outcome;
    const size_t end = std::min(tags.size(), i + kTagsPerRecord);
    event.about.assign(tags.begin() + static_cast<std::ptrdiff_t>(i), tags.begin() + static_cast<std::ptrdiff_t>(end));
    event.parts.push_back(Part{PartType::kMetadata, metadata});
  }
  return events;
}

}  // namespace

// Durable on success. What the key store has to note with it is taken back where there is no room for both.
Result<void> Writer::WriteEvents(const std::vector<Event>& events) {
  if (auto room = MakeRoomForActs(); !room) {
    composer_->Abandon();
    return room;
  }
  return WriteOneBatch(events);
}

Result<void> Writer::WriteOneBatch(const std::vector<Event>& events) {
  BOOST_OUTCOME_TRY(BeginBatch());
  if (auto added = composer_->Add(events); !added) {
    composer_->Abandon();
    return added.error();
  }
  return CommitBatch();
}

void Writer::ProcessActs(std::vector<ActJob> jobs) {
  using Act = Result<std::string> (Writer::*)(const ActJob&);
  static const std::map<std::string, Act, std::less<>> kActs = {
      {"release", &Writer::ActRelease},
      {"hold", &Writer::ActHold},
      {"lift", &Writer::ActLift},
      {"holds", &Writer::ActHolds},
      {"keys", &Writer::ActKeys},
      {"destroy-year", &Writer::ActDestroyYear},
      {"erase-progress", &Writer::ActEraseProgress},
      {"witness-request", &Writer::ActWitnessRequest},
      {"witness-attach", &Writer::ActWitnessAttach},
  };
  static const std::map<std::string, Result<void> (Writer::*)(ActJob&), std::less<>> kBegun = {
      {"erase", &Writer::BeginErase},
      {"rotate", &Writer::BeginRotation},
      {"shred", &Writer::BeginShred},
  };
  for (ActJob& job : jobs) {
    Result<std::string> done = Error{Code::kInvalidArgument, "auditd knows no act `" + job.request.name.substr(0, 64) + "`"};
    // These reply when they are done, in later turns.
    if (const auto begin = kBegun.find(job.request.name); begin != kBegun.end()) {
      const auto begun = (this->*begin->second)(job);
      if (begun) continue;
      done = begun.error();
    } else if (const auto act = kActs.find(job.request.name); act != kActs.end()) {
      done = (this->*act->second)(job);
    }
    if (!done) composer_->keys().Rollback();
    ActReply reply;
    reply.correlation = job.request.correlation;
    if (done) {
      reply.text = std::move(done.value());
    } else {
      reply.error_code = static_cast<uint32_t>(done.error().code);
      reply.error = done.error().message;
    }
    job.done(std::move(reply));
  }
}

Result<std::string> Writer::ActRelease(const ActJob& job) {
  BOOST_OUTCOME_TRY(const std::string subject, Argument(job.request, "subject"));
  BOOST_OUTCOME_TRY(const std::string reason, Argument(job.request, "reason", kMaxReason));
  BOOST_OUTCOME_TRY(const std::string wanted, Argument(job.request, "auditor"));
  BOOST_OUTCOME_TRY(const uint16_t from, Week(job.request, "from_week", 0));
  BOOST_OUTCOME_TRY(const uint16_t to, Week(job.request, "to_week", UINT16_MAX));
  const auto auditor = std::find_if(auditors_.auditors.begin(), auditors_.auditors.end(), [&](const Auditor& one) {
    return one.name == wanted || Hex(KeyIdOf(one.key)) == wanted;
  });
  if (auditor == auditors_.auditors.end()) {
    return Error{Code::kNotFound, "release: `" + wanted + "` is no auditor of this log"};
  }
  BOOST_OUTCOME_TRY(const std::vector<Tag> tags, composer_->SubjectTags(subject));
  BOOST_OUTCOME_TRY(std::vector<SubjectKeyId> ids, composer_->keys().SubjectKeysOf(tags));
  std::erase_if(ids, [&](const SubjectKeyId& id) { return id.period < from || id.period > to; });
  if (ids.empty()) return Error{Code::kNotFound, "release: there is no key of that subject and time"};
  JsonObject facts;
  facts.Add("auditor", auditor->name);
  facts.Add("auditor_key", Hex(KeyIdOf(auditor->key)));
  facts.Add("subject", subject);
  facts.Add("keys", ids.size());
  facts.Add("from_week", uint64_t{from});
  facts.Add("to_week", uint64_t{to});
  facts.Add("reason", reason);
  facts.Add("uid", uint64_t{job.uid});
  BOOST_OUTCOME_TRY(WriteEvents(About(Kind::kRelease, 1, tags, facts.Text())));
  std::vector<ReleasedKey> keys;
  for (const SubjectKeyId& id : ids) {
    BOOST_OUTCOME_TRY(SubjectKey key, composer_->keys().KeyOf(id));
    keys.push_back(ReleasedKey{id, std::move(key)});
  }
  return SealRelease(options_.origin, auditor->key, keys);
}

Result<std::string> Writer::ActHold(const ActJob& job) {
  BOOST_OUTCOME_TRY(const std::string subject, Argument(job.request, "subject"));
  BOOST_OUTCOME_TRY(const std::string reason, Argument(job.request, "reason", kMaxReason));
  BOOST_OUTCOME_TRY(MakeRoomForActs());
  BOOST_OUTCOME_TRY(const uint64_t number,
                    composer_->keys().AddHold(subject, reason, options_.clock().wall_us));
  std::vector<Tag> tags;
  if (subject != "*") {
    BOOST_OUTCOME_TRY(tags, composer_->SubjectTags(subject));
  }
  JsonObject facts;
  facts.Add("hold", number);
  facts.Add("subject", subject);
  facts.Add("reason", reason);
  facts.Add("uid", uint64_t{job.uid});
  // The key store's transaction is committed with the batch.
  const auto told = WriteEvents(About(Kind::kHold, static_cast<uint16_t>(HoldOutcome::kPlaced), tags, facts.Text()));
  if (told) return std::to_string(number);
  // After a failed sync HOLD may be on the disk: the hold stays.
  if (appender_.poisoned()) return told.error();
  Result<void> undone = composer_->keys().RemoveHold(number);
  if (undone) undone = composer_->keys().Commit();
  if (undone || undone.error().code == Code::kNotFound) return told.error();
  return Error{told.error().code, "hold " + std::to_string(number) + " is in force and not recorded, lift it (" +
                                      undone.error().message + "): " + told.error().message};
}

Result<std::string> Writer::ActLift(const ActJob& job) {
  BOOST_OUTCOME_TRY(const std::string text, Argument(job.request, "hold"));
  BOOST_OUTCOME_TRY(const std::string reason, Argument(job.request, "reason", kMaxReason));
  BOOST_OUTCOME_TRY(const uint64_t number, ParseDecimal(text));
  BOOST_OUTCOME_TRY(const std::vector<Hold> holds, composer_->keys().Holds());
  const auto hold = std::find_if(holds.begin(), holds.end(), [&](const Hold& one) { return one.number == number; });
  if (hold == holds.end()) return Error{Code::kNotFound, "lift: there is no hold " + text};
  std::vector<Tag> tags;
  if (hold->subject != "*") {
    BOOST_OUTCOME_TRY(tags, composer_->SubjectTags(hold->subject));
  }
  JsonObject facts;
  facts.Add("hold", number);
  facts.Add("subject", hold->subject);
  facts.Add("reason", reason);
  facts.Add("uid", uint64_t{job.uid});
  BOOST_OUTCOME_TRY(WriteEvents(About(Kind::kHold, static_cast<uint16_t>(HoldOutcome::kLifted), tags, facts.Text())));
  BOOST_OUTCOME_TRY(composer_->keys().RemoveHold(number));
  BOOST_OUTCOME_TRY(composer_->keys().Commit());
  return std::to_string(number);
}

Result<std::string> Writer::ActHolds(const ActJob&) {
  BOOST_OUTCOME_TRY(const std::vector<Hold> holds, composer_->keys().Holds());
  std::string list = "[";
  for (const Hold& hold : holds) {
    JsonObject one;
    one.Add("hold", hold.number);
    one.Add("subject", hold.subject);
    one.Add("reason", hold.reason);
    one.Add("since_us", hold.since_us);
    list += (list.size() > 1 ? "," : "") + one.Text();
  }
  return list + "]";
}

Result<std::string> Writer::ActKeys(const ActJob&) {
  BOOST_OUTCOME_TRY(const auto keys, composer_->keys().SubjectKeys());
  BOOST_OUTCOME_TRY(const auto epochs, composer_->keys().Epochs());
  BOOST_OUTCOME_TRY(const auto holds, composer_->keys().Holds());
  std::string auditors;
  for (const Auditor& auditor : auditors_.auditors) {
    JsonObject one;
    one.Add("name", auditor.name);
    one.Add("jurisdiction", auditor.jurisdiction);
    one.Add("key", Hex(KeyIdOf(auditor.key)));
    one.Add("two_person", auditors_.two_person.contains(auditor.jurisdiction));
    auditors += (auditors.empty() ? "" : ",") + one.Text();
  }
  std::string witnesses;
  for (const VerifierKey& witness : witnessed_.witnesses()) {
    witnesses += (witnesses.empty() ? "" : ",") + JsonQuoted(FormatVerifierKey(witness));
  }
  JsonObject out;
  out.Add("schema", "portcullis.audit.keys/1");
  out.Add("log", FormatVerifierKey(signer_.key()));
  out.Add("day", DayName(appender_.identity().day.day));
  out.Add("day_key", Base64(appender_.identity().day.key));
  out.Add("store_generation", composer_->keys().generation());
  out.Add("subject_keys", keys.size());
  out.Add("tag_epochs", epochs.size());
  out.Add("holds", holds.size());
  out.Add("auditors_hash", Hex(auditors_hash_));
  out.AddRaw("auditors", "[" + auditors + "]");
  out.AddRaw("witnesses", "[" + witnesses + "]");
  out.Add("witnessed_size", witnessed_.head().size);
  out.Add("hardware_counter", CounterWords());
  return out.Text();
}

// "LOOKED-AT OF" in segments; "0 0" when nothing is being erased.
Result<std::string> Writer::ActEraseProgress(const ActJob&) {
  return std::to_string(erase_looked_at_.load()) + " " + std::to_string(erase_segments_.load());
}

Event Writer::RotationEvent(std::optional<uint32_t> uid) {
  JsonObject facts;
  facts.Add("rotated", "key store");
  facts.Add("generation", composer_->keys().generation() + 1);
  if (uid) facts.Add("uid", uint64_t{*uid});
  else facts.Add("resumed", true);
  Event told;
  told.kind = Kind::kConfig;
  told.parts.push_back(Part{PartType::kMetadata, facts.Text()});
  return told;
}

Result<void> Writer::BeginRotation(ActJob& job) {
  if (rotation_) return Error{Code::kOverloaded, "rotate: the key store is being encrypted anew already; ask again later"};
  KeyStore& keys = composer_->keys();
  BOOST_OUTCOME_TRY(MakeRoomForRekey());
  // Committed with the batch, just before it is written: a start goes on with what is noted.
  BOOST_OUTCOME_TRY(keys.NoteRotation());
  if (auto told = WriteEvents({RotationEvent(job.uid)}); !told) {
    if (appender_.poisoned()) return told;
    Result<void> undone = keys.CancelRotation();
    if (undone) undone = keys.Commit();
    if (!undone) Say("the next start encrypts the key store anew: " + undone.error().message);
    return told;
  }
  if (auto done = keys.Rekey(); !done) return Refuted(done.error());
  rotation_ = std::move(job);
  if (auto done = SignNow(); !done) Say("no checkpoint: " + done.error().message);
  return Ok();
}

// At start: told again, in case it was not, and under a new salt, in case that did not come.
Result<void> Writer::ResumeRotation() {
  BOOST_OUTCOME_TRY(const bool rotating, composer_->keys().Rotating());
  if (!rotating) return Ok();
  Result<void> begun = MakeRoomForRekey();
  if (begun) begun = WriteEvents({RotationEvent(std::nullopt)});
  if (begun) begun = composer_->keys().Rekey();
  if (begun) {
    rotation_.emplace(ActJob{});
    return SignNow();
  }
  if (begun.error().code != Code::kDiskLow) return begun;
  composer_->keys().Rollback();
  Say("the key store is not wholly encrypted anew, a later start goes on with it: " + begun.error().message);
  return Ok();
}

// A bucket of the key store in each turn, so that appends wait for no more than that.
void Writer::RotateNext() {
  const auto more = composer_->keys().RotateNext();
  if (more && more.value()) return;
  if (more) return EndRotation(Ok());
  composer_->keys().Rollback();
  EndRotation(Error{more.error().code, "the key store is not wholly encrypted anew (a start goes on with it, `keys "
                                       "--rotate` begins again): " + more.error().message});
}

void Writer::EndRotation(const Result<void>& done) {
  if (!rotation_) return;
  const ActJob job = std::move(*rotation_);
  rotation_.reset();
  if (!done) Say(done.error().message);
  if (!job.done) return;
  ActReply reply;
  reply.correlation = job.request.correlation;
  reply.error_code = done ? 0 : static_cast<uint32_t>(done.error().code);
  reply.error = done ? "" : done.error().message;
  reply.text = done ? std::to_string(composer_->keys().generation()) : "";
  job.done(std::move(reply));
}

Result<std::string> Writer::ActWitnessRequest(const ActJob& job) {
  BOOST_OUTCOME_TRY(const std::string text, Argument(job.request, "old"));
  BOOST_OUTCOME_TRY(const uint64_t old_size, ParseDecimal(text));
  if (!unsigned_leaves_.empty()) {
    BOOST_OUTCOME_TRY(SignNow());
  }
  AddCheckpoint request;
  request.old_size = old_size;
  request.checkpoint = note_;
  const auto node = [this](unsigned level, uint64_t index) { return tiles_.Node(level, index); };
  auto proof = ConsistencyProof(old_size, signer_.size(), node);
  if (!proof && proof.error().code == Code::kRolledBack) return proof.error();
  const auto old_root = RootAt(old_size, node);
  if (!proof || !old_root ||
      !VerifyConsistency(old_size, signer_.size(), proof.value(), old_root.value(), signer_.root())) {
    RebuildTiles();
    return Error{Code::kTampered, "a cached tile is damaged and is being rebuilt; ask again"};
  }
  request.proof = std::move(proof.value());
  return FormatAddCheckpoint(request);
}

// A checkpoint of this log that a witness cosigned. One that is larger than the log, or has another
// root, proves that this machine was rolled back or copied: it is kept, and nothing is written again.
Result<std::string> Writer::ActWitnessAttach(const ActJob& job) {
  BOOST_OUTCOME_TRY(const std::string text, Argument(job.request, "note", kMaxNote));
  BOOST_OUTCOME_TRY(const Checkpoint head, OpenCheckpoint(text, signer_.key()));
  BOOST_OUTCOME_TRY(const Note note, ParseNote(text));
  BOOST_OUTCOME_TRY(const auto cosigned, Cosignatures(note, witnessed_.witnesses()));
  Witnessed next = witnessed_;
  BOOST_OUTCOME_TRY(const uint64_t size, next.Take(text, signer_.key()));
  const KeysLayout keys(options_.keys_folder);
  if (auto fits = CompareWithSeen(options_.log_folder, signer_, tiles_, head, "the witness `" + cosigned[0].witness.name + "`"); !fits) {
    if (fits.error().code != Code::kRolledBack && fits.error().code != Code::kForked) return fits.error();
    (void)ReplaceFile(keys.witnessed(), text, true);
    return Refuted(fits.error()).error();
  }
  const std::string all = next.Text();
  if (all.size() > kMaxNote || !Witnessed::Parse(all, signer_.key(), witnessed_.witnesses())) {
    return Error{Code::kTooLarge, "witness-attach: the note is too long, or has too many signatures"};
  }
  BOOST_OUTCOME_TRY(ReplaceFile(keys.witnessed(), all, true));
  BOOST_OUTCOME_TRY(ReplaceFile(LogLayout(options_.log_folder).witnessed(), all, true));
  witnessed_ = std::move(next);
  return std::to_string(size);
}

Result<void> Writer::Refuted(const Error& error) {
  {
    const std::lock_guard guard(mutex_);
    poison_ = error;
  }
  if (options_.on_poison) options_.on_poison(error);
  return error;
}

}  // namespace portcullis::audit
