// config.json of the Hugging Face layout, as transformers and DeepSeek write it.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "inference/model/config.h"
#include "inference/model/json.h"
#include "inference/model/limits.h"
#include "inference/model/weights.h"

namespace portcullis::inference {
namespace {

Result<Architecture> ArchitectureOf(const std::string& type) {
  if (type == "llama" || type == "mistral") return Architecture::kLlama;
  if (type == "qwen2") return Architecture::kQwen2;
  if (type == "qwen3") return Architecture::kQwen3;
  if (type == "deepseek_v3" || type == "deepseek_v2") return Architecture::kDeepseek;
  return Error{Code::kUnsupported, "model type `" + type +
                                       "` is not known; llama, mistral, qwen2, qwen3, deepseek_v2 "
                                       "and deepseek_v3 are"};
}

Result<void> CheckPartial(const JsonFields& root, double factor) {
  if (factor == 1.0) return boost::outcome_v2::success();
  return Error{Code::kUnsupported,
               root.where() + ": `partial_rotary_factor` is " + std::to_string(factor) +
                   "; heads are rotated as a whole here, as in every Llama, Mistral, Qwen and "
                   "DeepSeek model. Serve this one by another engine, as a site of its own"};
}

Result<void> ReadRope(const JsonFields& root, ModelConfig& config) {
  auto& rope = config.rope;
  // Newer files gather everything in rope_parameters, older ones split it in two places.
  BOOST_OUTCOME_TRY(const auto* parameters, root.Object("rope_parameters"));
  BOOST_OUTCOME_TRY(const auto* scaling, root.Object("rope_scaling"));
  if (scaling == nullptr) scaling = parameters;
  BOOST_OUTCOME_TRY(rope.theta, root.Float("rope_theta", 1.0, 1e12, 10000.0));
  BOOST_OUTCOME_TRY(const double partial, root.Float("partial_rotary_factor", 0.0, 1.0, 1.0));
  BOOST_OUTCOME_TRY(CheckPartial(root, partial));
  if (scaling == nullptr) return boost::outcome_v2::success();

  const JsonFields fields(*scaling, root.where() + ": rope scaling");
  BOOST_OUTCOME_TRY(const double part, fields.Float("partial_rotary_factor", 0.0, 1.0, 1.0));
  BOOST_OUTCOME_TRY(CheckPartial(root, part));
  BOOST_OUTCOME_TRY(rope.theta, fields.Float("rope_theta", 1.0, 1e12, rope.theta));
  BOOST_OUTCOME_TRY(const auto old_type, fields.String("type", "default"));
  BOOST_OUTCOME_TRY(const auto type, fields.String("rope_type", old_type));
  if (type == "default") return boost::outcome_v2::success();
  BOOST_OUTCOME_TRY(rope.factor, fields.Float("factor", 1.0, 1e6));
  BOOST_OUTCOME_TRY(rope.original_context,
                    fields.Int("original_max_position_embeddings", 1, kMaxContext,
                               config.context_length));
  if (type == "linear") {
    rope.scaling = RopeScaling::kLinear;
    return boost::outcome_v2::success();
  }
  if (type == "llama3") {
    rope.scaling = RopeScaling::kLlama3;
    BOOST_OUTCOME_TRY(rope.low_frequency_factor, fields.Float("low_freq_factor", 1e-3, 1e6));
    BOOST_OUTCOME_TRY(rope.high_frequency_factor, fields.Float("high_freq_factor", 1e-3, 1e6));
    return boost::outcome_v2::success();
  }
  if (type != "yarn") {
    return Error{Code::kUnsupported, root.where() + ": rope scaling `" + type +
                                         "` is not supported; linear, llama3 and yarn are"};
  }
  rope.scaling = RopeScaling::kYarn;
  if (fields.Has("original_max_position_embeddings")) {
    config.context_length = std::max(config.context_length, StretchedContext(rope));
  }
  BOOST_OUTCOME_TRY(rope.beta_fast, fields.Float("beta_fast", 1e-3, 1e6, 32.0));
  BOOST_OUTCOME_TRY(rope.beta_slow, fields.Float("beta_slow", 1e-3, 1e6, 1.0));
  BOOST_OUTCOME_TRY(const double mscale, fields.Float("mscale", 0.0, 100.0, 0.0));
  BOOST_OUTCOME_TRY(rope.scores_mscale, fields.Float("mscale_all_dim", 0.0, 100.0, 0.0));
  const double magnitude = mscale != 0.0 && rope.scores_mscale != 0.0
                               ? YarnMagnitude(rope.factor, mscale) /
                                     YarnMagnitude(rope.factor, rope.scores_mscale)
                               : YarnMagnitude(rope.factor, 1.0);
  BOOST_OUTCOME_TRY(rope.magnitude, fields.Float("attention_factor", 1e-3, 1e3, magnitude));
  return boost::outcome_v2::success();
}

Result<void> ReadDeepseek(const JsonFields& root, ModelConfig& config) {
  auto& mla = config.mla;
  auto& moe = config.moe;
  BOOST_OUTCOME_TRY(mla.q_lora_rank, root.Int("q_lora_rank", 0, kMaxWidth, 0));
  BOOST_OUTCOME_TRY(mla.kv_lora_rank, root.Int("kv_lora_rank", 1, kMaxWidth));
  BOOST_OUTCOME_TRY(mla.nope_dimensions, root.Int("qk_nope_head_dim", 1, kMaxHeadWidth));
  BOOST_OUTCOME_TRY(mla.rope_dimensions, root.Int("qk_rope_head_dim", 2, kMaxHeadWidth));
  BOOST_OUTCOME_TRY(mla.value_dimensions, root.Int("v_head_dim", 1, kMaxHeadWidth));
  config.kv_heads = config.heads;
  config.head_dimensions = mla.nope_dimensions + mla.rope_dimensions;
  config.rope.dimensions = mla.rope_dimensions;
  BOOST_OUTCOME_TRY(config.rope.interleaved, root.Bool("rope_interleave", true));
  BOOST_OUTCOME_TRY(config.draft_layers, root.Int("num_nextn_predict_layers", 0, kMaxLayers, 0));

  BOOST_OUTCOME_TRY(moe.experts, root.Int("n_routed_experts", 0, kMaxExperts, 0));
  if (moe.experts == 0) return boost::outcome_v2::success();
  BOOST_OUTCOME_TRY(moe.experts_used, root.Int("num_experts_per_tok", 1, kMaxExperts));
  BOOST_OUTCOME_TRY(moe.shared_experts, root.Int("n_shared_experts", 0, kMaxExperts, 0));
  BOOST_OUTCOME_TRY(moe.intermediate_size, root.Int("moe_intermediate_size", 1, kMaxWidth));
  BOOST_OUTCOME_TRY(moe.dense_layers, root.Int("first_k_dense_replace", 0, kMaxLayers, 0));
  BOOST_OUTCOME_TRY(moe.normalize, root.Bool("norm_topk_prob", config.type == "deepseek_v3"));
  BOOST_OUTCOME_TRY(moe.scale, root.Float("routed_scaling_factor", 0.0, 1e6, 1.0));
  BOOST_OUTCOME_TRY(const int64_t frequency, root.Int("moe_layer_freq", 1, kMaxLayers, 1));
  BOOST_OUTCOME_TRY(const auto scoring,
                    root.String("scoring_func", config.type == "deepseek_v3" ? "sigmoid"
                                                                             : "softmax"));
  BOOST_OUTCOME_TRY(const auto method, root.String("topk_method", config.type == "deepseek_v3"
                                                                      ? "noaux_tc" : "greedy"));
  if (frequency != 1 || (scoring != "sigmoid" && scoring != "softmax") ||
      (method != "noaux_tc" && method != "greedy" && method != "group_limited_greedy")) {
    return Error{Code::kUnsupported, root.where() + ": expert routing with `moe_layer_freq` " +
                                         std::to_string(frequency) + ", `scoring_func` " + scoring +
                                         ", `topk_method` " + method + " is not supported"};
  }
  moe.sigmoid = scoring == "sigmoid";
  moe.correction_bias = method == "noaux_tc";
  if (method != "greedy") {
    BOOST_OUTCOME_TRY(moe.groups, root.Int("n_group", 1, kMaxExperts, 1));
    BOOST_OUTCOME_TRY(moe.groups_used, root.Int("topk_group", 1, kMaxExperts, 1));
  }
  return boost::outcome_v2::success();
}

// Of the ways to quantise a Hugging Face folder only DeepSeek's is known: 8-bit floats with a scale
// for each block of 128 by 128 weights.
Result<void> CheckQuantization(const JsonFields& root) {
  BOOST_OUTCOME_TRY(const auto* object, root.Object("quantization_config"));
  if (object == nullptr) return boost::outcome_v2::success();
  const JsonFields fields(*object, root.where() + ": quantization_config");
  BOOST_OUTCOME_TRY(const auto method, fields.String("quant_method"));
  BOOST_OUTCOME_TRY(const auto format, fields.String("fmt", "e4m3"));
  if (method != "fp8" || format != "e4m3") {
    return Error{Code::kUnsupported,
                 root.where() + ": weights quantised by `" + method + "` (" + format +
                     ") are not read; fp8 e4m3 is. Use the original weights or a GGUF file"};
  }
  const auto* sizes = object->if_contains("weight_block_size");
  const boost::json::array wanted = {kScaleBlock, kScaleBlock};
  if (sizes == nullptr || *sizes != boost::json::value(wanted)) {
    return Error{Code::kUnsupported, root.where() + ": `weight_block_size` is not [128, 128]"};
  }
  return boost::outcome_v2::success();
}

Result<void> ReadHeads(const JsonFields& root, ModelConfig& config) {
  BOOST_OUTCOME_TRY(config.kv_heads, root.Int("num_key_value_heads", 1, kMaxHeads, config.heads));
  std::optional<int64_t> width;
  if (config.hidden_size % config.heads == 0) width = config.hidden_size / config.heads;
  BOOST_OUTCOME_TRY(config.head_dimensions, root.Int("head_dim", 2, kMaxHeadWidth, width));
  config.rope.dimensions = config.head_dimensions;
  config.head_norm = config.architecture == Architecture::kQwen3;
  BOOST_OUTCOME_TRY(config.qkv_bias,
                    root.Bool("attention_bias", config.architecture == Architecture::kQwen2));
  BOOST_OUTCOME_TRY(const bool mlp_bias, root.Bool("mlp_bias", false));
  if (mlp_bias) return Error{Code::kUnsupported, root.where() + ": `mlp_bias` is not supported"};
  // Inside its window, sliding attention is full attention: the context ends where they part.
  BOOST_OUTCOME_TRY(const bool sliding, root.Bool("use_sliding_window", config.type == "mistral"));
  if (sliding) {
    BOOST_OUTCOME_TRY(const int64_t window,
                      root.Int("sliding_window", 1, kMaxContext, config.context_length));
    if (window < config.context_length) config.context_length = config.sliding_window = window;
  }
  return boost::outcome_v2::success();
}

}  // namespace

Result<ModelConfig> ConfigFromJson(std::string_view config_json, std::string_view where) {
  BOOST_OUTCOME_TRY(const auto object, ParseJsonObject(config_json, where));
  const JsonFields root(object, std::string(where));
  ModelConfig config;
  BOOST_OUTCOME_TRY(config.type, root.String("model_type"));
  BOOST_OUTCOME_TRY(config.architecture, ArchitectureOf(config.type));
  BOOST_OUTCOME_TRY(config.name, root.String("_name_or_path", ""));
  BOOST_OUTCOME_TRY(config.vocab_size, root.Int("vocab_size", 1, kMaxVocabulary));
  BOOST_OUTCOME_TRY(config.hidden_size, root.Int("hidden_size", 1, kMaxWidth));
  BOOST_OUTCOME_TRY(config.layers, root.Int("num_hidden_layers", 1, kMaxLayers));
  BOOST_OUTCOME_TRY(config.heads, root.Int("num_attention_heads", 1, kMaxHeads));
  BOOST_OUTCOME_TRY(config.intermediate_size, root.Int("intermediate_size", 1, kMaxWidth));
  BOOST_OUTCOME_TRY(config.context_length, root.Int("max_position_embeddings", 1, kMaxContext));
  BOOST_OUTCOME_TRY(config.norm_epsilon, root.Float("rms_norm_eps", 0.0, 1.0, 1e-6));
  BOOST_OUTCOME_TRY(config.tied_embeddings, root.Bool("tie_word_embeddings", false));
  BOOST_OUTCOME_TRY(CheckQuantization(root));
  BOOST_OUTCOME_TRY(const auto activation, root.String("hidden_act", "silu"));
  if (activation != "silu") {
    return Error{Code::kUnsupported, root.where() + ": activation `" + activation +
                                         "` is not supported; silu is"};
  }
  BOOST_OUTCOME_TRY(ReadRope(root, config));
  if (config.architecture == Architecture::kDeepseek) {
    BOOST_OUTCOME_TRY(ReadDeepseek(root, config));
  } else {
    BOOST_OUTCOME_TRY(ReadHeads(root, config));
  }
  BOOST_OUTCOME_TRY(CompleteConfig(config));
  return config;
}

}  // namespace portcullis::inference
