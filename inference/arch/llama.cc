#include "inference/arch/llama.h"

#include "inference/ops/norm.h"
#include "inference/ops/swiglu.h"

namespace portcullis::inference {

Result<Gemm> Llama::LoadBiasedGemm(Role role, Role bias, int64_t layer, int64_t outputs,
                                   int64_t inputs, bool required) const {
  BOOST_OUTCOME_TRY(const auto matrix, weights_.GetMatrix(role, layer, outputs, inputs));
  if (!required && !weights_.Has(bias, layer)) return Gemm(matrix, {}, gemm_options());
  BOOST_OUTCOME_TRY(auto values, weights_.GetVector(bias, layer, outputs));
  return Gemm(matrix, std::move(values), gemm_options());
}

Result<Llama::Layer> Llama::LoadLayer(int64_t index) const {
  const int64_t hidden = config_.hidden_size;
  const int64_t queries = config_.heads * config_.head_dimensions;
  const int64_t keys = config_.kv_heads * config_.head_dimensions;
  const bool bias = config_.qkv_bias;
  Layer layer;
  BOOST_OUTCOME_TRY(layer.attention_norm, weights_.GetVector(Role::kAttentionNorm, index, hidden));
  BOOST_OUTCOME_TRY(layer.query, LoadBiasedGemm(Role::kQuery, Role::kQueryBias, index, queries,
                                                hidden, bias));
  BOOST_OUTCOME_TRY(layer.key, LoadBiasedGemm(Role::kKey, Role::kKeyBias, index, keys, hidden,
                                              bias));
  BOOST_OUTCOME_TRY(layer.value, LoadBiasedGemm(Role::kValue, Role::kValueBias, index, keys, hidden,
                                                bias));
  BOOST_OUTCOME_TRY(layer.output, LoadBiasedGemm(Role::kAttentionOutput, Role::kAttentionOutputBias,
                                                 index, hidden, queries, false));
  if (config_.head_norm) {
    BOOST_OUTCOME_TRY(layer.query_norm,
                      weights_.GetVector(Role::kQueryNorm, index, config_.head_dimensions));
    BOOST_OUTCOME_TRY(layer.key_norm,
                      weights_.GetVector(Role::kKeyNorm, index, config_.head_dimensions));
  }
  BOOST_OUTCOME_TRY(layer.feed_forward_norm,
                    weights_.GetVector(Role::kFeedForwardNorm, index, hidden));
  BOOST_OUTCOME_TRY(layer.gate, LoadGemm(Role::kGate, index, config_.intermediate_size, hidden));
  BOOST_OUTCOME_TRY(layer.up, LoadGemm(Role::kUp, index, config_.intermediate_size, hidden));
  BOOST_OUTCOME_TRY(layer.down, LoadGemm(Role::kDown, index, hidden, config_.intermediate_size));
  return layer;
}

Result<void> Llama::LoadLayers() {
  for (int64_t index = 0; index < config_.layers; ++index) {
    BOOST_OUTCOME_TRY(auto layer, LoadLayer(index));
    layers_.push_back(std::move(layer));
  }
  return boost::outcome_v2::success();
}

KvShape Llama::CacheShape() const {
  return {config_.kv_heads, config_.head_dimensions, config_.head_dimensions, false, KvTypeOf(options_)};
}

void Llama::RunLayers(Batch& batch) {
  for (int64_t index = 0; index < config_.layers; ++index) {
    const Layer& layer = layers_[static_cast<size_t>(index)];
    RunAttention(batch, layer, index);
    RunFeedForward(batch, layer);
  }
}

void Llama::RunAttention(Batch& batch, const Layer& layer, int64_t index) {
  const int64_t rows = batch.rows;
  const int64_t tokens = batch.token_rows;
  const int64_t hidden = config_.hidden_size;
  const int64_t head = config_.head_dimensions;
  const int64_t queries = config_.heads * head;
  const int64_t keys = config_.kv_heads * head;
  float* normed = normed_.Get(rows * hidden);
  float* query = query_.Get(rows * queries);
  float* key = key_.Get(rows * keys);
  float* value = value_.Get(rows * keys);
  float* attended = attended_.Get(rows * queries);
  float* projected = projected_.Get(rows * hidden);

  Normalize(batch, layer.attention_norm, normed);
  const GemmCall inputs[] = {{&layer.query, normed, hidden, rows, query, queries, tokens},
                             {&layer.key, normed, hidden, rows, key, keys, tokens},
                             {&layer.value, normed, hidden, rows, value, keys, tokens}};
  RunGemms(workers_, inputs);
  workers_.Run(rows, WorthSpreading(rows), [&](int64_t row, int) {
    NormalizeHeads(layer.query_norm, config_.heads, query + row * queries);
    NormalizeHeads(layer.key_norm, config_.kv_heads, key + row * keys);
    RotateRow(batch, row, config_.heads, head, query + row * queries);
    RotateRow(batch, row, config_.kv_heads, head, key + row * keys);
  });
  Attend(batch, index, query, key, value, attended);
  const GemmCall output{&layer.output, attended, queries, rows, projected, hidden, tokens};
  RunGemms(workers_, {&output, 1});
  batch.addend = projected;
}

void Llama::RunFeedForward(Batch& batch, const Layer& layer) {
  const int64_t rows = batch.rows;
  const int64_t tokens = batch.token_rows;
  const int64_t hidden = config_.hidden_size;
  const int64_t inner = config_.intermediate_size;
  float* normed = normed_.Get(rows * hidden);
  float* gate = gate_.Get(rows * inner);
  float* up = up_.Get(rows * inner);
  float* projected = projected_.Get(rows * hidden);

  Normalize(batch, layer.feed_forward_norm, normed);
  const GemmCall inputs[] = {{&layer.gate, normed, hidden, rows, gate, inner, tokens},
                             {&layer.up, normed, hidden, rows, up, inner, tokens}};
  RunGemms(workers_, inputs);
  workers_.Run(rows, WorthSpreading(rows), [&](int64_t row, int) {
    SwiGlu(gate + row * inner, up + row * inner, inner);
  });
  const GemmCall output{&layer.down, gate, inner, rows, projected, hidden, tokens};
  RunGemms(workers_, {&output, 1});
  batch.addend = projected;
}

void Llama::NormalizeHeads(const std::vector<float>& weight, int64_t heads, float* x) const {
  if (weight.empty()) return;
  const int64_t head = config_.head_dimensions;
  for (int64_t i = 0; i < heads; ++i) {
    RmsNorm(x + i * head, weight.data(), head, epsilon(), x + i * head);
  }
}

}  // namespace portcullis::inference
