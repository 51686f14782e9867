#include "inference/schedule/step_cost.h"

#include <algorithm>

namespace portcullis::inference {
namespace {
constexpr double kFade = 0.97;
// Until steps of different sizes were seen: another row costs this part of a step with one.
constexpr double kAssumedRow = 0.08;
// Prompts may lengthen a step by this part of it even where it is too long already: else many
// streams would keep newcomers waiting.
constexpr double kPromptShare = 0.5;
// A small chunk says little about what a row costs.
constexpr double kTrust = 64;
}  // namespace

void StepCost::Record(int64_t token_rows, int64_t prompt_rows, Seconds took) {
  const double time = took.count();
  mean_ = mean_ == 0 ? time : mean_ + (time - mean_) / 32;
  if (prompt_rows > 0) {
    const auto rows = static_cast<double>(prompt_rows);
    const double added = time - (token_rows > 0 && weight_ > 0 ? TokenStep(token_rows) : 0);
    const double now = std::max(added, time / 8) / rows;
    if (prompt_row_ == 0) prompt_row_ = now;
    prompt_row_ += (now - prompt_row_) * rows / (rows + kTrust);
    return;
  }
  const auto rows = static_cast<double>(token_rows);
  weight_ = weight_ * kFade + 1;
  rows_ = rows_ * kFade + rows;
  rows_squared_ = rows_squared_ * kFade + rows * rows;
  time_ = time_ * kFade + time;
  product_ = product_ * kFade + rows * time;
}

double StepCost::TokenRow() const {
  if (weight_ == 0) return 0;
  const double spread = weight_ * rows_squared_ - rows_ * rows_;
  const double assumed = kAssumedRow * time_ / (weight_ + kAssumedRow * rows_);
  if (spread < 0.25 * weight_ * weight_) return assumed;
  const double slope = (weight_ * product_ - rows_ * time_) / spread;
  return std::clamp(slope, assumed / 8, time_ / std::max(rows_, 1.0));
}

double StepCost::TokenStep(int64_t rows) const {
  if (weight_ == 0) return 0;
  return (time_ + TokenRow() * (weight_ * static_cast<double>(rows) - rows_)) / weight_;
}

int64_t StepCost::PromptRows(int64_t token_rows, Seconds limit, int64_t least,
                             int64_t most) const {
  if (prompt_row_ == 0) return std::min(2 * least, most);
  const double tokens = token_rows > 0 ? TokenStep(token_rows) : 0;
  const double rest = std::max(limit.count() - tokens, tokens * kPromptShare);
  const double rows = std::clamp(rest / prompt_row_, 0.0, 1e9);
  return std::clamp(static_cast<int64_t>(rows), std::min(least, most), most);
}

}  // namespace portcullis::inference
