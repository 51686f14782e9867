// Linear layers over weights of any type: y[m][n] = sum over k of x[m][k] · w[n][k], plus a bias.
// A Gemm is created from a matrix that stays where it is (a file's mapping) and computes panels of
// its rows: few inputs by dot products straight from the weights, which is bound by memory; many by
// converting a panel to f32 in the cache and multiplying with oneDNN.
// RunGemms computes several layers in one parallel pass: query, key, value; all experts; all heads.
// An output row depends on its own input row only; its bits may differ between the two ways (1e-6).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/model/weights.h"
#include "inference/ops/workers.h"

namespace portcullis::inference {

class Gemm {
 public:
  Gemm() = default;
  Gemm(Gemm&&) = default;
  Gemm& operator=(Gemm&&) = default;
  // The matrix's bytes must outlive the Gemm. `bias` is empty or has one value per row.
  explicit Gemm(const Matrix& weights, std::vector<float> bias = {});
  // Takes ownership of f32 weights [rows, columns] that were computed at load.
  Gemm(std::vector<float> weights, int64_t rows, int64_t columns);

  int64_t outputs() const { return weights_.rows; }
  int64_t inputs() const { return weights_.columns; }
  int64_t panels() const;

  // Computes the outputs of one panel for `m` inputs on the calling thread.
  void RunPanel(int64_t panel, const float* x, int64_t x_stride, int64_t m, float* y,
                int64_t y_stride, Buffer& scratch) const;

 private:
  void RunFew(int64_t begin, int64_t count, const float* x, int64_t x_stride, int64_t m, float* y,
              int64_t y_stride) const;
  void RunMany(int64_t begin, int64_t count, const float* x, int64_t x_stride, int64_t m, float* y,
               int64_t y_stride, Buffer& scratch) const;

  Matrix weights_;
  std::vector<float> owned_;
  std::vector<float> bias_;
  int64_t panel_rows_ = 1;
  bool direct_ = false;  // aligned f32, usable without conversion
};

// Strides count floats. Inputs and outputs of different calls may not overlap in what is written.
struct GemmCall {
  const Gemm* gemm;
  const float* x;
  int64_t x_stride;
  int64_t m;
  float* y;
  int64_t y_stride;
};

void RunGemms(Workers& workers, std::span<const GemmCall> calls);

}  // namespace portcullis::inference
