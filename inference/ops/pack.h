// Packed matrices: the block types of ggml rearranged for kernels that compute sixteen outputs at
// once. Sixteen rows are a tile; a tile's values lie in groups of 32 columns, four columns of each
// row side by side, so that a vector register holds the same four columns of sixteen rows. No bit
// of the weights is changed or lost. FORMAT.md states the layout byte by byte.
// Rows beyond the matrix's last are zeros. Pure functions, safe on any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/model/weights.h"

namespace portcullis::inference {

constexpr int64_t kTileRows = 16;
constexpr int64_t kGroup = 32;
constexpr int64_t kSuperGroups = 8;  // groups of a block of the K types

// Q8_0, Q4_0, Q4_K, Q5_K and Q6_K.
bool HasPackedLayout(DataType type);
int64_t PackedTiles(int64_t rows);
// A multiple of 64.
int64_t PackedTileBytes(DataType type, int64_t columns);
int64_t PackedBytes(const Matrix& matrix);

// Rearranges rows [16 · tile, 16 · tile + 16) of `matrix` into `out`, PackedTileBytes long.
void PackTile(const Matrix& matrix, int64_t tile, std::byte* out);

// Where the parts of a tile lie. Per group, in the order of the groups.
struct PackedLayout {
  int64_t block_groups;  // groups of a repeating block: all of a tile, or those of a super-block
  int64_t block_bytes;
  int64_t values;        // offset in a block of 256 (Q8_0: 512) bytes a group
  int64_t high_bits;     // Q5_K: 64 bytes a group; Q6_K: 128
  int64_t scales;        // Q8_0, Q4_0: 16 f16 a group; K types: 2 × 16 bytes a group
};
PackedLayout PackedLayoutOf(DataType type, int64_t columns);

}  // namespace portcullis::inference
