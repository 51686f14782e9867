#include "tests/bench/random_shape.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace portcullis::bench {
namespace {

constexpr std::array kShapes = {
    Shape{"llama-tiny", "llama", 4, 256, 8, 2, 32, 768, 2048, 8192, 10000.0, false, false},
    Shape{"llama-1b", "llama", 22, 2048, 32, 4, 64, 5632, 32000, 32768, 10000.0, false, false},
    Shape{"llama-3b", "llama", 28, 3072, 24, 8, 128, 8192, 128256, 131072, 500000.0, true, false},
    Shape{"llama-8b", "llama", 32, 4096, 32, 8, 128, 14336, 128256, 131072, 500000.0, false, false},
    Shape{"qwen2-0.5b", "qwen2", 24, 896, 14, 2, 64, 4864, 151936, 32768, 1e6, true, true},
    Shape{"qwen2-1.5b", "qwen2", 28, 1536, 12, 2, 128, 8960, 151936, 32768, 1e6, true, true},
    Shape{"qwen2-7b", "qwen2", 28, 3584, 28, 4, 128, 18944, 152064, 32768, 1e6, false, true},
    Shape{"qwen3-0.6b", "qwen3", 28, 1024, 16, 8, 128, 3072, 151936, 40960, 1e6, true, false},
    Shape{"dsv3-tiny", "deepseek2", 4, 256, 4, 1, 96, 512, 2048, 8192, 10000.0, false, false,
          128, 64, 32, 64, 1, 16, 4, 256, 4, 2},
    Shape{"dsv3-2.6b", "deepseek2", 16, 1536, 16, 1, 192, 6144, 32000, 16384, 10000.0, false, false,
          768, 512, 64, 128, 1, 64, 8, 512, 8, 4},
};

class Plan {
 public:
  Plan(const Shape& shape, bool mtp) : shape_(shape) {
    const int64_t hidden = shape.hidden;
    Matrix("token_embd.weight", {shape.vocab, hidden}, 1.0);
    Norm("output_norm.weight", hidden);
    // Logits that spread by about 2.5: a distribution with favourites, as trained models have.
    if (!shape.tied) Matrix("output.weight", {shape.vocab, hidden}, 2.5);
    for (int64_t index = 0; index < shape.layers + (mtp ? 1 : 0); ++index) Layer(index);
    if (mtp) Prediction(shape.layers);
  }
  std::vector<PlannedTensor> Take() { return std::move(tensors_); }

 private:
  // `gain` 1 keeps the variance of unit inputs.
  void Matrix(const std::string& name, std::vector<int64_t> shape, double gain) {
    const double deviation = gain / std::sqrt(static_cast<double>(shape.back()));
    tensors_.push_back({name, std::move(shape), Kind::kMatrix, deviation});
  }
  void Norm(const std::string& name, int64_t size) {
    tensors_.push_back({name, {size}, Kind::kNorm, 0.05});
  }
  void Bias(const std::string& name, int64_t size, double deviation) {
    tensors_.push_back({name, {size}, Kind::kBias, deviation});
  }

  void Layer(int64_t index) {
    prefix_ = "blk." + std::to_string(index) + ".";
    // What the layers add to the residual stream grows with their number; this bounds it.
    added_ = 1.0 / std::sqrt(2.0 * static_cast<double>(shape_.layers));
    Norm(prefix_ + "attn_norm.weight", shape_.hidden);
    if (shape_.kv_lora > 0) {
      LatentAttention();
    } else {
      Attention();
    }
    Norm(prefix_ + "ffn_norm.weight", shape_.hidden);
    if (shape_.experts > 0 && index >= shape_.dense_layers) {
      Experts();
    } else {
      FeedForward("", shape_.intermediate);
    }
  }

  void Attention() {
    const int64_t queries = shape_.heads * shape_.head_size;
    const int64_t keys = shape_.kv_heads * shape_.head_size;
    Matrix(prefix_ + "attn_q.weight", {queries, shape_.hidden}, 1.0);
    Matrix(prefix_ + "attn_k.weight", {keys, shape_.hidden}, 1.0);
    Matrix(prefix_ + "attn_v.weight", {keys, shape_.hidden}, 1.0);
    if (shape_.bias) {
      Bias(prefix_ + "attn_q.bias", queries, 0.3);
      Bias(prefix_ + "attn_k.bias", keys, 0.3);
      Bias(prefix_ + "attn_v.bias", keys, 0.05);
    }
    if (shape_.architecture == "qwen3") {
      Norm(prefix_ + "attn_q_norm.weight", shape_.head_size);
      Norm(prefix_ + "attn_k_norm.weight", shape_.head_size);
    }
    Matrix(prefix_ + "attn_output.weight", {shape_.hidden, queries}, added_);
  }

  void LatentAttention() {
    const int64_t nope = shape_.head_size - shape_.rope_size;
    Matrix(prefix_ + "attn_q_a.weight", {shape_.q_lora, shape_.hidden}, 1.0);
    Norm(prefix_ + "attn_q_a_norm.weight", shape_.q_lora);
    Matrix(prefix_ + "attn_q_b.weight", {shape_.heads * shape_.head_size, shape_.q_lora}, 1.0);
    Matrix(prefix_ + "attn_kv_a_mqa.weight", {shape_.kv_lora + shape_.rope_size, shape_.hidden},
           1.0);
    Norm(prefix_ + "attn_kv_a_norm.weight", shape_.kv_lora);
    // Kept transposed, so that a key's variance is that of kv_lora inputs.
    const double turned = std::sqrt(static_cast<double>(nope) /
                                    static_cast<double>(shape_.kv_lora));
    Matrix(prefix_ + "attn_k_b.weight", {shape_.heads, shape_.kv_lora, nope}, turned);
    Matrix(prefix_ + "attn_v_b.weight", {shape_.heads, shape_.value_size, shape_.kv_lora}, 1.0);
    Matrix(prefix_ + "attn_output.weight", {shape_.hidden, shape_.heads * shape_.value_size},
           added_);
  }

  void FeedForward(const std::string& suffix, int64_t inner) {
    Matrix(prefix_ + "ffn_gate" + suffix + ".weight", {inner, shape_.hidden}, 1.0);
    Matrix(prefix_ + "ffn_up" + suffix + ".weight", {inner, shape_.hidden}, 1.0);
    Matrix(prefix_ + "ffn_down" + suffix + ".weight", {shape_.hidden, inner}, added_);
  }

  void Experts() {
    const int64_t count = shape_.experts;
    Matrix(prefix_ + "ffn_gate_inp.weight", {count, shape_.hidden}, 1.0);
    Bias(prefix_ + "exp_probs_b.bias", count, 0.05);
    Matrix(prefix_ + "ffn_gate_exps.weight", {count, shape_.expert_size, shape_.hidden}, 1.0);
    Matrix(prefix_ + "ffn_up_exps.weight", {count, shape_.expert_size, shape_.hidden}, 1.0);
    Matrix(prefix_ + "ffn_down_exps.weight", {count, shape_.hidden, shape_.expert_size}, added_);
    FeedForward("_shexp", shape_.expert_size);
  }

  void Prediction(int64_t index) {
    prefix_ = "blk." + std::to_string(index) + ".nextn.";
    Matrix(prefix_ + "eh_proj.weight", {shape_.hidden, 2 * shape_.hidden}, 1.0);
    Norm(prefix_ + "enorm.weight", shape_.hidden);
    Norm(prefix_ + "hnorm.weight", shape_.hidden);
    Norm(prefix_ + "shared_head_norm.weight", shape_.hidden);
  }

  const Shape& shape_;
  std::string prefix_;
  double added_ = 1.0;
  std::vector<PlannedTensor> tensors_;
};

uint32_t Number(int64_t value) { return static_cast<uint32_t>(value); }

}  // namespace

const Shape* FindShape(std::string_view name) {
  const auto found = std::ranges::find(kShapes, name, &Shape::name);
  return found == kShapes.end() ? nullptr : &*found;
}

std::string ShapeNames() {
  std::string names;
  for (const auto& shape : kShapes) names += (names.empty() ? "" : ", ") + std::string(shape.name);
  return names;
}

std::vector<PlannedTensor> TensorsOf(const Shape& shape, bool mtp) {
  return Plan(shape, mtp).Take();
}

void SetMetadata(const Shape& shape, bool mtp, inference::gguf::Writer& writer) {
  writer.SetString("general.architecture", shape.architecture);
  writer.SetString("general.name", "random " + std::string(shape.name));
  const auto key = [&](const char* name) { return std::string(shape.architecture) + "." + name; };
  writer.SetInt(key("block_count"), Number(shape.layers + (mtp ? 1 : 0)));
  writer.SetInt(key("context_length"), Number(shape.context));
  writer.SetInt(key("embedding_length"), Number(shape.hidden));
  writer.SetInt(key("feed_forward_length"), Number(shape.intermediate));
  writer.SetInt(key("vocab_size"), Number(shape.vocab));
  writer.SetInt(key("attention.head_count"), Number(shape.heads));
  writer.SetInt(key("attention.head_count_kv"), Number(shape.kv_heads));
  writer.SetFloat(key("attention.layer_norm_rms_epsilon"), 1e-6f);
  writer.SetFloat(key("rope.freq_base"), static_cast<float>(shape.rope_base));
  if (shape.kv_lora == 0) {
    writer.SetInt(key("attention.key_length"), Number(shape.head_size));
    writer.SetInt(key("attention.value_length"), Number(shape.head_size));
    writer.SetInt(key("rope.dimension_count"), Number(shape.head_size));
    return;
  }
  writer.SetInt(key("attention.q_lora_rank"), Number(shape.q_lora));
  writer.SetInt(key("attention.kv_lora_rank"), Number(shape.kv_lora));
  writer.SetInt(key("attention.key_length"), Number(shape.kv_lora + shape.rope_size));
  writer.SetInt(key("attention.value_length"), Number(shape.kv_lora));
  writer.SetInt(key("attention.key_length_mla"), Number(shape.head_size));
  writer.SetInt(key("attention.value_length_mla"), Number(shape.value_size));
  writer.SetInt(key("rope.dimension_count"), Number(shape.rope_size));
  writer.SetInt(key("leading_dense_block_count"), Number(shape.dense_layers));
  writer.SetInt(key("expert_feed_forward_length"), Number(shape.expert_size));
  writer.SetInt(key("expert_count"), Number(shape.experts));
  writer.SetInt(key("expert_used_count"), Number(shape.experts_used));
  writer.SetInt(key("expert_shared_count"), 1);
  writer.SetFloat(key("expert_weights_scale"), 2.5f);
  writer.SetBool(key("expert_weights_norm"), true);
  writer.SetInt(key("expert_gating_func"), 2);  // sigmoid
  writer.SetInt(key("expert_group_count"), Number(shape.groups));
  writer.SetInt(key("expert_group_used_count"), Number(shape.groups_used));
  if (mtp) writer.SetInt(key("nextn_predict_layers"), 1);
}

}  // namespace portcullis::bench
