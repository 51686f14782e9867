// What the architectures share: checking of calls, cutting them into batches of bounded size, token
// embedding, final norm and output layer. An architecture adds its layers.
// Threading as in model.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/arch/model.h"
#include "inference/cache/kv_cache.h"
#include "inference/model/config.h"
#include "inference/model/weights.h"
#include "inference/ops/buffer.h"
#include "inference/ops/gemm.h"
#include "inference/ops/rope.h"
#include "inference/ops/workers.h"

namespace portcullis::inference {

// Consecutive rows of a batch that extend one sequence.
struct Segment {
  KvCache* cache;
  int64_t row;       // first row in the batch
  int64_t tokens;
  int64_t position;  // of the first row in its sequence
};

// Rows to be computed together. All row-major, one row per token.
struct Batch {
  int64_t rows = 0;
  std::vector<Segment> segments;
  std::vector<int32_t> tokens;
  std::vector<uint8_t> wants_logits;
  float* hidden = nullptr;         // [rows][hidden size], the residual stream
  const float* cosines = nullptr;  // [rows][rope pairs]
  const float* sines = nullptr;
};

class Transformer : public Model {
 public:
  const ModelInfo& info() const final { return info_; }
  const gguf::File* gguf() const final { return weights_.gguf(); }
  Result<std::unique_ptr<Sequence>> NewSequence(int64_t capacity_tokens) final;
  int64_t SequenceBytes(int64_t capacity_tokens) const final;
  Result<void> Forward(std::span<const Step> steps, std::span<float> logits) final;

  // Called once by Model::Load, before anything else.
  Result<void> Initialize(ModelInfo info);

 protected:
  Transformer(Weights weights, const ModelConfig& config, int threads);

  // Reads the layers' weights.
  virtual Result<void> LoadLayers() = 0;
  virtual KvCache::Shape CacheShape() const = 0;
  // Runs all layers over batch.hidden.
  virtual void RunLayers(const Batch& batch) = 0;

  Result<Gemm> LoadGemm(Role role, int64_t layer, int64_t outputs, int64_t inputs,
                        Part part = {}) const;
  void Normalize(const Batch& batch, const std::vector<float>& weight, float* out);
  // hidden += addend
  void AddToHidden(const Batch& batch, const float* addend);
  // Rotates each row's heads, which start at x + row · row_stride.
  void Rotate(const Batch& batch, int64_t heads, int64_t head_stride, float* x, int64_t row_stride);

  Weights weights_;
  ModelConfig config_;
  Workers workers_;
  Rope rope_;

 private:
  Result<int64_t> CheckSteps(std::span<const Step> steps) const;
  // Computes the batch, appends its logits to `logits` and empties it.
  void RunBatch(Batch& batch, float*& logits);

  ModelInfo info_;
  Matrix embedding_;
  std::vector<float> output_norm_;
  Gemm output_;
  Buffer hidden_, cosines_, sines_, selected_;
};

}  // namespace portcullis::inference
