// Random weights of any configuration, and their Hugging Face folder.
#include <bit>
#include <boost/json.hpp>
#include <cmath>
#include <random>

#include "tests/inference/file_builders.h"
#include "tests/inference/reference.h"

namespace portcullis::inference {
namespace {

class Maker {
 public:
  Maker(TinyModel& model, uint32_t seed) : model_(model), random_(seed) {}

  void Matrix(const std::string& name, int64_t rows, int64_t columns) {
    Add(name, {rows, columns}, 0.0f, 1.5f / std::sqrt(static_cast<float>(columns)));
  }
  void Norm(const std::string& name, int64_t size) { Add(name, {size}, 1.0f, 0.2f); }
  void Bias(const std::string& name, int64_t size) { Add(name, {size}, 0.0f, 0.3f); }
  void FeedForward(const std::string& prefix, int64_t hidden, int64_t inner) {
    Matrix(prefix + "gate_proj.weight", inner, hidden);
    Matrix(prefix + "up_proj.weight", inner, hidden);
    Matrix(prefix + "down_proj.weight", hidden, inner);
  }

 private:
  void Add(const std::string& name, std::vector<int64_t> shape, float mean, float spread) {
    TinyTensor tensor{std::move(shape), {}};
    int64_t count = 1;
    for (const int64_t size : tensor.shape) count *= size;
    std::normal_distribution<float> normal(mean, spread);
    for (int64_t i = 0; i < count; ++i) {
      tensor.values.push_back(
          std::bit_cast<float>(std::bit_cast<uint32_t>(normal(random_)) & 0xffff0000u));
    }
    model_.tensors[name] = std::move(tensor);
  }

  TinyModel& model_;
  std::mt19937 random_;
};

void MakeLatentAttention(Maker& make, const std::string& self, const ModelConfig& config) {
  const auto& mla = config.mla;
  const int64_t hidden = config.hidden_size;
  const int64_t queries = config.heads * (mla.nope_dimensions + mla.rope_dimensions);
  if (mla.q_lora_rank > 0) {
    make.Matrix(self + "q_a_proj.weight", mla.q_lora_rank, hidden);
    make.Norm(self + "q_a_layernorm.weight", mla.q_lora_rank);
    make.Matrix(self + "q_b_proj.weight", queries, mla.q_lora_rank);
  } else {
    make.Matrix(self + "q_proj.weight", queries, hidden);
  }
  make.Matrix(self + "kv_a_proj_with_mqa.weight", mla.kv_lora_rank + mla.rope_dimensions, hidden);
  make.Norm(self + "kv_a_layernorm.weight", mla.kv_lora_rank);
  make.Matrix(self + "kv_b_proj.weight",
              config.heads * (mla.nope_dimensions + mla.value_dimensions), mla.kv_lora_rank);
  make.Matrix(self + "o_proj.weight", hidden, config.heads * mla.value_dimensions);
}

void MakeGroupedAttention(Maker& make, const std::string& self, const ModelConfig& config) {
  const int64_t hidden = config.hidden_size;
  const int64_t queries = config.heads * config.head_dimensions;
  const int64_t keys = config.kv_heads * config.head_dimensions;
  make.Matrix(self + "q_proj.weight", queries, hidden);
  make.Matrix(self + "k_proj.weight", keys, hidden);
  make.Matrix(self + "v_proj.weight", keys, hidden);
  make.Matrix(self + "o_proj.weight", hidden, queries);
  if (config.qkv_bias) {
    make.Bias(self + "q_proj.bias", queries);
    make.Bias(self + "k_proj.bias", keys);
    make.Bias(self + "v_proj.bias", keys);
  }
  if (config.head_norm) {
    make.Norm(self + "q_norm.weight", config.head_dimensions);
    make.Norm(self + "k_norm.weight", config.head_dimensions);
  }
}

void MakeLayer(Maker& make, int64_t layer, const ModelConfig& config) {
  const auto& moe = config.moe;
  const int64_t hidden = config.hidden_size;
  const std::string prefix = "model.layers." + std::to_string(layer) + ".";
  make.Norm(prefix + "input_layernorm.weight", hidden);
  make.Norm(prefix + "post_attention_layernorm.weight", hidden);
  if (config.architecture == Architecture::kDeepseek) {
    MakeLatentAttention(make, prefix + "self_attn.", config);
  } else {
    MakeGroupedAttention(make, prefix + "self_attn.", config);
  }
  if (moe.experts == 0 || layer < moe.dense_layers) {
    make.FeedForward(prefix + "mlp.", hidden, config.intermediate_size);
    return;
  }
  make.Matrix(prefix + "mlp.gate.weight", moe.experts, hidden);
  if (moe.correction_bias) make.Bias(prefix + "mlp.gate.e_score_correction_bias", moe.experts);
  for (int64_t expert = 0; expert < moe.experts; ++expert) {
    make.FeedForward(prefix + "mlp.experts." + std::to_string(expert) + ".", hidden,
                     moe.intermediate_size);
  }
  if (moe.shared_experts > 0) {
    make.FeedForward(prefix + "mlp.shared_experts.", hidden,
                     moe.shared_experts * moe.intermediate_size);
  }
}

boost::json::object RopeScalingJson(const TinyModel& model) {
  const auto& rope = model.config.rope;
  boost::json::object json;
  json["factor"] = rope.factor;
  json["original_max_position_embeddings"] = rope.original_context;
  switch (rope.scaling) {
    case RopeScaling::kNone: break;
    case RopeScaling::kLinear: json["rope_type"] = "linear"; break;
    case RopeScaling::kLlama3:
      json["rope_type"] = "llama3";
      json["low_freq_factor"] = rope.low_frequency_factor;
      json["high_freq_factor"] = rope.high_frequency_factor;
      break;
    case RopeScaling::kYarn:
      json["type"] = "yarn";
      json["beta_fast"] = rope.beta_fast;
      json["beta_slow"] = rope.beta_slow;
      if (model.mscale != 0) json["mscale"] = model.mscale;
      if (model.mscale_all != 0) json["mscale_all_dim"] = model.mscale_all;
      break;
  }
  return json;
}

boost::json::object ConfigJson(const TinyModel& model) {
  const ModelConfig& config = model.config;
  boost::json::object json;
  const bool latent = config.architecture == Architecture::kDeepseek;
  json["model_type"] = config.type;
  json["vocab_size"] = config.vocab_size;
  json["hidden_size"] = config.hidden_size;
  json["intermediate_size"] = config.intermediate_size;
  json["num_hidden_layers"] = config.layers;
  json["num_attention_heads"] = config.heads;
  json["num_key_value_heads"] = config.kv_heads;
  json["max_position_embeddings"] = config.context_length;
  json["rms_norm_eps"] = config.norm_epsilon;
  json["rope_theta"] = config.rope.theta;
  json["tie_word_embeddings"] = config.tied_embeddings;
  if (config.rope.scaling != RopeScaling::kNone) json["rope_scaling"] = RopeScalingJson(model);
  if (!latent) {
    json["head_dim"] = config.head_dimensions;
    json["attention_bias"] = config.qkv_bias;
    return json;
  }
  if (config.mla.q_lora_rank > 0) json["q_lora_rank"] = config.mla.q_lora_rank;
  else json["q_lora_rank"] = nullptr;
  json["kv_lora_rank"] = config.mla.kv_lora_rank;
  json["qk_nope_head_dim"] = config.mla.nope_dimensions;
  json["qk_rope_head_dim"] = config.mla.rope_dimensions;
  json["v_head_dim"] = config.mla.value_dimensions;
  json["num_nextn_predict_layers"] = config.draft_layers;
  const auto& moe = config.moe;
  if (moe.experts == 0) return json;
  json["n_routed_experts"] = moe.experts;
  json["num_experts_per_tok"] = moe.experts_used;
  json["n_shared_experts"] = moe.shared_experts;
  json["moe_intermediate_size"] = moe.intermediate_size;
  json["first_k_dense_replace"] = moe.dense_layers;
  json["n_group"] = moe.groups;
  json["topk_group"] = moe.groups_used;
  json["norm_topk_prob"] = moe.normalize;
  json["routed_scaling_factor"] = moe.scale;
  json["scoring_func"] = moe.sigmoid ? "sigmoid" : "softmax";
  json["topk_method"] = moe.correction_bias ? "noaux_tc"
                        : moe.groups > 1    ? "group_limited_greedy"
                                            : "greedy";
  return json;
}

std::string Encode(const TinyTensor& tensor, DataType type) {
  ByteWriter bytes;
  for (const float value : tensor.values) {
    if (type == DataType::kF32) bytes.Number(value);
    else bytes.Number(static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16));
  }
  return bytes.bytes();
}

}  // namespace

ModelConfig OneLayerConfig() {
  ModelConfig config;
  config.type = "llama";
  config.vocab_size = 9;
  config.hidden_size = 8;
  config.layers = 1;
  config.heads = config.kv_heads = 2;
  config.head_dimensions = 4;
  config.intermediate_size = 8;
  config.context_length = 16;
  return config;
}

TinyModel MakeTinyModel(const ModelConfig& config, uint32_t seed) {
  TinyModel model{config, {}};
  Maker make(model, seed);
  const int64_t hidden = config.hidden_size;
  make.Matrix("model.embed_tokens.weight", config.vocab_size, hidden);
  make.Norm("model.norm.weight", hidden);
  if (!config.tied_embeddings) make.Matrix("lm_head.weight", config.vocab_size, hidden);
  for (int64_t layer = 0; layer < config.layers + config.draft_layers; ++layer) {
    MakeLayer(make, layer, config);
  }
  for (int64_t layer = config.layers; layer < config.layers + config.draft_layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    make.Norm(prefix + "enorm.weight", hidden);
    make.Norm(prefix + "hnorm.weight", hidden);
    make.Matrix(prefix + "eh_proj.weight", hidden, 2 * hidden);
    make.Norm(prefix + "shared_head.norm.weight", hidden);
  }
  return model;
}

void WriteTinyModel(const TinyModel& model, const std::filesystem::path& folder, DataType type,
                    int shards) {
  const auto write = [&](const std::string& name, const std::string& bytes) {
    std::FILE* file = std::fopen((folder / name).c_str(), "wb");
    std::fwrite(bytes.data(), 1, bytes.size(), file);
    std::fclose(file);
  };
  write("config.json", boost::json::serialize(ConfigJson(model)));
  std::vector<boost::json::object> headers(static_cast<size_t>(shards));
  std::vector<std::string> data(static_cast<size_t>(shards));
  boost::json::object index;
  size_t next = 0;
  for (const auto& [name, tensor] : model.tensors) {
    const size_t shard = next++ % static_cast<size_t>(shards);
    const std::string bytes = Encode(tensor, type);
    boost::json::array shape(tensor.shape.begin(), tensor.shape.end());
    headers[shard][name] = {{"dtype", type == DataType::kF32 ? "F32" : "BF16"},
                            {"shape", shape},
                            {"data_offsets",
                             {data[shard].size(), data[shard].size() + bytes.size()}}};
    data[shard] += bytes;
    index[name] = "part" + std::to_string(shard) + ".safetensors";
  }
  for (size_t shard = 0; shard < data.size(); ++shard) {
    write(shards == 1 ? "model.safetensors" : "part" + std::to_string(shard) + ".safetensors",
          SafetensorsBytes(boost::json::serialize(headers[shard]), data[shard]));
  }
  if (shards > 1) {
    write("model.safetensors.index.json", boost::json::serialize(
        boost::json::object{{"weight_map", index}}));
  }
}

}  // namespace portcullis::inference
