#include "inference/schedule/batcher.h"

#include <algorithm>
#include <exception>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

namespace portcullis::inference {
namespace {

constexpr int64_t kLeastPiece = 16;  // prompt rows worth a place in a step
constexpr double kLongestStep = 3;    // times `step_time`, where prompts are that many more than answers
constexpr size_t kParallelLogits = 65'536;  // to sample from, worth waking the other threads
// Without a budget for pages the cached prefixes need one of their own.
constexpr int64_t kCachedTokens = 131'072;

int64_t CacheLimit(const Model& model, const SchedulerOptions& options) {
  if (!options.prefix_cache) return 0;
  const int64_t pages = model.total_pages();
  return pages > kCachedTokens ? kCachedTokens : pages * model.page_tokens();
}

}  // namespace

struct Batcher::Call {
  std::vector<inference::Step> steps;
  size_t rows = 0;  // of logits
  int64_t token_rows = 0;
  int64_t prompt_rows = 0;
};

Batcher::Batcher(Model& model, const Tokenizer& tokenizer, const SchedulerOptions& options,
                 Door& door)
    : model_(model),
      tokenizer_(tokenizer),
      options_(options),
      door_(door),
      vocab_size_(static_cast<size_t>(model.info().vocab_size)),
      waiting_(options.aging, ledger_),
      workers_(options.threads),
      cache_(model, CacheLimit(model, options)),
      expected_answer_(static_cast<double>(options.expected_answer)) {}

void Batcher::Add(JobPtr job) {
  waiting_.Push(std::move(job));
}

void Batcher::Step() {
  now_ = options_.clock();
  try {
    DropGone();
    Admit();
    if (!running_.empty()) Compute();
  } catch (const std::exception&) {
    FailRunning({Code::kInternal, "the engine failed in the middle of a step"});
  }
  for (JobPtr& job : running_) {
    if (job->done) End(std::exchange(job, nullptr));
  }
  std::erase(running_, nullptr);
}

void Batcher::FailRunning(const Error& error) {
  counters_.failed += running_.size();
  for (const JobPtr& job : running_) job->Fail(error);
}

void Batcher::FailAll(const Error& error) {
  for (JobPtr& job : waiting_.Extract([](const Job&) { return true; })) {
    running_.push_back(std::move(job));
  }
  for (JobPtr& job : running_) {
    job->Fail(error);
    End(std::move(job));
  }
  running_.clear();
}

void Batcher::DropGone() {
  const auto late = [&](const Job& job) { return now_ >= job.caller.deadline; };
  const auto impatient = [&](const Job& job) {
    return options_.max_wait.count() > 0 && job.at_door && now_ - job.submitted > options_.max_wait;
  };
  const auto drop = [&](Job& job) {
    if (job.cancelled()) {
      ++counters_.cancelled;
      job.done = true;
      return;
    }
    ++counters_.expired;
    if (late(job)) {
      job.Fail({Code::kTimeout, "the deadline of the request has passed"});
    } else {
      job.Fail({Code::kQueueFull, "no place came free in time; try again later"});
    }
  };
  for (JobPtr& job : waiting_.Extract([&](const Job& each) {
         return each.cancelled() || late(each) || impatient(each);
       })) {
    drop(*job);
    End(std::move(job));
  }
  for (JobPtr& job : running_) {
    if (!job->cancelled() && !late(*job)) continue;
    drop(*job);
    End(std::exchange(job, nullptr));
  }
  std::erase(running_, nullptr);
}

void Batcher::End(JobPtr job) {
  crowded_ = false;
  if (job->at_door) door_.Leave(job->caller);
  if (job->usage.completion_tokens > 0) {
    expected_answer_ += (static_cast<double>(job->usage.completion_tokens) - expected_answer_) / 16;
  }
}

// One step: who computes what, room for it, drafts, the forward pass, what came out.
void Batcher::Compute() {
  std::vector<Part> plan = Plan();
  TakeRoom(plan);
  if (plan.empty()) return;
  Draft(plan);
  const Call call = Build(plan);
  logits_.resize(call.rows * vocab_size_);
  const auto begin = options_.clock();
  const auto result = model_.Forward(call.steps, logits_);
  cost_.Record(call.token_rows, call.prompt_rows, options_.clock() - begin);
  if (!result) return FailRunning(result.error());
  ++counters_.steps;
  Apply(plan, logits_);
}

std::vector<Batcher::Part> Batcher::Plan() {
  std::vector<Part> plan;
  std::vector<Job*> prompts;
  for (const JobPtr& job : running_) {
    if (job->writing()) {
      plan.push_back({job.get(), 1, true});
    } else {
      prompts.push_back(job.get());
    }
  }
  if (!prompts.empty()) PlanPrompts(std::move(prompts), plan);
  return plan;
}

// A longer step costs those who write some of their pace and spares those who wait for a first token
// much of the wait, because more rows share one reading of the weights. Each tenant's answers are slowed
// down for prompts of its own, and for tenants of whom nobody is answered yet: not for another's flood.
std::chrono::duration<double> Batcher::StepLimit(std::span<Job* const> prompts,
                                                 std::span<const Part> writing) const {
  if (writing.empty()) return options_.prompt_step_time;
  struct Counts {
    int prompts = 0, answers = 0;
  };
  std::map<std::string_view, Counts> tenants;
  for (const Job* job : prompts) ++tenants[job->caller.tenant].prompts;
  for (const Part& part : writing) ++tenants[part.job->caller.tenant].answers;
  const auto newcomers = std::ranges::count_if(
      tenants, [](const auto& tenant) { return tenant.second.answers == 0; });
  double crowd = kLongestStep;
  for (const auto& [tenant, counts] : tenants) {
    if (counts.answers == 0) continue;
    crowd = std::min(crowd, static_cast<double>(counts.prompts + newcomers) / counts.answers);
  }
  return options_.step_time * std::max(crowd, 1.0);
}

// Half of a step's prompt rows go to the oldest prompt, so that each comes to its end; the others
// to the least served tenant first, and within a tenant to the shortest rest, so that a short
// question does not wait behind a long document.
void Batcher::PlanPrompts(std::vector<Job*> prompts, std::vector<Part>& plan) {
  const int64_t most = cost_.PromptRows(static_cast<int64_t>(plan.size()), StepLimit(prompts, plan),
                                        kLeastPiece, options_.prefill_chunk);
  int64_t budget = most;
  std::unordered_map<Job*, int64_t> counts;
  const auto give = [&](Job& job, int64_t count) {
    if (budget <= 0) return;
    if (!job.looked_up) {
      if (AwaitsSibling(job)) return;
      LookUp(job);
    }
    int64_t& given = counts[&job];
    count = std::min({std::max(count, kLeastPiece), job.left() - given, budget});
    given += count;
    budget -= count;
  };
  const auto oldest = std::min_element(prompts.begin(), prompts.end(),
                                       [&](const Job* a, const Job* b) { return Before(*a, *b); });
  give(**oldest, prompts.size() > 1 ? most / 2 : most);
  std::sort(prompts.begin(), prompts.end(), [&](const Job* a, const Job* b) {
    const auto key = [&](const Job& job) {
      return std::tuple(job.ClassAt(now_, options_.aging), ledger_.Served(job.caller.tenant),
                        job.left(), job.number);
    };
    return key(*a) < key(*b);
  });
  for (Job* job : prompts) give(*job, job->left());
  for (Job* job : prompts) {
    const auto count = counts.find(job);
    if (count != counts.end() && count->second > 0) plan.push_back({job, count->second, false});
  }
}

Batcher::Call Batcher::Build(std::vector<Part>& plan) {
  Call call;
  for (const Part& part : plan) {
    Job& job = *part.job;
    inference::Step step;
    step.sequence = job.sequence.get();
    step.role = job.role();
    if (part.writing) {
      job.draft.insert(job.draft.begin(), job.tokens.back());
      step.tokens = job.draft;
      step.rows = job.draft.size() > 1 ? LogitRows::kAll : LogitRows::kLast;
      call.rows += job.draft.size();
      call.token_rows += static_cast<int64_t>(job.draft.size());
    } else {
      const auto begin = static_cast<size_t>(job.computed());
      step.tokens = std::span(job.tokens).subspan(begin, static_cast<size_t>(part.count));
      const bool last = job.computed() + part.count == job.size();
      step.rows = last && !job.embedding() ? LogitRows::kLast : LogitRows::kNone;
      if (job.embedding() && (job.mean || last)) {
        job.pooled.resize(static_cast<size_t>(model_.info().hidden_size));
        step.embedding = job.pooled;
        step.pooling = job.mean ? Pooling::kSum : Pooling::kLast;
      }
      if (step.rows == LogitRows::kLast) ++call.rows;
      call.prompt_rows += part.count;
    }
    call.steps.push_back(step);
  }
  return call;
}

void Batcher::Apply(std::span<Part> plan, std::span<float> logits) {
  struct Rows {
    Job* job;
    std::span<float> logits;
  };
  std::vector<Rows> rows;
  for (const Part& part : plan) {
    Job& job = *part.job;
    size_t count = 0;
    if (part.writing) {
      count = job.draft.size();
      job.draft.erase(job.draft.begin());  // the token before the drafts
    } else if (!job.embedding() && job.computed() == job.size()) {
      count = 1;
    }
    if (count == 0) continue;
    rows.push_back({&job, logits.first(count * vocab_size_)});
    logits = logits.subspan(count * vocab_size_);
  }
  const bool worthwhile = rows.size() * vocab_size_ >= kParallelLogits;
  workers_.Run(static_cast<int64_t>(rows.size()), worthwhile, [&](int64_t index, int) {
    const Rows& row = rows[static_cast<size_t>(index)];
    row.job->Sample(row.logits, vocab_size_, tokenizer_);
  });
  for (const Part& part : plan) {
    if (part.writing) {
      ApplyWriting(*part.job);
    } else {
      ApplyPrompt(*part.job, part.count);
    }
  }
}

// Row i follows the i-th draft token, so it counts only while all drafts before it were right.
void Batcher::ApplyWriting(Job& job) {
  const int64_t said = job.Say();
  counters_.generated_tokens += static_cast<uint64_t>(said);
  ledger_.Charge(job.caller.tenant, said * Ledger::kAnswerToken);
  if (!job.draft.empty()) RecordDraft(job, said);
  job.draft.clear();
  if (job.done) {
    ++(job.failed ? counters_.failed : counters_.finished);
  } else {
    job.sequence->Truncate(job.size() - 1);
  }
}

void Batcher::ApplyPrompt(Job& job, int64_t count) {
  counters_.prompt_tokens += static_cast<uint64_t>(count);
  ledger_.Charge(job.caller.tenant, count * Ledger::kPromptToken);
  if (job.computed() == job.prompt && !job.embedding()) Keep(job, job.prompt);
  if (job.embedding() && job.computed() == job.size()) {
    if (job.mean) {
      for (float& value : job.pooled) value /= static_cast<float>(job.size());
    }
    ++counters_.embeddings;
    ++counters_.finished;
    job.Finish(std::move(job.pooled));
  } else if (!job.sampled.empty()) {
    const int64_t said = job.Say();
    counters_.generated_tokens += static_cast<uint64_t>(said);
    ledger_.Charge(job.caller.tenant, said * Ledger::kAnswerToken);
    if (job.done) ++(job.failed ? counters_.failed : counters_.finished);
  }
}

SchedulerCounters Batcher::Count() const {
  SchedulerCounters now = counters_;
  now.running = running_.size();
  now.waiting = waiting_.size();
  now.waiting_by_priority = door_.classes();
  now.refused = door_.refused();
  now.page_tokens = model_.page_tokens();
  now.pages_total = model_.total_pages();
  now.pages_used = now.pages_total - model_.free_pages();
  now.kv_bytes_used = now.pages_used * model_.PageBytes();
  now.cached_prefixes = cache_.entries();
  now.cached_tokens = cache_.tokens();
  now.prefix_evictions = cache_.evictions();
  now.step_seconds = cost_.mean();
  return now;
}

}  // namespace portcullis::inference
