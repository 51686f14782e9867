// What the architectures share: checking of calls, cutting them into batches of bounded size, token
// embedding, final norm and output layer. An architecture adds its layers.
// Threading as in model.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "inference/arch/model.h"
#include "inference/cache/kv_sequence.h"
#include "inference/cache/page_pool.h"
#include "inference/model/config.h"
#include "inference/model/file_watch.h"
#include "inference/model/weights.h"
#include "inference/ops/attention.h"
#include "inference/ops/buffer.h"
#include "inference/ops/gemm.h"
#include "inference/ops/pack_store.h"
#include "inference/ops/rope.h"
#include "inference/ops/workers.h"

namespace portcullis::inference {

// Consecutive rows of a batch that extend one sequence.
struct Segment {
  KvSequence* sequence;
  int64_t row;       // first row in the batch
  int64_t tokens;
  int64_t position;  // of the first row in its sequence
};

// Rows to be computed together: those of generated tokens first, then those of prompts.
// All row-major, one row per token.
struct Batch {
  int64_t rows = 0;
  int64_t token_rows = 0;
  std::vector<Segment> segments;
  std::vector<int32_t> tokens;
  std::vector<int64_t> logit_rows;  // of a row: its row of the call's logits, or -1
  std::vector<const Step*> pooled;  // of a row: the step whose embedding it enters, or null
  float* hidden = nullptr;          // [rows][hidden size], the residual stream
  const float* addend = nullptr;    // null, or of the same shape: still to be added to it
  const float* cosines = nullptr;   // [rows][rope pairs]
  const float* sines = nullptr;

  void Clear() {
    rows = token_rows = 0;
    segments.clear();
    tokens.clear();
    logit_rows.clear();
    pooled.clear();
  }
};

class Transformer : public Model {
 public:
  const ModelInfo& info() const final { return info_; }
  const gguf::File* gguf() const final { return weights_.gguf(); }
  Result<std::unique_ptr<Sequence>> NewSequence(int64_t capacity_tokens) final;
  int64_t SequenceBytes(int64_t capacity_tokens) const final;
  int64_t page_tokens() const final { return kKvBlock; }
  int64_t PageBytes() const final { return pool_.page_bytes(); }
  int64_t free_pages() const final { return pool_.free_pages(); }
  int64_t total_pages() const final { return pool_.total_pages(); }
  Result<void> Forward(std::span<const Step> steps, std::span<float> logits) final;
  PackReport packed() const final { return pack_report_; }
  Result<void> CheckIntegrity(const std::stop_token& stop) final;
  bool has_draft_head() const override { return false; }
  Result<void> Propose(std::span<DraftStep> steps) override;

  const Weights& weights() const { return weights_; }
  // Called once by Model::Load, before anything else; the digest may still be missing.
  Result<void> Initialize(ModelInfo info);
  // Then, with the digest, or none where it is not computed. False: packed weights came from a
  // cache of other content, so this model is worthless.
  bool SetDigest(const std::string& sha256);

 protected:
  Transformer(Weights weights, const ModelConfig& config, const LoadOptions& options);

  // Reads the layers' weights.
  virtual Result<void> LoadLayers() = 0;
  // Of one layer's keys and values.
  virtual KvShape CacheShape() const = 0;
  virtual int64_t cache_layers() const { return config_.layers; }
  // Runs all layers over batch.hidden.
  virtual void RunLayers(Batch& batch) = 0;
  // Called with the complete hidden states, before the sequences advance.
  virtual void AfterLayers(const Batch&) {}

  Result<Gemm> LoadGemm(Role role, int64_t layer, int64_t outputs, int64_t inputs,
                        Part part = {}) const;
  GemmOptions gemm_options() const {
    return {.precision = options_.precision, .store = &pack_store_, .mapped = true};
  }
  float epsilon() const { return static_cast<float>(config_.norm_epsilon); }
  const Matrix& embedding() const { return embedding_; }
  const std::vector<float>& output_norm() const { return output_norm_; }
  const Gemm& output() const { return output_; }
  // Null where the sequence is none of this model's.
  KvSequence* Own(Sequence* sequence) const;

  // Whether work of a row's size on so many rows repays waking other threads.
  static bool WorthSpreading(int64_t rows) { return rows > 8; }
  // Completes the residual stream, and normalises it into `out`.
  void Normalize(Batch& batch, const std::vector<float>& weight, float* out);
  void AddPending(Batch& batch);
  // Fills cosines and sines [rows][rope pairs] for the rows' positions.
  void SetAngles(Batch& batch, Buffer& cosines, Buffer& sines);
  // Rotates heads that are `head_stride` apart.
  void RotateRow(const Batch& batch, int64_t row, int64_t heads, int64_t head_stride,
                 float* x) const;
  // Puts the rows' keys and values in the cache of one layer. `values` is not read where the cache
  // is latent.
  void Store(const Batch& batch, int64_t layer, const float* keys, const float* values);
  // The same, then attends over it into `out` [rows][heads][value size].
  void Attend(const Batch& batch, int64_t layer, const float* queries, const float* keys,
              const float* values, float* out);

  Weights weights_;
  ModelConfig config_;
  LoadOptions options_;
  Workers workers_;
  mutable PackStore pack_store_{workers_};  // outlives the layers' Gemms
  Rope rope_;

 private:
  static int64_t LayerBytes(const KvShape& shape) { return (shape.block_bytes() + 63) / 64 * 64; }
  void FindPacked();
  Result<int64_t> CheckSteps(std::span<const Step> steps);
  void AddToBatch(const Step& step, int64_t logit_row, std::span<float> logits);
  // Computes the batch, fills its rows of `logits` and empties it.
  void RunBatch(std::span<float> logits);
  void ComputeLogits(std::span<float> logits);
  void Pool(int64_t row, const Step& step);
  bool AllFinite(std::span<const Step> steps, std::span<const float> logits);

  ModelInfo info_;
  KvShape kv_shape_;
  PagePool pool_;
  Attention attention_;
  Batch batch_;
  std::vector<const Sequence*> stepping_;  // of the call in hand
  std::vector<AttentionCall> attention_calls_;
  struct StoreTask {
    std::byte* block;
    int64_t slot, row, count;
  };
  std::vector<StoreTask> store_tasks_;
  Matrix embedding_;
  std::vector<float> output_norm_;
  Gemm output_;
  Buffer hidden_, cosines_, sines_, selected_, selected_logits_;
  PackReport pack_report_;
  std::optional<FileWatch> watch_;  // where the digest was computed
  bool packed_checked_ = false;
};

}  // namespace portcullis::inference
