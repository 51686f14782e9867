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

// Tiles follow one another: what comes is asked for across the borders of pages, where the processor's own guess
// ends. How far ahead: the fastest of 1024 to 20480.
constexpr int64_t kPrefetchBytes = 12288;

// AMD's processors (Zen 4) read ahead by themselves what is used quickly enough, one row of inputs in registers of a
// whole line: a fifth more a second than what they are asked for. Everything else is asked for.
template <class Simd, int kRows>
constexpr bool kPrefetches =
    Simd::kPrefetchInto == CacheLevel::kFirst || kRows > 1 || Simd::kBytes < kLineBytes;

template <DataType kType>
constexpr int kLinesOfGroup = kType == DataType::kQ8_0 ? 8 : 4;

// Prefetches for a coming group the lines that are `lines` now, evenly between the eight steps of kRows rows. Those of
// 8-bit weights are prefetched where this group's are loaded: they wait for memory more than for arithmetic.
template <class Simd, DataType kType, int kRows>
struct PrefetchBetweenSteps {
  static constexpr int kEvery = 8 * kRows / kLinesOfGroup<kType>;
  const std::byte* lines;
  int first;

  void operator()(int step) const {
    if constexpr (kPrefetches<Simd, kRows> && kType != DataType::kQ8_0) {
      const int at = first + step;
      if (at % kEvery == 0) PrefetchApart<Simd::kPrefetchInto>(lines, kPrefetchBytes + at / kEvery * kLineBytes);
    }
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
  static void Prefetch(const std::byte* from) {
    if constexpr (kPrefetch) PrefetchApart<Simd::kPrefetchInto>(from, kPrefetchBytes);
  }

  // The eight steps of the group that begins here, lanes of register `part`. Prefetches what PrefetchBetweenSteps
  // does not, unless told not to.
  template <bool kPrefetch>
  static void Values(const std::byte* group, int part, Bytes* w) {
    const std::byte* at = group + part * Simd::kBytes;
    if constexpr (kType == DataType::kQ8_0) {
      for (int s = 0; s < 8; ++s) {
        Prefetch<kPrefetch>(at + s * kLineBytes);
        w[s] = Simd::LoadSigned(at + s * kLineBytes);
      }
      return;
    }
    for (int j = 0; j < 4; ++j) {
      const Bytes pair = Simd::Load(at + j * kLineBytes);
      w[j] = Simd::LowNibbles(pair);
      w[4 + j] = Simd::HighNibbles(pair);
    }
    const std::byte* high = at + ValueBytes(kType);
    if constexpr (BitsOf(kType) == 5) {
      Prefetch<kPrefetch>(high);
      InsertHigh<0x10, 1>(Simd::Load(high), w, std::make_integer_sequence<int, 8>());
    }
    if constexpr (kType == DataType::kQ6_K) {
      Prefetch<kPrefetch>(high);
      InsertHigh<0x30, 2>(Simd::Load(high), w, std::make_integer_sequence<int, 4>());
      Prefetch<kPrefetch>(high + kLineBytes);
      InsertHigh<0x30, 2>(Simd::Load(high + kLineBytes), w + 4, std::make_integer_sequence<int, 4>());
    }
  }
};

template <class Simd, DataType kType, int kRows>
void TileRows(const std::byte* tile, int64_t columns, const QuantizedGroup* x, float* y) {
  using Floats = typename Simd::Floats;
  using Ints = typename Simd::Ints;
  constexpr int kBits = BitsOf(kType);
  constexpr bool kPrefetch = kPrefetches<Simd, kRows>;
  using Reader = TileReader<Simd, kType>;
  using Ahead = PrefetchBetweenSteps<Simd, kType, kRows>;
  const int64_t groups = columns / kGroup;
  for (int part = 0; part < kTileRows / Simd::kLanes; ++part) {
    Floats sums[kRows];
    for (int r = 0; r < kRows; ++r) sums[r] = Simd::Zero();
    [[maybe_unused]] Floats super_scale = Simd::Zero(), super_minimum = Simd::Zero();
    const std::byte* at = tile;
    for (int64_t pair = 0; pair < groups; pair += 2) {
      if constexpr (IsSuperBlock(kType)) {
        if (pair % kSuperGroups == 0) {
          Reader::template Prefetch<kPrefetch>(at);
          super_scale = Simd::Halves(at + part * 2 * Simd::kLanes);
          super_minimum = Simd::Halves(at + 2 * kTileRows + part * 2 * Simd::kLanes);
          at += HeadBytes(kType);
        }
      }
      const std::byte* scales = at;
      for (int64_t line = 0; line < 2 * ScaleBytes(kType); line += kLineBytes) {
        Reader::template Prefetch<kPrefetch>(at + line);
      }
      at += 2 * ScaleBytes(kType);
      for (int64_t g = pair; g < pair + 2 && g < groups; ++g, scales += ScaleBytes(kType)) {
        // Compilers that are told to clear variables would clear these for each group.
        __attribute__((uninitialized)) typename Simd::Bytes w[8];
        Reader::template Values<kPrefetch>(at, part, w);
        const std::byte* lines = at;
        at += GroupBytes(kType);
        const QuantizedGroup* in = x + g;
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
