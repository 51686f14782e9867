#include "inference/model/config.h"

#include <algorithm>
#include <cmath>

#include "inference/model/limits.h"
#include "inference/model/weights.h"

namespace portcullis::inference {

Result<ModelConfig> ConfigOf(const Weights& weights) {
  constexpr size_t kMaxConfigBytes = 1 << 20;
  if (weights.gguf() != nullptr) return ConfigFromGguf(*weights.gguf());
  const auto path = weights.path() / "config.json";
  BOOST_OUTCOME_TRY(const auto text, ReadSmallFile(path, kMaxConfigBytes));
  return ConfigFromJson(text, "`" + path.string() + "`");
}

int64_t StretchedContext(const RopeConfig& rope) {
  const double stretched = rope.factor * static_cast<double>(rope.original_context);
  return static_cast<int64_t>(std::min(stretched, static_cast<double>(kMaxContext)));
}

double YarnMagnitude(double factor, double mscale) {
  return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

Result<void> CompleteConfig(ModelConfig& config) {
  const auto bad = [&](const std::string& problem) {
    return Error{Code::kBadConfig, "the model's configuration (" + config.type + "): " + problem};
  };
  const auto& moe = config.moe;
  if (config.heads % config.kv_heads != 0) {
    return bad(std::to_string(config.heads) + " attention heads are not a multiple of " +
               std::to_string(config.kv_heads) + " key-value heads");
  }
  if (config.rope.dimensions % 2 != 0 || config.rope.dimensions > config.head_dimensions) {
    return bad("rotary embedding of " + std::to_string(config.rope.dimensions) + " of " +
               std::to_string(config.head_dimensions) + 
               " values per head; an even part is expected");
  }
  if (config.rope.scaling == RopeScaling::kYarn && config.rope.original_context < 1) {
    return bad("YaRN needs the original context length");
  }
  if (config.rope.scaling == RopeScaling::kLlama3 &&
      (config.rope.original_context < 1 ||
       config.rope.high_frequency_factor <= config.rope.low_frequency_factor)) {
    return bad("llama3 rope scaling needs the original context length and "
               "high_freq_factor > low_freq_factor");
  }
  if (moe.experts > 0) {
    if (moe.experts_used > moe.experts) {
      return bad("uses " + std::to_string(moe.experts_used) + " of " + std::to_string(moe.experts) +
                 " experts");
    }
    if (moe.experts % moe.groups != 0 || moe.groups_used > moe.groups) {
      return bad(std::to_string(moe.experts) + " experts do not divide into " +
                 std::to_string(moe.groups) + " groups of which " +
                 std::to_string(moe.groups_used) + " are used");
    }
    if (moe.groups_used * (moe.experts / moe.groups) < moe.experts_used) {
      return bad("the groups in use hold fewer experts than are used");
    }
  }
  config.softmax_scale = 1.0 / std::sqrt(static_cast<double>(config.head_dimensions));
  if (config.architecture == Architecture::kDeepseek && config.rope.scaling == RopeScaling::kYarn &&
      config.rope.scores_mscale != 0.0) {
    const double magnitude = YarnMagnitude(config.rope.factor, config.rope.scores_mscale);
    config.softmax_scale *= magnitude * magnitude;
  }
  return boost::outcome_v2::success();
}

}  // namespace portcullis::inference
