// A folder's configuration as GGUF metadata.
#include <cmath>

#include "inference/model/convert_plan.h"

namespace portcullis::inference::convert {
namespace {

class ConfigWriter {
 public:
  ConfigWriter(std::string architecture, gguf::Writer& writer)
      : prefix_(std::move(architecture) + "."), writer_(writer) {}

  void Int(const char* key, int64_t value) {
    writer_.SetInt(prefix_ + key, static_cast<uint32_t>(value));
  }
  void Float(const char* key, double value) {
    writer_.SetFloat(prefix_ + key, static_cast<float>(value));
  }
  void Bool(const char* key, bool value) { writer_.SetBool(prefix_ + key, value); }
  void String(const char* key, std::string_view value) { writer_.SetString(prefix_ + key, value); }

 private:
  std::string prefix_;
  gguf::Writer& writer_;
};

std::string ArchitectureName(Architecture architecture) {
  switch (architecture) {
    case Architecture::kQwen2: return "qwen2";
    case Architecture::kQwen3: return "qwen3";
    case Architecture::kDeepseek: return "deepseek2";
    case Architecture::kLlama: break;
  }
  return "llama";
}

Result<void> SetRope(const ModelConfig& config, ConfigWriter& out) {
  const auto& rope = config.rope;
  out.Float("rope.freq_base", rope.theta);
  out.Int("rope.dimension_count", rope.dimensions);
  if (rope.scaling == RopeScaling::kNone || rope.scaling == RopeScaling::kLlama3) {
    return boost::outcome_v2::success();
  }
  out.Float("rope.scaling.factor", rope.factor);
  if (rope.scaling == RopeScaling::kLinear) {
    out.String("rope.scaling.type", "linear");
    return boost::outcome_v2::success();
  }
  out.String("rope.scaling.type", "yarn");
  out.Int("rope.scaling.original_context_length", rope.original_context);
  out.Float("rope.scaling.yarn_beta_fast", rope.beta_fast);
  out.Float("rope.scaling.yarn_beta_slow", rope.beta_slow);
  if (rope.scores_mscale == 0) {
    out.Float("rope.scaling.attn_factor", rope.magnitude / YarnMagnitude(rope.factor, 1.0));
    return boost::outcome_v2::success();
  }
  if (std::fabs(rope.magnitude - 1.0) > 1e-6) {
    return Error{Code::kUnsupported,
                 "YaRN with `mscale` other than `mscale_all_dim` cannot be written as GGUF"};
  }
  out.Float("rope.scaling.yarn_log_multiplier", 0.1 * rope.scores_mscale);
  return boost::outcome_v2::success();
}

void SetDeepseek(const ModelConfig& config, ConfigWriter& out) {
  const auto& mla = config.mla;
  const auto& moe = config.moe;
  if (mla.q_lora_rank > 0) out.Int("attention.q_lora_rank", mla.q_lora_rank);
  out.Int("attention.kv_lora_rank", mla.kv_lora_rank);
  out.Int("attention.head_count_kv", 1);  // the latent head
  out.Int("attention.key_length", mla.kv_lora_rank + mla.rope_dimensions);
  out.Int("attention.value_length", mla.kv_lora_rank);
  out.Int("attention.key_length_mla", config.head_dimensions);
  out.Int("attention.value_length_mla", mla.value_dimensions);
  if (moe.experts == 0) return;
  out.Int("leading_dense_block_count", moe.dense_layers);
  out.Int("expert_feed_forward_length", moe.intermediate_size);
  out.Int("expert_count", moe.experts);
  out.Int("expert_used_count", moe.experts_used);
  out.Int("expert_shared_count", moe.shared_experts);
  out.Float("expert_weights_scale", moe.scale);
  out.Bool("expert_weights_norm", moe.normalize);
  constexpr int64_t kSoftmax = 1, kSigmoid = 2;
  out.Int("expert_gating_func", moe.sigmoid ? kSigmoid : kSoftmax);
  out.Int("expert_group_count", moe.groups);
  out.Int("expert_group_used_count", moe.groups_used);
}

}  // namespace

Result<void> SetConfig(const Weights& weights, const ModelConfig& config, Plan& plan) {
  const std::string architecture = ArchitectureName(config.architecture);
  gguf::Writer& writer = plan.writer;
  writer.SetString("general.architecture", architecture);
  const auto folder = std::filesystem::absolute(weights.path()).lexically_normal();
  writer.SetString("general.name",
                   (folder.has_filename() ? folder : folder.parent_path()).filename().string());
  ConfigWriter out(architecture, writer);
  out.Int("block_count", config.layers + config.draft_layers);
  if (config.draft_layers > 0) out.Int("nextn_predict_layers", config.draft_layers);
  out.Int("context_length", config.context_length);
  out.Int("embedding_length", config.hidden_size);
  out.Int("feed_forward_length", config.intermediate_size);
  out.Int("vocab_size", config.vocab_size);
  out.Int("attention.head_count", config.heads);
  out.Float("attention.layer_norm_rms_epsilon", config.norm_epsilon);
  if (config.architecture == Architecture::kDeepseek && !config.rope.interleaved) {
    return Error{Code::kUnsupported, "`" + (weights.path() / "config.json").string() +
                                         "`: `rope_interleave` false cannot be written as GGUF; "
                                         "serve the folder as it is"};
  }
  if (config.architecture == Architecture::kDeepseek) {
    SetDeepseek(config, out);
  } else {
    out.Int("attention.head_count_kv", config.kv_heads);
    out.Int("attention.key_length", config.head_dimensions);
    out.Int("attention.value_length", config.head_dimensions);
  }
  return SetRope(config, out);
}

}  // namespace portcullis::inference::convert
