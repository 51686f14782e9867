// What a model's architecture is, read from a Hugging Face config.json or from GGUF metadata and
// brought to one form. Every number is in a sensible range and the numbers fit together, so that
// the code behind it needs no further checks. Failure: kBadConfig with the field, or kUnsupported.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "inference/error.h"
#include "inference/model/gguf.h"

namespace portcullis::inference {

enum class Architecture { kLlama, kQwen2, kQwen3, kDeepseek };

enum class RopeScaling { kNone, kLinear, kLlama3, kYarn };

struct RopeConfig {
  int64_t dimensions = 0;      // rotated values per head, even
  double theta = 10000.0;
  bool interleaved = false;    // pairs (2i, 2i+1); otherwise (i, i + dimensions / 2)
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;
  int64_t original_context = 0;
  double beta_fast = 32.0;
  double beta_slow = 1.0;
  double low_frequency_factor = 1.0;
  double high_frequency_factor = 4.0;
  double magnitude = 1.0;      // multiplies cosines and sines
  double scores_mscale = 0.0;  // DeepSeek's mscale_all_dim, which multiplies the scores; 0: none
};

// Multi-head latent attention (DeepSeek-V2 section 2.1).
struct MlaConfig {
  int64_t q_lora_rank = 0;     // 0: queries come from the hidden state directly
  int64_t kv_lora_rank = 0;
  int64_t nope_dimensions = 0;
  int64_t rope_dimensions = 0;
  int64_t value_dimensions = 0;
};

// Mixture of experts (DeepSeek-V3 section 2.1.2).
struct MoeConfig {
  int64_t experts = 0;         // 0: every layer is dense
  int64_t experts_used = 0;
  int64_t shared_experts = 0;
  int64_t intermediate_size = 0;
  int64_t groups = 1;
  int64_t groups_used = 1;
  int64_t dense_layers = 0;    // the first layers have no experts
  bool sigmoid = false;        // scores by sigmoid, otherwise by softmax
  bool correction_bias = false;
  bool normalize = false;      // the chosen scores are divided by their sum
  double scale = 1.0;
};

struct ModelConfig {
  Architecture architecture = Architecture::kLlama;
  std::string type;            // as the file calls it
  std::string name;
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t layers = 0;
  int64_t draft_layers = 0;    // multi-token prediction layers, behind the others
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dimensions = 0;
  int64_t intermediate_size = 0;
  int64_t context_length = 0;
  int64_t sliding_window = 0;  // where the context ends before its time; 0: it does not
  double norm_epsilon = 1e-6;
  double softmax_scale = 0;    // of the attention scores
  bool tied_embeddings = false;
  bool qkv_bias = false;
  bool head_norm = false;      // RMS norm of every query and key head (Qwen3)
  RopeConfig rope;
  MlaConfig mla;               // of kDeepseek
  MoeConfig moe;               // of kDeepseek
};

class Weights;

// The configuration that lies with the weights: GGUF metadata, or config.json beside them.
Result<ModelConfig> ConfigOf(const Weights& weights);
Result<ModelConfig> ConfigFromJson(std::string_view config_json, std::string_view where);
Result<ModelConfig> ConfigFromGguf(const gguf::File& file);

// Checks that the numbers fit together and fills in what follows from them (softmax_scale).
Result<void> CompleteConfig(ModelConfig& config);

// The context that YaRN gives: where it was turned on afterwards, as Qwen's makers advise, the length
// in the file is still that of training.
int64_t StretchedContext(const RopeConfig& rope);

// YaRN's magnitude correction: 1 + 0.1 * mscale * ln(factor) for factors beyond 1.
double YarnMagnitude(double factor, double mscale);

}  // namespace portcullis::inference
