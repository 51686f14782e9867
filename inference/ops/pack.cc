#include "inference/ops/pack.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace portcullis::inference {
namespace {

constexpr int64_t kHalfBytes = 2 * kTileRows;  // sixteen f16

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
};

// Q4_0, Q4_1, Q5_0 and Q5_1; see dequantize.cc for the blocks. Their order of nibbles is that of the
// packed group.
template <DataType kType>
void PutSmall(const std::byte* blocks, const Tile& tile) {
  constexpr int64_t kHead = HasMinima(kType) ? 4 : 2;
  constexpr int64_t kHigh = BitsOf(kType) == 5 ? 4 : 0;
  constexpr int64_t kBytes = kHead + kHigh + 16;
  for (int64_t g = 0; g < tile.groups; ++g, blocks += kBytes) {
    const auto place = PlaceOf(kType, g);
    std::byte* scales = tile.out + place.scales + 2 * tile.row;
    std::memcpy(scales, blocks, 2);
    if constexpr (HasMinima(kType)) std::memcpy(scales + kHalfBytes, blocks + 2, 2);
    std::byte* values = tile.out + place.values;
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
      Store32(tile.out + place.high_bits, tile.row, fifths);
    }
  }
}

void PutQ8_0(const std::byte* blocks, const Tile& tile) {
  for (int64_t g = 0; g < tile.groups; ++g, blocks += 34) {
    const auto place = PlaceOf(DataType::kQ8_0, g);
    std::memcpy(tile.out + place.scales + 2 * tile.row, blocks, 2);
    std::byte* values = tile.out + place.values;
    for (int64_t s = 0; s < 8; ++s) {
      Store32(values, s * kTileRows + tile.row, Load32(blocks + 2 + 4 * s));
    }
  }
}

// Q4_K and Q5_K; see dequantize.cc for the blocks.
void PutScaleAndMinimum(const std::byte* packed, int64_t g, std::byte* out) {
  if (g < 4) {
    out[0] = packed[g] & std::byte{63};
    out[kTileRows] = packed[g + 4] & std::byte{63};
  } else {
    out[0] = (packed[g + 4] & std::byte{15}) | (packed[g - 4] >> 6) << 4;
    out[kTileRows] = packed[g + 4] >> 4 | (packed[g] >> 6) << 4;
  }
}

template <bool kFiveBits>
void PutK45(const std::byte* blocks, const Tile& tile) {
  constexpr DataType kType = kFiveBits ? DataType::kQ5_K : DataType::kQ4_K;
  constexpr int64_t kBytes = kFiveBits ? 176 : 144;
  for (int64_t s = 0; s < tile.groups / kSuperGroups; ++s, blocks += kBytes) {
    std::byte* head = tile.out + s * SuperBytes(kType);
    std::memcpy(head + 2 * tile.row, blocks, 2);
    std::memcpy(head + kHalfBytes + 2 * tile.row, blocks + 2, 2);
    const auto* high = reinterpret_cast<const uint8_t*>(blocks + 16);
    const auto* nibbles = reinterpret_cast<const uint8_t*>(blocks + kBytes - 128);
    for (int64_t g = 0; g < kSuperGroups; ++g) {
      const auto place = PlaceOf(kType, s * kSuperGroups + g);
      PutScaleAndMinimum(blocks + 4, g, tile.out + place.scales + tile.row);
      uint8_t values[kGroup];
      for (int64_t i = 0; i < kGroup; ++i) {
        const uint8_t pair = nibbles[g / 2 * kGroup + i];
        values[i] = g % 2 == 0 ? pair & 15 : pair >> 4;
        if constexpr (kFiveBits) values[i] |= static_cast<uint8_t>((high[i] >> g & 1) << 4);
      }
      PutNibbles(values, tile.row, tile.out + place.values);
      if constexpr (kFiveBits) PutFifthBits(values, tile.row, tile.out + place.high_bits);
    }
  }
}

void PutQ6_K(const std::byte* blocks, const Tile& tile) {
  for (int64_t s = 0; s < tile.groups / kSuperGroups; ++s, blocks += 210) {
    std::memcpy(tile.out + s * SuperBytes(DataType::kQ6_K) + 2 * tile.row, blocks + 208, 2);
    const auto* lows = reinterpret_cast<const uint8_t*>(blocks);
    const auto* highs = lows + 128;
    for (int64_t g = 0; g < kSuperGroups; ++g) {
      const auto place = PlaceOf(DataType::kQ6_K, s * kSuperGroups + g);
      std::byte* scales = tile.out + place.scales;
      scales[tile.row] = blocks[192 + 2 * g];
      scales[kTileRows + tile.row] = blocks[192 + 2 * g + 1];
      const int64_t half = g / 4, run = g % 4;
      uint8_t values[kGroup];
      for (int64_t i = 0; i < kGroup; ++i) {
        const int low = lows[half * 64 + run % 2 * 32 + i] >> (run < 2 ? 0 : 4) & 15;
        const int high = highs[half * 32 + i] >> 2 * run & 3;
        values[i] = static_cast<uint8_t>(low | high << 4);
      }
      PutNibbles(values, tile.row, tile.out + place.values);
      PutHighPairs(values, tile.row, tile.out + place.high_bits);
    }
  }
}

}  // namespace

size_t PackedIndex(DataType type) {
  return static_cast<size_t>(std::ranges::find(kPackedTypes, type) - std::begin(kPackedTypes));
}

int64_t PackedTiles(int64_t rows) { return (rows + kTileRows - 1) / kTileRows; }

int64_t PackedTileBytes(DataType type, int64_t columns) {
  const int64_t groups = columns / kGroup;
  if (IsSuperBlock(type)) return groups / kSuperGroups * SuperBytes(type);
  return groups / 2 * PairBytes(type) + groups % 2 * (2 * ScaleBytes(type) + GroupBytes(type));
}

int64_t PackedBytes(const Matrix& matrix) {
  return PackedTiles(matrix.rows) * PackedTileBytes(matrix.type, matrix.columns);
}

void PackTile(const Matrix& matrix, int64_t tile, std::byte* out) {
  const int64_t begin = tile * kTileRows;
  const int64_t rows = std::min(kTileRows, matrix.rows - begin);
  std::memset(out, 0, static_cast<size_t>(PackedTileBytes(matrix.type, matrix.columns)));
  for (int64_t row = 0; row < rows; ++row) {
    const Tile target{out, row, matrix.columns / kGroup};
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
