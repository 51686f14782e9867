// DeepSeek-V2 and V3: multi-head latent attention, a mixture of experts, and the multi-token
// prediction layer as a draft head (arXiv 2405.04434, 2412.19437).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "inference/arch/transformer.h"
#include "inference/ops/router.h"

namespace portcullis::inference {

class Deepseek final : public Transformer {
 public:
  Deepseek(Weights weights, const ModelConfig& config, const LoadOptions& options)
      : Transformer(std::move(weights), config, options) {}

  bool has_draft_head() const override { return draft_.has_value(); }
  Result<void> Propose(std::span<DraftStep> steps) override;

 private:
  struct FeedForward {
    Gemm gate, up, down;
  };
  struct Layer {
    std::vector<float> attention_norm, query_down_norm, kv_down_norm, feed_forward_norm;
    Gemm query_down;  // unused without query compression
    Gemm query_up, kv_down, output;
    std::vector<Gemm> key_up;    // per head: the key's projection, absorbed into the query
    std::vector<Gemm> value_up;  // per head: from the latent space to the values
    FeedForward dense;           // of a layer without experts
    Gemm router_scores;
    Router router;
    std::vector<FeedForward> experts;
    FeedForward shared;          // unused without shared experts
  };
  struct Draft {
    std::vector<float> embedding_norm, hidden_norm, norm;
    Gemm projection;               // of [embedding, hidden] to the layer's input
    Layer layer;
    Matrix embedding;
    std::unique_ptr<Gemm> output;  // null: the model's own
  };
  // A row of the prediction layer: the hidden state of a position and the token after it.
  struct DraftRow {
    KvSequence* sequence;
    int64_t position;
    const float* hidden;
    int32_t next;
  };

  Result<void> LoadLayers() override;
  Result<Layer> LoadLayer(int64_t index) const;
  Result<void> LoadDraft();
  Result<void> LoadAttention(int64_t index, Layer& layer) const;
  Result<void> LoadHeads(int64_t index, Layer& layer) const;
  Result<void> LoadMixture(int64_t index, Layer& layer) const;
  Result<FeedForward> LoadFeedForward(int64_t index, Role gate, Role up, Role down, int64_t inner,
                                      Part part = {}) const;
  KvShape CacheShape() const override;
  int64_t cache_layers() const override { return config_.layers + (drafts() ? 1 : 0); }
  void RunLayers(Batch& batch) override;
  void AfterLayers(const Batch& batch) override;
  void RunLayer(Batch& batch, const Layer& layer, int64_t index);
  void RunAttention(Batch& batch, const Layer& layer, int64_t index);
  void FinishLatents(const Batch& batch, const Layer& layer, float* kv);
  void RunDense(Batch& batch, const Layer& layer);
  void RunMixture(Batch& batch, const Layer& layer);
  void Route(const Batch& batch, const Layer& layer, const float* normed);

  bool drafts() const { return options_.draft_head && config_.draft_layers > 0; }
  void StartDraft(std::span<const DraftRow> rows);
  void KeepDraftKeys();
  void ProposeFor(std::span<DraftStep> steps);
  void RunDraft();

  std::vector<Layer> layers_;
  std::optional<Draft> draft_;
  std::vector<GemmCall> calls_, down_calls_;
  std::vector<ExpertChoice> choices_;
  std::vector<int64_t> slot_of_, first_slot_, next_slot_, token_slots_;
  Buffer normed_, query_latent_, query_, kv_, absorbed_, context_, attended_, projected_;
  Buffer scores_, gathered_, gate_, up_, expert_out_, shared_gate_, shared_up_;

  Batch draft_batch_;
  std::vector<DraftRow> draft_rows_;
  std::vector<float> final_hidden_;
  Buffer draft_input_, draft_hidden_, draft_cosines_, draft_sines_, draft_logits_;
};

}  // namespace portcullis::inference
