// Two by two tiles of sums stay in registers while the depth runs by: four products for four loads.
#include <immintrin.h>

#include "inference/ops/kernels/amx.h"
#include "inference/ops/kernels/tile_config.h"

namespace portcullis::inference::amx {
namespace {

constexpr int64_t kLine = 64;  // bytes of a tile's row

constexpr TileConfig kConfig = TileConfig::All(kRows, kLine);

// Tiles 0-3 are sums [input block][output block], 4 and 5 inputs, 6 and 7 weights. The intrinsics
// want literal register numbers.
template <int kInputs, int kOutputs>
void AddProducts() {
  _tile_dpbf16ps(0, 4, 6);
  if constexpr (kOutputs == 2) _tile_dpbf16ps(1, 4, 7);
  if constexpr (kInputs == 2) _tile_dpbf16ps(2, 5, 6);
  if constexpr (kInputs == 2 && kOutputs == 2) _tile_dpbf16ps(3, 5, 7);
}

template <int kInputs>
void LoadInputs(const uint16_t* x, int64_t stride) {
  _tile_loadd(4, x, kLine);
  if constexpr (kInputs == 2) _tile_loadd(5, x + stride, kLine);
}

template <int kOutputs>
void LoadWeights(const uint16_t* w, int64_t stride) {
  _tile_loadd(6, w, kLine);
  if constexpr (kOutputs == 2) _tile_loadd(7, w + stride, kLine);
}

template <int kInputs, int kOutputs>
void LoadSums(const float* c, int64_t c_stride) {
  const int64_t bytes = 4 * c_stride;
  _tile_loadd(0, c, bytes);
  if constexpr (kOutputs == 2) _tile_loadd(1, c + kRows, bytes);
  if constexpr (kInputs == 2) _tile_loadd(2, c + kRows * c_stride, bytes);
  if constexpr (kInputs == 2 && kOutputs == 2) _tile_loadd(3, c + kRows * c_stride + kRows, bytes);
}

template <int kInputs, int kOutputs>
void StoreSums(float* c, int64_t c_stride) {
  const int64_t bytes = 4 * c_stride;
  _tile_stored(0, c, bytes);
  if constexpr (kOutputs == 2) _tile_stored(1, c + kRows, bytes);
  if constexpr (kInputs == 2) _tile_stored(2, c + kRows * c_stride, bytes);
  if constexpr (kInputs == 2 && kOutputs == 2) _tile_stored(3, c + kRows * c_stride + kRows, bytes);
}

template <int kInputs, int kOutputs>
void MultiplyOne(const Operand& inputs, int64_t row_block, const Operand& weights,
                 int64_t output_block, int64_t depth, bool accumulate, float* c,
                 int64_t c_stride) {
  const int64_t x_at = row_block * inputs.stride, w_at = output_block * weights.stride;
  if (accumulate) {
    LoadSums<kInputs, kOutputs>(c, c_stride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t k = 0; k < depth; ++k) {
    LoadInputs<kInputs>(inputs.high + x_at + k * kBlock, inputs.stride);
    if (weights.low != nullptr) {
      LoadWeights<kOutputs>(weights.low + w_at + k * kBlock, weights.stride);
      AddProducts<kInputs, kOutputs>();
    }
    LoadWeights<kOutputs>(weights.high + w_at + k * kBlock, weights.stride);
    AddProducts<kInputs, kOutputs>();
    if (inputs.low != nullptr) {
      LoadInputs<kInputs>(inputs.low + x_at + k * kBlock, inputs.stride);
      AddProducts<kInputs, kOutputs>();
    }
  }
  StoreSums<kInputs, kOutputs>(c, c_stride);
}

}  // namespace

void Multiply(const Operand& inputs, int64_t row_blocks, const Operand& weights,
              int64_t output_blocks, int64_t depth, bool accumulate, float* c, int64_t c_stride) {
  _tile_loadconfig(&kConfig);
  FinishStores();
  // Weights stay in the second-level cache, inputs pass through it once.
  for (int64_t m = 0; m < row_blocks; m += 2) {
    for (int64_t n = 0; n < output_blocks; n += 2) {
      float* sums = c + m * kRows * c_stride + n * kRows;
      const bool two_inputs = m + 1 < row_blocks;
      const bool two_outputs = n + 1 < output_blocks;
      const auto multiply = two_inputs ? (two_outputs ? MultiplyOne<2, 2> : MultiplyOne<2, 1>)
                                       : (two_outputs ? MultiplyOne<1, 2> : MultiplyOne<1, 1>);
      multiply(inputs, m, weights, n, depth, accumulate, sums, c_stride);
    }
  }
  _tile_release();
}

}  // namespace portcullis::inference::amx
