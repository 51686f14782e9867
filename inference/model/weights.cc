#include "inference/model/weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "inference/ops/dequantize.h"

namespace portcullis::inference {
namespace {

// `#` stands for the layer, `%` for the expert. An empty name: the format has no such tensor.
struct NameRow {
  Role role;
  std::string_view hugging_face;
  std::string_view gguf;
  bool stacked_in_gguf = false;  // all parts in one tensor of three dimensions
};

constexpr std::array kNames = {
    NameRow{Role::kEmbedding, "model.embed_tokens.weight", "token_embd.weight"},
    NameRow{Role::kOutputNorm, "model.norm.weight", "output_norm.weight"},
    NameRow{Role::kOutput, "lm_head.weight", "output.weight"},
    NameRow{Role::kRopeFactors, "", "rope_freqs.weight"},
    NameRow{Role::kAttentionNorm, "model.layers.#.input_layernorm.weight",
            "blk.#.attn_norm.weight"},
    NameRow{Role::kQuery, "model.layers.#.self_attn.q_proj.weight", "blk.#.attn_q.weight"},
    NameRow{Role::kKey, "model.layers.#.self_attn.k_proj.weight", "blk.#.attn_k.weight"},
    NameRow{Role::kValue, "model.layers.#.self_attn.v_proj.weight", "blk.#.attn_v.weight"},
    NameRow{Role::kQueryBias, "model.layers.#.self_attn.q_proj.bias", "blk.#.attn_q.bias"},
    NameRow{Role::kKeyBias, "model.layers.#.self_attn.k_proj.bias", "blk.#.attn_k.bias"},
    NameRow{Role::kValueBias, "model.layers.#.self_attn.v_proj.bias", "blk.#.attn_v.bias"},
    NameRow{Role::kQueryNorm, "model.layers.#.self_attn.q_norm.weight",
            "blk.#.attn_q_norm.weight"},
    NameRow{Role::kKeyNorm, "model.layers.#.self_attn.k_norm.weight", "blk.#.attn_k_norm.weight"},
    NameRow{Role::kAttentionOutput, "model.layers.#.self_attn.o_proj.weight",
            "blk.#.attn_output.weight"},
    NameRow{Role::kAttentionOutputBias, "model.layers.#.self_attn.o_proj.bias",
            "blk.#.attn_output.bias"},
    NameRow{Role::kQueryDown, "model.layers.#.self_attn.q_a_proj.weight",
            "blk.#.attn_q_a.weight"},
    NameRow{Role::kQueryDownNorm, "model.layers.#.self_attn.q_a_layernorm.weight",
            "blk.#.attn_q_a_norm.weight"},
    NameRow{Role::kQueryUp, "model.layers.#.self_attn.q_b_proj.weight", "blk.#.attn_q_b.weight"},
    NameRow{Role::kKvDown, "model.layers.#.self_attn.kv_a_proj_with_mqa.weight",
            "blk.#.attn_kv_a_mqa.weight"},
    NameRow{Role::kKvDownNorm, "model.layers.#.self_attn.kv_a_layernorm.weight",
            "blk.#.attn_kv_a_norm.weight"},
    NameRow{Role::kKvUp, "model.layers.#.self_attn.kv_b_proj.weight", "blk.#.attn_kv_b.weight"},
    NameRow{Role::kKeyUp, "", "blk.#.attn_k_b.weight", true},
    NameRow{Role::kValueUp, "", "blk.#.attn_v_b.weight", true},
    NameRow{Role::kFeedForwardNorm, "model.layers.#.post_attention_layernorm.weight",
            "blk.#.ffn_norm.weight"},
    NameRow{Role::kGate, "model.layers.#.mlp.gate_proj.weight", "blk.#.ffn_gate.weight"},
    NameRow{Role::kUp, "model.layers.#.mlp.up_proj.weight", "blk.#.ffn_up.weight"},
    NameRow{Role::kDown, "model.layers.#.mlp.down_proj.weight", "blk.#.ffn_down.weight"},
    NameRow{Role::kRouter, "model.layers.#.mlp.gate.weight", "blk.#.ffn_gate_inp.weight"},
    NameRow{Role::kRouterBias, "model.layers.#.mlp.gate.e_score_correction_bias",
            "blk.#.exp_probs_b.bias"},
    NameRow{Role::kExpertGate, "model.layers.#.mlp.experts.%.gate_proj.weight",
            "blk.#.ffn_gate_exps.weight", true},
    NameRow{Role::kExpertUp, "model.layers.#.mlp.experts.%.up_proj.weight",
            "blk.#.ffn_up_exps.weight", true},
    NameRow{Role::kExpertDown, "model.layers.#.mlp.experts.%.down_proj.weight",
            "blk.#.ffn_down_exps.weight", true},
    NameRow{Role::kSharedGate, "model.layers.#.mlp.shared_experts.gate_proj.weight",
            "blk.#.ffn_gate_shexp.weight"},
    NameRow{Role::kSharedUp, "model.layers.#.mlp.shared_experts.up_proj.weight",
            "blk.#.ffn_up_shexp.weight"},
    NameRow{Role::kSharedDown, "model.layers.#.mlp.shared_experts.down_proj.weight",
            "blk.#.ffn_down_shexp.weight"},
    NameRow{Role::kDraftEmbeddingNorm, "model.layers.#.enorm.weight", "blk.#.nextn.enorm.weight"},
    NameRow{Role::kDraftHiddenNorm, "model.layers.#.hnorm.weight", "blk.#.nextn.hnorm.weight"},
    NameRow{Role::kDraftProjection, "model.layers.#.eh_proj.weight",
            "blk.#.nextn.eh_proj.weight"},
    NameRow{Role::kDraftEmbedding, "model.layers.#.embed_tokens.weight",
            "blk.#.nextn.embed_tokens.weight"},
    NameRow{Role::kDraftNorm, "model.layers.#.shared_head.norm.weight",
            "blk.#.nextn.shared_head_norm.weight"},
    NameRow{Role::kDraftOutput, "model.layers.#.shared_head.head.weight",
            "blk.#.nextn.shared_head_head.weight"},
};

const NameRow& RowOf(Role role) { return *std::ranges::find(kNames, role, &NameRow::role); }

std::string FillIn(std::string_view pattern, int64_t layer, int64_t part) {
  std::string name;
  for (const char c : pattern) {
    if (c == '#') name += std::to_string(layer);
    else if (c == '%') name += std::to_string(part);
    else name += c;
  }
  return name;
}

Error WrongShape(const Tensor& tensor, std::span<const int64_t> wanted) {
  return {Code::kBadTensor, "tensor `" + tensor.name + "` has the shape " +
                                ShapeText(tensor.shape) + "; the configuration asks for " +
                                ShapeText(wanted)};
}

Result<void> CheckType(const Tensor& tensor) {
  if (tensor.type != DataType::kOther) return boost::outcome_v2::success();
  return Error{Code::kUnsupported,
               "tensor `" + tensor.name + "` has the type " + tensor.type_name +
                   ", which this engine does not compute; F32, F16, BF16, F8_E4M3, Q8_0, Q5_1, "
                   "Q5_0, Q4_1, Q4_0, Q6_K, Q5_K and Q4_K are supported"};
}

}  // namespace

Result<Weights> Weights::Open(const std::filesystem::path& folder_or_gguf) {
  Weights weights;
  weights.path_ = folder_or_gguf;
  std::error_code ignored;
  if (std::filesystem::is_directory(folder_or_gguf, ignored)) {
    BOOST_OUTCOME_TRY(auto checkpoint, Checkpoint::Open(folder_or_gguf));
    weights.checkpoint_ = std::move(checkpoint);
  } else {
    BOOST_OUTCOME_TRY(weights.gguf_, gguf::File::Open(folder_or_gguf));
  }
  return weights;
}

std::vector<const MappedFile*> Weights::files() const {
  if (gguf_) return gguf_->files();
  std::vector<const MappedFile*> files;
  for (const auto& file : checkpoint_->files()) files.push_back(&file);
  return files;
}

std::string Weights::NameFor(Role role, int64_t layer, int64_t part) const {
  return FillIn(gguf_ ? RowOf(role).gguf : RowOf(role).hugging_face, layer, part);
}

std::string Weights::GgufName(Role role, int64_t layer) {
  return FillIn(RowOf(role).gguf, layer, 0);
}

const Tensor* Weights::Find(const std::string& name) const {
  if (name.empty()) return nullptr;
  return gguf_ ? gguf_->FindTensor(name) : checkpoint_->FindTensor(name);
}

Result<const Tensor*> Weights::Require(const std::string& name) const {
  const Tensor* tensor = Find(name);
  if (tensor == nullptr) {
    return Error{Code::kBadTensor,
                 "`" + path_.string() + "`: the tensor `" + name + "` is missing"};
  }
  BOOST_OUTCOME_TRY(CheckType(*tensor));
  return tensor;
}

bool Weights::Has(Role role, int64_t layer) const {
  return Find(NameFor(role, layer, 0)) != nullptr;
}

std::optional<int64_t> Weights::VectorSize(Role role, int64_t layer) const {
  const Tensor* tensor = Find(NameFor(role, layer, 0));
  if (tensor == nullptr || tensor->shape.size() != 1) return std::nullopt;
  return tensor->shape[0];
}

Result<Matrix> Weights::GetMatrix(Role role, int64_t layer, int64_t rows, int64_t columns,
                                  Part part) const {
  BOOST_OUTCOME_TRY(const Tensor* tensor, Require(NameFor(role, layer, part.index)));
  const bool stacked = gguf_ != nullptr && part.count > 0 && RowOf(role).stacked_in_gguf;
  std::vector<int64_t> wanted = {rows, columns};
  if (stacked) wanted.insert(wanted.begin(), part.count);
  if (tensor->shape != wanted) return WrongShape(*tensor, wanted);
  if (columns % LayoutOf(tensor->type).elements != 0) return WrongShape(*tensor, wanted);
  Matrix matrix{tensor->type, rows, columns, tensor->bytes.data()};
  if (tensor->type == DataType::kF8E4M3) {
    BOOST_OUTCOME_TRY(matrix.scales, BlockScales(*tensor));
  }
  if (stacked) matrix.data += part.index * rows * matrix.row_bytes();
  return matrix;
}

// DeepSeek's name for them says inverse; they are what the stored values are multiplied by.
Result<const float*> Weights::BlockScales(const Tensor& weights) const {
  BOOST_OUTCOME_TRY(const Tensor* tensor, Require(weights.name + "_scale_inv"));
  const auto blocks = [](int64_t size) { return (size + kScaleBlock - 1) / kScaleBlock; };
  const std::vector<int64_t> wanted = {blocks(weights.shape[0]), blocks(weights.shape[1])};
  if (tensor->shape != wanted) return WrongShape(*tensor, wanted);
  if (tensor->type != DataType::kF32 && tensor->type != DataType::kBF16) {
    return Error{Code::kUnsupported, "tensor `" + tensor->name + "` has the type " +
                                         tensor->type_name + "; scales are F32 or BF16"};
  }
  // Copied: safetensors promises no alignment.
  std::vector<float> scales(static_cast<size_t>(tensor->elements()));
  DequantizeRow(tensor->type, tensor->bytes.data(), tensor->elements(), scales.data());
  if (!std::ranges::all_of(scales, [](float scale) { return std::isfinite(scale); })) {
    return Error{Code::kBadTensor, "tensor `" + tensor->name + "` holds scales that are not finite"};
  }
  const std::scoped_lock lock(*scales_mutex_);
  return scales_.try_emplace(tensor->name, std::move(scales)).first->second.data();
}

Result<std::vector<float>> Weights::GetVector(Role role, int64_t layer, int64_t size) const {
  BOOST_OUTCOME_TRY(const Tensor* tensor, Require(NameFor(role, layer, 0)));
  const std::vector<int64_t> wanted = {size};
  if (tensor->shape != wanted || size % LayoutOf(tensor->type).elements != 0) {
    return WrongShape(*tensor, wanted);
  }
  if (tensor->type == DataType::kF8E4M3) {
    return Error{Code::kUnsupported, "tensor `" + tensor->name +
                                         "` is a vector of 8-bit floats; only matrices may be"};
  }
  std::vector<float> values(static_cast<size_t>(size));
  DequantizeRow(tensor->type, tensor->bytes.data(), size, values.data());
  if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) {
    return Error{Code::kBadTensor, "tensor `" + tensor->name + 
                                       "` holds values that are not finite"};
  }
  return values;
}

std::vector<const Tensor*> Weights::tensors() const {
  std::vector<const Tensor*> all;
  if (gguf_) {
    for (const auto& tensor : gguf_->tensors()) all.push_back(&tensor);
  } else {
    for (const auto& [name, tensor] : checkpoint_->tensors()) all.push_back(&tensor);
  }
  return all;
}

Weights::Totals Weights::Count() const {
  Totals totals;
  std::map<std::string, int64_t> bytes_by_type;
  for (const Tensor* tensor : tensors()) {
    totals.parameters += tensor->elements();
    totals.bytes += static_cast<int64_t>(tensor->bytes.size());
    bytes_by_type[tensor->type_name] += static_cast<int64_t>(tensor->bytes.size());
  }
  int64_t most = -1;
  for (const auto& [type, bytes] : bytes_by_type) {
    if (bytes > most) {
      most = bytes;
      totals.main_type = type;
    }
  }
  return totals;
}

}  // namespace portcullis::inference
