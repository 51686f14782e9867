// Multi-head latent attention, absorbed. A token's keys and values for all heads come from a small
// latent vector c (kv_lora values) and one rotated key r shared by all heads; only [c, r] are kept.
// A head's key is [K c, r] and its value V c, so that
//   q · key = (Kᵀ q_nope) · c + q_rope · r      and      sum of w · value = V (sum of w · c).
// Projecting the query by Kᵀ and the attended latent vector by V makes attention that of many query
// heads over a single key-value head whose keys are [c, r] and whose values are the c in them.
#include "inference/arch/deepseek.h"

#include <algorithm>

#include "inference/ops/norm.h"

namespace portcullis::inference {

KvShape Deepseek::CacheShape() const {
  return {1, config_.mla.kv_lora_rank + config_.mla.rope_dimensions, config_.mla.kv_lora_rank, true,
          KvTypeOf(options_)};
}

void Deepseek::RunLayers(Batch& batch) {
  for (int64_t index = 0; index < config_.layers; ++index) {
    RunLayer(batch, layers_[static_cast<size_t>(index)], index);
  }
}

void Deepseek::RunLayer(Batch& batch, const Layer& layer, int64_t index) {
  RunAttention(batch, layer, index);
  if (layer.experts.empty()) {
    RunDense(batch, layer);
  } else {
    RunMixture(batch, layer);
  }
}

void Deepseek::RunAttention(Batch& batch, const Layer& layer, int64_t index) {
  const auto& mla = config_.mla;
  const int64_t rows = batch.rows;
  const int64_t tokens = batch.token_rows;
  const int64_t heads = config_.heads;
  const int64_t hidden = config_.hidden_size;
  const int64_t rank = mla.kv_lora_rank;
  const int64_t key_size = config_.head_dimensions;  // nope, then rope
  const int64_t queries = heads * key_size;
  const int64_t latent_size = rank + mla.rope_dimensions;
  const int64_t values = heads * mla.value_dimensions;
  float* normed = normed_.Get(rows * hidden);
  float* query = query_.Get(rows * queries);
  float* kv = kv_.Get(rows * latent_size);
  float* absorbed = absorbed_.Get(rows * heads * latent_size);
  float* context = context_.Get(rows * heads * rank);
  float* attended = attended_.Get(rows * values);
  float* projected = projected_.Get(rows * hidden);

  Normalize(batch, layer.attention_norm, normed);
  if (mla.q_lora_rank > 0) {
    const int64_t compressed = mla.q_lora_rank;
    float* latent = query_latent_.Get(rows * compressed);
    const GemmCall down[] = {{&layer.query_down, normed, hidden, rows, latent, compressed, tokens},
                             {&layer.kv_down, normed, hidden, rows, kv, latent_size, tokens}};
    RunGemms(workers_, down);
    workers_.Run(rows, WorthSpreading(rows), [&](int64_t row, int) {
      float* x = latent + row * compressed;
      RmsNorm(x, layer.query_down_norm.data(), compressed, epsilon(), x);
    });
    const GemmCall up{&layer.query_up, latent, compressed, rows, query, queries, tokens};
    RunGemms(workers_, {&up, 1});
  } else {
    const GemmCall both[] = {{&layer.query_up, normed, hidden, rows, query, queries, tokens},
                             {&layer.kv_down, normed, hidden, rows, kv, latent_size, tokens}};
    RunGemms(workers_, both);
  }
  FinishLatents(batch, layer, kv);
  workers_.Run(rows, WorthSpreading(rows), [&](int64_t row, int) {
    RotateRow(batch, row, heads, key_size, query + row * queries + mla.nope_dimensions);
    for (int64_t head = 0; head < heads; ++head) {
      std::copy_n(query + row * queries + head * key_size + mla.nope_dimensions,
                  mla.rope_dimensions, absorbed + (row * heads + head) * latent_size + rank);
    }
  });

  calls_.clear();
  for (int64_t head = 0; head < heads; ++head) {
    calls_.push_back({&layer.key_up[static_cast<size_t>(head)], query + head * key_size, queries,
                      rows, absorbed + head * latent_size, heads * latent_size, tokens});
  }
  RunGemms(workers_, calls_);
  Attend(batch, index, absorbed, kv, nullptr, context);
  calls_.clear();
  for (int64_t head = 0; head < heads; ++head) {
    calls_.push_back({&layer.value_up[static_cast<size_t>(head)], context + head * rank,
                      heads * rank, rows, attended + head * mla.value_dimensions, values, tokens});
  }
  RunGemms(workers_, calls_);
  const GemmCall output{&layer.output, attended, values, rows, projected, hidden, tokens};
  RunGemms(workers_, {&output, 1});
  batch.addend = projected;
}

// From the projection to what is kept: the latent vector normalised, the shared key rotated.
void Deepseek::FinishLatents(const Batch& batch, const Layer& layer, float* kv) {
  const int64_t rank = config_.mla.kv_lora_rank;
  const int64_t latent_size = rank + config_.mla.rope_dimensions;
  workers_.Run(batch.rows, WorthSpreading(batch.rows), [&](int64_t row, int) {
    float* x = kv + row * latent_size;
    RmsNorm(x, layer.kv_down_norm.data(), rank, epsilon(), x);
    RotateRow(batch, row, 1, 0, x + rank);
  });
}

}  // namespace portcullis::inference
