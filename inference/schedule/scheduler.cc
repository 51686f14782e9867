#include "inference/schedule/scheduler.h"

#include <limits>
#include <string>
#include <utility>

namespace portcullis::inference {

int64_t PoolTokens(const Model& model) {
  int64_t tokens = 0;
  if (__builtin_mul_overflow(model.total_pages(), model.page_tokens(), &tokens)) {
    return std::numeric_limits<int64_t>::max();
  }
  return tokens;
}

Generation& Generation::operator=(Generation&& other) noexcept {
  if (this != &other) {
    Cancel();
    cancel_ = std::move(other.cancel_);
  }
  return *this;
}

void Generation::Cancel() {
  if (cancel_) cancel_->asked.store(true, std::memory_order_release);
}

Scheduler::Scheduler(Model& model, const Tokenizer& tokenizer, const SchedulerOptions& options)
    : options_(options),
      context_length_(model.info().context_length),
      pool_tokens_(PoolTokens(model)),
      door_(options.max_waiting),
      batcher_(model, tokenizer, options_, door_),
      thread_([this] { Run(); }) {}

Scheduler::~Scheduler() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = draining_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Result<void> Scheduler::CheckSize(int64_t prompt, int64_t answer) const {
  if (prompt < 1 || answer < 0) {
    return Error{Code::kInvalidArgument, "a request needs a prompt and room for its answer"};
  }
  if (answer > context_length_ || prompt > context_length_ - answer) {
    return Error{Code::kContextLength, "prompt and answer need " +
                                           std::to_string(prompt + answer) +
                                           " tokens; this model's context is " +
                                           std::to_string(context_length_)};
  }
  if (prompt + answer > pool_tokens_) {
    return Error{Code::kContextLength,
                 "prompt and answer need " + std::to_string(prompt + answer) +
                     " tokens; the engine has memory for " + std::to_string(pool_tokens_) +
                     ": ask for fewer tokens, or give it more by --kv-bytes"};
  }
  return boost::outcome_v2::success();
}

Result<std::vector<Generation>> Scheduler::Submit(std::vector<GenerateRequest> requests,
                                                  std::vector<std::shared_ptr<Sink>> sinks) {
  std::vector<JobPtr> jobs;
  for (size_t i = 0; i < requests.size(); ++i) {
    GenerateRequest& request = requests[i];
    BOOST_OUTCOME_TRY(CheckSize(static_cast<int64_t>(request.prompt.size()),
                                request.max_tokens > 0 ? request.max_tokens : -1));
    jobs.push_back(MakeJob(std::move(request), std::move(sinks[i])));
  }
  return Enter(std::move(jobs));
}

Result<std::vector<Generation>> Scheduler::SubmitEmbedding(
    std::vector<EmbedRequest> requests, std::vector<std::shared_ptr<EmbedSink>> sinks) {
  std::vector<JobPtr> jobs;
  for (size_t i = 0; i < requests.size(); ++i) {
    EmbedRequest& request = requests[i];
    BOOST_OUTCOME_TRY(CheckSize(static_cast<int64_t>(request.tokens.size()), 0));
    jobs.push_back(MakeJob(std::move(request), std::move(sinks[i])));
  }
  return Enter(std::move(jobs));
}

Result<std::vector<Generation>> Scheduler::Enter(std::vector<JobPtr> jobs) {
  std::vector<Generation> handles;
  if (jobs.empty()) return handles;
  {
    const std::lock_guard lock(mutex_);
    if (draining_) return Error{Code::kShuttingDown, "the engine is stopping"};
    if (!door_.Enter(jobs.front()->caller, jobs.size())) {
      return Error{Code::kQueueFull, "the engine's waiting list is full; try again later"};
    }
    const auto now = options_.clock();
    for (JobPtr& job : jobs) {
      job->number = next_number_++;
      job->submitted = now;
      handles.emplace_back(job->cancel);
      inbox_.push_back(std::move(job));
    }
    busy_ = true;
  }
  wake_.notify_one();
  return handles;
}

bool Scheduler::Drain(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  return idle_.wait_until(lock, deadline, [&] { return !busy_; });
}

SchedulerCounters Scheduler::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void Scheduler::Run() {
  while (TakeWork()) batcher_.Step();
  batcher_.FailAll({Code::kShuttingDown, "the engine is stopping"});
}

// Waits for work and moves it in; false when all is to end.
bool Scheduler::TakeWork() {
  std::vector<JobPtr> arrived;
  SchedulerCounters counters = batcher_.Count();
  {
    std::unique_lock lock(mutex_);
    counters_ = counters;
    if (batcher_.idle() && inbox_.empty()) {
      busy_ = false;
      idle_.notify_all();
      wake_.wait(lock, [&] { return stopping_ || !inbox_.empty(); });
    }
    arrived.swap(inbox_);
    if (!stopping_) counters_.waiting += arrived.size();
  }
  for (JobPtr& job : arrived) batcher_.Add(std::move(job));
  const std::lock_guard lock(mutex_);
  return !stopping_;
}

}  // namespace portcullis::inference
