// GGUF metadata, whose keys are prefixed with the architecture's name.
#include <algorithm>

#include "inference/model/config.h"
#include "inference/model/limits.h"

namespace portcullis::inference {
namespace {

// Metadata under one architecture's prefix, with ranges; a fallback makes a key optional.
class Keys {
 public:
  Keys(const gguf::File& file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

  bool Has(const char* key) const { return file_.Has(prefix_ + key); }

  Result<int64_t> Int(const char* key, int64_t least, int64_t most,
                      std::optional<int64_t> fallback = std::nullopt) const {
    if (!Has(key) && fallback) return *fallback;
    BOOST_OUTCOME_TRY(const auto value, file_.Int(prefix_ + key));
    if (value < least || value > most) return OutOfRange(key, std::to_string(value));
    return value;
  }

  Result<double> Float(const char* key, double least, double most,
                       std::optional<double> fallback = std::nullopt) const {
    if (!Has(key) && fallback) return *fallback;
    BOOST_OUTCOME_TRY(const auto value, file_.Float(prefix_ + key));
    if (!(value >= least) || !(value <= most)) return OutOfRange(key, std::to_string(value));
    return value;
  }

  Result<bool> Bool(const char* key, bool fallback) const {
    return Has(key) ? file_.Bool(prefix_ + key) : Result<bool>(fallback);
  }

  Result<std::string> String(const char* key, const char* fallback) const {
    if (!Has(key)) return std::string(fallback);
    BOOST_OUTCOME_TRY(const auto value, file_.String(prefix_ + key));
    return std::string(value);
  }

 private:
  Error OutOfRange(const char* key, const std::string& value) const {
    return {Code::kBadConfig, "GGUF: metadata `" + prefix_ + key + "` is " + value +
                                  ", outside every sensible range"};
  }

  const gguf::File& file_;
  std::string prefix_;
};

Result<Architecture> ArchitectureOf(const std::string& type) {
  if (type == "llama") return Architecture::kLlama;
  if (type == "qwen2") return Architecture::kQwen2;
  if (type == "qwen3") return Architecture::kQwen3;
  if (type == "deepseek2") return Architecture::kDeepseek;
  return Error{Code::kUnsupported, "GGUF: architecture `" + type +
                                       "` is not known; llama, qwen2, qwen3 and deepseek2 are"};
}

Result<void> ReadRope(const Keys& keys, ModelConfig& config) {
  auto& rope = config.rope;
  BOOST_OUTCOME_TRY(rope.theta, keys.Float("rope.freq_base", 1.0, 1e12, 10000.0));
  BOOST_OUTCOME_TRY(rope.dimensions,
                    keys.Int("rope.dimension_count", 2, kMaxHeadWidth, config.head_dimensions));
  BOOST_OUTCOME_TRY(const auto type, keys.String("rope.scaling.type", "none"));
  if (type == "none") return boost::outcome_v2::success();
  BOOST_OUTCOME_TRY(rope.factor, keys.Float("rope.scaling.factor", 1.0, 1e6));
  if (type == "linear") {
    rope.scaling = RopeScaling::kLinear;
    return boost::outcome_v2::success();
  }
  if (type != "yarn") {
    return Error{Code::kUnsupported, "GGUF: rope scaling `" + type +
                                         "` is not supported; linear and yarn are"};
  }
  rope.scaling = RopeScaling::kYarn;
  BOOST_OUTCOME_TRY(rope.original_context, keys.Int("rope.scaling.original_context_length", 1,
                                                    kMaxContext, config.context_length));
  if (keys.Has("rope.scaling.original_context_length")) {
    config.context_length = std::max(config.context_length, StretchedContext(rope));
  }
  BOOST_OUTCOME_TRY(rope.beta_fast, keys.Float("rope.scaling.yarn_beta_fast", 1e-3, 1e6, 32.0));
  BOOST_OUTCOME_TRY(rope.beta_slow, keys.Float("rope.scaling.yarn_beta_slow", 1e-3, 1e6, 1.0));
  // DeepSeek's two magnitudes cancel in the rotation; what is left is that of the scores.
  BOOST_OUTCOME_TRY(const double multiplier,
                    keys.Float("rope.scaling.yarn_log_multiplier", 0.0, 10.0, 0.0));
  if (multiplier != 0.0) {
    rope.scores_mscale = multiplier / 0.1;
    return boost::outcome_v2::success();
  }
  BOOST_OUTCOME_TRY(rope.magnitude, keys.Float("rope.scaling.attn_factor", 1e-3, 1e3, 1.0));
  rope.magnitude *= YarnMagnitude(rope.factor, 1.0);
  return boost::outcome_v2::success();
}

Result<void> ReadDeepseek(const Keys& keys, ModelConfig& config) {
  auto& mla = config.mla;
  auto& moe = config.moe;
  BOOST_OUTCOME_TRY(mla.q_lora_rank, keys.Int("attention.q_lora_rank", 0, kMaxWidth, 0));
  BOOST_OUTCOME_TRY(mla.kv_lora_rank, keys.Int("attention.kv_lora_rank", 1, kMaxWidth));
  BOOST_OUTCOME_TRY(mla.rope_dimensions, keys.Int("rope.dimension_count", 2, kMaxHeadWidth));
  // Older files give the sizes of the expanded heads, newer ones those of the latent head as well.
  const bool latent = keys.Has("attention.key_length_mla");
  BOOST_OUTCOME_TRY(const int64_t key_size,
                    keys.Int(latent ? "attention.key_length_mla" : "attention.key_length", 1,
                             kMaxHeadWidth));
  BOOST_OUTCOME_TRY(mla.value_dimensions,
                    keys.Int(latent ? "attention.value_length_mla" : "attention.value_length", 1,
                             kMaxHeadWidth));
  mla.nope_dimensions = key_size - mla.rope_dimensions;
  if (mla.nope_dimensions < 1) {
    return Error{Code::kBadConfig, "GGUF: keys of " + std::to_string(key_size) + " values with " +
                                       std::to_string(mla.rope_dimensions) + " rotated ones"};
  }
  config.kv_heads = config.heads;
  config.head_dimensions = key_size;
  config.rope.interleaved = true;

  BOOST_OUTCOME_TRY(const int64_t extra, keys.Int("nextn_predict_layers", 0, kMaxLayers, 0));
  if (extra >= config.layers) {
    return Error{Code::kBadConfig, "GGUF: every layer is a prediction layer"};
  }
  config.layers -= extra;
  config.draft_layers = extra;
  BOOST_OUTCOME_TRY(moe.experts, keys.Int("expert_count", 0, kMaxExperts, 0));
  if (moe.experts == 0) return boost::outcome_v2::success();
  BOOST_OUTCOME_TRY(moe.experts_used, keys.Int("expert_used_count", 1, kMaxExperts));
  BOOST_OUTCOME_TRY(moe.shared_experts, keys.Int("expert_shared_count", 0, kMaxExperts, 0));
  BOOST_OUTCOME_TRY(moe.intermediate_size, keys.Int("expert_feed_forward_length", 1, kMaxWidth));
  BOOST_OUTCOME_TRY(moe.dense_layers, keys.Int("leading_dense_block_count", 0, kMaxLayers, 0));
  BOOST_OUTCOME_TRY(moe.normalize, keys.Bool("expert_weights_norm", false));
  BOOST_OUTCOME_TRY(moe.scale, keys.Float("expert_weights_scale", 0.0, 1e6, 1.0));
  if (moe.scale == 0.0) moe.scale = 1.0;
  BOOST_OUTCOME_TRY(const int64_t gating, keys.Int("expert_gating_func", 0, 255, 1));
  if (gating > 2) {
    return Error{Code::kUnsupported, "GGUF: expert gating function " + std::to_string(gating) +
                                         " is not supported; 1 (softmax) and 2 (sigmoid) are"};
  }
  moe.sigmoid = gating == 2;
  moe.correction_bias = moe.sigmoid;
  // Files from before these keys existed leave them out: DeepSeek-V3 and R1, which alone have 256
  // experts chosen by sigmoid, route to 4 of 8 groups.
  const bool v3 = moe.sigmoid && moe.experts == 256 && !keys.Has("expert_group_count");
  BOOST_OUTCOME_TRY(moe.groups, keys.Int("expert_group_count", 1, kMaxExperts, v3 ? 8 : 1));
  BOOST_OUTCOME_TRY(moe.groups_used,
                    keys.Int("expert_group_used_count", 1, kMaxExperts, v3 ? 4 : 1));
  return boost::outcome_v2::success();
}

Result<void> ReadHeads(const Keys& keys, ModelConfig& config) {
  BOOST_OUTCOME_TRY(config.kv_heads,
                    keys.Int("attention.head_count_kv", 1, kMaxHeads, config.heads));
  std::optional<int64_t> width;
  if (config.hidden_size % config.heads == 0) width = config.hidden_size / config.heads;
  if (!width && !keys.Has("attention.key_length")) {
    return Error{Code::kBadConfig, "GGUF: neither `attention.key_length` nor a whole head size"};
  }
  BOOST_OUTCOME_TRY(config.head_dimensions,
                    keys.Int("attention.key_length", 2, kMaxHeadWidth, width));
  BOOST_OUTCOME_TRY(const int64_t value_size,
                    keys.Int("attention.value_length", 1, kMaxHeadWidth, config.head_dimensions));
  BOOST_OUTCOME_TRY(const int64_t experts, keys.Int("expert_count", 0, kMaxExperts, 0));
  if (value_size != config.head_dimensions || experts > 0) {
    return Error{Code::kUnsupported, "GGUF: " + config.type +
                                         " with experts, or with values of another size than keys, "
                                         "is not supported"};
  }
  config.qkv_bias = config.architecture == Architecture::kQwen2;
  config.head_norm = config.architecture == Architecture::kQwen3;
  // ggml's converter reorders the query and key rows of Llama for pairs that lie side by side.
  config.rope.interleaved = config.architecture == Architecture::kLlama;
  return boost::outcome_v2::success();
}

Result<void> ReadWindow(const Keys& keys, ModelConfig& config) {
  BOOST_OUTCOME_TRY(const int64_t window,
                    keys.Int("attention.sliding_window", 0, kMaxContext, 0));
  if (window > 0 && window < config.context_length) {
    config.context_length = config.sliding_window = window;
  }
  return boost::outcome_v2::success();
}

}  // namespace

Result<ModelConfig> ConfigFromGguf(const gguf::File& file) {
  ModelConfig config;
  BOOST_OUTCOME_TRY(const auto type, file.String("general.architecture"));
  config.type = type;
  BOOST_OUTCOME_TRY(config.architecture, ArchitectureOf(config.type));
  if (file.Has("general.name")) {
    BOOST_OUTCOME_TRY(const auto name, file.String("general.name"));
    config.name = name;
  }
  const Keys keys(file, config.type + ".");
  BOOST_OUTCOME_TRY(config.hidden_size, keys.Int("embedding_length", 1, kMaxWidth));
  BOOST_OUTCOME_TRY(config.layers, keys.Int("block_count", 1, kMaxLayers));
  BOOST_OUTCOME_TRY(config.heads, keys.Int("attention.head_count", 1, kMaxHeads));
  BOOST_OUTCOME_TRY(config.intermediate_size, keys.Int("feed_forward_length", 1, kMaxWidth));
  BOOST_OUTCOME_TRY(config.context_length, keys.Int("context_length", 1, kMaxContext));
  BOOST_OUTCOME_TRY(config.norm_epsilon, keys.Float("attention.layer_norm_rms_epsilon", 0.0, 1.0));
  const Tensor* embedding = file.FindTensor("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2 ||
      embedding->shape[0] > kMaxVocabulary) {
    return Error{Code::kBadTensor, "GGUF: no matrix `token_embd.weight`"};
  }
  config.vocab_size = embedding->shape[0];
  config.tied_embeddings = file.FindTensor("output.weight") == nullptr;
  if (config.architecture == Architecture::kDeepseek) {
    BOOST_OUTCOME_TRY(ReadDeepseek(keys, config));
  } else {
    BOOST_OUTCOME_TRY(ReadHeads(keys, config));
  }
  BOOST_OUTCOME_TRY(ReadRope(keys, config));
  if (config.architecture != Architecture::kDeepseek) {
    BOOST_OUTCOME_TRY(ReadWindow(keys, config));
  }
  BOOST_OUTCOME_TRY(CompleteConfig(config));
  return config;
}

}  // namespace portcullis::inference
