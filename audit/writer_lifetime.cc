// The two ends of a writer's life. Start: lock, recover, write BOOT durably (with what an unclean end
// left to tell), and only then start the thread. Stop: what is queued, ABORT for what is open, STOP, a
// last checkpoint. Between them runs the loop in writer.cc.

#include <sodium.h>

#include "audit/keystore.h"
#include "audit/layout.h"
#include "audit/writer.h"

namespace portcullis::audit {
namespace {

using std::chrono::steady_clock;

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

}  // namespace

Result<std::unique_ptr<Writer>> Writer::Start(WriterOptions options) {
  certs::InitSodium();
  if (options.ops == nullptr) options.ops = &SystemOps();
  const LogLayout layout(options.log_folder);
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
  BOOST_OUTCOME_TRY(Recovery recovery, RecoverLog(options.log_folder, signer));
  BOOST_OUTCOME_TRY(WriterKeys keys, LoadWriterKeys(options.keys_folder));

  WriterIdentity identity;
  identity.origin = options.origin;
  identity.key = keys.writer_public;
  identity.secret = std::move(keys.writer_secret);
  identity.endorsement = signer.Endorse(identity.key);
  BOOST_OUTCOME_TRY(Appender appender, Appender::Open(options.log_folder, recovery.tail,
                                                      std::move(identity), *options.ops));
  Id boot;
  randombytes_buf(boot.data(), boot.size());
  auto composer = std::make_unique<Composer>(options.origin, boot, appender.size(),
                                             std::move(keys.store), std::move(keys.auditors),
                                             options.clock);
  std::unique_ptr<Writer> writer(new Writer(std::move(options), std::move(lock), std::move(signer),
                                            recovery, std::move(appender), std::move(composer)));
  BOOST_OUTCOME_TRY(writer->Boot(recovery));
  writer->thread_ = std::thread([raw = writer.get()] { raw->Run(); });
  return writer;
}

Writer::Writer(WriterOptions options, Fd lock, Signer signer, Recovery recovery, Appender appender,
               std::unique_ptr<Composer> composer)
    : options_(std::move(options)), lock_(std::move(lock)), signer_(std::move(signer)),
      tiles_(std::move(recovery.tiles)), appender_(std::move(appender)), composer_(std::move(composer)),
      unsigned_leaves_(std::move(recovery.unsigned_leaves)),
      next_heartbeat_(steady_clock::now() + std::chrono::seconds(options_.heartbeat_seconds)),
      next_checkpoint_(steady_clock::now()) {}

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
  BOOST_OUTCOME_TRY(MakeReserve(options_.log_folder));
  std::vector<Event> events(1);
  events[0].kind = Kind::kBoot;
  events[0].outcome = options_.heartbeat_seconds;
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
  composer_->Adopt(recovery.open);
  for (Event& abort : AbortsOf(recovery.open)) events.push_back(std::move(abort));
  BOOST_OUTCOME_TRY(composer_->Add(events));
  BOOST_OUTCOME_TRY(CommitBatch());
  last_clock_ = options_.clock();
  BOOST_OUTCOME_TRY(SignNow());
  UpdateStatus();
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

// Requests still open are closed by ABORT, as recovery would do it, so that an orderly end is complete.
Result<void> Writer::WriteStop() {
  std::vector<Event> events = AbortsOf(composer_->open());
  events.emplace_back().kind = Kind::kStop;
  BOOST_OUTCOME_TRY(composer_->Add(events));
  auto done = CommitBatch();
  if (!done && done.error().code == Code::kDiskLow) {
    GiveUpReserve(options_.log_folder);
    BOOST_OUTCOME_TRY(composer_->Add(events));
    done = CommitBatch();
  }
  if (!done) return done;
  return SignNow();
}

}  // namespace portcullis::audit
