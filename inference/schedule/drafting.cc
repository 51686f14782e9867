// Drafts of a step: from the model's own head where it has one and is the better guesser, else from
// what the text repeats.
#include <algorithm>

#include "inference/schedule/batcher.h"

namespace portcullis::inference {
namespace {
constexpr int64_t kMostDrafts = 8;       // of one request
constexpr int64_t kMostDraftRows = 32;   // of a step
}  // namespace

void Batcher::Draft(std::span<Part> plan) {
  if (options_.speculate == kSpeculateOff) return;
  const auto streams = static_cast<int64_t>(
      std::count_if(plan.begin(), plan.end(), [](const Part& part) { return part.writing; }));
  const bool adaptive = options_.speculate == kSpeculateAuto;
  int64_t rows = kMostDraftRows;
  std::vector<Job*> by_head;
  for (const Part& part : plan) {
    if (!part.writing) continue;
    Job& job = *part.job;
    job.draft_from_head = false;
    // The token after the last draft is sampled too, and has to be within the limit.
    const int64_t most = std::min({adaptive ? kMostDrafts : int64_t{options_.speculate}, rows,
                                   job.limit - job.size() - 1});
    if (most < 1) continue;
    const auto length = [&](DraftRecord& record, double draft_cost) {
      return adaptive ? record.Length(streams, cost_, draft_cost, most) : most;
    };
    const bool head_leads =
        model_.has_draft_head() && job.head_record.rate() > job.lookup_record.rate();
    if (!head_leads) job.draft = LookUpDraft(job.tokens, length(job.lookup_record, 0));
    if (job.draft.empty() && model_.has_draft_head()) {
      const int64_t count = length(job.head_record, head_cost_);
      if (count > 0) {
        job.draft.resize(static_cast<size_t>(count));
        job.draft_from_head = true;
        by_head.push_back(&job);
      }
    }
    rows -= static_cast<int64_t>(job.draft.size());
  }
  if (!by_head.empty()) ProposeByHead(by_head);
  for (const Part& part : plan) {
    Job& job = *part.job;
    if (job.draft.empty()) continue;
    const auto count = static_cast<int64_t>(job.draft.size());
    // Nobody gives way to a guess.
    if (!job.sequence->Reserve(job.computed() + 1 + count)) job.draft.clear();
    counters_.drafted_tokens += job.draft.size();
  }
}

// Each job's `draft` has the length that is asked for.
void Batcher::ProposeByHead(std::vector<Job*>& jobs) {
  std::vector<DraftStep> steps;
  for (Job* job : jobs) {
    steps.push_back({job->sequence.get(), job->tokens.back(),
                     static_cast<int64_t>(job->draft.size()), {}});
  }
  const auto begin = options_.clock();
  const auto done = model_.Propose(steps);
  const std::chrono::duration<double> took = options_.clock() - begin;
  // The head may have given back the room that was taken for the next token; nobody took it since.
  for (Job* job : jobs) job->sequence->Reserve(job->computed() + 1);
  size_t drafted = 0;
  for (size_t i = 0; i < jobs.size(); ++i) {
    jobs[i]->draft = done ? std::move(steps[i].tokens) : std::vector<TokenId>();
    drafted += jobs[i]->draft.size();
  }
  if (drafted == 0) return;
  const double each = took.count() / static_cast<double>(drafted);
  head_cost_ = head_cost_ == 0 ? each : head_cost_ + (each - head_cost_) / 16;
}

void Batcher::RecordDraft(Job& job, int64_t sampled) {
  const auto drafted = static_cast<int64_t>(job.draft.size());
  // All sampled tokens but the last agreed with their drafts; the last has none, or differed, or
  // ended the answer.
  const int64_t accepted = std::max<int64_t>(0, sampled - 1);
  DraftRecord& record = job.draft_from_head ? job.head_record : job.lookup_record;
  record.Add(std::min(drafted, accepted + 1), accepted);
  counters_.accepted_tokens += static_cast<uint64_t>(accepted);
}

}  // namespace portcullis::inference
