// Token rows on the tile registers of AMX: products of signed input bytes and weight bytes, exact in
// 32 bits, 4096 to 8192 an instruction. A packed group of 32 columns already lies as TDPBSSD wants
// its second factor: a step is a tile's row. What is done with the sums is, operation for operation,
// what packed_tile.h does, so the bits are those of all other levels.
// Tile loads do not receive what is still on its way to the cache. Unpacking, multiplying and summing
// therefore work on three neighbouring chunks of groups, each one step behind the one before.
#include <cstring>

#include "inference/ops/kernels/amx.h"
#include "inference/ops/kernels/packed_tile.h"
#include "inference/ops/kernels/simd512.h"
#include "inference/ops/kernels/tile_config.h"

namespace portcullis::inference::amx {
namespace {

constexpr int64_t kChunk = 4;  // groups
constexpr int64_t kLine = 64;

// One affine transformation of bits takes a nibble out, flips its top bit and copies that bit
// upwards: nibble - 8.
struct TileBytesLess8 : Simd512 {
  static constexpr int kFlip = 0xf8;
  static Bytes LowNibbles(Bytes pairs) {
    return _mm512_gf2p8affine_epi64_epi8(pairs, _mm512_set1_epi64(0x0102040808080808), kFlip);
  }
  static Bytes HighNibbles(Bytes pairs) {
    return _mm512_gf2p8affine_epi64_epi8(pairs, _mm512_set1_epi64(0x1020408080808080), kFlip);
  }
};

template <DataType kType>
constexpr bool kUnsigned =
    HasMinima(kType) || kType == DataType::kQ4_K || kType == DataType::kQ5_K;

template <DataType kType>
struct Place {  // of a group
  const std::byte* block;
  int64_t g;

  Place(const std::byte* tile, const PackedLayout& layout, int64_t group) : block(tile), g(group) {
    if constexpr (IsSuperBlock(kType)) {
      block += group / kSuperGroups * layout.block_bytes;
      g = group % kSuperGroups;
    }
  }
};

template <DataType kType>
void Unpack(const Place<kType>& at, const PackedLayout& layout, std::byte* out) {
  using Reader = TileReader<
      std::conditional_t<kType == DataType::kQ4_0, TileBytesLess8, Simd512>, kType>;
  __m512i w[8];
  Reader::Values(at.block, layout, at.g, 0, w);
  for (int s = 0; s < 8; ++s) {
    if constexpr (kType == DataType::kQ6_K) w[s] = _mm512_sub_epi8(w[s], _mm512_set1_epi8(32));
    if constexpr (kType == DataType::kQ5_0) w[s] = _mm512_sub_epi8(w[s], _mm512_set1_epi8(16));
    _mm512_store_si512(out + s * kLine, w[s]);
  }
}

// The products of a chunk, in the order of groups; of Q6_K each half of a group is one, because it has
// a scale of its own. Tiles 0-3 are sums, 4 and 5 inputs, 6 and 7 weights: four products in flight.
template <DataType kType, int kRows>
struct Products {
  static constexpr int64_t kOfGroup = kType == DataType::kQ6_K ? 2 : 1;
  static constexpr int64_t kDepth = kGroup / kOfGroup;
  static constexpr int64_t kSums = kRows * kTileRows;  // of a product
  static constexpr TileConfig MakeConfig() {
    TileConfig config;
    for (const int tile : {0, 1, 2, 3}) config.Set(tile, kRows, kLine);
    for (const int tile : {4, 5}) config.Set(tile, kRows, kDepth);
    for (const int tile : {6, 7}) config.Set(tile, kDepth / 4, kLine);
    return config;
  }
  static constexpr TileConfig kConfig = MakeConfig();

  static const int8_t* Inputs(const QuantizedBlock* x, int64_t product) {
    return x[product / kOfGroup].values[0] + product % kOfGroup * kDepth;
  }
  static const std::byte* Weights(const std::byte* weights, int64_t product) {
    return weights + product * kDepth * kTileRows;
  }

// The intrinsics want literal register numbers.
#define START_PRODUCT(SUMS, INPUTS, WEIGHTS, INDEX)      \
  _tile_zero(SUMS);                                      \
  _tile_loadd(INPUTS, Inputs(x, INDEX), kGroup);         \
  _tile_loadd(WEIGHTS, Weights(weights, INDEX), kLine);  \
  if constexpr (kUnsigned<kType>) {                      \
    _tile_dpbsud(SUMS, INPUTS, WEIGHTS);                 \
  } else {                                               \
    _tile_dpbssd(SUMS, INPUTS, WEIGHTS);                 \
  }
  static void Multiply(const QuantizedBlock* x, const std::byte* weights, int64_t groups,
                       int32_t* sums) {
    const int64_t count = groups * kOfGroup;
    int64_t i = 0;
    for (; i + 4 <= count; i += 4, sums += 4 * kSums) {
      START_PRODUCT(0, 4, 6, i)
      START_PRODUCT(1, 5, 7, i + 1)
      START_PRODUCT(2, 4, 6, i + 2)
      START_PRODUCT(3, 5, 7, i + 3)
      _tile_stored(0, sums, kLine);
      _tile_stored(1, sums + kSums, kLine);
      _tile_stored(2, sums + 2 * kSums, kLine);
      _tile_stored(3, sums + 3 * kSums, kLine);
    }
    for (; i < count; ++i, sums += kSums) {
      START_PRODUCT(0, 4, 6, i)
      _tile_stored(0, sums, kLine);
    }
  }
#undef START_PRODUCT
};

__m512 SumsOf(const int32_t* sums) {
  return _mm512_cvtepi32_ps(_mm512_load_si512(sums));
}

// The scales of a group as FORMAT.md has them, and the sums of one group added to those before.
template <DataType kType, int kRows>
void AddGroup(const Place<kType>& at, const PackedLayout& layout, const QuantizedBlock& x,
              const int32_t* sums, __m512* totals) {
  const std::byte* scales = at.block + layout.scales + at.g * ScaleBytes(kType);
  if constexpr (!IsSuperBlock(kType)) {
    const __m512 scale = Simd512::Halves(scales);
    for (int r = 0; r < kRows; ++r) {
      const __m512 step = _mm512_mul_ps(scale, _mm512_set1_ps(x.scale[r]));
      totals[r] = _mm512_fmadd_ps(SumsOf(sums + r * kTileRows), step, totals[r]);
    }
    if constexpr (HasMinima(kType)) {
      const __m512 minimum = Simd512::Halves(scales + 2 * kTileRows);
      for (int r = 0; r < kRows; ++r) {
        totals[r] = _mm512_fmadd_ps(minimum, _mm512_set1_ps(x.scaled_sum[r]), totals[r]);
      }
    }
  } else if constexpr (kType == DataType::kQ6_K) {
    const __m512 super = Simd512::Halves(at.block);
    const __m512 first = _mm512_mul_ps(super, Simd512::SignedBytes(scales));
    const __m512 second = _mm512_mul_ps(super, Simd512::SignedBytes(scales + kTileRows));
    const int32_t* others = sums + kRows * kTileRows;
    for (int r = 0; r < kRows; ++r) {
      const __m512 factor = _mm512_set1_ps(x.scale[r]);
      totals[r] = _mm512_fmadd_ps(SumsOf(sums + r * kTileRows), _mm512_mul_ps(first, factor),
                                  totals[r]);
      totals[r] = _mm512_fmadd_ps(SumsOf(others + r * kTileRows), _mm512_mul_ps(second, factor),
                                  totals[r]);
    }
  } else {
    const __m512 scale = _mm512_mul_ps(Simd512::Halves(at.block), Simd512::UnsignedBytes(scales));
    const __m512 minimum = _mm512_mul_ps(Simd512::Halves(at.block + 2 * kTileRows),
                                         Simd512::UnsignedBytes(scales + kTileRows));
    for (int r = 0; r < kRows; ++r) {
      const __m512 step = _mm512_mul_ps(scale, _mm512_set1_ps(x.scale[r]));
      totals[r] = _mm512_fmadd_ps(SumsOf(sums + r * kTileRows), step, totals[r]);
      totals[r] = _mm512_fnmadd_ps(minimum, _mm512_set1_ps(x.scaled_sum[r]), totals[r]);
    }
  }
}

// `rows` of the kRows are real.
template <DataType kType, int kRows>
void MultiplyBlock(const std::byte* tile, int64_t columns, const QuantizedBlock* x, int64_t rows,
                   float* y) {
  using Own = Products<kType, kRows>;
  constexpr bool kPackedBytes = kType == DataType::kQ8_0;  // need no unpacking
  constexpr int64_t kGroupBytes = kGroup * kTileRows;
  const PackedLayout layout = PackedLayoutOf(kType, columns);
  const int64_t groups = columns / kGroup;
  alignas(64) std::byte weights[2][kChunk * kGroupBytes];
  constexpr int64_t kGroupSums = Own::kOfGroup * Own::kSums;
  alignas(64) int32_t sums[2][kChunk * kGroupSums];
  __m512 totals[kRows];
  for (int r = 0; r < kRows; ++r) totals[r] = _mm512_setzero_ps();
  _tile_loadconfig(&Own::kConfig);
  const auto end_of = [groups](int64_t chunk) {
    return groups < (chunk + 1) * kChunk ? groups : (chunk + 1) * kChunk;
  };
  const int64_t chunks = (groups + kChunk - 1) / kChunk;
  for (int64_t chunk = 0; chunk < chunks + 2; ++chunk) {
    if (chunk >= 2) {
      const int32_t* from = sums[(chunk - 1) % 2];
      for (int64_t group = (chunk - 2) * kChunk; group < end_of(chunk - 2); ++group) {
        AddGroup<kType, kRows>({tile, layout, group}, layout, x[group], from, totals);
        from += kGroupSums;
      }
    }
    if (chunk >= 1 && chunk <= chunks) {
      const int64_t first = (chunk - 1) * kChunk, count = end_of(chunk - 1) - first;
      const std::byte* from = weights[(chunk - 1) % 2];
      if constexpr (kPackedBytes) {
        from = tile + layout.values + first * kGroupBytes;
        for (int64_t g = 0; g < count; ++g) PrefetchGroup<kType>(from + g * kGroupBytes);
      }
      FinishStores();
      Own::Multiply(x + first, from, count, sums[chunk % 2]);
    }
    if constexpr (!kPackedBytes) {
      std::byte* to = weights[chunk % 2];
      for (int64_t group = chunk * kChunk; group < end_of(chunk); ++group) {
        Unpack<kType>({tile, layout, group}, layout, to);
        to += kGroupBytes;
      }
    }
  }
  _tile_release();
  for (int r = 0; r < kRows; ++r) {
    if (r < rows) _mm512_storeu_ps(y + r * kTileRows, totals[r]);
  }
}

template <DataType kType>
void Multiply(const std::byte* tile, int64_t columns, const QuantizedBlock* x, int64_t rows,
              float* y) {
  if (rows <= 8) {
    MultiplyBlock<kType, 8>(tile, columns, x, rows, y);
  } else {
    MultiplyBlock<kType, 16>(tile, columns, x, rows, y);
  }
}

}  // namespace

void LayOutTokens(const float* x, int64_t x_stride, int64_t rows, int64_t columns,
                  QuantizedBlock* out) {
  constexpr int64_t kTogether = 8;
  const int64_t groups = columns / kGroup;
  QuantizedGroup some[kTogether];
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t begin = 0; begin < groups; begin += kTogether) {
      const int64_t count = groups - begin < kTogether ? groups - begin : kTogether;
      if (row < rows) {
        Simd512::Quantize(x + row * x_stride + begin * kGroup, count * kGroup, some);
      } else {
        std::memset(some, 0, sizeof some);
      }
      for (int64_t g = 0; g < count; ++g) {
        QuantizedBlock& block = out[begin + g];
        std::memcpy(block.values[row], some[g].values, kGroup);
        block.scale[row] = some[g].scale;
        block.scaled_sum[row] = some[g].scaled_sum;
      }
    }
  }
}

void MultiplyTokens(DataType type, const std::byte* tile, int64_t columns,
                    const QuantizedBlock* x, int64_t rows, float* y) {
  switch (type) {
    case DataType::kQ8_0: return Multiply<DataType::kQ8_0>(tile, columns, x, rows, y);
    case DataType::kQ4_K: return Multiply<DataType::kQ4_K>(tile, columns, x, rows, y);
    case DataType::kQ5_K: return Multiply<DataType::kQ5_K>(tile, columns, x, rows, y);
    case DataType::kQ6_K: return Multiply<DataType::kQ6_K>(tile, columns, x, rows, y);
    case DataType::kQ4_1: return Multiply<DataType::kQ4_1>(tile, columns, x, rows, y);
    case DataType::kQ5_0: return Multiply<DataType::kQ5_0>(tile, columns, x, rows, y);
    case DataType::kQ5_1: return Multiply<DataType::kQ5_1>(tile, columns, x, rows, y);
    default: return Multiply<DataType::kQ4_0>(tile, columns, x, rows, y);
  }
}

}  // namespace portcullis::inference::amx
