// Draft tokens: where they come from without a draft head, and how many are worth verifying.
// Verified tokens are sampled one by one from the model's own logits with the request's own
// sampler, so a draft changes when a token comes, never which. Pure functions of their arguments;
// one DraftRecord a request and source.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/schedule/step_cost.h"

namespace portcullis::inference {

// What a source of drafts was worth so far; old drafts fade.
class DraftRecord {
 public:
  // `tried`: drafts compared with what was sampled, `accepted`: those that were the same.
  void Add(int64_t tried, int64_t accepted);
  double rate() const { return accepted_ / tried_; }

  // How many tokens to draft beside `streams` that write now; `draft_cost`: seconds to draft one.
  // A source that does not pay is tried again with one token every kRetry calls.
  int64_t Length(int64_t streams, const StepCost& cost, double draft_cost, int64_t most);

 private:
  static constexpr int kRetry = 32;
  double accepted_ = 1, tried_ = 2;
  int skipped_ = 0;
};

// Prompt lookup (Saxena, 2023): where the last 4, 3 or 2 tokens stand earlier in `tokens`, what
// followed there, at most `count`. The longest match wins, of those the latest.
std::vector<int32_t> LookUpDraft(std::span<const int32_t> tokens, int64_t count);

}  // namespace portcullis::inference
