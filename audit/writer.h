// The one writer of a log: a thread that takes whatever queued during the last fdatasync (at most 256
// records), seals it, commits it and only then acknowledges. Writes BOOT, HEARTBEAT, CLOCK, RECOVERY
// and STOP itself and has durable batches signed at least each second.
// Acts on the log itself (release, hold, erase, witnesses) run on the same thread, in writer_acts.cc.
// Fails closed: an append that waited too long, a full queue, a full disk are refused with words;
// nothing is ever dropped silently. After a failed fsync it refuses everything and calls on_poison.
// Submit, ExpireOverdue, GetStatus and Stop may be called from any thread; callbacks run on the
// writer's or the caller's thread and must not block or throw.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "audit/appender.h"
#include "audit/composer.h"
#include "audit/counter_keeper.h"
#include "audit/error.h"
#include "audit/file.h"
#include "audit/layout.h"
#include "audit/protocol.h"
#include "audit/recover.h"
#include "audit/reserve.h"
#include "audit/signer.h"
#include "audit/tiles.h"
#include "audit/witnessed.h"
#include "audit/worker.h"

namespace portcullis::audit {

struct WriterOptions {
  std::filesystem::path log_folder;
  std::filesystem::path keys_folder;
  std::string origin;                  // empty: the name in log.pub
  uint16_t heartbeat_seconds = 60;     // 0: none
  uint64_t min_free_bytes = 64u << 20;
  unsigned min_free_percent = 5;
  std::chrono::milliseconds max_wait{250};
  std::chrono::milliseconds checkpoint_interval{1000};
  size_t max_queued = 4096;            // appends
  uint64_t max_queued_bytes = 256u << 20;
  Clock clock = ReadSystemClock;
  std::chrono::milliseconds expiry_interval{3'600'000};  // between looks for expired keys
  std::filesystem::path seen_by_witness;  // a checkpoint just fetched from a witness; empty: none
  CounterOptions counter;              // in hardware
  WriteOps* ops = nullptr;             // must outlive the writer; null: the system's calls
  std::function<void(const std::string&)> log;     // one line, no content of records
  std::function<void(const Error&)> on_poison;
};

class Writer {
 public:
  using Done = std::function<void(Ack)>;
  using ProofDone = std::function<void(Proof)>;
  using ActDone = std::function<void(ActReply)>;

  // Locks and recovers the log, writes BOOT durably, starts the thread.
  static Result<std::unique_ptr<Writer>> Start(WriterOptions options);
  ~Writer();  // as after a crash, unless Stop() was called
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void Submit(Append append, Done done);
  void SubmitProof(ProofRequest request, ProofDone done);
  // `uid` is who asks, for the record; whether it may is the server's to decide.
  void SubmitAct(ActRequest request, uint32_t uid, ActDone done);
  // Refuses what has waited longer than max_wait while the writer is busy; to be called every 50 ms.
  void ExpireOverdue();
  Status GetStatus();
  std::string CounterWords() const;  // the hardware counter, or that there is none
  // Writes what is queued, STOP and a last checkpoint; joins the thread.
  Result<void> Stop();

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  bool Hangs() const;  // under mutex_: the batch or act at work takes longer than an append may wait

  struct Job {
    Append append;
    Done done;
    uint64_t bytes = 0;
    TimePoint queued;
  };
  struct ProofJob {
    ProofRequest request;
    ProofDone done;
  };
  struct ActJob {
    ActRequest request;
    uint32_t uid = 0;
    ActDone done;
  };

  Writer(WriterOptions options, Fd lock, Signer signer, Recovery recovery, Appender appender,
         std::unique_ptr<Composer> composer, std::unique_ptr<CounterKeeper> counter, SignedAuditors auditors);
  Result<void> Boot(const Recovery& recovery);
  Result<void> LoadSeen();
  Result<void> CheckPoison();
  Result<void> BeginBatch();
  Result<void> UseDay(uint32_t day);
  Result<void> WriteEvents(const std::vector<Event>& events);
  Result<void> WriteOneBatch(const std::vector<Event>& events);
  ResumePoint Here() const;
  void Run();
  void ProcessBatch(std::vector<Job> jobs);
  Result<void> WriteBatch(std::vector<Job>& jobs, const std::vector<Event>& due);
  static uint64_t SizeOf(const std::vector<Event>& events);
  static uint64_t NeededFor(const std::vector<Job>& jobs);
  void RefuseRequests(std::vector<Job>& jobs, const Error& error);
  Result<void> MakeRoom(uint64_t bytes);
  Result<void> MakeRoomForActs();
  Result<void> MakeRoomForBoot(const std::vector<Event>& events);
  Result<void> MakeRoomForRekey(uint64_t other_records = 0);  // bytes that are written before it
  void TakeBackRoom();
  std::vector<Event> DueHeartbeat();
  Result<void> CheckCounter();
  void LookAtCounter();
  std::optional<Error> RefusedByCounter(const Append& append) const;
  void ProcessProofs(std::vector<ProofJob> jobs);
  Result<Proof> MakeProof(const ProofRequest& request);
  Result<void> CheckHolder(const ProofRequest& request, const Leaf& leaf);
  void RebuildTiles();
  void ProcessActs(std::vector<ActJob> jobs);
  Result<std::string> ActRelease(const ActJob& job);
  Result<std::string> ActHold(const ActJob& job);
  Result<std::string> ActLift(const ActJob& job);
  Result<std::string> ActHolds(const ActJob& job);
  Result<std::string> ActKeys(const ActJob& job);
  Result<std::string> ActDestroyYear(const ActJob& job);
  static Event YearEvent(uint32_t year, const std::string& metadata);
  Result<std::string> ActEraseProgress(const ActJob& job);
  Result<std::string> ActWitnessRequest(const ActJob& job);
  Result<std::string> ActWitnessAttach(const ActJob& job);
  // These reply later, when the ciphertext is gone.
  Result<void> BeginErase(ActJob& job);
  Result<void> BeginShred(ActJob& job);
  Result<void> BeginRotation(ActJob& job);
  Result<void> ResumeRotation();
  Event RotationEvent(std::optional<uint32_t> uid);  // none: a start goes on with it
  void RotateNext();
  void EndRotation(const Result<void>& done);
  Result<void> Shred(const ActJob& job, const Leaf& leaf, PartType type);
  uint64_t EndBeforeErasing();
  Result<void> DestroyKeys(uint64_t end_segment, const std::vector<SubjectKeyId>& keys,
                           const std::vector<PartShredding>& parts, const std::vector<Event>& told,
                           std::optional<uint32_t> year = std::nullopt);
  Result<void> FinishDestroying(const KeyStore::Erasures& noted);
  Result<void> ResumeErasures();
  Result<std::set<Tag>> HeldTags(bool& everybody);
  Result<void> ExpireKeys();
  void EraseInBackground(ActDone done, uint64_t correlation);
  void ForgetErasures(KeyStore::Erasures gone, const std::string& facts, const ActDone& done, uint64_t correlation);
  void ReplyErased(const Result<void>& told, const std::string& facts, const ActDone& done, uint64_t correlation);
  Result<void> Refuted(const Error& error);
  Result<void> CommitBatch();
  Result<void> CheckSpace();
  Result<void> SignNow();
  Result<void> WriteStop();
  Ack MakeAck(uint64_t correlation, const Composed& composed) const;
  static void Refuse(Job& job, const Error& error);  // unless it was answered
  void RefuseAll();
  void Say(const std::string& line) const;
  void UpdateStatus();

  WriterOptions options_;
  Fd lock_;
  Signer signer_;
  TileStore tiles_;
  Appender appender_;
  std::unique_ptr<Composer> composer_;
  std::vector<Hash> unsigned_leaves_;
  std::unique_ptr<CounterKeeper> counter_;  // null: none
  const Hash auditors_hash_;
  const AuditorPolicy auditors_;
  Witnessed witnessed_;                 // what the log's witnesses have cosigned
  DayList days_;
  bool stopped_ = false;                // STOP is the last record
  std::string note_;                    // the last signed checkpoint
  uint64_t note_us_ = 0;
  TimePoint next_heartbeat_;
  TimePoint next_checkpoint_;
  TimePoint next_expiry_;
  std::vector<SubjectKeyId> expiring_;  // due, and not yet destroyed
  std::optional<uint64_t> expiry_end_;  // of the expiry that is going on
  std::optional<ActJob> rotation_;      // that is going on; at a start, of nobody
  bool rebuilding_ = false;
  Reserve stop_reserve_, acts_reserve_;
  bool disk_was_low_ = false;           // at the last look
  bool disk_full_ = false;              // at the last write

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;               // guarded by mutex_
  std::vector<ProofJob> proofs_;        // guarded by mutex_
  std::vector<ActJob> acts_;            // guarded by mutex_
  std::vector<std::function<void()>> finished_;  // by the worker, for the writer's thread; guarded
  uint64_t queued_bytes_ = 0;           // guarded by mutex_
  bool stopping_ = false;               // guarded by mutex_
  std::optional<Error> poison_;         // guarded by mutex_
  std::optional<TimePoint> busy_since_; // guarded by mutex_: since when the thread has not looked at the queue
  Status status_;                       // guarded by mutex_
  // Of the erasure that the worker does now; 0: none.
  std::atomic<uint64_t> erase_segments_ = 0, erase_looked_at_ = 0;
  std::thread thread_;
  std::unique_ptr<Worker> worker_;      // last: its jobs use finished_ and wake_
};

}  // namespace portcullis::audit
