// Token rows of packed tiles, written once over a vector type and instantiated by each instruction
// level's file (anonymous types: nothing of one level's code can be linked into another's).
// A register holds four neighbouring columns of kLanes rows, so a dot product of four terms per
// lane with the same four inputs everywhere, eight times, is a group of 32 for kLanes outputs.
// Integer sums are exact; what is rounded is, per group and in this order:
//   step = scale · x.scale;  y = fma(sum, step, y);  with minima  y = fma(min, x.scaled_sum, y),
// where the K types subtract theirs.
// Simd gives kLanes, kBytes, kMaxRows, kPrefetchInto, the types Bytes, Ints, Floats and the functions used below.
// Simd::Dot is where saturation must be impossible: see the proofs there; it calls `prefetch` with the number of
// each step before it.
#pragma once

#include <cstring>
#include <utility>

#include "inference/ops/kernels.h"
#include "inference/ops/kernels/prefetch.h"
#include "inference/ops/pack.h"

namespace portcullis::inference {

// Tiles follow one another: what comes is asked for across the borders of tiles and of pages, where
// the processor's own guess ends. How far ahead: the fastest of 1024 to 20480.
constexpr int64_t kPrefetchBytes = 12288;

template <DataType kType>
constexpr int kLinesOfGroup = kType == DataType::kQ8_0 ? 8 : 4;

// Prefetches for a coming group the lines that are `lines` now, evenly between the eight steps of kRows rows. Those of
// 8-bit weights are prefetched where this group's are loaded: they wait for memory more than for arithmetic.
template <DataType kType, int kRows, CacheLevel kLevel>
struct PrefetchBetweenSteps {
  static constexpr int kEvery = 8 * kRows / kLinesOfGroup<kType>;
  const std::byte* lines;
  int first;

  void operator()(int step) const {
    if constexpr (kType == DataType::kQ8_0) return;
    const int at = first + step;
    if (at % kEvery == 0) PrefetchApart<kLevel>(lines, kPrefetchBytes + at / kEvery * kLineBytes);
  }
};

template <class Simd, DataType kType>
struct TileReader {
  using Bytes = typename Simd::Bytes;

  template <int kMask, int kBits, int... kSteps>
  static void InsertHigh(Bytes high, Bytes* w, std::integer_sequence<int, kSteps...>) {
    ((w[kSteps] = Simd::template Insert<4 - kBits * kSteps, kMask>(high, w[kSteps])), ...);
  }

  template <bool kPrefetch>
  static void Prefetch(const std::byte* from, int64_t ahead) {
    if constexpr (kPrefetch) PrefetchApart<Simd::kPrefetchInto>(from, ahead);
  }

  // The eight steps of group `g`, lanes of register `part`. Prefetches what PrefetchBetweenSteps does not, unless
  // told not to.
  template <bool kPrefetch>
  static void Values(const std::byte* block, const PackedLayout& layout, int64_t g, int part,
                     Bytes* w) {
    const std::byte* at = block + part * Simd::kBytes;
    if constexpr (kType == DataType::kQ8_0) {
      for (int s = 0; s < 8; ++s) {
        const std::byte* line = at + layout.values + g * 512 + s * kLineBytes;
        Prefetch<kPrefetch>(line, kPrefetchBytes);
        w[s] = Simd::LoadSigned(line);
      }
      return;
    }
    for (int j = 0; j < 4; ++j) {
      const Bytes pair = Simd::Load(at + layout.values + g * 256 + 64 * j);
      w[j] = Simd::LowNibbles(pair);
      w[4 + j] = Simd::HighNibbles(pair);
    }
    [[maybe_unused]] const int64_t ahead = IsSuperBlock(kType) ? kPrefetchBytes : layout.block_bytes;
    if constexpr (BitsOf(kType) == 5) {
      Prefetch<kPrefetch>(at + layout.high_bits + g * 64, ahead);
      InsertHigh<0x10, 1>(Simd::Load(at + layout.high_bits + g * 64), w,
                          std::make_integer_sequence<int, 8>());
    }
    if constexpr (kType == DataType::kQ6_K) {
      const std::byte* high = at + layout.high_bits + g * 128;
      Prefetch<kPrefetch>(high, ahead);
      InsertHigh<0x30, 2>(Simd::Load(high), w, std::make_integer_sequence<int, 4>());
      Prefetch<kPrefetch>(high + kLineBytes, ahead);
      InsertHigh<0x30, 2>(Simd::Load(high + 64), w + 4, std::make_integer_sequence<int, 4>());
    }
  }
};

template <class Simd, DataType kType, int kRows>
void TileRows(const std::byte* tile, int64_t columns, const QuantizedGroup* x, float* y) {
  using Floats = typename Simd::Floats;
  using Ints = typename Simd::Ints;
  constexpr int kBits = BitsOf(kType);
  using Ahead = PrefetchBetweenSteps<kType, kRows, Simd::kPrefetchInto>;
  constexpr auto prefetch = PrefetchApart<Simd::kPrefetchInto>;
  const PackedLayout layout = PackedLayoutOf(kType, columns);
  const int64_t groups = columns / kGroup;
  for (int part = 0; part < kTileRows / Simd::kLanes; ++part) {
    Floats sums[kRows];
    for (int r = 0; r < kRows; ++r) sums[r] = Simd::Zero();
    const std::byte* block = tile;
    for (int64_t begin = 0; begin < groups; begin += layout.block_groups) {
      const std::byte* scales = block + layout.scales;
      Floats super_scale = Simd::Zero(), super_minimum = Simd::Zero();
      if constexpr (IsSuperBlock(kType)) {
        super_scale = Simd::Halves(block + part * 2 * Simd::kLanes);
        super_minimum = Simd::Halves(block + 2 * kTileRows + part * 2 * Simd::kLanes);
      }
      for (int64_t g = 0; g < layout.block_groups; ++g, scales += ScaleBytes(kType)) {
        // Compilers that are told to clear variables would clear these for each group.
        __attribute__((uninitialized)) typename Simd::Bytes w[8];
        TileReader<Simd, kType>::template Values<true>(block, layout, g, part, w);
        const std::byte* lines = block + layout.values + g * kLinesOfGroup<kType> * kLineBytes;
        // Scales that lie together are a stream of their own: those of the next tile. Those of a block come
        // with it, before its values.
        if constexpr (!IsSuperBlock(kType)) {
          if (g * ScaleBytes(kType) % kLineBytes == 0) prefetch(scales, layout.block_bytes);
        } else if (g * kLineBytes < layout.values) {
          prefetch(block, kPrefetchBytes + g * kLineBytes);
        }
        const QuantizedGroup* in = x + begin + g;
        const std::byte* own = scales + part * Simd::kLanes;
        if constexpr (kType == DataType::kQ6_K) {
          const Floats first = Simd::Mul(super_scale, Simd::SignedBytes(own));
          const Floats second = Simd::Mul(super_scale, Simd::SignedBytes(own + kTileRows));
          for (int r = 0; r < kRows; ++r, in += groups) {
            const Ints half = Simd::template Offset<32>(in->negative_half);
            const Ints whole = Simd::template Offset<32>(in->negative_sum);
            const Ints a = Simd::template Dot<kBits, 4>(w, in->values, half, Ahead{lines, 8 * r});
            const Ints b = Simd::template Dot<kBits, 4>(w + 4, in->values + 16, Simd::Sub(whole, half),
                                                        Ahead{lines, 8 * r + 4});
            const Floats factor = Simd::Splat(in->scale);
            sums[r] = Simd::Fma(Simd::ToFloats(a), Simd::Mul(first, factor), sums[r]);
            sums[r] = Simd::Fma(Simd::ToFloats(b), Simd::Mul(second, factor), sums[r]);
          }
        } else if constexpr (IsSuperBlock(kType)) {
          const Floats scale = Simd::Mul(super_scale, Simd::UnsignedBytes(own));
          const Floats minimum = Simd::Mul(super_minimum, Simd::UnsignedBytes(own + kTileRows));
          for (int r = 0; r < kRows; ++r, in += groups) {
            const Ints sum =
                Simd::template Dot<kBits, 8>(w, in->values, Simd::ZeroInts(), Ahead{lines, 8 * r});
            sums[r] = Simd::Fma(Simd::ToFloats(sum), Simd::Mul(scale, Simd::Splat(in->scale)),
                                sums[r]);
            sums[r] = Simd::Fnma(minimum, Simd::Splat(in->scaled_sum), sums[r]);
          }
        } else {
          constexpr int kZero = kType == DataType::kQ8_0   ? Simd::kSignedOffset
                                : kType == DataType::kQ4_0 ? 8
                                : kType == DataType::kQ5_0 ? 16
                                                           : 0;
          const Floats scale = Simd::Halves(scales + part * 2 * Simd::kLanes);
          Floats minimum = Simd::Zero();
          if constexpr (HasMinima(kType)) {
            minimum = Simd::Halves(scales + 2 * kTileRows + part * 2 * Simd::kLanes);
          }
          for (int r = 0; r < kRows; ++r, in += groups) {
            const Ints sum = Simd::template Dot<kBits, 8>(
                w, in->values, Simd::template Offset<kZero>(in->negative_sum), Ahead{lines, 8 * r});
            sums[r] = Simd::Fma(Simd::ToFloats(sum), Simd::Mul(scale, Simd::Splat(in->scale)),
                                sums[r]);
            if constexpr (HasMinima(kType)) {
              sums[r] = Simd::Fma(minimum, Simd::Splat(in->scaled_sum), sums[r]);
            }
          }
        }
      }
      block += layout.block_bytes;
    }
    for (int r = 0; r < kRows; ++r) Simd::Store(y + r * kTileRows + part * Simd::kLanes, sums[r]);
  }
}

template <class Simd, DataType kType>
void RunTile(const std::byte* tile, int64_t columns, const QuantizedGroup* x, int64_t m,
             float* y) {
  const int64_t groups = columns / kGroup;
  while (m > 0) {
    int64_t rows = 1;
    if (Simd::kMaxRows >= 8 && m >= 8) {
      rows = 8;
      TileRows<Simd, kType, Simd::kMaxRows>(tile, columns, x, y);
    } else if (m >= 4) {
      rows = 4;
      TileRows<Simd, kType, 4>(tile, columns, x, y);
    } else if (m >= 2) {
      rows = 2;
      TileRows<Simd, kType, 2>(tile, columns, x, y);
    } else {
      TileRows<Simd, kType, 1>(tile, columns, x, y);
    }
    x += rows * groups;
    y += rows * kTileRows;
    m -= rows;
  }
}

}  // namespace portcullis::inference
