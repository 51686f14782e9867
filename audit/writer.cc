// The loop: wait for work or a deadline, take a batch, compose, commit, acknowledge. While fdatasync
// runs, appends pile up in the queue; they become the next batch. So the load makes the batches larger
// and the cost of durability is shared, without any waiting on purpose. Start and Stop are in
// writer_lifetime.cc, the disk space in writer_space.cc.

#include "audit/writer.h"

#include <algorithm>
#include <utility>

#include "audit/proof.h"

namespace portcullis::audit {
namespace {

using std::chrono::steady_clock;

constexpr uint64_t kMaxBatchBytes = 64u << 20;
constexpr size_t kMaxActs = 64;
constexpr size_t kProofsATurn = 16;
constexpr std::chrono::seconds kCounterLook{1};

}  // namespace

void Writer::Submit(Append append, Done done) {
  Job job{std::move(append), std::move(done), 0, steady_clock::now()};
  job.bytes = SizeOf(job.append.events);
  std::optional<Error> refusal;
  {
    const std::lock_guard guard(mutex_);
    if (poison_) {
      refusal = *poison_;
    } else if (stopping_) {
      refusal = Error{Code::kStopping, "auditd is stopping"};
    } else if (Hangs()) {
      refusal = Error{Code::kOverloaded, "the log's disk does not answer"};
    } else if (auto silent = RefusedByCounter(job.append)) {
      refusal = std::move(silent);
    } else if (queue_.size() >= options_.max_queued ||
               queued_bytes_ + job.bytes > options_.max_queued_bytes) {
      refusal = Error{Code::kOverloaded, "the audit queue is full"};
    } else {
      queued_bytes_ += job.bytes;
      queue_.push_back(std::move(job));
    }
  }
  if (refusal) return Refuse(job, *refusal);
  wake_.notify_one();
}

void Writer::SubmitProof(ProofRequest request, ProofDone done) {
  {
    const std::lock_guard guard(mutex_);
    if (!poison_ && !stopping_ && proofs_.size() < options_.max_queued) {
      proofs_.push_back(ProofJob{request, std::move(done)});
      done = nullptr;
    }
  }
  if (done) {
    done(Proof{request.correlation, static_cast<uint32_t>(Code::kOverloaded),
               "auditd takes no proof requests now", {}, {}});
  }
  wake_.notify_one();
}

void Writer::SubmitAct(ActRequest request, uint32_t uid, ActDone done) {
  const uint64_t correlation = request.correlation;
  std::optional<Error> refusal;
  {
    const std::lock_guard guard(mutex_);
    if (counter_ && !request.name.starts_with("witness-")) refusal = counter_->Refusal();
    if (!poison_ && !stopping_ && !refusal && acts_.size() < kMaxActs) {
      acts_.push_back(ActJob{std::move(request), uid, std::move(done)});
      done = nullptr;
    }
  }
  if (done) {
    const Error why = refusal.value_or(Error{Code::kOverloaded, "auditd takes no acts now"});
    done(ActReply{correlation, static_cast<uint32_t>(why.code), why.message, {}});
  }
  wake_.notify_one();
}

void Writer::ExpireOverdue() {
  std::vector<Job> overdue;
  {
    const std::lock_guard guard(mutex_);
    const TimePoint limit = steady_clock::now() - options_.max_wait;
    while (!queue_.empty() && queue_.front().queued < limit) {
      queued_bytes_ -= queue_.front().bytes;
      overdue.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
  }
  for (Job& job : overdue) {
    Refuse(job, Error{Code::kOverloaded, "the log's disk is too slow: the append waited too long"});
  }
}

Status Writer::GetStatus() {
  const std::lock_guard guard(mutex_);
  Status status = status_;
  status.queued = queue_.size() + (busy_since_ ? 1 : 0);
  if (poison_) {
    status.writable = false;
    status.why_not = poison_->message;
  } else if (stopping_) {
    status.writable = false;
    status.why_not = "auditd is stopping";
  } else if (Hangs()) {
    status.writable = false;
    status.why_not = "the log's disk does not answer";
  } else if (const auto silent = RefusedByCounter({})) {
    status.writable = false;
    status.why_not = silent->message;
  }
  return status;
}

bool Writer::Hangs() const {
  return busy_since_ && steady_clock::now() - *busy_since_ > options_.max_wait;
}

void Writer::Run() {
  for (;;) {
    std::vector<Job> jobs;
    std::vector<ProofJob> proofs;
    std::vector<ActJob> acts;
    std::vector<std::function<void()>> finished;
    bool stop = false;
    {
      std::unique_lock lock(mutex_);
      busy_since_.reset();
      TimePoint deadline = options_.heartbeat_seconds > 0 ? next_heartbeat_ : TimePoint::max();
      if (!unsigned_leaves_.empty()) deadline = std::min(deadline, next_checkpoint_);
      if (counter_ && counter_->Waits()) deadline = std::min(deadline, steady_clock::now() + kCounterLook);
      deadline = rotation_ ? steady_clock::now() : std::min(deadline, next_expiry_);
      const auto ready = [this] {
        return !queue_.empty() || !proofs_.empty() || !acts_.empty() || !finished_.empty() || stopping_ ||
               poison_.has_value();
      };
      wake_.wait_until(lock, deadline, ready);
      if (poison_) break;
      size_t records = 0;
      uint64_t bytes = 0;
      while (!queue_.empty()) {
        const Job& front = queue_.front();
        const size_t count = front.append.events.size();
        if (records > 0 && (records + count > kMaxBatch || bytes + front.bytes > kMaxBatchBytes)) break;
        records += count;
        bytes += front.bytes;
        queued_bytes_ -= front.bytes;
        jobs.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
      // Each reads some tiles; the rest waits for the next turn, so that appends need not.
      const auto some = proofs_.begin() + static_cast<std::ptrdiff_t>(std::min(proofs_.size(), kProofsATurn));
      proofs.assign(std::make_move_iterator(proofs_.begin()), std::make_move_iterator(some));
      proofs_.erase(proofs_.begin(), some);
      acts.swap(acts_);
      finished.swap(finished_);
      stop = stopping_ && queue_.empty() && jobs.empty() && proofs_.empty();
      busy_since_ = steady_clock::now();
    }
    LookAtCounter();
    ProcessBatch(std::move(jobs));
    ProcessProofs(std::move(proofs));
    ProcessActs(std::move(acts));
    for (const auto& job : finished) job();
    if (rotation_) RotateNext();
    if (steady_clock::now() >= next_expiry_) {
      next_expiry_ = steady_clock::now() + options_.expiry_interval;
      if (auto done = ExpireKeys(); !done) {
        composer_->keys().Rollback();
        Say("expired keys were not destroyed: " + done.error().message);
      }
    }
    if (!unsigned_leaves_.empty() && steady_clock::now() >= next_checkpoint_) {
      if (auto done = SignNow(); !done) Say("no checkpoint: " + done.error().message);
    }
    TakeBackRoom();
    UpdateStatus();
    if (stop && !appender_.poisoned()) {
      EndRotation(Error{Code::kStopping, "auditd is stopping; its next start goes on with the key store"});
      if (auto done = WriteStop(); !done) Say("no orderly end: " + done.error().message);
      return;
    }
  }
  RefuseAll();
}

std::vector<Event> Writer::DueHeartbeat() {
  if (options_.heartbeat_seconds == 0 || steady_clock::now() < next_heartbeat_) return {};
  next_heartbeat_ = steady_clock::now() + std::chrono::seconds(options_.heartbeat_seconds);
  Event heartbeat;
  heartbeat.kind = Kind::kHeartbeat;
  heartbeat.outcome = options_.heartbeat_seconds;
  if (counter_) counter_->Mark(heartbeat);
  return {heartbeat};
}

// Where the disk is low or full, records of requests are refused, and what must be told is written out of the
// reserve: admitted by its kind before anything is composed, so that a batch is composed anew, not mended.
void Writer::ProcessBatch(std::vector<Job> jobs) {
  const std::vector<Event> due = DueHeartbeat();
  if (const Result<void> space = CheckSpace(); !space) {
    UpdateStatus();  // whoever asks after a refusal must not be told that appends are taken
    RefuseRequests(jobs, space.error());
    if (!jobs.empty() || !due.empty()) (void)MakeRoom(NeededFor(jobs));
  }
  Result<void> written = WriteBatch(jobs, due);
  if (!written && written.error().code == Code::kDiskLow) {
    RefuseRequests(jobs, written.error());
    if (jobs.empty() && due.empty()) return;
    const Result<void> drawn = acts_reserve_.Draw(NeededFor(jobs));
    written = drawn ? WriteBatch(jobs, due) : drawn;
  }
  if (written) return;
  Say("a batch was not written: " + written.error().message);
  for (Job& job : jobs) Refuse(job, written.error());
}

// Answers every job, but those of a batch that was not written.
Result<void> Writer::WriteBatch(std::vector<Job>& jobs, const std::vector<Event>& due) {
  struct Pending {
    Job* job;
    Composed composed;
  };
  std::vector<Pending> pending;
  const TimePoint limit = steady_clock::now() - options_.max_wait;
  if (auto begun = BeginBatch(); !begun) {
    next_heartbeat_ = std::max(next_heartbeat_, steady_clock::now() + std::chrono::seconds(1));
    return begun;
  }
  if (!due.empty()) {
    if (auto added = composer_->Add(due); !added) Say("no heartbeat: " + added.error().message);
  }
  for (Job& job : jobs) {
    if (!job.done) continue;  // answered before the batch had to be composed anew
    if (job.queued < limit) {
      Refuse(job, Error{Code::kOverloaded, "the append waited too long in the audit queue"});
      continue;
    }
    auto composed = composer_->Add(job.append.events);
    if (!composed) {
      Refuse(job, composed.error());
      continue;
    }
    pending.push_back(Pending{&job, std::move(composed.value())});
  }
  if (composer_->leaves().empty()) {
    // A refused append may have made a key that the composer goes on to use.
    if (!composer_->CommitKeys()) composer_->Abandon();
    return Ok();
  }
  BOOST_OUTCOME_TRY(CommitBatch());
  for (Pending& entry : pending) {
    std::exchange(entry.job->done, nullptr)(MakeAck(entry.job->append.correlation, entry.composed));
  }
  return Ok();
}

Result<void> Writer::CommitBatch() {
  Result<void> done = composer_->CommitKeys();
  if (done) done = appender_.Commit(composer_->frames(), composer_->leaves());
  disk_full_ = !done && done.error().code == Code::kDiskLow;
  if (!done) {
    composer_->Abandon();
    if (appender_.poisoned()) {
      const Error error = done.error();
      {
        const std::lock_guard guard(mutex_);
        poison_ = error;
      }
      if (options_.on_poison) options_.on_poison(error);
    }
    UpdateStatus();
    return done;
  }
  std::string_view rest = composer_->frames();
  for (const Hash& hash : composer_->leaves()) {
    const Frame frame = ParseFrame(rest).frame;
    rest.remove_prefix(frame.size);
    unsigned_leaves_.push_back(hash);
    if (auto tile = tiles_.Append(frame.body.substr(0, kLeafSize), hash); !tile) {
      Say("a tile was not written: " + tile.error().message);
    }
  }
  composer_->Settle();
  stopped_ = false;
  {
    const std::lock_guard guard(mutex_);
    if (busy_since_) busy_since_ = steady_clock::now();  // the disk has answered
  }
  UpdateStatus();
  return done;
}

ResumePoint Writer::Here() const {
  return ResumePoint{appender_.segment(), appender_.offset(), appender_.last_batch(), stopped_,
                     composer_->open()};
}

Result<void> Writer::SignNow() {
  BOOST_OUTCOME_TRY(CheckPoison());
  next_checkpoint_ = steady_clock::now() + options_.checkpoint_interval;
  // Of a cache, nothing is written out of the reserve.
  const bool cached = (acts_reserve_.missing() == 0 && !disk_full_) || stopped_;
  if (auto tiles = cached ? tiles_.WritePartials() : Ok(); !tiles) Say("a tile was not written: " + tiles.error().message);
  signer_.set_store_generation(composer_->keys().generation());
  if (counter_) signer_.set_counter_value(counter_->Wanted(stopped_));
  auto note = signer_.Sign(unsigned_leaves_, appender_.Root(), Here(), &appender_.identity().day);
  if (!note) {
    if (note.error().code == Code::kForked) return Refuted(note.error());
    return note.error();
  }
  if (counter_) counter_->Follow(signer_.counter().value);
  unsigned_leaves_.clear();
  note_ = std::move(note.value());
  note_us_ = options_.clock().wall_us;
  return ReplaceFile(LogLayout(options_.log_folder).checkpoint(), note_, true);
}

// A log that is refuted, or whose disk has failed, is not written and not signed any more, whatever else the
// present turn was to do.
Result<void> Writer::CheckPoison() {
  const std::lock_guard guard(mutex_);
  if (poison_) return *poison_;
  return Ok();
}

// One reading of the clock decides which day's key signs the batch, what its records say, and whether a
// step is told. Where no batch can begin, what was to be committed with it is taken back.
Result<void> Writer::BeginBatch() {
  const ClockReading now = options_.clock();
  Result<void> begun = CheckPoison();
  if (begun) begun = UseDay(DayOf(now.wall_us));
  if (begun) begun = composer_->Begin(now);
  if (!begun) composer_->Abandon();
  return begun;
}

// The key of a past day is destroyed before anything is signed on the new one.
Result<void> Writer::UseDay(uint32_t day) {
  if (day == appender_.identity().day.day) return Ok();
  if (!unsigned_leaves_.empty()) {
    BOOST_OUTCOME_TRY(SignNow());
  }
  BOOST_OUTCOME_TRY(DayKey key, TakeDayKey(options_.keys_folder, day));
  if (!days_.Holds(day, key.key)) days_.keys.emplace(DayName(day), key.key);
  while (days_.keys.size() > kMaxListedDays) days_.keys.erase(days_.keys.begin());
  const std::string list = signer_.SignText(DayListText(options_.origin, days_));
  BOOST_OUTCOME_TRY(ReplaceFile(LogLayout(options_.log_folder).days(), list, true));
  const Signature endorsement = signer_.Endorse(day, key.key);
  appender_.UseKey(std::move(key), endorsement);
  return Ok();
}

Ack Writer::MakeAck(uint64_t correlation, const Composed& composed) const {
  Ack ack;
  ack.correlation = correlation;
  ack.durable = true;
  ack.seqs = composed.seqs;
  ack.leaf_hashes = composed.leaf_hashes;
  const DayKey& day = appender_.identity().day;
  ack.receipt = MakeReceipt(Receipt{day.day, composed.seqs.front(), composed.leaf_hashes.front()},
                            options_.origin, day.secret);
  return ack;
}

void Writer::Refuse(Job& job, const Error& error) {
  if (!job.done) return;
  Ack ack;
  ack.correlation = job.append.correlation;
  ack.error_code = static_cast<uint32_t>(error.code);
  ack.error = error.message;
  std::exchange(job.done, nullptr)(std::move(ack));
}

void Writer::Say(const std::string& line) const {
  if (options_.log) options_.log(line);
}

}  // namespace portcullis::audit
