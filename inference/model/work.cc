#include "inference/model/work.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace portcullis::inference {
namespace {

// The number in "blk.7." or "model.layers.7.", -1 without one.
int64_t LayerOf(std::string_view name) {
  for (const std::string_view prefix : {"blk.", "model.layers."}) {
    if (!name.starts_with(prefix)) continue;
    int64_t layer = -1;
    std::from_chars(name.data() + prefix.size(), name.data() + name.size(), layer);
    return layer;
  }
  return -1;
}

bool Contains(std::string_view name, std::string_view part) {
  return name.find(part) != std::string_view::npos;
}

}  // namespace

Work CountWork(const Weights& weights, const ModelConfig& config) {
  Work work;
  work.experts = config.moe.experts;
  work.experts_used = config.moe.experts_used;
  for (const Tensor* tensor : weights.tensors()) {
    if (tensor->shape.size() < 2 || LayerOf(tensor->name) >= config.layers) continue;
    const auto bytes = static_cast<int64_t>(tensor->bytes.size());
    const std::string_view name = tensor->name;
    const bool embedding = name == "token_embd.weight" || name == "model.embed_tokens.weight";
    if (Contains(name, "_exps.") || Contains(name, ".mlp.experts.")) {
      work.expert_bytes += bytes;
      work.expert_weights += tensor->elements();
    } else if (!embedding || config.tied_embeddings) {
      work.common_bytes += bytes;
      work.common_weights += tensor->elements();
      if (embedding || name == "output.weight" || name == "lm_head.weight") {
        work.output_weights += tensor->elements();
      }
    }
  }
  return work;
}

double Work::BytesRead(int64_t rows) const {
  double touched = 0;
  if (experts > 0) {
    const double missed = 1.0 - static_cast<double>(experts_used) / static_cast<double>(experts);
    touched = 1.0 - std::pow(missed, static_cast<double>(rows));
  }
  return static_cast<double>(common_bytes) + touched * static_cast<double>(expert_bytes);
}

double Work::Operations(int64_t rows, int64_t logit_rows) const {
  double active = static_cast<double>(common_weights - output_weights);
  if (experts > 0) {
    active += static_cast<double>(expert_weights) * static_cast<double>(experts_used) /
              static_cast<double>(experts);
  }
  return 2.0 * (active * static_cast<double>(rows) +
                static_cast<double>(output_weights) * static_cast<double>(logit_rows));
}

}  // namespace portcullis::inference
