// The 256-bit vector type of packed_tile.h and dot_rows.h, all but the integer dot product.
// Included by files compiled with AVX2, FMA and F16C only.
#pragma once

#include <immintrin.h>

#include "inference/ops/kernels/dot_rows.h"
#include "inference/ops/kernels/group_scale.h"

namespace portcullis::inference {
namespace {

struct Simd256 {
  using Bytes = __m256i;
  using Ints = __m256i;
  using Floats = __m256;
  static constexpr int kLanes = 8;
  static constexpr int kBytes = 32;
  static constexpr CacheLevel kPrefetchInto = CacheLevel::kFirst;
  static constexpr int kMaxRows = 4;

  static Bytes Load(const std::byte* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static __m128i Load128(const std::byte* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  static __m128i Load64(const std::byte* from) {
    return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
  }
  static Bytes LowNibbles(Bytes pairs) { return _mm256_and_si256(pairs, _mm256_set1_epi8(15)); }
  static Bytes HighNibbles(Bytes pairs) {
    return _mm256_and_si256(_mm256_srli_epi16(pairs, 4), _mm256_set1_epi8(15));
  }
  // low | (high moved left by kShift, or right where negative) & kMask
  template <int kShift, int kMask>
  static Bytes Insert(Bytes high, Bytes low) {
    Bytes moved = high;
    if constexpr (kShift > 0) moved = _mm256_slli_epi16(high, kShift);
    if constexpr (kShift < 0) moved = _mm256_srli_epi16(high, -kShift);
    return _mm256_or_si256(low, _mm256_and_si256(moved, _mm256_set1_epi8(kMask)));
  }
  template <int kZero>
  static Ints Offset(int32_t negative_sum) {
    if constexpr (kZero == 0) return ZeroInts();
    constexpr int kShift = kZero == 8 ? 3 : kZero == 16 ? 4 : kZero == 32 ? 5 : 7;
    return _mm256_slli_epi32(_mm256_set1_epi32(negative_sum), kShift);
  }
  static Ints ZeroInts() { return _mm256_setzero_si256(); }
  static Ints Sub(Ints a, Ints b) { return _mm256_sub_epi32(a, b); }
  static Ints Four(const int8_t* x) {
    int32_t four;
    __builtin_memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four);
  }
  static Floats ToFloats(Ints v) { return _mm256_cvtepi32_ps(v); }
  static Floats Zero() { return _mm256_setzero_ps(); }
  static Floats Splat(float v) { return _mm256_set1_ps(v); }
  static Floats Mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  static Floats Add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  static Floats Fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static Floats Fnma(Floats a, Floats b, Floats c) { return _mm256_fnmadd_ps(a, b, c); }
  static void Store(float* to, Floats v) { _mm256_storeu_ps(to, v); }
  static Floats LoadFloats(const float* from) { return _mm256_loadu_ps(from); }
  static float Sum(Floats v) {
    const __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 pair = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
  }

  static Floats Halves(const std::byte* from) { return _mm256_cvtph_ps(Load128(from)); }
  static Floats UnsignedBytes(const std::byte* from) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(Load64(from)));
  }
  static Floats SignedBytes(const std::byte* from) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(Load64(from)));
  }
  template <DataType kType>
  static Floats Widen(const std::byte* from) {
    if constexpr (kType == DataType::kF32) {
      return _mm256_castsi256_ps(Load(from));
    } else if constexpr (kType == DataType::kF16) {
      return Halves(from);
    } else if constexpr (kType == DataType::kBF16) {
      return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(Load128(from)), 16));
    } else {
      const __m128i wide = _mm_cvtepu8_epi16(Load64(from));
      const __m128i magnitude = _mm_and_si128(wide, _mm_set1_epi16(0x7f));
      const __m128i sign = _mm_slli_epi16(_mm_and_si128(wide, _mm_set1_epi16(0x80)), 8);
      const __m128i nan = _mm_and_si128(_mm_cmpeq_epi16(magnitude, _mm_set1_epi16(0x7f)),
                                        _mm_set1_epi16(0x7e00));
      const __m128i half = _mm_or_si128(_mm_slli_epi16(magnitude, 7), sign);
      return _mm256_cvtph_ps(_mm_or_si128(half, nan));
    }
  }

  // As in simd512.h.
  static void WidenFour(const std::byte* from, Floats* out) {
    const __m256i magnitudes = _mm256_and_si256(Load(from), _mm256_set1_epi8(0x7f));
    const __m256i nan = _mm256_cmpeq_epi8(magnitudes, _mm256_set1_epi8(0x7f));
    if (_mm256_testz_si256(nan, nan) == 0) [[unlikely]] {
      for (int i = 0; i < 4; ++i) out[i] = Widen<DataType::kF8E4M3>(from + i * kLanes);
      return;
    }
    for (int half = 0; half < 2; ++half) {
      const __m256i wide = _mm256_slli_epi16(_mm256_cvtepi8_epi16(Load128(from + 16 * half)), 7);
      const __m256i bits = _mm256_and_si256(wide, _mm256_set1_epi16(static_cast<int16_t>(0xbf80)));
      out[2 * half] = _mm256_cvtph_ps(_mm256_castsi256_si128(bits));
      out[2 * half + 1] = _mm256_cvtph_ps(_mm256_extracti128_si256(bits, 1));
    }
  }

  static uint32_t Largest(__m256i v) {
    __m128i four = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0xb1));
    return static_cast<uint32_t>(_mm_cvtsi128_si32(four));
  }
  static int32_t SumInts(__m256i v) {
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1));
    return _mm_cvtsi128_si32(four);
  }
  static void Quantize(const float* x, int64_t columns, QuantizedGroup* out) {
    const __m256i mask = _mm256_set1_epi32(0x7fffffff);
    for (int64_t k = 0; k < columns; k += kGroup, ++out) {
      __m256i largest = _mm256_setzero_si256();
      for (int i = 0; i < 4; ++i) {
        const __m256i bits = _mm256_castps_si256(_mm256_loadu_ps(x + k + 8 * i));
        largest = _mm256_max_epu32(largest, _mm256_and_si256(bits, mask));
      }
      const auto [scale, inverse] = GroupScale(Largest(largest));
      const __m256i any = _mm256_set1_epi32(inverse != 0 ? -1 : 0);
      const __m256 factor = _mm256_set1_ps(inverse);
      __m256i q[4];
      for (int i = 0; i < 4; ++i) {
        const __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(x + k + 8 * i), factor);
        q[i] = _mm256_and_si256(any, _mm256_cvtps_epi32(scaled));
      }
      // The packs leave their parts in the order 0 2 1 3 of four values each.
      const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]),
                                               _mm256_packs_epi32(q[2], q[3]));
      const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out->values),
                          _mm256_permutevar8x32_epi32(bytes, order));
      FinishGroup(scale, SumInts(_mm256_add_epi32(q[0], q[1])),
                  SumInts(_mm256_add_epi32(q[2], q[3])), *out);
    }
  }
};

}  // namespace
}  // namespace portcullis::inference
