// The scheduler: a thread that runs the batcher (batcher.h) while there is work, and the door
// through which requests come in from other threads. Nothing is reserved for a request when it is
// accepted; what can never fit is refused at once. Cancelling takes effect before the next step.
// Threading: Submit, Cancel, Drain and the counters may be called from any thread; the Model is
// used by the scheduler's thread only.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "inference/arch/model.h"
#include "inference/schedule/batcher.h"
#include "inference/schedule/door.h"
#include "inference/schedule/options.h"
#include "inference/schedule/request.h"

namespace portcullis::inference {

// Tokens that the model's pages hold; the largest number where they have no budget.
int64_t PoolTokens(const Model& model);

// A submitted request. Destroying the handle cancels what still runs.
class Generation {
 public:
  Generation() = default;
  explicit Generation(std::shared_ptr<Cancelling> cancel) : cancel_(std::move(cancel)) {}
  Generation(Generation&&) noexcept = default;
  Generation& operator=(Generation&& other) noexcept;
  ~Generation() { Cancel(); }

  void Cancel();

 private:
  std::shared_ptr<Cancelling> cancel_;
};

class Scheduler {
 public:
  // Both must outlive the scheduler.
  Scheduler(Model& model, const Tokenizer& tokenizer, const SchedulerOptions& options);
  ~Scheduler();  // ends everything at once with kShuttingDown

  // False where one more generation of this caller would be refused: nothing need be prepared for it.
  bool Admits(const Caller& caller) { return door_.Admits(caller); }
  // All or none; they are of one caller. kQueueFull: the waiting list has no room; kContextLength:
  // it can never fit.
  Result<std::vector<Generation>> Submit(std::vector<GenerateRequest> requests,
                                         std::vector<std::shared_ptr<Sink>> sinks);
  Result<std::vector<Generation>> SubmitEmbedding(std::vector<EmbedRequest> requests,
                                                  std::vector<std::shared_ptr<EmbedSink>> sinks);

  // Refuses new work from now on; true when all work ended before `deadline`.
  bool Drain(std::chrono::steady_clock::time_point deadline);

  SchedulerCounters counters() const;

 private:
  void Run();
  bool TakeWork();
  Result<void> CheckSize(int64_t prompt, int64_t answer) const;
  Result<std::vector<Generation>> Enter(std::vector<JobPtr> jobs);

  const SchedulerOptions options_;
  const int64_t context_length_;
  const int64_t pool_tokens_;
  Door door_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::vector<JobPtr> inbox_;   // guarded by mutex_, as is what follows
  uint64_t next_number_ = 0;
  bool busy_ = false;
  bool draining_ = false;
  bool stopping_ = false;
  SchedulerCounters counters_;

  Batcher batcher_;  // the scheduler's thread only
  std::thread thread_;  // last: started when all else stands
};

}  // namespace portcullis::inference
