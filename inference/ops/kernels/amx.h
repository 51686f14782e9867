// The tile registers of AMX. Token rows, where there are some at once: products of bytes, with the
// bits of all other levels (amx_tokens.cc). Prompt rows: bf16 products with f32 sums, 8192 an
// instruction (amx_expand.cc, amx_multiply.cc).
// Of prompt rows inputs and weights are laid out in blocks of 1 KiB, one tile register each: inputs [16 rows][32
// k], weights [16 pairs of k][16 outputs][2]. A number that bf16 would round too much is split in two,
// high + low; the product of both lows is left out. FORMAT.md states what is split and in which
// order products are summed.
// Call these only where BestIsa() is kAmx. Pure functions on the caller's memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/model/weights.h"
#include "inference/ops/kernels.h"

namespace portcullis::inference::amx {

constexpr int64_t kRows = 16;
constexpr int64_t kDepth = 32;
constexpr int64_t kBlock = kRows * kDepth;  // bf16 values of a block

struct Split {
  bool inputs = false;
  bool weights = false;
};
// Which factors of a matrix of this type are split.
Split SplitOf(DataType type);

inline int64_t DepthBlocks(int64_t columns) { return (columns + kDepth - 1) / kDepth; }

// Lays out up to 16 rows as DepthBlocks(columns) blocks, zeros where rows or columns are missing.
// `low` may be null.
void LayOutInputs(const float* x, int64_t x_stride, int64_t rows, int64_t columns, uint16_t* high,
                  uint16_t* low);

// Lays out depth blocks [begin, begin + count) of a packed tile of 16 outputs.
void ExpandTile(DataType type, const std::byte* tile, int64_t begin, int64_t count, uint16_t* high);
// The same of up to 16 rows of a float matrix. `low` is null where weights are not split.
void ExpandRows(const Matrix& matrix, int64_t row, int64_t begin, int64_t count, uint16_t* high,
                uint16_t* low);

struct Operand {
  const uint16_t* high;
  const uint16_t* low;  // null: not split
  int64_t stride;       // values from one block of 16 rows or outputs to the next
};
// c[16 · row_blocks][16 · output_blocks] = (accumulate ? c : 0) + inputs · weights over `depth`
// blocks. c has `c_stride` floats a row.
void Multiply(const Operand& inputs, int64_t row_blocks, const Operand& weights,
              int64_t output_blocks, int64_t depth, bool accumulate, float* c, int64_t c_stride);

// Sixteen token rows at a group of columns.
struct alignas(64) QuantizedBlock {
  int8_t values[kRows][32];
  float scale[kRows];
  float scaled_sum[kRows];
};
static_assert(sizeof(QuantizedBlock) == 640);

// Rounds up to 16 rows to columns / 32 blocks; missing rows are zeros. `columns` is a multiple of 32.
void LayOutTokens(const float* x, int64_t x_stride, int64_t rows, int64_t columns,
                  QuantizedBlock* out);
// A TileKernel for up to 16 rows of such blocks.
void MultiplyTokens(DataType type, const std::byte* tile, int64_t columns,
                    const QuantizedBlock* x, int64_t rows, float* y);

}  // namespace portcullis::inference::amx
