// The two ends of a writer's life. Start: lock, recover, write BOOT durably (with what an unclean end
// left to tell), and only then start the thread. Stop: what is queued, ABORT for what is open, STOP, a
// last checkpoint. Between them runs the loop in writer.cc.

#include <sodium.h>
#include <unistd.h>

#include "audit/keystore.h"
#include "audit/layout.h"
#include "audit/writer.h"

namespace portcullis::audit {
namespace {

using std::chrono::steady_clock;

constexpr uint64_t kStopReserve = 1 << 20;
constexpr uint64_t kActsReserve = 1 << 20;
constexpr uint64_t kRoomForBoot = 256 << 10;  // beside its records, as for an act

WriteOps& SystemOps() {
  static WriteOps ops;
  return ops;
}

Part Metadata(std::string json) { return Part{PartType::kMetadata, std::move(json)}; }

std::vector<Event> AbortsOf(const Composer::OpenRequests& open) {
  std::vector<Event> aborts;
  aborts.reserve(open.size() + 1);
  for (const auto& [seq, request_id] : open) {
    Event& abort = aborts.emplace_back();
    abort.kind = Kind::kAbort;
    abort.request_id = request_id;
    abort.parent_seq = seq;
  }
  return aborts;
}

// What somebody else has seen of this log: the last cosigned checkpoint, and one fetched for this start.
Result<void> CompareSeenFiles(const WriterOptions& options, const Signer& signer, const TileStore& tiles) {
  const KeysLayout keys(options.keys_folder);
  for (const auto& path : {keys.witnessed(), options.seen_by_witness}) {
    if (path.empty()) continue;
    const auto note = ReadFile(path, kMaxNote);
    if (!note && note.error().code == Code::kNotFound && path == keys.witnessed()) continue;
    if (!note) return note.error();
    BOOST_OUTCOME_TRY(const auto notes, SplitNotes(note.value()));
    for (const std::string_view one : notes) {
      BOOST_OUTCOME_TRY(const Checkpoint seen, OpenCheckpoint(one, signer.key()));
      BOOST_OUTCOME_TRY(CompareWithSeen(options.log_folder, signer, tiles, seen, "a witness"));
    }
  }
  return Ok();
}

}  // namespace

Result<std::unique_ptr<Writer>> Writer::Start(WriterOptions options) {
  certs::InitSodium();
  if (options.ops == nullptr) options.ops = &SystemOps();
  const LogLayout layout(options.log_folder);
  for (const char* own : {"segments", "tile", "torn"}) {
    BOOST_OUTCOME_TRY(RefuseLink(options.log_folder / own));
  }
  BOOST_OUTCOME_TRY(Fd lock, LockFile(layout.lock()));
  BOOST_OUTCOME_TRY(const VerifierKey public_key, ReadLogKey(options.log_folder));
  if (options.origin.empty()) options.origin = public_key.name;
  if (options.origin != public_key.name) {
    return Error{Code::kInvalidArgument, "this log's origin is `" + public_key.name +
                                             "`; another --origin was given"};
  }
  BOOST_OUTCOME_TRY(Signer signer, Signer::Open(options.keys_folder, options.origin));
  if (signer.key().key != public_key.key) {
    return Error{Code::kKeys, "log.key does not belong to the log's log.pub"};
  }
  std::error_code ignored;
  const bool overridden = std::filesystem::exists(KeysLayout(options.keys_folder).override_note(), ignored);
  BOOST_OUTCOME_TRY(auto counter, CounterKeeper::Meet(options.counter, signer, overridden));
  BOOST_OUTCOME_TRY(Recovery recovery, RecoverLog(options.log_folder, signer));
  BOOST_OUTCOME_TRY(CompareSeenFiles(options, signer, recovery.tiles));
  BOOST_OUTCOME_TRY(SignedAuditors auditors, LoadAuditors(options.keys_folder, public_key));
  BOOST_OUTCOME_TRY(auto store, OpenKeyStore(options.keys_folder, KeyStore::Mode::kReadWrite));
  if (store->generation() < signer.store_generation()) {
    return Error{Code::kRolledBack, "an old key store was put back (generation " +
                                        std::to_string(store->generation()) + ", the log knows " +
                                        std::to_string(signer.store_generation()) +
                                        "): keys that were destroyed must not return"};
  }

  WriterIdentity identity;
  identity.origin = options.origin;
  BOOST_OUTCOME_TRY(identity.day, TakeDayKey(options.keys_folder, DayOf(options.clock().wall_us)));
  identity.endorsement = signer.Endorse(identity.day.day, identity.day.key);
  BOOST_OUTCOME_TRY(Appender appender, Appender::Open(options.log_folder, recovery.tail,
                                                      std::move(identity), *options.ops));
  Id boot;
  randombytes_buf(boot.data(), boot.size());
  auto composer = std::make_unique<Composer>(options.origin, boot, appender.size(), std::move(store),
                                             auditors.policy);
  std::unique_ptr<Writer> writer(new Writer(std::move(options), std::move(lock), std::move(signer),
                                            recovery, std::move(appender), std::move(composer),
                                            std::move(counter), std::move(auditors)));
  BOOST_OUTCOME_TRY(writer->LoadSeen());
  BOOST_OUTCOME_TRY(writer->Boot(recovery));
  writer->thread_ = std::thread([raw = writer.get()] { raw->Run(); });
  return writer;
}

Writer::Writer(WriterOptions options, Fd lock, Signer signer, Recovery recovery, Appender appender,
               std::unique_ptr<Composer> composer, std::unique_ptr<CounterKeeper> counter, SignedAuditors auditors)
    : options_(std::move(options)), lock_(std::move(lock)), signer_(std::move(signer)),
      tiles_(std::move(recovery.tiles)), appender_(std::move(appender)), composer_(std::move(composer)),
      unsigned_leaves_(std::move(recovery.unsigned_leaves)), counter_(std::move(counter)),
      auditors_hash_(auditors.hash),
      auditors_(std::move(auditors.policy)),
      next_heartbeat_(steady_clock::now() + std::chrono::seconds(options_.heartbeat_seconds)),
      next_checkpoint_(steady_clock::now()), next_expiry_(steady_clock::now()),
      stop_reserve_(LogLayout(options_.log_folder).reserve(), kStopReserve),
      acts_reserve_(LogLayout(options_.log_folder).acts_reserve(), kActsReserve),
      worker_(std::make_unique<Worker>()) {}

// The worker ends after the thread, which posts to it, and before what its jobs use.
Writer::~Writer() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard guard(mutex_);
    if (!poison_) poison_ = Error{Code::kStopping, "auditd is stopping"};
  }
  wake_.notify_all();
  thread_.join();
}

// BOOT, and after an unclean end RECOVERY and an ABORT for every request left open, in one batch.
Result<void> Writer::Boot(const Recovery& recovery) {
  BOOST_OUTCOME_TRY(stop_reserve_.Fill());
  if (auto filled = acts_reserve_.Fill(); !filled) {
    Say(filled.error().message + "; requests are refused until there is room");
  }
  std::vector<Event> events(1);
  events[0].kind = Kind::kBoot;
  events[0].outcome = options_.heartbeat_seconds;
  events[0].policy_hash = auditors_hash_;  // who may read what this boot writes
  const std::filesystem::path override_note = KeysLayout(options_.keys_folder).override_note();
  const auto overridden = ReadFile(override_note, kMaxNote);
  if (overridden) {
    Event& told = events.emplace_back();
    told.kind = Kind::kRecovery;
    told.outcome = 2;
    told.parts.push_back(Metadata(overridden.value()));
  }
  if (recovery.tiles_rebuilt) Say("the cached tiles did not fit and were rebuilt from the segments");
  if (recovery.unclean) {
    Event told;
    told.kind = Kind::kRecovery;
    told.outcome = recovery.cut_bytes > 0 ? 1 : 0;
    told.parts.push_back(Metadata("{\"cut_bytes\":" + std::to_string(recovery.cut_bytes) +
                                  ",\"cut_sha256\":\"" + Hex(recovery.cut_hash) + "\",\"kept_as\":\"" +
                                  recovery.cut_file +
                                  "\",\"open_requests\":" + std::to_string(recovery.open.size()) + "}"));
    events.push_back(std::move(told));
    Say("the log was not closed in order: " + std::to_string(recovery.cut_bytes) +
        " torn bytes cut, " + std::to_string(recovery.open.size()) + " open requests closed");
  }
  BOOST_OUTCOME_TRY(const auto pending, composer_->keys().PendingErasures());
  for (Event& abort : AbortsOf(recovery.open)) events.push_back(std::move(abort));
  // Asked before anything is written and the counter moves: what fails behind BOOT does so again with every start.
  if (!pending.begun.empty() || !pending.parts_begun.empty() || !pending.years.empty()) {
    BOOST_OUTCOME_TRY(MakeRoomForRekey(SizeOf(events) + kRoomForBoot));
  } else {
    BOOST_OUTCOME_TRY(MakeRoomForBoot(events));
  }
  if (counter_) {
    auto stepped = counter_->Start(signer_);
    BOOST_OUTCOME_TRY(CheckCounter());
    BOOST_OUTCOME_TRY(stepped);
    counter_->Mark(events[0]);
  }
  if (!pending.empty()) appender_.Roll();
  composer_->Adopt(recovery.open);
  BOOST_OUTCOME_TRY(BeginBatch());
  BOOST_OUTCOME_TRY(composer_->Add(events));
  BOOST_OUTCOME_TRY(CommitBatch());
  BOOST_OUTCOME_TRY(SignNow());
  if (overridden) ::unlink(override_note.c_str());
  BOOST_OUTCOME_TRY(ResumeErasures());
  BOOST_OUTCOME_TRY(ResumeRotation());
  UpdateStatus();
  return Ok();
}

// The day's key in the list, what witnesses have seen.
Result<void> Writer::LoadSeen() {
  const LogLayout layout(options_.log_folder);
  BOOST_OUTCOME_TRY(const std::string list, ReadFile(layout.days(), kMaxNote));
  BOOST_OUTCOME_TRY(days_, OpenDayList(list, signer_.key()));
  const DayKey& day = appender_.identity().day;
  if (!days_.Holds(day.day, day.key)) {
    days_.keys.emplace(DayName(day.day), day.key);
    BOOST_OUTCOME_TRY(ReplaceFile(layout.days(), signer_.SignText(DayListText(options_.origin, days_)), true));
  }
  BOOST_OUTCOME_TRY(auto witnesses, ReadVerifierKeys(KeysLayout(options_.keys_folder).witnesses()));
  const auto notes = ReadFile(KeysLayout(options_.keys_folder).witnessed(), kMaxNote);
  witnessed_ = Witnessed(witnesses);
  if (!notes) return Ok();
  BOOST_OUTCOME_TRY(witnessed_, Witnessed::Parse(notes.value(), signer_.key(), std::move(witnesses)));
  return Ok();
}

Result<void> Writer::Stop() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  const std::lock_guard guard(mutex_);
  if (poison_) return *poison_;
  return Ok();
}

// Poisoned: everything that still waits is refused.
void Writer::RefuseAll() {
  std::deque<Job> rest;
  std::vector<ProofJob> proofs;
  std::vector<ActJob> acts;
  Error why;
  {
    const std::lock_guard guard(mutex_);
    rest.swap(queue_);
    proofs.swap(proofs_);
    acts.swap(acts_);
    queued_bytes_ = 0;
    why = *poison_;
  }
  EndRotation(why);
  for (Job& job : rest) Refuse(job, why);
  for (ProofJob& job : proofs) {
    job.done(Proof{job.request.correlation, static_cast<uint32_t>(why.code), why.message, {}, {}});
  }
  for (ActJob& job : acts) {
    job.done(ActReply{job.request.correlation, static_cast<uint32_t>(why.code), why.message, {}});
  }
}

// Requests still open are closed by ABORT, as recovery would do it, so that an orderly end is complete.
Result<void> Writer::WriteStop() {
  std::vector<Event> events = AbortsOf(composer_->open());
  events.emplace_back().kind = Kind::kStop;
  auto done = WriteOneBatch(events);
  if (!done && done.error().code == Code::kDiskLow) {
    stop_reserve_.GiveUp();
    done = WriteOneBatch(events);
  }
  if (!done) return done;
  stopped_ = true;
  if (counter_) counter_->Finish();  // a step that is on its way, so that the end takes one of its own
  BOOST_OUTCOME_TRY(CheckCounter());
  BOOST_OUTCOME_TRY(SignNow());
  if (counter_) counter_->Finish();
  return CheckCounter();
}

}  // namespace portcullis::audit
