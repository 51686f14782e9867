#include "inference/ops/router.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace portcullis::inference {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// Position of the largest value that is not yet taken; NaN never wins over a number.
size_t BestLeft(std::span<const float> values, std::span<const uint8_t> taken) {
  size_t best = values.size();
  for (size_t i = 0; i < values.size(); ++i) {
    if (taken[i] == 0 && (best == values.size() || values[i] > values[best])) best = i;
  }
  return best;
}

void ToScores(bool sigmoid, std::span<float> logits) {
  if (sigmoid) {
    for (float& value : logits) value = 1.0f / (1.0f + std::exp(-value));
    return;
  }
  const float most = *std::ranges::max_element(logits);
  float sum = 0;
  for (float& value : logits) sum += value = std::exp(value - most);
  for (float& value : logits) value /= sum;
}

float GroupScore(std::span<const float> scores, bool two_best) {
  float first = kLowest;
  float second = kLowest;
  for (const float score : scores) {
    if (score > first) {
      second = first;
      first = score;
    } else if (score > second) {
      second = score;
    }
  }
  return two_best && scores.size() > 1 ? first + second : first;
}

}  // namespace

Router::Router(const MoeConfig& config, std::vector<float> bias)
    : config_(config), bias_(std::move(bias)) {}

void Router::Choose(std::span<float> logits, std::span<ExpertChoice> chosen, Buffer& scratch) const {
  ToScores(config_.sigmoid, logits);
  const auto experts = logits.size();
  const auto groups = static_cast<size_t>(std::max<int64_t>(config_.groups, 1));
  // Of each expert and each group a number and a mark.
  float* numbers = scratch.Get(static_cast<int64_t>(2 * (experts + groups)));
  const std::span<float> ranking(numbers, experts), group_scores(numbers + experts, groups);
  auto* marks = reinterpret_cast<uint8_t*>(numbers + experts + groups);
  const std::span<uint8_t> taken(marks, experts), open(marks + experts, groups);
  std::ranges::copy(logits, ranking.begin());
  for (size_t i = 0; i < bias_.size(); ++i) ranking[i] += bias_[i];
  std::ranges::fill(taken, uint8_t{0});
  if (config_.groups > 1) {
    const size_t size = experts / groups;
    for (size_t i = 0; i < groups; ++i) {
      group_scores[i] = GroupScore(ranking.subspan(i * size, size), !bias_.empty());
    }
    std::ranges::fill(open, uint8_t{0});
    for (int64_t i = 0; i < config_.groups_used; ++i) open[BestLeft(group_scores, open)] = 1;
    for (size_t i = 0; i < experts; ++i) taken[i] = open[i / size] == 0 ? 1 : 0;
  }

  float sum = 0;
  for (auto& choice : chosen) {
    const size_t best = BestLeft(ranking, taken);
    taken[best] = 1;
    choice = {static_cast<int32_t>(best), logits[best]};
    sum += choice.weight;
  }
  const float divisor = config_.normalize ? sum + 1e-20f : 1.0f;
  for (auto& choice : chosen) {
    choice.weight = choice.weight / divisor * static_cast<float>(config_.scale);
  }
}

}  // namespace portcullis::inference
