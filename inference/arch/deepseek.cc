// Multi-head latent attention, absorbed. A token's keys and values for all heads come from a small
// latent vector c (kv_lora values) and one rotated key r shared by all heads; only [c, r] are kept.
// A head's key is [K c, r] and its value V c, so that
//   q · key = (Kᵀ q_nope) · c + q_rope · r      and      sum of w · value = V (sum of w · c).
// Projecting the query by Kᵀ and the attended latent vector by V makes attention that of many query
// heads over a single key-value head whose keys are [c, r] and whose values are the c in them.
#include "inference/arch/deepseek.h"

#include <algorithm>

#include "inference/ops/dequantize.h"
#include "inference/ops/norm.h"
#include "inference/ops/swiglu.h"
#include "inference/ops/vector.h"

namespace portcullis::inference {

Result<void> Deepseek::LoadLayers() {
  for (int64_t index = 0; index < config_.layers; ++index) {
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
    layers_.push_back(std::move(layer));
  }
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
      DequantizeRow(both.type, both.row(head * head_rows + i), rank, row.data());
      for (int64_t k = 0; k < rank; ++k) turned[k * nope + i] = row[k];
    }
    layer.key_up.emplace_back(std::move(turned), rank, nope,
                              GemmOptions{.precision = options_.precision});
    layer.value_up.emplace_back(both.RowRange(head * head_rows + nope, mla.value_dimensions),
                                std::vector<float>(), GemmOptions{.precision = options_.precision});
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

KvShape Deepseek::CacheShape() const {
  return {1, config_.mla.kv_lora_rank + config_.mla.rope_dimensions, config_.mla.kv_lora_rank, true,
          options_.kv_type};
}

void Deepseek::RunLayers(const Batch& batch) {
  for (int64_t index = 0; index < config_.layers; ++index) {
    const Layer& layer = layers_[static_cast<size_t>(index)];
    RunAttention(batch, layer, index);
    if (layer.experts.empty()) {
      RunDense(batch, layer);
    } else {
      RunMixture(batch, layer);
    }
  }
}

void Deepseek::RunAttention(const Batch& batch, const Layer& layer, int64_t index) {
  const auto& mla = config_.mla;
  const int64_t rows = batch.rows;
  const int64_t tokens = batch.token_rows;
  const int64_t heads = config_.heads;
  const int64_t hidden = config_.hidden_size;
  const int64_t rank = mla.kv_lora_rank;
  const int64_t nope = mla.nope_dimensions;
  const int64_t key_size = config_.head_dimensions;      // nope, then rope
  const int64_t queries = heads * key_size;
  const int64_t latent_size = rank + mla.rope_dimensions;
  const auto epsilon = static_cast<float>(config_.norm_epsilon);
  float* normed = normed_.Get(rows * hidden);
  float* query = query_.Get(rows * queries);
  float* kv = kv_.Get(rows * latent_size);
  float* absorbed = absorbed_.Get(rows * heads * latent_size);
  float* context = context_.Get(rows * heads * rank);
  float* attended = attended_.Get(rows * heads * mla.value_dimensions);
  float* projected = projected_.Get(rows * hidden);

  Normalize(batch, layer.attention_norm, normed);
  if (mla.q_lora_rank > 0) {
    const int64_t compressed = mla.q_lora_rank;
    float* latent = query_latent_.Get(rows * compressed);
    const GemmCall down[] = {{&layer.query_down, normed, hidden, rows, latent, compressed, tokens},
                             {&layer.kv_down, normed, hidden, rows, kv, latent_size, tokens}};
    RunGemms(workers_, down);
    for (int64_t row = 0; row < rows; ++row) {
      float* x = latent + row * compressed;
      RmsNorm(x, layer.query_down_norm.data(), compressed, epsilon, x);
    }
    const GemmCall up{&layer.query_up, latent, compressed, rows, query, queries, tokens};
    RunGemms(workers_, {&up, 1});
  } else {
    const GemmCall both[] = {{&layer.query_up, normed, hidden, rows, query, queries, tokens},
                             {&layer.kv_down, normed, hidden, rows, kv, latent_size, tokens}};
    RunGemms(workers_, both);
  }
  for (int64_t row = 0; row < rows; ++row) {
    float* x = kv + row * latent_size;
    RmsNorm(x, layer.kv_down_norm.data(), rank, epsilon, x);
  }
  Rotate(batch, 1, 0, kv + rank, latent_size);
  Rotate(batch, heads, key_size, query + nope, queries);

  std::vector<GemmCall> per_head;
  for (int64_t head = 0; head < heads; ++head) {
    per_head.push_back({&layer.key_up[static_cast<size_t>(head)], query + head * key_size, queries,
                        rows, absorbed + head * latent_size, heads * latent_size, tokens});
  }
  RunGemms(workers_, per_head);
  for (int64_t i = 0; i < rows * heads; ++i) {
    std::copy_n(query + i * key_size + nope, mla.rope_dimensions,
                absorbed + i * latent_size + rank);
  }

  Attend(batch, index, absorbed, kv, nullptr, context);

  per_head.clear();
  const int64_t values = heads * mla.value_dimensions;
  for (int64_t head = 0; head < heads; ++head) {
    per_head.push_back({&layer.value_up[static_cast<size_t>(head)], context + head * rank,
                        heads * rank, rows, attended + head * mla.value_dimensions, values, tokens});
  }
  RunGemms(workers_, per_head);
  const GemmCall output{&layer.output, attended, values, rows, projected, hidden, tokens};
  RunGemms(workers_, {&output, 1});
  AddToHidden(batch, projected);
}

void Deepseek::RunDense(const Batch& batch, const Layer& layer) {
  const int64_t rows = batch.rows;
  const int64_t tokens = batch.token_rows;
  const int64_t hidden = config_.hidden_size;
  const int64_t inner = config_.intermediate_size;
  float* normed = normed_.Get(rows * hidden);
  float* gate = gate_.Get(rows * inner);
  float* up = up_.Get(rows * inner);
  float* projected = projected_.Get(rows * hidden);
  Normalize(batch, layer.feed_forward_norm, normed);
  const GemmCall inputs[] = {{&layer.dense.gate, normed, hidden, rows, gate, inner, tokens},
                             {&layer.dense.up, normed, hidden, rows, up, inner, tokens}};
  RunGemms(workers_, inputs);
  workers_.Run(rows, rows > 1, [&](int64_t row, int) {
    SwiGlu(gate + row * inner, up + row * inner, inner);
  });
  const GemmCall output{&layer.dense.down, gate, inner, rows, projected, hidden, tokens};
  RunGemms(workers_, {&output, 1});
  AddToHidden(batch, projected);
}

// Every token chooses its experts; an expert's tokens are gathered in adjacent slots, all experts
// (and the shared one) are computed in common passes, and the results are added token by token in
// the order of its choices, so that a token's sum does not depend on its neighbours.
void Deepseek::RunMixture(const Batch& batch, const Layer& layer) {
  const auto& moe = config_.moe;
  const int64_t rows = batch.rows;
  const int64_t tokens = batch.token_rows;
  const int64_t hidden = config_.hidden_size;
  const int64_t inner = moe.intermediate_size;
  const int64_t shared_inner = moe.shared_experts * inner;
  const int64_t used = moe.experts_used;
  const int64_t slots = rows * used;
  float* normed = normed_.Get(rows * hidden);
  float* scores = scores_.Get(rows * moe.experts);
  float* gathered = gathered_.Get(slots * hidden);
  float* gate = gate_.Get(slots * inner);
  float* up = up_.Get(slots * inner);
  float* expert_out = expert_out_.Get(slots * hidden);
  float* shared_gate = shared_gate_.Get(rows * shared_inner);
  float* shared_up = shared_up_.Get(rows * shared_inner);
  float* shared_out = projected_.Get(rows * hidden);

  Normalize(batch, layer.feed_forward_norm, normed);
  const GemmCall score{&layer.router_scores, normed, hidden, rows, scores, moe.experts, tokens};
  RunGemms(workers_, {&score, 1});
  std::vector<ExpertChoice> choices(static_cast<size_t>(slots));
  std::vector<int64_t> first_slot(static_cast<size_t>(moe.experts) + 1, 0);
  std::vector<int64_t> token_slots(static_cast<size_t>(moe.experts), 0);
  for (int64_t row = 0; row < rows; ++row) {
    const auto chosen = std::span(choices).subspan(row * used, used);
    layer.router.Choose({scores + row * moe.experts, static_cast<size_t>(moe.experts)}, chosen);
    for (const auto& choice : chosen) {
      ++first_slot[choice.expert + 1];
      if (row < tokens) ++token_slots[choice.expert];
    }
  }
  for (size_t i = 1; i < first_slot.size(); ++i) first_slot[i] += first_slot[i - 1];
  std::vector<int64_t> slot_of(static_cast<size_t>(slots));
  auto next_slot = first_slot;
  for (int64_t i = 0; i < slots; ++i) {
    slot_of[i] = next_slot[choices[i].expert]++;
    std::copy_n(normed + i / used * hidden, hidden, gathered + slot_of[i] * hidden);
  }

  std::vector<GemmCall> inputs;
  std::vector<GemmCall> outputs;
  if (moe.shared_experts > 0) {
    inputs.push_back({&layer.shared.gate, normed, hidden, rows, shared_gate, shared_inner, tokens});
    inputs.push_back({&layer.shared.up, normed, hidden, rows, shared_up, shared_inner, tokens});
    outputs.push_back({&layer.shared.down, shared_gate, shared_inner, rows, shared_out, hidden, tokens});
  }
  for (int64_t expert = 0; expert < moe.experts; ++expert) {
    const int64_t slot = first_slot[expert];
    const int64_t count = first_slot[expert + 1] - slot;
    if (count == 0) continue;
    const auto& own = layer.experts[static_cast<size_t>(expert)];
    const float* x = gathered + slot * hidden;
    const int64_t own_tokens = token_slots[expert];
    inputs.push_back({&own.gate, x, hidden, count, gate + slot * inner, inner, own_tokens});
    inputs.push_back({&own.up, x, hidden, count, up + slot * inner, inner, own_tokens});
    outputs.push_back({&own.down, gate + slot * inner, inner, count, expert_out + slot * hidden,
                       hidden, own_tokens});
  }
  RunGemms(workers_, inputs);
  workers_.Run(slots, rows > 1, [&](int64_t slot, int) {
    SwiGlu(gate + slot * inner, up + slot * inner, inner);
  });
  SwiGlu(shared_gate, shared_up, rows * shared_inner);
  RunGemms(workers_, outputs);

  workers_.Run(rows, rows > 8, [&](int64_t row, int) {
    float* out = batch.hidden + row * hidden;
    if (moe.shared_experts > 0) AddScaled(1.0f, shared_out + row * hidden, hidden, out);
    for (int64_t i = row * used; i < (row + 1) * used; ++i) {
      AddScaled(choices[i].weight, expert_out + slot_of[i] * hidden, hidden, out);
    }
  });
}

}  // namespace portcullis::inference
