// Weights of DeepSeek's layers, from either file format.
#include "inference/arch/deepseek.h"
#include "inference/ops/dequantize.h"

namespace portcullis::inference {

Result<void> Deepseek::LoadLayers() {
  for (int64_t index = 0; index < config_.layers; ++index) {
    BOOST_OUTCOME_TRY(auto layer, LoadLayer(index));
    layers_.push_back(std::move(layer));
  }
  return LoadDraft();
}

Result<Deepseek::Layer> Deepseek::LoadLayer(int64_t index) const {
  Layer layer;
  BOOST_OUTCOME_TRY(LoadAttention(index, layer));
  BOOST_OUTCOME_TRY(layer.feed_forward_norm,
                    weights_.GetVector(Role::kFeedForwardNorm, index, config_.hidden_size));
  if (config_.moe.experts == 0 || index < config_.moe.dense_layers) {
    BOOST_OUTCOME_TRY(layer.dense, LoadFeedForward(index, Role::kGate, Role::kUp, Role::kDown,
                                                   config_.intermediate_size));
  } else {
    BOOST_OUTCOME_TRY(LoadMixture(index, layer));
  }
  return layer;
}

// The prediction layer is loaded where it is asked for and there. Its embedding and output layer
// are the model's own unless the files hold others.
Result<void> Deepseek::LoadDraft() {
  const int64_t index = config_.layers;
  const int64_t hidden = config_.hidden_size;
  if (!drafts()) return boost::outcome_v2::success();
  Draft draft;
  BOOST_OUTCOME_TRY(draft.embedding_norm,
                    weights_.GetVector(Role::kDraftEmbeddingNorm, index, hidden));
  BOOST_OUTCOME_TRY(draft.hidden_norm, weights_.GetVector(Role::kDraftHiddenNorm, index, hidden));
  BOOST_OUTCOME_TRY(draft.projection, LoadGemm(Role::kDraftProjection, index, hidden, 2 * hidden));
  BOOST_OUTCOME_TRY(draft.layer, LoadLayer(index));
  draft.embedding = embedding();
  if (weights_.Has(Role::kDraftEmbedding, index)) {
    BOOST_OUTCOME_TRY(draft.embedding, weights_.GetMatrix(Role::kDraftEmbedding, index,
                                                          config_.vocab_size, hidden));
  }
  draft.norm = output_norm();
  if (weights_.Has(Role::kDraftNorm, index)) {
    BOOST_OUTCOME_TRY(draft.norm, weights_.GetVector(Role::kDraftNorm, index, hidden));
  }
  if (weights_.Has(Role::kDraftOutput, index)) {
    BOOST_OUTCOME_TRY(auto own, LoadGemm(Role::kDraftOutput, index, config_.vocab_size, hidden));
    draft.output = std::make_unique<Gemm>(std::move(own));
  }
  draft_ = std::move(draft);
  return boost::outcome_v2::success();
}

Result<void> Deepseek::LoadAttention(int64_t index, Layer& layer) const {
  const auto& mla = config_.mla;
  const int64_t hidden = config_.hidden_size;
  const int64_t queries = config_.heads * config_.head_dimensions;
  BOOST_OUTCOME_TRY(layer.attention_norm, weights_.GetVector(Role::kAttentionNorm, index, hidden));
  if (mla.q_lora_rank > 0) {
    BOOST_OUTCOME_TRY(layer.query_down, LoadGemm(Role::kQueryDown, index, mla.q_lora_rank, hidden));
    BOOST_OUTCOME_TRY(layer.query_down_norm,
                      weights_.GetVector(Role::kQueryDownNorm, index, mla.q_lora_rank));
    BOOST_OUTCOME_TRY(layer.query_up, LoadGemm(Role::kQueryUp, index, queries, mla.q_lora_rank));
  } else {
    BOOST_OUTCOME_TRY(layer.query_up, LoadGemm(Role::kQuery, index, queries, hidden));
  }
  BOOST_OUTCOME_TRY(layer.kv_down, LoadGemm(Role::kKvDown, index,
                                            mla.kv_lora_rank + mla.rope_dimensions, hidden));
  BOOST_OUTCOME_TRY(layer.kv_down_norm,
                    weights_.GetVector(Role::kKvDownNorm, index, mla.kv_lora_rank));
  BOOST_OUTCOME_TRY(layer.output, LoadGemm(Role::kAttentionOutput, index, hidden,
                                           config_.heads * mla.value_dimensions));
  return LoadHeads(index, layer);
}

// Per head Kᵀ as [kv_lora][nope] and V as [value][kv_lora]. GGUF files may hold exactly these; the
// combined matrix has per head K as [nope][kv_lora] and then V, so that K is turned round here.
Result<void> Deepseek::LoadHeads(int64_t index, Layer& layer) const {
  const auto& mla = config_.mla;
  const int64_t rank = mla.kv_lora_rank;
  const int64_t nope = mla.nope_dimensions;
  if (weights_.Has(Role::kKeyUp, index)) {
    for (int64_t head = 0; head < config_.heads; ++head) {
      const Part part{head, config_.heads};
      BOOST_OUTCOME_TRY(auto key, LoadGemm(Role::kKeyUp, index, rank, nope, part));
      BOOST_OUTCOME_TRY(auto value,
                        LoadGemm(Role::kValueUp, index, mla.value_dimensions, rank, part));
      layer.key_up.push_back(std::move(key));
      layer.value_up.push_back(std::move(value));
    }
    return boost::outcome_v2::success();
  }
  const int64_t head_rows = nope + mla.value_dimensions;
  BOOST_OUTCOME_TRY(const auto both,
                    weights_.GetMatrix(Role::kKvUp, index, config_.heads * head_rows, rank));
  std::vector<float> row(static_cast<size_t>(rank));
  for (int64_t head = 0; head < config_.heads; ++head) {
    std::vector<float> turned(static_cast<size_t>(rank * nope));
    for (int64_t i = 0; i < nope; ++i) {
      DequantizePart(both, head * head_rows + i, 0, rank, row.data());
      for (int64_t k = 0; k < rank; ++k) turned[k * nope + i] = row[k];
    }
    layer.key_up.emplace_back(std::move(turned), rank, nope, gemm_options());
    const int64_t begin = head * head_rows + nope;
    if (both.scales == nullptr || begin % kScaleBlock == 0) {
      layer.value_up.emplace_back(both.RowRange(begin, mla.value_dimensions),
                                  std::vector<float>(), gemm_options());
      continue;
    }
    // A block of factors begins above: the rows cannot be cut out as they are.
    std::vector<float> values(static_cast<size_t>(mla.value_dimensions * rank));
    for (int64_t i = 0; i < mla.value_dimensions; ++i) {
      DequantizePart(both, begin + i, 0, rank, values.data() + i * rank);
    }
    layer.value_up.emplace_back(std::move(values), mla.value_dimensions, rank, gemm_options());
  }
  return boost::outcome_v2::success();
}

Result<Deepseek::FeedForward> Deepseek::LoadFeedForward(int64_t index, Role gate, Role up,
                                                        Role down, int64_t inner, Part part) const {
  const int64_t hidden = config_.hidden_size;
  FeedForward layer;
  BOOST_OUTCOME_TRY(layer.gate, LoadGemm(gate, index, inner, hidden, part));
  BOOST_OUTCOME_TRY(layer.up, LoadGemm(up, index, inner, hidden, part));
  BOOST_OUTCOME_TRY(layer.down, LoadGemm(down, index, hidden, inner, part));
  return layer;
}

Result<void> Deepseek::LoadMixture(int64_t index, Layer& layer) const {
  const auto& moe = config_.moe;
  BOOST_OUTCOME_TRY(layer.router_scores,
                    LoadGemm(Role::kRouter, index, moe.experts, config_.hidden_size));
  std::vector<float> bias;
  if (moe.correction_bias) {
    BOOST_OUTCOME_TRY(bias, weights_.GetVector(Role::kRouterBias, index, moe.experts));
  }
  layer.router = Router(moe, std::move(bias));
  for (int64_t expert = 0; expert < moe.experts; ++expert) {
    BOOST_OUTCOME_TRY(auto loaded,
                      LoadFeedForward(index, Role::kExpertGate, Role::kExpertUp, Role::kExpertDown,
                                      moe.intermediate_size, {expert, moe.experts}));
    layer.experts.push_back(std::move(loaded));
  }
  if (moe.shared_experts > 0) {
    BOOST_OUTCOME_TRY(layer.shared,
                      LoadFeedForward(index, Role::kSharedGate, Role::kSharedUp, Role::kSharedDown,
                                      moe.shared_experts * moe.intermediate_size));
  }
  return boost::outcome_v2::success();
}

}  // namespace portcullis::inference
