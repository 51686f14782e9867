#include "inference/ops/pack.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace portcullis::inference {
namespace {

constexpr int64_t kLine = 64;
constexpr int64_t kHalfBytes = 2 * kTileRows;      // sixteen f16
constexpr int64_t kNibbleBytes = kTileRows * kGroup / 2;
constexpr int64_t kSuperHead = 2 * kHalfBytes;     // scales, minimum scales of a super-block
constexpr int64_t kSuperScales = kSuperGroups * 2 * kTileRows;

int64_t RoundUp(int64_t value) { return (value + kLine - 1) / kLine * kLine; }

uint32_t Load32(const void* source) {
  uint32_t value;
  std::memcpy(&value, source, sizeof value);
  return value;
}

// Four columns of one row; `index` counts groups of four bytes.
void Store32(std::byte* out, int64_t index, uint32_t value) {
  std::memcpy(out + 4 * index, &value, sizeof value);
}

// Values 0-15 of a group of 32 go into the low nibbles, 16-31 into the high ones.
void PutNibbles(const uint8_t* values, int64_t row, std::byte* out) {
  for (int64_t j = 0; j < 4; ++j) {
    const uint32_t low = Load32(values + 4 * j) & 0x0f0f0f0f;
    const uint32_t high = Load32(values + 16 + 4 * j) & 0x0f0f0f0f;
    Store32(out, j * kTileRows + row, low | high << 4);
  }
}

// Bit s of a byte is the fifth bit of step s (columns 4s to 4s + 3).
void PutFifthBits(const uint8_t* values, int64_t row, std::byte* out) {
  uint32_t bits = 0;
  for (int s = 0; s < 8; ++s) bits |= ((Load32(values + 4 * s) >> 4) & 0x01010101) << s;
  Store32(out, row, bits);
}

// Two bits for each step: steps 0-3 in the first 64 bytes, 4-7 in the second.
void PutHighPairs(const uint8_t* values, int64_t row, std::byte* out) {
  for (int half = 0; half < 2; ++half) {
    uint32_t bits = 0;
    for (int s = 0; s < 4; ++s) {
      bits |= ((Load32(values + 16 * half + 4 * s) >> 4) & 0x03030303) << 2 * s;
    }
    Store32(out, half * kTileRows + row, bits);
  }
}

struct Tile {
  std::byte* out;
  int64_t row;
  int64_t groups;
  PackedLayout layout;
};

// Q4_0, Q4_1, Q5_0 and Q5_1; see dequantize.cc for the blocks. Their order of nibbles is that of the
// packed group.
template <DataType kType>
void PutSmall(const std::byte* blocks, const Tile& tile) {
  constexpr int64_t kHead = HasMinima(kType) ? 4 : 2;
  constexpr int64_t kHigh = BitsOf(kType) == 5 ? 4 : 0;
  constexpr int64_t kBytes = kHead + kHigh + 16;
  for (int64_t g = 0; g < tile.groups; ++g, blocks += kBytes) {
    std::byte* scales = tile.out + tile.layout.scales + g * ScaleBytes(kType) + 2 * tile.row;
    std::memcpy(scales, blocks, 2);
    if constexpr (HasMinima(kType)) std::memcpy(scales + kHalfBytes, blocks + 2, 2);
    std::byte* values = tile.out + tile.layout.values + g * kNibbleBytes;
    for (int64_t j = 0; j < 4; ++j) {
      Store32(values, j * kTileRows + tile.row, Load32(blocks + kHead + kHigh + 4 * j));
    }
    if constexpr (kHigh > 0) {
      const uint32_t bits = Load32(blocks + kHead);
      uint32_t fifths = 0;
      for (int step = 0; step < 8; ++step) {
        // Four bits move to the lowest bits of four bytes.
        fifths |= ((bits >> 4 * step & 15) * 0x00204081u & 0x01010101u) << step;
      }
      Store32(tile.out + tile.layout.high_bits + g * 4 * kTileRows, tile.row, fifths);
    }
  }
}

void PutQ8_0(const std::byte* blocks, const Tile& tile) {
  for (int64_t g = 0; g < tile.groups; ++g, blocks += 34) {
    std::memcpy(tile.out + tile.layout.scales + g * kHalfBytes + 2 * tile.row, blocks, 2);
    std::byte* values = tile.out + tile.layout.values + g * 2 * kNibbleBytes;
    for (int64_t s = 0; s < 8; ++s) {
      Store32(values, s * kTileRows + tile.row, Load32(blocks + 2 + 4 * s));
    }
  }
}

// Q4_K and Q5_K; see dequantize.cc for the blocks.
void PutScalesAndMinima(const std::byte* packed, int64_t row, std::byte* out) {
  for (int64_t g = 0; g < kSuperGroups; ++g) {
    std::byte scale, minimum;
    if (g < 4) {
      scale = packed[g] & std::byte{63};
      minimum = packed[g + 4] & std::byte{63};
    } else {
      scale = (packed[g + 4] & std::byte{15}) | (packed[g - 4] >> 6) << 4;
      minimum = packed[g + 4] >> 4 | (packed[g] >> 6) << 4;
    }
    out[g * 2 * kTileRows + row] = scale;
    out[(g * 2 + 1) * kTileRows + row] = minimum;
  }
}

template <bool kFiveBits>
void PutK45(const std::byte* blocks, const Tile& tile) {
  const auto& layout = tile.layout;
  constexpr int64_t kBytes = kFiveBits ? 176 : 144;
  for (int64_t s = 0; s < tile.groups / kSuperGroups; ++s, blocks += kBytes) {
    std::byte* out = tile.out + s * layout.block_bytes;
    std::memcpy(out + 2 * tile.row, blocks, 2);
    std::memcpy(out + kHalfBytes + 2 * tile.row, blocks + 2, 2);
    PutScalesAndMinima(blocks + 4, tile.row, out + layout.scales);
    const auto* high = reinterpret_cast<const uint8_t*>(blocks + 16);
    const auto* nibbles = reinterpret_cast<const uint8_t*>(blocks + kBytes - 128);
    for (int64_t g = 0; g < kSuperGroups; ++g) {
      uint8_t values[kGroup];
      for (int64_t i = 0; i < kGroup; ++i) {
        const uint8_t pair = nibbles[g / 2 * kGroup + i];
        values[i] = g % 2 == 0 ? pair & 15 : pair >> 4;
        if constexpr (kFiveBits) values[i] |= static_cast<uint8_t>((high[i] >> g & 1) << 4);
      }
      PutNibbles(values, tile.row, out + layout.values + g * kNibbleBytes);
      if constexpr (kFiveBits) {
        PutFifthBits(values, tile.row, out + layout.high_bits + g * 4 * kTileRows);
      }
    }
  }
}

void PutQ6_K(const std::byte* blocks, const Tile& tile) {
  const auto& layout = tile.layout;
  for (int64_t s = 0; s < tile.groups / kSuperGroups; ++s, blocks += 210) {
    std::byte* out = tile.out + s * layout.block_bytes;
    std::memcpy(out + 2 * tile.row, blocks + 208, 2);
    const auto* lows = reinterpret_cast<const uint8_t*>(blocks);
    const auto* highs = lows + 128;
    for (int64_t g = 0; g < kSuperGroups; ++g) {
      std::byte* scales = out + layout.scales + g * 2 * kTileRows;
      scales[tile.row] = blocks[192 + 2 * g];
      scales[kTileRows + tile.row] = blocks[192 + 2 * g + 1];
      const int64_t half = g / 4, run = g % 4;
      uint8_t values[kGroup];
      for (int64_t i = 0; i < kGroup; ++i) {
        const int low = lows[half * 64 + run % 2 * 32 + i] >> (run < 2 ? 0 : 4) & 15;
        const int high = highs[half * 32 + i] >> 2 * run & 3;
        values[i] = static_cast<uint8_t>(low | high << 4);
      }
      PutNibbles(values, tile.row, out + layout.values + g * kNibbleBytes);
      PutHighPairs(values, tile.row, out + layout.high_bits + g * 8 * kTileRows);
    }
  }
}

}  // namespace

size_t PackedIndex(DataType type) {
  return static_cast<size_t>(std::ranges::find(kPackedTypes, type) - std::begin(kPackedTypes));
}

int64_t PackedTiles(int64_t rows) { return (rows + kTileRows - 1) / kTileRows; }

PackedLayout PackedLayoutOf(DataType type, int64_t columns) {
  const int64_t groups = columns / kGroup;
  constexpr int64_t kSuperValues = kSuperHead + kSuperScales;
  constexpr int64_t kSuperHigh = kSuperValues + kSuperGroups * kNibbleBytes;
  switch (type) {
    case DataType::kQ4_0:
    case DataType::kQ4_1:
    case DataType::kQ5_0:
    case DataType::kQ5_1: {
      const int64_t high_bits = groups * kNibbleBytes;
      const int64_t scales = high_bits + (BitsOf(type) == 5 ? groups * 4 * kTileRows : 0);
      return {groups, scales + RoundUp(groups * ScaleBytes(type)), 0, high_bits, scales};
    }
    case DataType::kQ8_0: {
      const int64_t scales = groups * 2 * kNibbleBytes;
      return {groups, scales + RoundUp(groups * kHalfBytes), 0, 0, scales};
    }
    case DataType::kQ4_K: return {kSuperGroups, kSuperHigh, kSuperValues, 0, kSuperHead};
    case DataType::kQ5_K:
      return {kSuperGroups, kSuperHigh + kSuperGroups * 4 * kTileRows, kSuperValues, kSuperHigh,
              kSuperHead};
    case DataType::kQ6_K:
      return {kSuperGroups, kSuperHigh + kSuperGroups * 8 * kTileRows, kSuperValues, kSuperHigh,
              kSuperHead};
    default: return {1, 0, 0, 0, 0};
  }
}

int64_t PackedTileBytes(DataType type, int64_t columns) {
  const auto layout = PackedLayoutOf(type, columns);
  return columns / kGroup / layout.block_groups * layout.block_bytes;
}

int64_t PackedBytes(const Matrix& matrix) {
  return PackedTiles(matrix.rows) * PackedTileBytes(matrix.type, matrix.columns);
}

void PackTile(const Matrix& matrix, int64_t tile, std::byte* out) {
  const int64_t begin = tile * kTileRows;
  const int64_t rows = std::min(kTileRows, matrix.rows - begin);
  std::memset(out, 0, static_cast<size_t>(PackedTileBytes(matrix.type, matrix.columns)));
  for (int64_t row = 0; row < rows; ++row) {
    const Tile target{out, row, matrix.columns / kGroup,
                      PackedLayoutOf(matrix.type, matrix.columns)};
    const std::byte* blocks = matrix.row(begin + row);
    switch (matrix.type) {
      case DataType::kQ4_0: PutSmall<DataType::kQ4_0>(blocks, target); break;
      case DataType::kQ4_1: PutSmall<DataType::kQ4_1>(blocks, target); break;
      case DataType::kQ5_0: PutSmall<DataType::kQ5_0>(blocks, target); break;
      case DataType::kQ5_1: PutSmall<DataType::kQ5_1>(blocks, target); break;
      case DataType::kQ8_0: PutQ8_0(blocks, target); break;
      case DataType::kQ4_K: PutK45<false>(blocks, target); break;
      case DataType::kQ5_K: PutK45<true>(blocks, target); break;
      case DataType::kQ6_K: PutQ6_K(blocks, target); break;
      default: break;
    }
  }
}

}  // namespace portcullis::inference
