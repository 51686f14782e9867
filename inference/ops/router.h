// Choice of experts for one token, as in DeepSeek-V3's gate: scores by sigmoid or softmax, a bias
// that steers the choice but not the weight, first the best groups (by the sum of their two best
// experts with a bias, by their best without), then the best experts in those groups.
// Ties go to the lower index. Scores that are not numbers still give a valid choice.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/model/config.h"
#include "inference/ops/buffer.h"

namespace portcullis::inference {

struct ExpertChoice {
  int32_t expert;
  float weight;
};

class Router {
 public:
  Router() = default;
  // `bias` is empty or has one value per expert.
  Router(const MoeConfig& config, std::vector<float> bias);

  // `logits` has one value per expert and is overwritten; `chosen` has experts_used places.
  void Choose(std::span<float> logits, std::span<ExpertChoice> chosen, Buffer& scratch) const;

 private:
  MoeConfig config_;
  std::vector<float> bias_;
};

}  // namespace portcullis::inference
