// Linear layers over weights of any type: y[m][n] = sum over k of x[m][k] · w[n][k], plus a bias.
// A Gemm is created from a matrix of a file's mapping, perhaps packed for this machine's kernels,
// and RunGemms computes several of them in one parallel pass: query, key, value; all experts.
// Rows have roles. Token rows (decoding, speculation: few, bound by memory) come first, prompt rows
// (many, bound by arithmetic) after them, and the arithmetic of the two may differ. Within a role
// the bits of an output row depend on its own input row only: not on the number of rows, on their
// neighbours or on threads. FORMAT.md states the arithmetic.
// Threading: a Gemm is immutable. RunGemms throws std::bad_alloc and nothing else.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/model/weights.h"
#include "inference/ops/buffer.h"
#include "inference/ops/cpu.h"
#include "inference/ops/pack.h"
#include "inference/ops/pack_store.h"
#include "inference/ops/precision.h"
#include "inference/ops/workers.h"

namespace portcullis::inference {

struct PreparedRows;

struct GemmOptions {
  Precision precision = Precision::kExact;
  Isa isa = BestIsa();         // one of UsableIsas()
  PackStore* store = nullptr;  // keeps what is packed, must outlive the Gemm; null: the Gemm does
  bool mapped = false;  // the matrix lies in a file's mapping, whose pages are let go once packed
};

class Gemm {
 public:
  Gemm() = default;
  Gemm(Gemm&&) = default;
  Gemm& operator=(Gemm&&) = default;
  // The matrix's bytes must outlive the Gemm, unless it is packed(). `bias` is empty or has one
  // value per row.
  explicit Gemm(const Matrix& weights, std::vector<float> bias = {},
                const GemmOptions& options = {});
  // Takes ownership of f32 weights [rows, columns] that were computed at load.
  Gemm(std::vector<float> weights, int64_t rows, int64_t columns, const GemmOptions& options = {});

  int64_t outputs() const { return weights_.rows; }
  int64_t inputs() const { return weights_.columns; }
  DataType type() const { return weights_.type; }
  Isa isa() const { return isa_; }
  // The matrix's own bytes are not read any more.
  bool packed() const { return packed_ != nullptr; }
  // Prompt rows are computed as token rows are, to the same bits.
  bool roles_agree() const { return prompts_ == Prompts::kAsTokens; }
  // What RunGemms prepares the inputs for.
  bool quantizes_tokens() const { return tokens_ == Tokens::kPacked; }
  bool tiles_prompts() const { return prompts_ == Prompts::kTiles; }

  // A panel is a range of outputs that one thread computes at once; how large, depends on the rows.
  int64_t Panels(const PreparedRows& rows) const;
  void RunPanel(int64_t panel, const PreparedRows& rows, float* y, int64_t y_stride,
                Buffer& scratch) const;

 private:
  enum class Tokens : uint8_t {
    kPacked,  // quantised inputs, packed tiles
    kDots,    // f32 inputs, float weights as they lie in the file
    kExpanded // f32 inputs, weights converted to f32 piece by piece
  };
  enum class Prompts : uint8_t {
    kAsTokens,
    kTiles,   // bf16 on tile registers
    kMatMul   // panels converted to f32, oneDNN
  };
  struct Range {
    int64_t begin;
    int64_t count;
  };
  void ChooseWays(Precision precision);
  int64_t PanelRows(const PreparedRows& rows) const;
  void RunPacked(Range outputs, const PreparedRows& rows, float* y, int64_t y_stride) const;
  void RunBlocks(Range outputs, const PreparedRows& rows, float* y, int64_t y_stride) const;
  void RunDots(Range outputs, const PreparedRows& rows, float* y, int64_t y_stride) const;
  void RunExpanded(Range outputs, const PreparedRows& rows, float* y, int64_t y_stride) const;
  void RunTiles(Range outputs, const PreparedRows& rows, float* y, int64_t y_stride,
                Buffer& scratch) const;
  void RunMatMul(Range outputs, const PreparedRows& rows, float* y, int64_t y_stride,
                 Buffer& scratch) const;
  // Writes sums [rows][sums_stride] of some outputs to their place in y.
  void Scatter(Range outputs, const float* sums, int64_t sums_stride, int64_t rows, float* y,
               int64_t y_stride) const;
  void AddBias(Range outputs, int64_t rows, float* y, int64_t y_stride) const;

  Matrix weights_;
  std::vector<float> owned_;
  std::vector<float> bias_;
  Buffer own_packed_;
  const std::byte* packed_ = nullptr;
  Isa isa_ = Isa::kScalar;
  Tokens tokens_ = Tokens::kExpanded;
  Prompts prompts_ = Prompts::kMatMul;
};

constexpr int64_t kFewRows = 8;
constexpr int64_t kRolesByCount = -1;  // up to kFewRows rows are token rows, more are prompt rows

// Strides count floats. Inputs and outputs of different calls may not overlap in what is written.
struct GemmCall {
  const Gemm* gemm;
  const float* x;
  int64_t x_stride;
  int64_t m;
  float* y;
  int64_t y_stride;
  int64_t token_rows = kRolesByCount;  // of the m rows, the first that are token rows
};

void RunGemms(Workers& workers, std::span<const GemmCall> calls);

}  // namespace portcullis::inference
