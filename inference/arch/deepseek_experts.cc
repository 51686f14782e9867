// The feed-forward half of DeepSeek's layers: dense, or a mixture of experts.
#include <algorithm>

#include "inference/arch/deepseek.h"
#include "inference/ops/swiglu.h"
#include "inference/ops/vector.h"

namespace portcullis::inference {

void Deepseek::RunDense(Batch& batch, const Layer& layer) {
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
  workers_.Run(rows, WorthSpreading(rows), [&](int64_t row, int) {
    SwiGlu(gate + row * inner, up + row * inner, inner);
  });
  const GemmCall output{&layer.dense.down, gate, inner, rows, projected, hidden, tokens};
  RunGemms(workers_, {&output, 1});
  batch.addend = projected;
}

// Every token chooses its experts; an expert's tokens are gathered in adjacent slots, all experts
// (and the shared one) are computed in common passes, and the results are added token by token in
// the order of its choices, so that a token's sum does not depend on its neighbours. Slots keep the
// order of rows, so that an expert's generated tokens come before its prompt tokens.
void Deepseek::RunMixture(Batch& batch, const Layer& layer) {
  const auto& moe = config_.moe;
  const int64_t rows = batch.rows;
  const int64_t tokens = batch.token_rows;
  const int64_t hidden = config_.hidden_size;
  const int64_t inner = moe.intermediate_size;
  const int64_t shared_inner = moe.shared_experts * inner;
  const int64_t used = moe.experts_used;
  const int64_t slots = rows * used;
  float* normed = normed_.Get(rows * hidden);
  float* gathered = gathered_.Get(slots * hidden);
  float* gate = gate_.Get(slots * inner);
  float* up = up_.Get(slots * inner);
  float* expert_out = expert_out_.Get(slots * hidden);
  float* shared_gate = shared_gate_.Get(rows * shared_inner);
  float* shared_up = shared_up_.Get(rows * shared_inner);
  float* shared_out = projected_.Get(rows * hidden);

  Normalize(batch, layer.feed_forward_norm, normed);
  Route(batch, layer, normed);
  workers_.Run(rows, WorthSpreading(rows), [&](int64_t row, int) {
    for (int64_t i = row * used; i < (row + 1) * used; ++i) {
      std::copy_n(normed + row * hidden, hidden, gathered + slot_of_[i] * hidden);
    }
  });

  calls_.clear();
  down_calls_.clear();
  if (moe.shared_experts > 0) {
    calls_.push_back(
        {&layer.shared.gate, normed, hidden, rows, shared_gate, shared_inner, tokens});
    calls_.push_back({&layer.shared.up, normed, hidden, rows, shared_up, shared_inner, tokens});
    down_calls_.push_back(
        {&layer.shared.down, shared_gate, shared_inner, rows, shared_out, hidden, tokens});
  }
  for (int64_t expert = 0; expert < moe.experts; ++expert) {
    const int64_t slot = first_slot_[expert];
    const int64_t count = first_slot_[expert + 1] - slot;
    if (count == 0) continue;
    const auto& own = layer.experts[static_cast<size_t>(expert)];
    const float* x = gathered + slot * hidden;
    const int64_t own_tokens = token_slots_[expert];
    calls_.push_back({&own.gate, x, hidden, count, gate + slot * inner, inner, own_tokens});
    calls_.push_back({&own.up, x, hidden, count, up + slot * inner, inner, own_tokens});
    down_calls_.push_back({&own.down, gate + slot * inner, inner, count,
                           expert_out + slot * hidden, hidden, own_tokens});
  }
  RunGemms(workers_, calls_);
  workers_.Run(slots + (moe.shared_experts > 0 ? rows : 0), WorthSpreading(rows),
               [&](int64_t index, int) {
                 if (index < slots) {
                   SwiGlu(gate + index * inner, up + index * inner, inner);
                 } else {
                   const int64_t begin = (index - slots) * shared_inner;
                   SwiGlu(shared_gate + begin, shared_up + begin, shared_inner);
                 }
               });
  RunGemms(workers_, down_calls_);

  workers_.Run(rows, WorthSpreading(rows), [&](int64_t row, int) {
    float* sum = shared_out + row * hidden;
    if (moe.shared_experts == 0) std::fill_n(sum, hidden, 0.0f);
    for (int64_t i = row * used; i < (row + 1) * used; ++i) {
      AddScaled(choices_[i].weight, expert_out + slot_of_[i] * hidden, hidden, sum);
    }
  });
  batch.addend = shared_out;
}

// Fills choices_ and slot_of_ ([rows][used]), first_slot_ and token_slots_ (by expert).
void Deepseek::Route(const Batch& batch, const Layer& layer, const float* normed) {
  const auto& moe = config_.moe;
  const int64_t rows = batch.rows;
  const int64_t used = moe.experts_used;
  const auto experts = static_cast<size_t>(moe.experts);
  float* scores = scores_.Get(rows * moe.experts);
  const GemmCall score{&layer.router_scores, normed, config_.hidden_size, rows, scores,
                       moe.experts, batch.token_rows};
  RunGemms(workers_, {&score, 1});
  choices_.resize(static_cast<size_t>(rows * used));
  slot_of_.resize(choices_.size());
  workers_.Run(rows, WorthSpreading(rows), [&](int64_t row, int worker) {
    layer.router.Choose({scores + row * moe.experts, experts},
                        std::span(choices_).subspan(row * used, used), workers_.scratch(worker));
  });
  first_slot_.assign(experts + 1, 0);
  token_slots_.assign(experts, 0);
  for (size_t i = 0; i < choices_.size(); ++i) {
    ++first_slot_[choices_[i].expert + 1];
    if (static_cast<int64_t>(i) < batch.token_rows * used) ++token_slots_[choices_[i].expert];
  }
  for (size_t i = 1; i <= experts; ++i) first_slot_[i] += first_slot_[i - 1];
  next_slot_ = first_slot_;
  for (size_t i = 0; i < choices_.size(); ++i) slot_of_[i] = next_slot_[choices_[i].expert]++;
}

}  // namespace portcullis::inference
