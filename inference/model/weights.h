// The weights of a model by their role, whichever file format they come from: names are mapped and
// every shape is checked before a pointer is handed out. Matrices stay in the file's mapping and in
// its type; vectors are converted to f32. A Weights object must outlive the matrices it gave.
// Failure: kBadTensor (missing, wrong shape, not finite), kUnsupported (a type without kernels).
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inference/error.h"
#include "inference/model/gguf.h"
#include "inference/model/safetensors.h"
#include "inference/model/tensor.h"

namespace portcullis::inference {

enum class Role {
  kEmbedding, kOutputNorm, kOutput, kRopeFactors,
  kAttentionNorm, kQuery, kKey, kValue, kQueryBias, kKeyBias, kValueBias, kQueryNorm, kKeyNorm,
  kAttentionOutput, kAttentionOutputBias,
  kQueryDown, kQueryDownNorm, kQueryUp, kKvDown, kKvDownNorm,
  kKvUp,    // Hugging Face: keys and values of a head one after the other
  kKeyUp,   // GGUF: one matrix per head, transposed
  kValueUp, // GGUF: one matrix per head
  kFeedForwardNorm, kGate, kUp, kDown,
  kRouter, kRouterBias, kExpertGate, kExpertUp, kExpertDown, kSharedGate, kSharedUp, kSharedDown,
  // Of the multi-token prediction layer; the last three may be the model's own.
  kDraftEmbeddingNorm, kDraftHiddenNorm, kDraftProjection, kDraftEmbedding, kDraftNorm,
  kDraftOutput,
};

constexpr int64_t kScaleBlock = 128;

// [rows, columns] row-major, each row a whole number of the type's blocks.
struct Matrix {
  DataType type = DataType::kF32;
  int64_t rows = 0;
  int64_t columns = 0;
  const std::byte* data = nullptr;
  // kF8E4M3 only: one factor for each block of 128 × 128, [ceil(rows / 128)][ceil(columns / 128)];
  // null where all are 1.
  const float* scales = nullptr;

  int64_t row_bytes() const { return columns / LayoutOf(type).elements * LayoutOf(type).bytes; }
  const std::byte* row(int64_t index) const { return data + index * row_bytes(); }
  const float* scale_row(int64_t index) const {
    if (scales == nullptr) return nullptr;
    return scales + index / kScaleBlock * ((columns + kScaleBlock - 1) / kScaleBlock);
  }
  // With scales, `begin` is a multiple of 128.
  Matrix RowRange(int64_t begin, int64_t count) const {
    return {type, count, columns, row(begin), scale_row(begin)};
  }
};

// One of several matrices of a role: an expert, or a head.
struct Part {
  int64_t index = 0;
  int64_t count = 0;  // 0: the role is a single matrix
};

class Weights {
 public:
  static Result<Weights> Open(const std::filesystem::path& folder_or_gguf);

  const gguf::File* gguf() const { return gguf_.get(); }
  const std::filesystem::path& path() const { return path_; }
  // The files that hold the weights, mapped.
  std::vector<const MappedFile*> files() const;

  bool Has(Role role, int64_t layer = 0) const;
  // The tensor of a role in GGUF files; empty where they have none.
  static std::string GgufName(Role role, int64_t layer);
  // Elements of a vector of any length; nothing where absent.
  std::optional<int64_t> VectorSize(Role role, int64_t layer = 0) const;
  Result<Matrix> GetMatrix(Role role, int64_t layer, int64_t rows, int64_t columns,
                           Part part = {}) const;
  Result<std::vector<float>> GetVector(Role role, int64_t layer, int64_t size) const;

  // All tensors of the files, whatever their role.
  std::vector<const Tensor*> tensors() const;

  struct Totals {
    int64_t parameters = 0;
    int64_t bytes = 0;
    std::string main_type;  // of most bytes
  };
  Totals Count() const;

 private:
  std::string NameFor(Role role, int64_t layer, int64_t part) const;
  const Tensor* Find(const std::string& name) const;
  Result<const Tensor*> Require(const std::string& name) const;
  // Of a matrix of kF8E4M3; lives as long as the Weights.
  Result<const float*> BlockScales(const Tensor& weights) const;

  std::filesystem::path path_;
  std::unique_ptr<gguf::File> gguf_;
  std::optional<Checkpoint> checkpoint_;
  std::unique_ptr<std::mutex> scales_mutex_ = std::make_unique<std::mutex>();
  mutable std::map<std::string, std::vector<float>> scales_;  // by tensor; nodes never move
};

}  // namespace portcullis::inference
