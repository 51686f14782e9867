// Llama 2 and 3, Mistral, Qwen2 and Qwen3: grouped-query attention and a gated feed-forward layer.
#pragma once

#include <vector>

#include "inference/arch/transformer.h"

namespace portcullis::inference {

class Llama final : public Transformer {
 public:
  Llama(Weights weights, const ModelConfig& config, const LoadOptions& options)
      : Transformer(std::move(weights), config, options) {}

 private:
  struct Layer {
    std::vector<float> attention_norm, feed_forward_norm;
    std::vector<float> query_norm, key_norm;  // of each head; empty where the family has none
    Gemm query, key, value, output;
    Gemm gate, up, down;
  };

  Result<void> LoadLayers() override;
  Result<Layer> LoadLayer(int64_t index) const;
  Result<Gemm> LoadBiasedGemm(Role role, Role bias, int64_t layer, int64_t outputs, int64_t inputs,
                              bool required) const;
  KvShape CacheShape() const override;
  void RunLayers(Batch& batch) override;
  void RunAttention(Batch& batch, const Layer& layer, int64_t index);
  void RunFeedForward(Batch& batch, const Layer& layer);
  void NormalizeHeads(const std::vector<float>& weight, int64_t heads, float* x) const;

  std::vector<Layer> layers_;
  Buffer normed_, query_, key_, value_, attended_, projected_, gate_, up_;
};

}  // namespace portcullis::inference
