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
#include "inference/ops/cpu.h"
#include "inference/ops/precision.h"
#include "inference/ops/workers.h"

namespace portcullis::inference {

struct GemmOptions {
  Precision precision = Precision::kExact;
  Isa isa = BestIsa();
};

class Gemm {
 public:
  Gemm() = default;
  Gemm(Gemm&&) = default;
  Gemm& operator=(Gemm&&) = default;
  // The matrix's bytes must outlive the Gemm. `bias` is empty or has one value per row.
  explicit Gemm(const Matrix& weights, std::vector<float> bias = {},
                const GemmOptions& options = {});
  // Takes ownership of f32 weights [rows, columns] that were computed at load.
  Gemm(std::vector<float> weights, int64_t rows, int64_t columns, const GemmOptions& options = {});

  int64_t outputs() const { return weights_.rows; }
  int64_t inputs() const { return weights_.columns; }
  // Prompt rows and token rows give the same bits.
  bool roles_agree() const { return false; }
  int64_t panels() const;

  // Computes the outputs of one panel on the calling thread.
  void RunPanel(int64_t panel, const float* x, int64_t x_stride, int64_t token_rows, int64_t m,
                float* y, int64_t y_stride, Buffer& scratch) const;

 private:
  void RunFew(int64_t begin, int64_t count, const float* x, int64_t x_stride, int64_t m, float* y,
              int64_t y_stride) const;
  void RunMany(int64_t begin, int64_t count, const float* x, int64_t x_stride, int64_t m, float* y,
               int64_t y_stride, Buffer& scratch) const;

  Matrix weights_;
  std::vector<float> owned_;
  std::vector<float> bias_;
  GemmOptions options_;
  int64_t panel_rows_ = 1;
  bool direct_ = false;  // aligned f32, usable without conversion
};

constexpr int64_t kRolesByCount = -1;  // up to eight rows are token rows, more are prompt rows

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
