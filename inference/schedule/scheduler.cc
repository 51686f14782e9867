#include "inference/schedule/scheduler.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <unordered_map>
#include <utility>

namespace portcullis::inference {

// What a handle and the scheduler share; the scheduler looks at it before every step.
struct Generation::Shared {
  std::atomic<bool> cancelled{false};
};

struct Scheduler::Job {
  GenerateRequest request;
  std::shared_ptr<Sink> sink;
  std::shared_ptr<Generation::Shared> shared;
  int64_t kv_bytes = 0;
  // From admission on:
  std::unique_ptr<Sequence> sequence;
  std::optional<Sampler> sampler;
  std::optional<Answer> answer;
  size_t computed = 0;      // prompt tokens
  TokenId last = kNoToken;  // sampled, not yet computed
  Usage usage;
  bool done = false;

  bool prefilling() const { return computed < request.prompt.size(); }
  int64_t capacity() const {
    return static_cast<int64_t>(request.prompt.size()) + request.max_tokens;
  }
};

Generation& Generation::operator=(Generation&& other) noexcept {
  if (this != &other) {
    Cancel();
    shared_ = std::move(other.shared_);
  }
  return *this;
}

void Generation::Cancel() {
  if (shared_) shared_->cancelled.store(true, std::memory_order_release);
}

Scheduler::Scheduler(Model& model, const Tokenizer& tokenizer, const SchedulerOptions& options)
    : model_(model),
      tokenizer_(tokenizer),
      options_(options),
      vocab_size_(static_cast<size_t>(model.info().vocab_size)),
      waiting_(options.max_waiting),
      thread_([this] { Run(); }) {}

Scheduler::~Scheduler() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = draining_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Result<std::vector<Generation>> Scheduler::Submit(std::vector<GenerateRequest> requests,
                                                  std::vector<std::shared_ptr<Sink>> sinks) {
  std::vector<JobPtr> jobs;
  std::vector<Generation> handles;
  for (size_t i = 0; i < requests.size(); ++i) {
    auto job = std::make_unique<Job>();
    job->request = std::move(requests[i]);
    job->sink = std::move(sinks[i]);
    job->shared = std::make_shared<Generation::Shared>();
    if (job->request.prompt.empty() || job->request.max_tokens < 1) {
      return Error{Code::kInvalidArgument, "a generation needs a prompt and room for one token"};
    }
    if (job->capacity() > model_.info().context_length) {
      return Error{Code::kContextLength, "prompt and answer need " +
                                             std::to_string(job->capacity()) +
                                             " tokens; this model's context is " +
                                             std::to_string(model_.info().context_length)};
    }
    job->kv_bytes = model_.SequenceBytes(job->capacity());
    if (job->kv_bytes > options_.kv_bytes) {
      return Error{Code::kContextLength,
                   "prompt and answer need more memory than the engine may use for one request; "
                   "ask for fewer tokens"};
    }
    handles.emplace_back(job->shared);
    jobs.push_back(std::move(job));
  }
  if (jobs.empty()) return handles;
  {
    const std::lock_guard lock(mutex_);
    if (draining_) return Error{Code::kShuttingDown, "the engine is stopping"};
    const std::string tenant = jobs.front()->request.tenant;
    if (!waiting_.HasRoom(tenant, jobs.size())) {
      return Error{Code::kQueueFull, "the engine's waiting list is full; try again later"};
    }
    for (JobPtr& job : jobs) waiting_.Push(tenant, std::move(job));
    counters_.waiting = waiting_.size();
  }
  wake_.notify_one();
  return handles;
}

bool Scheduler::Drain(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  return idle_.wait_until(lock, deadline,
                          [&] { return counters_.running == 0 && waiting_.empty(); });
}

SchedulerCounters Scheduler::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void Scheduler::Run() {
  while (WaitForWork()) {
    DropCancelled();
    Admit();
    if (running_.empty()) continue;
    try {
      StepOnce();
    } catch (const std::exception&) {
      for (const JobPtr& job : running_) {
        Fail(*job, {Code::kInternal, "the engine failed in the middle of a step"});
      }
    }
    for (const JobPtr& job : running_) {
      if (job->done) kv_used_ -= job->kv_bytes;
    }
    std::erase_if(running_, [](const JobPtr& job) { return job->done; });
  }
  const Error stopped{Code::kShuttingDown, "the engine is stopping"};
  for (const JobPtr& job : running_) Fail(*job, stopped);
  running_.clear();
  const std::lock_guard lock(mutex_);
  for (const JobPtr& job : waiting_.Extract([](const JobPtr&) { return true; })) {
    Fail(*job, stopped);
  }
}

bool Scheduler::WaitForWork() {
  std::unique_lock lock(mutex_);
  counters_.running = running_.size();
  counters_.waiting = waiting_.size();
  counters_.kv_bytes_used = kv_used_;
  if (running_.empty() && waiting_.empty()) idle_.notify_all();
  if (running_.empty()) wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
  return !stopping_;
}

void Scheduler::DropCancelled() {
  const auto cancelled = [](const JobPtr& job) {
    return job->shared->cancelled.load(std::memory_order_acquire);
  };
  for (const JobPtr& job : running_) {
    if (cancelled(job)) kv_used_ -= job->kv_bytes;
  }
  std::erase_if(running_, cancelled);
  const std::lock_guard lock(mutex_);
  waiting_.Extract(cancelled);
}

void Scheduler::Admit() {
  std::unordered_map<std::string, size_t> by_tenant;
  for (const JobPtr& job : running_) ++by_tenant[job->request.tenant];
  const auto running = [&](const std::string& tenant) {
    const auto it = by_tenant.find(tenant);
    return it == by_tenant.end() ? size_t{0} : it->second;
  };
  const auto fits = [&](const JobPtr& job) {
    return kv_used_ + job->kv_bytes <= options_.kv_bytes;
  };
  while (running_.size() < options_.max_running) {
    JobPtr job;
    {
      const std::lock_guard lock(mutex_);
      if (!waiting_.Pop(running, fits, job)) return;
      counters_.running = running_.size() + 1;  // never neither waiting nor running: see Drain
    }
    auto sequence = model_.NewSequence(job->capacity());
    if (!sequence) {
      Fail(*job, sequence.error());
      continue;
    }
    job->sequence = std::move(sequence).value();
    job->sampler.emplace(job->request.sampling, job->request.prompt,
                         std::min(vocab_size_, tokenizer_.size()));
    job->answer.emplace(tokenizer_, job->request.answer);
    job->usage.prompt_tokens = static_cast<int64_t>(job->request.prompt.size());
    kv_used_ += job->kv_bytes;
    ++by_tenant[job->request.tenant];
    running_.push_back(std::move(job));
  }
}

void Scheduler::StepOnce() {
  const auto prefilling = static_cast<int64_t>(std::count_if(
      running_.begin(), running_.end(), [](const JobPtr& job) { return job->prefilling(); }));
  int64_t budget = options_.prefill_chunk;
  const int64_t share = prefilling == 0 ? 0 : std::max<int64_t>(16, budget / prefilling);

  std::vector<Step> steps;
  std::vector<Job*> sampled;  // in the order of their rows
  std::vector<std::pair<Job*, size_t>> advanced;
  ++turn_;
  for (size_t i = 0; i < running_.size(); ++i) {
    Job& job = *running_[(turn_ + i) % running_.size()];
    Step step{job.sequence.get(), {}, LogitRows::kLast};
    if (job.prefilling()) {
      const std::span<const TokenId> rest = std::span(job.request.prompt).subspan(job.computed);
      const auto count =
          static_cast<size_t>(std::min({share, budget, static_cast<int64_t>(rest.size())}));
      if (count == 0) continue;
      budget -= static_cast<int64_t>(count);
      step.tokens = rest.first(count);
      if (count < rest.size()) step.rows = LogitRows::kNone;
      advanced.emplace_back(&job, count);
    } else {
      step.tokens = std::span<const TokenId>(&job.last, 1);
    }
    if (step.rows == LogitRows::kLast) sampled.push_back(&job);
    steps.push_back(step);
  }

  logits_.resize(sampled.size() * vocab_size_);
  const auto result = model_.Forward(steps, logits_);
  if (!result) {
    for (const JobPtr& job : running_) Fail(*job, result.error());
    return;
  }
  uint64_t prompt_tokens = 0;
  for (const auto& [job, count] : advanced) {
    job->computed += count;
    prompt_tokens += count;
  }
  for (size_t row = 0; row < sampled.size(); ++row) {
    Sample(*sampled[row], std::span(logits_).subspan(row * vocab_size_, vocab_size_));
  }
  const std::lock_guard lock(mutex_);
  ++counters_.steps;
  counters_.prompt_tokens += prompt_tokens;
  counters_.generated_tokens += sampled.size();
}

void Scheduler::Sample(Job& job, std::span<float> logits) {
  if (job.shared->cancelled.load(std::memory_order_acquire)) return;
  const Sampled token = job.sampler->Next(logits);
  job.last = token.id;
  ++job.usage.completion_tokens;
  Delta delta = job.answer->Push(token);
  job.usage.reasoning_tokens = job.answer->reasoning_tokens();
  if (!delta.empty()) job.sink->OnDelta(std::move(delta));
  const bool full = job.usage.completion_tokens >= job.request.max_tokens;
  if (!job.answer->done() && !full) return;
  Delta rest = job.answer->Finish();
  if (!rest.empty()) job.sink->OnDelta(std::move(rest));
  job.done = true;
  job.sink->OnFinish(job.answer->done() ? FinishReason::kStop : FinishReason::kLength, job.usage);
}

void Scheduler::Fail(Job& job, const Error& error) {
  if (!std::exchange(job.done, true)) job.sink->OnError(error);
}

}  // namespace portcullis::inference
