// Memory: who may start, whose pages are taken when the pool is short, what is kept for later.
#include <algorithm>
#include <exception>
#include <utility>

#include "inference/schedule/batcher.h"

namespace portcullis::inference {
namespace {
constexpr int64_t kNoClass = -1;
}  // namespace

int64_t Batcher::Pages(int64_t tokens) const {
  const int64_t page = model_.page_tokens();
  return (tokens + page - 1) / page;
}

// Admission counts on answers of the usual length, and on more once an answer is longer than that:
// generous enough that preemption is rare, without keeping room for every answer's limit.
int64_t Batcher::ExpectedPages(const Job& job) const {
  const int64_t written = job.size() - job.prompt;
  const int64_t answer =
      std::max(written + model_.page_tokens(), static_cast<int64_t>(expected_answer_ * 1.25));
  return Pages(std::min(job.limit, job.prompt + answer)) - job.shared_pages;
}

bool Batcher::Before(const Job& a, const Job& b) const {
  const int64_t first = a.ClassAt(now_, options_.aging);
  const int64_t second = b.ClassAt(now_, options_.aging);
  return first != second ? first < second : a.number < b.number;
}

// The job that would be preempted next, among those of a class after `above_class`.
Job* Batcher::Youngest(int64_t above_class) {
  Job* youngest = nullptr;
  for (const JobPtr& job : running_) {
    if (job->ClassAt(now_, options_.aging) <= above_class) continue;
    if (youngest == nullptr || Before(*youngest, *job)) youngest = job.get();
  }
  return youngest;
}

// Whether `job` fits beside those that run, if all of later classes had to go. After a preemption
// estimates are not believed until somebody has left, so that nobody comes and goes at every step.
bool Batcher::FitsBeside(const Job& job) {
  const int64_t own = job.ClassAt(now_, options_.aging);
  size_t staying = 0;
  int64_t pages = ExpectedPages(job);
  for (const JobPtr& other : running_) {
    if (other->ClassAt(now_, options_.aging) > own) continue;
    ++staying;
    pages += ExpectedPages(*other);
  }
  if (staying == 0) return true;
  if (crowded_ && staying == running_.size()) return false;
  return staying < options_.max_running && pages <= model_.total_pages();
}

void Batcher::Admit() {
  while (JobPtr job = waiting_.Pop(now_, [&](const Job& next) {
           return FitsBeside(next);
         })) {
    const int64_t own = job->ClassAt(now_, options_.aging);
    int64_t pages = ExpectedPages(*job);
    for (const JobPtr& other : running_) pages += ExpectedPages(*other);
    while (running_.size() >= options_.max_running || pages > model_.total_pages()) {
      Job* victim = Youngest(own);
      if (victim == nullptr) break;
      pages -= ExpectedPages(*victim);
      Preempt(*victim);
    }
    Start(std::move(job));
  }
}

void Batcher::Start(JobPtr job) {
  if (job->at_door) {
    job->at_door = false;
    door_.Leave(job->caller);
  }
  try {
    Prepare(*job);
  } catch (const std::exception&) {
    job->Fail({Code::kOutOfMemory, "no memory to begin the request"});
  }
  if (job->done) {
    ++counters_.failed;
    End(std::move(job));
  } else {
    running_.push_back(std::move(job));
  }
}

void Batcher::Prepare(Job& job) {
  auto sequence = model_.NewSequence(0);
  if (!sequence) return job.Fail(sequence.error());
  job.sequence = std::move(sequence).value();
  if (job.embedding() || job.sampler) return;
  if (options_.prefix_cache) job.names = cache_.Names(job.caller.tenant, job.tokens);
  job.sampler.emplace(std::move(job.sampling), job.tokens,
                      std::min(vocab_size_, tokenizer_.size()));
  job.answer.emplace(tokenizer_, std::move(job.answer_options));
  job.usage.prompt_tokens = job.prompt;
}

// Several answers to one prompt, or several users of one long instruction, that come together: the
// first computes it, the others wait and take it from the cache, if that is soon and more than the
// cache has by now.
bool Batcher::AwaitsSibling(const Job& job) {
  if (!options_.prefix_cache || job.names.empty()) return false;
  const int64_t page = model_.page_tokens();
  int64_t known = -1;
  for (const JobPtr& other : running_) {
    if (!other->looked_up || other->computed() >= other->prompt ||
        other->caller.tenant != job.caller.tenant) {
      continue;
    }
    const int64_t common = page * (std::mismatch(job.names.begin(), job.names.end(),
                                                 other->names.begin(), other->names.end()).first -
                                   job.names.begin());
    if (common == 0) continue;
    if (known < 0) known = cache_.Find(job.caller.tenant, job.tokens, job.names).tokens;
    if (common > known && other->prompt - other->computed() <= 2 * (common - known)) return true;
  }
  return false;
}

// Starts a sequence from the cache. One token at least is left to compute: logits are not cached.
void Batcher::LookUp(Job& job) {
  job.looked_up = true;
  if (!options_.prefix_cache || job.embedding()) return;
  const auto keys = job.Keys(job.size() - 1);
  const bool resumed = job.size() > job.prompt;
  const auto names = resumed ? cache_.Names(job.caller.tenant, keys) : job.names;
  const auto match = cache_.Find(job.caller.tenant, keys, names);
  if (match.sequence != nullptr) {
    const int64_t whole = match.tokens / model_.page_tokens() * model_.page_tokens();
    if (job.sequence->Adopt(*match.sequence, match.tokens) ||
        (whole > 0 && job.sequence->Adopt(*match.sequence, whole))) {
      job.shared_pages = job.computed() / model_.page_tokens();
    }
  }
  if (resumed) return;
  job.usage.cached_tokens = job.computed();
  counters_.prefix_hit_tokens += static_cast<uint64_t>(job.computed());
  counters_.prefix_miss_tokens += static_cast<uint64_t>(job.prompt - job.computed());
}

void Batcher::Keep(const Job& job, int64_t count) {
  if (options_.prefix_cache) cache_.Insert(job.caller.tenant, job.Keys(count), *job.sequence);
}

// Room for `tokens` in total, taken from cached prefixes, then from younger requests; the job
// itself is preempted where it is the youngest. False: it has no pages now, or failed.
bool Batcher::MakeRoom(Job& job, int64_t tokens) {
  while (!job.sequence->Reserve(tokens)) {
    if (cache_.EvictPage()) continue;
    if (running_.size() == 1) {
      job.Fail({Code::kOutOfMemory, "no memory for the keys and values of the request"});
      return false;
    }
    Job* victim = Youngest(kNoClass);
    Preempt(*victim);
    crowded_ = true;
    if (victim == &job) return false;
  }
  return true;
}

// Its pages go to the cache, where they stay until somebody needs them.
void Batcher::Preempt(Job& job) {
  ++counters_.preemptions;
  if (!job.embedding()) Keep(job, job.computed());
  job.sequence.reset();
  job.looked_up = false;
  job.shared_pages = 0;
  job.pooled.clear();
  const auto place = std::find_if(running_.begin(), running_.end(),
                                  [&](const JobPtr& each) { return each.get() == &job; });
  waiting_.Push(std::move(*place));
  running_.erase(place);
}

// In the order of preemption's opposite, so that who is preempted was not given room before.
void Batcher::TakeRoom(std::vector<Part>& plan) {
  std::sort(plan.begin(), plan.end(),
            [&](const Part& a, const Part& b) { return Before(*a.job, *b.job); });
  for (const Part& part : plan) {
    if (part.job->sequence) MakeRoom(*part.job, part.job->computed() + part.count);
  }
  std::erase_if(plan, [](const Part& part) { return !part.job->sequence || part.job->done; });
}

}  // namespace portcullis::inference
