// Packed matrices: the block types of ggml rearranged for kernels that compute sixteen outputs at
// once. Sixteen rows are a tile; a tile's values lie in groups of 32 columns, four columns of each
// row side by side, so that a vector register holds the same four columns of sixteen rows. Scales come just
// before what they belong to: a tile is read from its first byte to its last, which is what processors guess
// when they read ahead. No bit of the weights is changed or lost. FORMAT.md states the layout byte by byte.
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
// Of a group: its values and behind them its high bits.
constexpr int64_t ValueBytes(DataType type) { return kTileRows * kGroup / (type == DataType::kQ8_0 ? 1 : 2); }
constexpr int64_t HighBytes(DataType type) {
  return BitsOf(type) == 5 ? kTileRows * kGroup / 8 : BitsOf(type) == 6 ? kTileRows * kGroup / 4 : 0;
}
constexpr int64_t GroupBytes(DataType type) { return ValueBytes(type) + HighBytes(type); }
// Two groups and, before them, their scales.
constexpr int64_t PairBytes(DataType type) { return 2 * (ScaleBytes(type) + GroupBytes(type)); }
// What a block of the K types begins with, and the whole block.
constexpr int64_t HeadBytes(DataType type) { return IsSuperBlock(type) ? 4 * kTileRows : 0; }
constexpr int64_t SuperBytes(DataType type) { return HeadBytes(type) + kSuperGroups / 2 * PairBytes(type); }

// Offsets in a tile of what belongs to a group.
struct GroupPlace {
  int64_t head;  // of its block, of the K types
  int64_t scales;
  int64_t values;
  int64_t high_bits;
};
constexpr GroupPlace PlaceOf(DataType type, int64_t group) {
  const int64_t head = IsSuperBlock(type) ? group / kSuperGroups * SuperBytes(type) : 0;
  const int64_t in_block = IsSuperBlock(type) ? group % kSuperGroups : group;
  const int64_t pair = head + HeadBytes(type) + in_block / 2 * PairBytes(type);
  const int64_t values = pair + 2 * ScaleBytes(type) + group % 2 * GroupBytes(type);
  return {head, pair + group % 2 * ScaleBytes(type), values, values + ValueBytes(type)};
}

int64_t PackedTiles(int64_t rows);
// A multiple of 64.
int64_t PackedTileBytes(DataType type, int64_t columns);
int64_t PackedBytes(const Matrix& matrix);

// Rearranges rows [16 · tile, 16 · tile + 16) of `matrix` into `out`, PackedTileBytes long.
void PackTile(const Matrix& matrix, int64_t tile, std::byte* out);

}  // namespace portcullis::inference
