// Token rows of float matrices straight from the file's bytes, written once over a vector type (see
// packed_tile.h). Four chains of kLanes partial sums, whatever the number of inputs computed
// together, so a row's bits do not depend on its neighbours; they do depend on kLanes.
// 8-bit floats become f16 bits that lack a factor of 256, which joins the block's factor.
#pragma once

#include "inference/ops/kernels/packed_tile.h"

namespace portcullis::inference {

template <class Simd, DataType kType, int kRows>
struct DotChains {
  using Floats = typename Simd::Floats;
  static constexpr int kChains = 4;
  static constexpr int64_t kBytes = kType == DataType::kF32 ? 4 : kType == DataType::kF8E4M3 ? 1 : 2;

  Floats sums[kRows][kChains];

  void Clear() {
    for (int r = 0; r < kRows; ++r) {
      for (int c = 0; c < kChains; ++c) sums[r][c] = Simd::Zero();
    }
  }
  void Add(int chain, Floats w, const float* x, int64_t x_stride) {
    for (int r = 0; r < kRows; ++r) {
      sums[r][chain] = Simd::Fma(w, Simd::LoadFloats(x + r * x_stride), sums[r][chain]);
    }
  }
  void Run(const std::byte* w, int64_t count, const float* x, int64_t x_stride) {
    constexpr int64_t kLanes = Simd::kLanes;
    int64_t k = 0;
    for (; k + kChains * kLanes <= count; k += kChains * kLanes) {
      for (int c = 0; c < kChains; ++c) {
        const int64_t at = k + c * kLanes;
        Add(c, Simd::template Widen<kType>(w + at * kBytes), x + at, x_stride);
      }
    }
    for (; k + kLanes <= count; k += kLanes) {
      Add(0, Simd::template Widen<kType>(w + k * kBytes), x + k, x_stride);
    }
    if (k == count) return;
    // A rest shorter than a register.
    std::byte last[kLanes * kBytes] = {};
    __builtin_memcpy(last, w + k * kBytes, static_cast<size_t>((count - k) * kBytes));
    for (int r = 0; r < kRows; ++r) {
      float rest[kLanes] = {};
      __builtin_memcpy(rest, x + r * x_stride + k, static_cast<size_t>(count - k) * 4);
      sums[r][0] = Simd::Fma(Simd::template Widen<kType>(last), Simd::LoadFloats(rest), sums[r][0]);
    }
  }
  Floats Total(int r) const {
    return Simd::Add(Simd::Add(sums[r][0], sums[r][1]), Simd::Add(sums[r][2], sums[r][3]));
  }
};

template <class Simd, DataType kType, int kRows>
void DotSome(const std::byte* w, const float* factors, int64_t columns, const float* x,
             int64_t x_stride, float* y, int64_t y_stride) {
  DotChains<Simd, kType, kRows> chains;
  if constexpr (kType == DataType::kF8E4M3) {
    typename Simd::Floats totals[kRows];
    for (int r = 0; r < kRows; ++r) totals[r] = Simd::Zero();
    for (int64_t k = 0; k < columns; k += kScaleBlock) {
      const int64_t left = columns - k;
      const float factor = factors == nullptr ? 256.0f : 256.0f * factors[k / kScaleBlock];
      chains.Clear();
      chains.Run(w + k, left < kScaleBlock ? left : kScaleBlock, x + k, x_stride);
      for (int r = 0; r < kRows; ++r) {
        totals[r] = Simd::Fma(chains.Total(r), Simd::Splat(factor), totals[r]);
      }
    }
    for (int r = 0; r < kRows; ++r) y[r * y_stride] = Simd::Sum(totals[r]);
  } else {
    chains.Clear();
    chains.Run(w, columns, x, x_stride);
    for (int r = 0; r < kRows; ++r) y[r * y_stride] = Simd::Sum(chains.Total(r));
  }
}

template <class Simd, DataType kType>
void RunDots(const std::byte* w, const float* factors, int64_t columns, const float* x,
             int64_t x_stride, int64_t m, float* y, int64_t y_stride) {
  while (m > 0) {
    int64_t rows = 1;
    if (Simd::kMaxRows >= 8 && m >= 4) {
      rows = 4;
      DotSome<Simd, kType, Simd::kMaxRows / 2>(w, factors, columns, x, x_stride, y, y_stride);
    } else if (m >= 2) {
      rows = 2;
      DotSome<Simd, kType, 2>(w, factors, columns, x, x_stride, y, y_stride);
    } else {
      DotSome<Simd, kType, 1>(w, factors, columns, x, x_stride, y, y_stride);
    }
    x += rows * x_stride;
    y += rows * y_stride;
    m -= rows;
  }
}

// The whole set of one instruction level.
template <class Simd>
constexpr Kernels MakeKernels() {
  return {RunTile<Simd, DataType::kQ4_0>, RunTile<Simd, DataType::kQ8_0>,
          RunTile<Simd, DataType::kQ4_K>, RunTile<Simd, DataType::kQ5_K>,
          RunTile<Simd, DataType::kQ6_K>, RunDots<Simd, DataType::kF32>,
          RunDots<Simd, DataType::kF16>,  RunDots<Simd, DataType::kBF16>,
          RunDots<Simd, DataType::kF8E4M3>, Simd::Quantize};
}

}  // namespace portcullis::inference
