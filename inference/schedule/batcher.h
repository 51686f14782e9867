// Continuous batching without threads or time of its own: Step admits what fits, plans who computes
// how many tokens, runs one Model::Forward, and hands out what was sampled. Read batcher.cc from
// the top for the order of a step, room.cc for memory.
//
// Memory: pages are taken as sequences grow. When the pool is short, cached prefixes go first, then
// the youngest request of the lowest class loses its pages and waits to compute them again.
// INVARIANT: the oldest request of the best class is never preempted, and alone it fits into the
// pool (Submit sees to that), so some request always advances. One thread; failures reach the
// sinks, Step never throws.
#pragma once

#include <chrono>
#include <functional>
#include <unordered_map>
#include <vector>

#include "inference/arch/model.h"
#include "inference/ops/workers.h"
#include "inference/schedule/door.h"
#include "inference/schedule/job.h"
#include "inference/schedule/ledger.h"
#include "inference/schedule/options.h"
#include "inference/schedule/prefix_cache.h"
#include "inference/schedule/step_cost.h"
#include "inference/schedule/waiting_list.h"
#include "inference/tokenizer/tokenizer.h"

namespace portcullis::inference {

class Batcher {
 public:
  // All must outlive the batcher.
  Batcher(Model& model, const Tokenizer& tokenizer, const SchedulerOptions& options, Door& door);

  void Add(JobPtr job);  // one that entered by the door
  void Step();
  void FailAll(const Error& error);
  bool idle() const { return running_.empty() && waiting_.empty(); }
  SchedulerCounters Count() const;

 private:
  // What one job computes in this step.
  struct Part {
    Job* job = nullptr;
    int64_t count = 0;
    bool writing = false;  // else a prompt, or what a preempted job computes again
  };

  // batcher.cc
  void DropGone();
  void End(JobPtr job);
  void FailRunning(const Error& error);
  void Compute();
  std::vector<Part> Plan();
  std::chrono::duration<double> StepLimit(std::span<Job* const> prompts, std::span<const Part> writing) const;
  void PlanPrompts(std::vector<Job*> prompts, std::vector<Part>& plan);
  struct Call;
  Call Build(std::vector<Part>& plan);
  void Apply(std::span<Part> plan, std::span<float> logits);
  void ApplyWriting(Job& job);
  void ApplyPrompt(Job& job, int64_t count);

  // drafting.cc
  void Draft(std::span<Part> plan);
  void ProposeByHead(std::vector<Job*>& jobs);
  void RecordDraft(Job& job, int64_t sampled);

  // room.cc
  void Admit();
  bool FitsBeside(const Job& job);
  int64_t Pages(int64_t tokens) const;
  int64_t ExpectedPages(const Job& job) const;
  void Start(JobPtr job);
  void Prepare(Job& job);
  bool AwaitsSibling(const Job& job);
  void LookUp(Job& job);
  void Keep(const Job& job, int64_t count);
  bool MakeRoom(Job& job, int64_t tokens);
  void Preempt(Job& job);
  Job* Youngest(int64_t above_class);
  void TakeRoom(std::vector<Part>& plan);
  bool Before(const Job& a, const Job& b) const;

  Model& model_;
  const Tokenizer& tokenizer_;
  const SchedulerOptions options_;
  Door& door_;
  const size_t vocab_size_;

  Job::Clock::time_point now_;  // of the step
  Ledger ledger_;
  WaitingList waiting_;
  std::vector<JobPtr> running_;
  bool crowded_ = false;  // the pool was short, and nobody has left since
  Workers workers_;  // for sampling
  PrefixCache cache_;
  StepCost cost_;
  double head_cost_ = 0;          // seconds a token drafted by the head, running mean
  double expected_answer_;        // tokens, running mean of those that ended
  std::vector<float> logits_;
  SchedulerCounters counters_;
};

}  // namespace portcullis::inference
