// Token rows on the tile registers of AMX: products of signed input bytes and weight bytes, exact in
// 32 bits, 4096 to 8192 an instruction. A packed group of 32 columns already lies as TDPBSSD wants
// its second factor: a step is a tile's row. What is done with the sums is, operation for operation,
// what packed_tile.h does, so the bits are those of all other levels.
// Tile loads do not receive what is still on its way to the cache. Each group is therefore unpacked two
// steps before it is multiplied, and its sums are added two steps after they were stored; four products are
// on their way at once, so that a store waits for none.
#include <cstring>
#include <utility>

#include "inference/ops/kernels/amx.h"
#include "inference/ops/kernels/packed_tile.h"
#include "inference/ops/kernels/simd512.h"
#include "inference/ops/kernels/tile_config.h"

namespace portcullis::inference::amx {
namespace {

constexpr int64_t kLine = 64;
constexpr int kInFlight = 4;          // products: tiles of sums
constexpr int64_t kUnpackAhead = 2;   // groups
constexpr int64_t kAddBehind = 2;     // products
constexpr int64_t kRing = 8;          // groups and products whose memory is not yet used again
constexpr int64_t kPrefetchAhead = 6144;  // bytes: as packed_tile.h does it, and the fastest here
static_assert(kUnpackAhead + 1 < kRing && kAddBehind + 1 < kRing);

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
void Unpack(const std::byte* group, std::byte* out) {
  using Reader = TileReader<
      std::conditional_t<kType == DataType::kQ4_0, TileBytesLess8, Simd512>, kType>;
  __m512i w[8];
  Reader::template Values<false>(group, 0, w);
  for (int s = 0; s < 8; ++s) {
    if constexpr (kType == DataType::kQ6_K) w[s] = _mm512_sub_epi8(w[s], _mm512_set1_epi8(32));
    if constexpr (kType == DataType::kQ5_0) w[s] = _mm512_sub_epi8(w[s], _mm512_set1_epi8(16));
    _mm512_store_si512(out + s * kLine, w[s]);
  }
}

// A product is what one instruction multiplies: a group; of Q6_K half a group, because it has a scale of its
// own.
template <DataType kType>
constexpr int64_t kProductsOfGroup = kType == DataType::kQ6_K ? 2 : 1;

// Tiles 0-3 are sums, 4 and 5 inputs, 6 and 7 weights.
template <DataType kType, int kRows>
constexpr TileConfig MakeConfig() {
  constexpr int64_t kDepth = kGroup / kProductsOfGroup<kType>;
  TileConfig config;
  for (const int tile : {0, 1, 2, 3}) config.Set(tile, kRows, kLine);
  for (const int tile : {4, 5}) config.Set(tile, kRows, kDepth);
  for (const int tile : {6, 7}) config.Set(tile, kDepth / 4, kLine);
  return config;
}
template <DataType kType, int kRows>
constexpr TileConfig kConfig = MakeConfig<kType, kRows>();

// The intrinsics want literal register numbers.
template <int kSums, bool kUnsignedWeights>
void StartProduct(const int8_t* inputs, const std::byte* weights) {
#define START_PRODUCT(SUMS, INPUTS, WEIGHTS)      \
  if constexpr (kSums == (SUMS)) {                \
    _tile_zero(SUMS);                             \
    _tile_loadd(WEIGHTS, weights, kLine);         \
    _tile_loadd(INPUTS, inputs, kGroup);          \
    if constexpr (kUnsignedWeights) {             \
      _tile_dpbsud(SUMS, INPUTS, WEIGHTS);        \
    } else {                                      \
      _tile_dpbssd(SUMS, INPUTS, WEIGHTS);        \
    }                                             \
  }
  START_PRODUCT(0, 4, 6)
  START_PRODUCT(1, 5, 7)
  START_PRODUCT(2, 4, 6)
  START_PRODUCT(3, 5, 7)
#undef START_PRODUCT
}

template <int kSums>
void StoreProduct(int32_t* sums) {
  if constexpr (kSums == 0) _tile_stored(0, sums, kLine);
  if constexpr (kSums == 1) _tile_stored(1, sums, kLine);
  if constexpr (kSums == 2) _tile_stored(2, sums, kLine);
  if constexpr (kSums == 3) _tile_stored(3, sums, kLine);
}

// The part of a tile that goes by with one product, of which the lines are prefetched one by one between the
// rows.
template <DataType kType>
struct Share {
  static constexpr int64_t kBytes =
      (IsSuperBlock(kType) ? SuperBytes(kType) / kSuperGroups : PairBytes(kType) / 2) / kProductsOfGroup<kType>;
  static constexpr int kLines = static_cast<int>((kBytes + kLine - 1) / kLine);

  const std::byte* from;
  // Prefetches what belongs to this of kRows rows, of what comes kPrefetchAhead later.
  template <int kRow, int kRows>
  [[gnu::always_inline]] void PrefetchAtRow() const {
    for (int line = kRow * kLines / kRows; line < (kRow + 1) * kLines / kRows; ++line) {
      PrefetchApart(from, kPrefetchAhead + line * kLine);
    }
  }
};

// The scales of a product as FORMAT.md has them.
struct Scale {
  __m512 scale;
  __m512 minimum;  // of types that have minima
};
template <DataType kType>
Scale ScaleOf(const std::byte* tile, int64_t group, int64_t half) {
  const GroupPlace place = PlaceOf(kType, group);
  const std::byte* scales = tile + place.scales;
  [[maybe_unused]] const std::byte* head = tile + place.head;
  if constexpr (HasMinima(kType)) {
    return {Simd512::Halves(scales), Simd512::Halves(scales + 2 * kTileRows)};
  } else if constexpr (!IsSuperBlock(kType)) {
    return {Simd512::Halves(scales), _mm512_setzero_ps()};
  } else if constexpr (kType == DataType::kQ6_K) {
    const __m512 super = Simd512::Halves(head);
    return {_mm512_mul_ps(super, Simd512::SignedBytes(scales + half * kTileRows)),
            _mm512_setzero_ps()};
  } else {
    return {_mm512_mul_ps(Simd512::Halves(head), Simd512::UnsignedBytes(scales)),
            _mm512_mul_ps(Simd512::Halves(head + 2 * kTileRows),
                          Simd512::UnsignedBytes(scales + kTileRows))};
  }
}

// Everything from here to MultiplyBlock has to become one function, in which the totals stay in registers: rows
// are numbers that the compiler knows.
template <DataType kType, int kRow>
[[gnu::always_inline]] inline void AddRow(const Scale& scale, const QuantizedBlock& x,
                                          const int32_t* sums, __m512& total) {
  const __m512 step = _mm512_mul_ps(scale.scale, _mm512_set1_ps(x.scale[kRow]));
  const __m512 sum = _mm512_cvtepi32_ps(_mm512_load_si512(sums + kRow * kTileRows));
  total = _mm512_fmadd_ps(sum, step, total);
  if constexpr (HasMinima(kType)) {
    total = _mm512_fmadd_ps(scale.minimum, _mm512_set1_ps(x.scaled_sum[kRow]), total);
  } else if constexpr (IsSuperBlock(kType) && kType != DataType::kQ6_K) {
    total = _mm512_fnmadd_ps(scale.minimum, _mm512_set1_ps(x.scaled_sum[kRow]), total);
  }
}

template <DataType kType, int... kRow>
[[gnu::always_inline]] inline void AddRows(const Scale& scale, const QuantizedBlock& x,
                                           const int32_t* sums, const Share<kType>& share,
                                           __m512* totals,
                                           std::integer_sequence<int, kRow...>) {
  constexpr int kRows = static_cast<int>(sizeof...(kRow));
  ((share.template PrefetchAtRow<kRow, kRows>(),
    AddRow<kType, kRow>(scale, x, sums, totals[kRow])),
   ...);
}

// One tile of weights times kRows rows of inputs, product by product.
template <DataType kType, int kRows>
struct Block {
  static constexpr bool kPackedBytes = kType == DataType::kQ8_0;  // need no unpacking
  static constexpr int64_t kGroupBytes = kGroup * kTileRows;
  static constexpr int64_t kOfGroup = kProductsOfGroup<kType>;

  const std::byte* tile;
  const QuantizedBlock* x;
  int64_t groups, products;
  alignas(64) std::byte weights[kRing][kGroupBytes];
  alignas(64) int32_t sums[kRing][kRows * kTileRows];

  void UnpackGroup(int64_t group) {
    if constexpr (!kPackedBytes) {
      if (group < groups) Unpack<kType>(tile + PlaceOf(kType, group).values, weights[group % kRing]);
    }
  }
  [[gnu::always_inline]] void Add(int64_t product, __m512* totals) const {
    const int64_t group = product / kOfGroup;
    const Share<kType> share{tile + product * Share<kType>::kBytes};
    AddRows<kType>(ScaleOf<kType>(tile, group, product % kOfGroup), x[group], sums[product % kRing], share,
                   totals, std::make_integer_sequence<int, kRows>());
  }
  // Starts a product, stores the oldest one and adds one stored before: those of them that exist.
  template <int kSums>
  [[gnu::always_inline]] void Step(int64_t product, __m512* totals) {
    const int64_t stored = product - (kInFlight - 1), added = stored - kAddBehind;
    if (stored >= 0 && stored < products) {
      StoreProduct<(kSums + 1) % kInFlight>(sums[stored % kRing]);
    }
    if (product < products) {
      const int64_t group = product / kOfGroup, half = product % kOfGroup;
      if (half == 0) UnpackGroup(group + kUnpackAhead);
      const std::byte* values =
          kPackedBytes ? tile + PlaceOf(kType, group).values : weights[group % kRing];
      FinishStores();
      StartProduct<kSums, kUnsigned<kType>>(x[group].values[0] + half * (kGroup / kOfGroup),
                                            values + half * (kGroupBytes / kOfGroup));
    }
    if (added >= 0 && added < products) Add(added, totals);
  }
  [[gnu::always_inline]] void Run(__m512* totals) {
    for (int64_t group = 0; group < kUnpackAhead; ++group) UnpackGroup(group);
    for (int64_t i = 0; i < products + kInFlight - 1 + kAddBehind; i += kInFlight) {
      Step<0>(i, totals);
      Step<1>(i + 1, totals);
      Step<2>(i + 2, totals);
      Step<3>(i + 3, totals);
    }
  }
};

// `rows` of the kRows are real.
template <DataType kType, int kRows>
void MultiplyBlock(const std::byte* tile, int64_t columns, const QuantizedBlock* x, int64_t rows,
                   float* y) {
  __attribute__((uninitialized)) Block<kType, kRows> block;
  block.tile = tile;
  block.x = x;
  block.groups = columns / kGroup;
  block.products = block.groups * block.kOfGroup;
  __m512 totals[kRows] = {};
  _tile_loadconfig(&kConfig<kType, kRows>);
  block.Run(totals);
  _tile_release();
  [&]<int... kRow>(std::integer_sequence<int, kRow...>) __attribute__((always_inline)) {
    ((kRow < rows ? _mm512_storeu_ps(y + kRow * kTileRows, totals[kRow]) : void()), ...);
  }(std::make_integer_sequence<int, kRows>());
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
