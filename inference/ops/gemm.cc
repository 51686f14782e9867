#include "inference/ops/gemm.h"

#include <algorithm>

#include "inference/ops/dequantize.h"
#include "inference/ops/onednn.h"
#include "inference/ops/vector.h"

namespace portcullis::inference {
namespace {

constexpr int64_t kFewInputs = 8;            // up to here dot products are as fast as packing
constexpr int64_t kPanelFloats = 256 << 10;  // a converted panel stays in the second-level cache
constexpr int64_t kMinPanelRows = 16;
constexpr int64_t kMaxPanelRows = 128;
constexpr int64_t kChunk = 1024;  // whole blocks of any type, fits the L1 cache
constexpr int64_t kParallelWork = 1 << 18;   // multiplications that repay waking a thread

}  // namespace

Gemm::Gemm(const Matrix& weights, std::vector<float> bias, const GemmOptions& options)
    : weights_(weights), bias_(std::move(bias)), options_(options),
      panel_rows_(std::clamp(kPanelFloats / weights.columns, kMinPanelRows, kMaxPanelRows)),
      direct_(weights.type == DataType::kF32 &&
              reinterpret_cast<uintptr_t>(weights.data) % alignof(float) == 0) {}

Gemm::Gemm(std::vector<float> weights, int64_t rows, int64_t columns, const GemmOptions& options)
    : Gemm(Matrix{DataType::kF32, rows, columns,
                  reinterpret_cast<const std::byte*>(weights.data())},
           {}, options) {
  owned_ = std::move(weights);
}

int64_t Gemm::panels() const { return (weights_.rows + panel_rows_ - 1) / panel_rows_; }

void Gemm::RunPanel(int64_t panel, const float* x, int64_t x_stride, int64_t token_rows, int64_t m,
                    float* y, int64_t y_stride, Buffer& scratch) const {
  const int64_t begin = panel * panel_rows_;
  const int64_t count = std::min(panel_rows_, weights_.rows - begin);
  for (int64_t row = 0; row < token_rows; row += kFewInputs) {
    RunFew(begin, count, x + row * x_stride, x_stride, std::min(kFewInputs, token_rows - row),
           y + row * y_stride + begin, y_stride);
  }
  if (m > token_rows) {
    RunMany(begin, count, x + token_rows * x_stride, x_stride, m - token_rows,
            y + token_rows * y_stride + begin, y_stride, scratch);
  }
  if (bias_.empty()) return;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t n = 0; n < count; ++n) y[i * y_stride + begin + n] += bias_[begin + n];
  }
}

void Gemm::RunFew(int64_t begin, int64_t count, const float* x, int64_t x_stride, int64_t m,
                  float* y, int64_t y_stride) const {
  alignas(64) float converted[kChunk];
  for (int64_t n = 0; n < count; ++n) {
    float sums[kFewInputs] = {};
    for (int64_t k = 0; k < weights_.columns; k += kChunk) {
      const int64_t length = std::min(kChunk, weights_.columns - k);
      const float* values = converted;
      if (direct_) {
        values = reinterpret_cast<const float*>(weights_.row(begin + n)) + k;
      } else {
        DequantizePart(weights_, begin + n, k, length, converted);
      }
      for (int64_t i = 0; i < m; ++i) sums[i] += Dot(values, x + i * x_stride + k, length);
    }
    for (int64_t i = 0; i < m; ++i) y[i * y_stride + n] = sums[i];
  }
}

void Gemm::RunMany(int64_t begin, int64_t count, const float* x, int64_t x_stride, int64_t m,
                   float* y, int64_t y_stride, Buffer& scratch) const {
  const int64_t columns = weights_.columns;
  const float* panel = nullptr;
  if (direct_) {
    panel = reinterpret_cast<const float*>(weights_.row(begin));
  } else {
    float* converted = scratch.Get(panel_rows_ * columns);
    for (int64_t n = 0; n < count; ++n) {
      DequantizePart(weights_, begin + n, 0, columns, converted + n * columns);
    }
    panel = converted;
  }
  MatMul(Right::kTransposed, m, count, columns, x, x_stride, panel, columns, 0.0f, y, y_stride);
}

void RunGemms(Workers& workers, std::span<const GemmCall> calls) {
  // Panels are numbered through all calls; `ends` finds the call of a number.
  std::vector<int64_t> ends;
  ends.reserve(calls.size());
  int64_t panels = 0;
  int64_t work = 0;
  for (const auto& call : calls) {
    panels += call.gemm->panels();
    work += call.m * call.gemm->outputs() * call.gemm->inputs();
    ends.push_back(panels);
  }
  workers.Run(panels, work >= kParallelWork, [&](int64_t index, int worker) {
    const size_t which = std::ranges::upper_bound(ends, index) - ends.begin();
    const auto& call = calls[which];
    const int64_t panel = index - (which == 0 ? 0 : ends[which - 1]);
    int64_t token_rows = call.token_rows;
    if (token_rows == kRolesByCount) token_rows = call.m <= kFewInputs ? call.m : 0;
    call.gemm->RunPanel(panel, call.x, call.x_stride, token_rows, call.m, call.y, call.y_stride,
                        workers.scratch(worker));
  });
}

}  // namespace portcullis::inference
