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

constexpr DataType kPackedTypes[] = {DataType::kQ4_0, DataType::kQ4_1, DataType::kQ5_0,
                                     DataType::kQ5_1, DataType::kQ8_0, DataType::kQ4_K,
                                     DataType::kQ5_K, DataType::kQ6_K};
constexpr size_t kPackedTypeCount = sizeof kPackedTypes / sizeof kPackedTypes[0];
// Its number among kPackedTypes, or kPackedTypeCount.
size_t PackedIndex(DataType type);
inline bool HasPackedLayout(DataType type) { return PackedIndex(type) < kPackedTypeCount; }

constexpr bool IsSuperBlock(DataType type) {
  return type == DataType::kQ4_K || type == DataType::kQ5_K || type == DataType::kQ6_K;
}
// Of a packed value before its offset is subtracted; Q8_0's are signed.
constexpr int BitsOf(DataType type) {
  switch (type) {
    case DataType::kQ8_0: return 8;
    case DataType::kQ6_K: return 6;
    case DataType::kQ5_0:
    case DataType::kQ5_1:
    case DataType::kQ5_K: return 5;
    default: return 4;
  }
}
// An f16 minimum follows each f16 scale.
constexpr bool HasMinima(DataType type) {
  return type == DataType::kQ4_1 || type == DataType::kQ5_1;
}
// Of a group: sixteen f16, of types with minima twice; of the K types two times sixteen bytes.
constexpr int64_t ScaleBytes(DataType type) { return (HasMinima(type) ? 4 : 2) * kTileRows; }

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
  int64_t high_bits;     // 5 bits: 64 bytes a group; 6 bits: 128
  int64_t scales;        // ScaleBytes a group
};
PackedLayout PackedLayoutOf(DataType type, int64_t columns);

}  // namespace portcullis::inference
