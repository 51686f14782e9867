// DeepSeek-V2 and V3: multi-head latent attention and a mixture of experts.
#pragma once

#include <vector>

#include "inference/arch/transformer.h"
#include "inference/ops/router.h"

namespace portcullis::inference {

class Deepseek final : public Transformer {
 public:
  Deepseek(Weights weights, const ModelConfig& config, const LoadOptions& options)
      : Transformer(std::move(weights), config, options) {}

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

  Result<void> LoadLayers() override;
  Result<void> LoadAttention(int64_t index, Layer& layer) const;
  Result<void> LoadHeads(int64_t index, Layer& layer) const;
  Result<void> LoadMixture(int64_t index, Layer& layer) const;
  Result<FeedForward> LoadFeedForward(int64_t index, Role gate, Role up, Role down, int64_t inner,
                                      Part part = {}) const;
  KvShape CacheShape() const override;
  void RunLayers(const Batch& batch) override;
  void RunAttention(const Batch& batch, const Layer& layer, int64_t index);
  void RunDense(const Batch& batch, const Layer& layer);
  void RunMixture(const Batch& batch, const Layer& layer);

  std::vector<Layer> layers_;
  Buffer normed_, query_latent_, query_, kv_, absorbed_, context_, attended_, projected_;
  Buffer scores_, gathered_, gate_, up_, expert_out_, shared_gate_, shared_up_;
};

}  // namespace portcullis::inference
