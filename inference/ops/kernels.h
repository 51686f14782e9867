// The inner loops of Gemm, one set for each level of instructions, compiled in files of their own
// (kernels/) with that level's flags and chosen at run time. All sets compute token rows of packed
// matrices to the same bits; FORMAT.md states the arithmetic. Pure functions on the caller's
// memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/ops/cpu.h"
#include "inference/ops/pack.h"

namespace portcullis::inference {

// A token row's 32 inputs x[k], rounded to values[k] · scale with |values[k]| <= 127.
struct QuantizedGroup {
  int8_t values[32];
  float scale;
  float scaled_sum;       // scale · sum of values
  int32_t negative_sum;   // of all values
  int32_t negative_half;  // of values 0-15
};
static_assert(sizeof(QuantizedGroup) == 48);

// y[i][0..15] = x[i] · tile for `m` rows, x and y dense: columns / 32 groups and 16 floats a row.
using TileKernel = void (*)(const std::byte* tile, int64_t columns, const QuantizedGroup* x,
                            int64_t m, float* y);
// Rounds one row of `columns` inputs, a multiple of 32.
using QuantizeKernel = void (*)(const float* x, int64_t columns, QuantizedGroup* out);
// Rows of a float matrix as they lie in a file.
struct FloatRows {
  const std::byte* data;
  int64_t stride;        // bytes from row to row
  int64_t count;
  int64_t columns;
  const float* factors;  // of kF8E4M3, one for each 128 columns of all these rows, or null
};
// y[i · y_stride + n] = x[i] · row n, for all rows and `m` inputs.
using DotKernel = void (*)(const FloatRows& w, const float* x, int64_t x_stride, int64_t m,
                           float* y, int64_t y_stride);

struct Kernels {
  TileKernel tiles[kPackedTypeCount];  // in the order of kPackedTypes
  DotKernel f32, f16, bf16, f8;
  QuantizeKernel quantize;
};

// `type` has a packed layout.
inline TileKernel TileKernelOf(const Kernels& kernels, DataType type) {
  return kernels.tiles[PackedIndex(type)];
}
// `isa` is one of UsableIsas(). Of levels that are the best of no AMD processor there is one set, whatever
// `prefetch` says.
const Kernels& KernelsFor(Isa isa, CacheLevel prefetch = PrefetchLevel());

extern const Kernels kScalarKernels;
extern const Kernels kAvx2Kernels, kAvx2SecondLevelKernels;
extern const Kernels kAvxVnniKernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kAvx512VnniKernels, kAvx512VnniSecondLevelKernels;

}  // namespace portcullis::inference
