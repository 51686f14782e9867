// Continuous batching: one thread that advances all running generations together, one
// Model::Forward a step. Prompts are computed in chunks beside the others' tokens, so that a long
// prompt delays nobody by more than a chunk. Memory for keys and values is reserved in full before
// a generation starts and never exceeds the budget; what does not fit waits, fairly between
// tenants, in a bounded list. Cancelling takes effect before the next step. Threading: Submit,
// Cancel and the counters may be called from any thread; the Model is used by the scheduler's
// thread only.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "inference/arch/model.h"
#include "inference/schedule/fair_queue.h"
#include "inference/schedule/request.h"

namespace portcullis::inference {

struct SchedulerOptions {
  int64_t kv_bytes = int64_t{1} << 30;
  size_t max_running = 16;
  size_t max_waiting = 128;
  int64_t prefill_chunk = 256;  // prompt tokens a step, over all prompts
};

struct SchedulerCounters {
  size_t running = 0;
  size_t waiting = 0;
  int64_t kv_bytes_used = 0;
  uint64_t steps = 0;
  uint64_t prompt_tokens = 0;
  uint64_t generated_tokens = 0;
};

// A submitted generation. Destroying the handle cancels what still runs.
class Generation {
 public:
  struct Shared;
  Generation() = default;
  explicit Generation(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  Generation(Generation&&) noexcept = default;
  Generation& operator=(Generation&& other) noexcept;
  ~Generation() { Cancel(); }

  void Cancel();

 private:
  std::shared_ptr<Shared> shared_;
};

class Scheduler {
 public:
  // Both must outlive the scheduler.
  Scheduler(Model& model, const Tokenizer& tokenizer, const SchedulerOptions& options);
  ~Scheduler();  // ends everything at once with kShuttingDown

  // All or none. kQueueFull: the waiting list has no room; kContextLength: it can never fit.
  Result<std::vector<Generation>> Submit(std::vector<GenerateRequest> requests,
                                         std::vector<std::shared_ptr<Sink>> sinks);

  // Refuses new work from now on; true when all work ended before `deadline`.
  bool Drain(std::chrono::steady_clock::time_point deadline);

  SchedulerCounters counters() const;

 private:
  struct Job;
  using JobPtr = std::unique_ptr<Job>;

  void Run();
  bool WaitForWork();
  void DropCancelled();
  void Admit();
  void StepOnce();
  void Sample(Job& job, std::span<float> logits);
  void Fail(Job& job, const Error& error);

  Model& model_;
  const Tokenizer& tokenizer_;
  const SchedulerOptions options_;
  const size_t vocab_size_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  FairQueue<JobPtr> waiting_;   // guarded by mutex_
  bool draining_ = false;       // guarded by mutex_
  bool stopping_ = false;       // guarded by mutex_
  SchedulerCounters counters_;  // guarded by mutex_

  std::vector<JobPtr> running_;  // the scheduler's thread only, as is what follows
  std::vector<float> logits_;
  size_t turn_ = 0;
  int64_t kv_used_ = 0;
  std::thread thread_;  // last: started when all else stands
};

}  // namespace portcullis::inference
