// Token rows of float matrices straight from the file's bytes, written once over a vector type (see
// packed_tile.h). Some rows of weights times some inputs at once, so that each register loaded is
// used several times; every output has one chain of kLanes partial sums, however many are computed
// together, so a row's bits do not depend on its neighbours. They do depend on kLanes.
// Rows often end where pages do, and there the processor stops reading ahead: the next bytes are asked
// for, at the end of these rows those of the next ones.
// 8-bit floats become f16 bits that lack a factor of 256, which joins the block's factor; their
// product is rounded to f32 before it meets an input.
#pragma once

#include "inference/ops/kernels/packed_tile.h"
#include "inference/ops/kernels/prefetch.h"

namespace portcullis::inference {

template <CacheLevel kLevel>
constexpr int64_t kDotAheadBytes = kLevel == CacheLevel::kFirst ? 1024 : 2048;
constexpr int64_t kDotPart = 256;  // columns for which one decides what is asked for

template <class Simd, DataType kType, int kW, int kX>
struct DotBlock {
  using Floats = typename Simd::Floats;
  static constexpr int64_t kLanes = Simd::kLanes;
  static constexpr int64_t kBytes =
      kType == DataType::kF32 ? 4 : kType == DataType::kF8E4M3 ? 1 : 2;

  Floats sums[kW][kX];

  void Clear() {
    for (int i = 0; i < kW; ++i) {
      for (int j = 0; j < kX; ++j) sums[i][j] = Simd::Zero();
    }
  }
  void Add(const std::byte* w, int64_t w_stride, float factor, const float* x, int64_t x_stride) {
    Floats inputs[kX];
    for (int j = 0; j < kX; ++j) inputs[j] = Simd::LoadFloats(x + j * x_stride);
    for (int i = 0; i < kW; ++i) {
      Floats weights = Simd::template Widen<kType>(w + i * w_stride);
      if constexpr (kType == DataType::kF8E4M3) weights = Simd::Mul(weights, Simd::Splat(factor));
      for (int j = 0; j < kX; ++j) sums[i][j] = Simd::Fma(weights, inputs[j], sums[i][j]);
    }
  }
  // Four registers of 8-bit floats, which are widened together; the sums are those of four calls of Add.
  void AddFour(const std::byte* w, int64_t w_stride, float factor, const float* x, int64_t x_stride) {
    for (int i = 0; i < kW; ++i) {
      Floats weights[4];
      Simd::WidenFour(w + i * w_stride, weights);
      for (int r = 0; r < 4; ++r) {
        weights[r] = Simd::Mul(weights[r], Simd::Splat(factor));
        for (int j = 0; j < kX; ++j) {
          sums[i][j] = Simd::Fma(weights[r], Simd::LoadFloats(x + j * x_stride + r * kLanes), sums[i][j]);
        }
      }
    }
  }
  // `ahead`: bytes from the weights of a step to those that are asked for beside it.
  void Run(const std::byte* w, int64_t w_stride, float factor, int64_t count, const float* x,
           int64_t x_stride, int64_t ahead) {
    int64_t k = 0;
    if constexpr (kType == DataType::kF8E4M3) {
      for (; k + 4 * kLanes <= count; k += 4 * kLanes) {
        for (int i = 0; i < kW; ++i) Prefetch<Simd::kPrefetchInto>(w, i * w_stride + k + ahead);
        AddFour(w + k, w_stride, factor, x + k, x_stride);
      }
    }
    for (; k + kLanes <= count; k += kLanes) {
      for (int i = 0; i < kW; ++i) Prefetch<Simd::kPrefetchInto>(w, i * w_stride + k * kBytes + ahead);
      Add(w + k * kBytes, w_stride, factor, x + k, x_stride);
    }
    if (k == count) return;
    // A rest shorter than a register.
    std::byte last[kW][kLanes * kBytes] = {};
    float rest[kX][kLanes] = {};
    for (int i = 0; i < kW; ++i) {
      __builtin_memcpy(last[i], w + i * w_stride + k * kBytes,
                       static_cast<size_t>((count - k) * kBytes));
    }
    for (int j = 0; j < kX; ++j) {
      __builtin_memcpy(rest[j], x + j * x_stride + k, static_cast<size_t>(count - k) * 4);
    }
    Add(last[0], kLanes * kBytes, factor, rest[0], kLanes);
  }
};

template <class Simd, DataType kType, int kW, int kX>
void DotSome(const FloatRows& w, int64_t first, const float* x, int64_t x_stride, float* y,
             int64_t y_stride) {
  DotBlock<Simd, kType, kW, kX> block;
  const std::byte* rows = w.data + first * w.stride;
  block.Clear();
  constexpr int64_t kAhead = kDotAheadBytes<Simd::kPrefetchInto>;
  constexpr int64_t kStep = kType == DataType::kF8E4M3 ? kScaleBlock : kDotPart;
  for (int64_t k = 0; k < w.columns; k += kStep) {
    const int64_t count = w.columns - k < kStep ? w.columns - k : kStep;
    const float factor = w.factors == nullptr ? 256.0f : 256.0f * w.factors[k / kScaleBlock];
    const int64_t at = k * block.kBytes;
    const bool ends = at + kAhead >= w.stride;
    block.Run(rows + at, w.stride, factor, count, x + k, x_stride,
              kAhead + (ends ? (kW - 1) * w.stride : 0));
  }
  for (int i = 0; i < kW; ++i) {
    for (int j = 0; j < kX; ++j) y[j * y_stride + first + i] = Simd::Sum(block.sums[i][j]);
  }
}

template <class Simd, DataType kType, int kW>
void DotAllInputs(const FloatRows& w, int64_t first, const float* x, int64_t x_stride, int64_t m,
                  float* y, int64_t y_stride) {
  constexpr bool kWide = Simd::kMaxRows >= 8;
  while (m > 0) {
    int64_t rows = 1;
    if (kWide && m >= 4) {
      rows = 4;
      DotSome<Simd, kType, kW, kWide ? 4 : 1>(w, first, x, x_stride, y, y_stride);
    } else if (m >= 2) {
      rows = 2;
      DotSome<Simd, kType, kW, 2>(w, first, x, x_stride, y, y_stride);
    } else {
      DotSome<Simd, kType, kW, 1>(w, first, x, x_stride, y, y_stride);
    }
    x += rows * x_stride;
    y += rows * y_stride;
    m -= rows;
  }
}

template <class Simd, DataType kType>
void RunDots(const FloatRows& w, const float* x, int64_t x_stride, int64_t m, float* y,
             int64_t y_stride) {
  int64_t n = 0;
  for (; n + 4 <= w.count; n += 4) {
    DotAllInputs<Simd, kType, 4>(w, n, x, x_stride, m, y, y_stride);
  }
  for (; n < w.count; ++n) DotAllInputs<Simd, kType, 1>(w, n, x, x_stride, m, y, y_stride);
}

// The whole set of one instruction level.
template <class Simd>
constexpr Kernels MakeKernels() {
  constexpr auto make = []<size_t... kIndices>(std::index_sequence<kIndices...>) {
    return Kernels{{RunTile<Simd, kPackedTypes[kIndices]>...},
                   RunDots<Simd, DataType::kF32>,
                   RunDots<Simd, DataType::kF16>,
                   RunDots<Simd, DataType::kBF16>,
                   RunDots<Simd, DataType::kF8E4M3>,
                   Simd::Quantize};
  };
  return make(std::make_index_sequence<kPackedTypeCount>());
}

}  // namespace portcullis::inference
