// The 512-bit vector type of packed_tile.h and dot_rows.h, all but the integer dot product.
// Included by files compiled with AVX-512 F, BW, VL and DQ only.
#pragma once

#include <immintrin.h>

#include "inference/ops/kernels/dot_rows.h"
#include "inference/ops/kernels/group_scale.h"

namespace portcullis::inference {
namespace {

struct Simd512 {
  using Bytes = __m512i;
  using Ints = __m512i;
  using Floats = __m512;
  static constexpr int kLanes = 16;
  static constexpr int kBytes = 64;
  static constexpr CacheLevel kPrefetchInto = CacheLevel::kFirst;
  static constexpr int kMaxRows = 8;

  static Bytes Load(const std::byte* from) { return _mm512_loadu_si512(from); }
  static Bytes LowNibbles(Bytes pairs) { return _mm512_and_si512(pairs, _mm512_set1_epi8(15)); }
  static Bytes HighNibbles(Bytes pairs) {
    return _mm512_and_si512(_mm512_srli_epi16(pairs, 4), _mm512_set1_epi8(15));
  }
  // low | (high moved left by kShift, or right where negative) & kMask
  template <int kShift, int kMask>
  static Bytes Insert(Bytes high, Bytes low) {
    Bytes moved = high;
    if constexpr (kShift > 0) moved = _mm512_slli_epi16(high, kShift);
    if constexpr (kShift < 0) moved = _mm512_srli_epi16(high, -kShift);
    constexpr int kAndOr = 0xea;  // (a & b) | c
    return _mm512_ternarylogic_epi32(moved, _mm512_set1_epi8(kMask), low, kAndOr);
  }
  template <int kZero>
  static Ints Offset(int32_t negative_sum) {
    if constexpr (kZero == 0) return ZeroInts();
    constexpr int kShift = kZero == 8 ? 3 : kZero == 16 ? 4 : kZero == 32 ? 5 : 7;
    return _mm512_slli_epi32(_mm512_set1_epi32(negative_sum), kShift);
  }
  static Ints ZeroInts() { return _mm512_setzero_si512(); }
  static Ints Sub(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
  static Ints Four(const int8_t* x) {
    int32_t four;
    __builtin_memcpy(&four, x, sizeof four);
    return _mm512_set1_epi32(four);
  }
  static Floats ToFloats(Ints v) { return _mm512_cvtepi32_ps(v); }
  static Floats Zero() { return _mm512_setzero_ps(); }
  static Floats Splat(float v) { return _mm512_set1_ps(v); }
  static Floats Mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats Add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  static Floats Fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats Fnma(Floats a, Floats b, Floats c) { return _mm512_fnmadd_ps(a, b, c); }
  static void Store(float* to, Floats v) { _mm512_storeu_ps(to, v); }
  static Floats LoadFloats(const float* from) { return _mm512_loadu_ps(from); }
  static float Sum(Floats v) {
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
    const __m128 pair = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
    return _mm_cvtss_f32(_mm_add_ss(pair, _mm_movehdup_ps(pair)));
  }

  static __m256i Load256(const std::byte* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static __m128i Load128(const std::byte* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  static Floats Halves(const std::byte* from) { return _mm512_cvtph_ps(Load256(from)); }
  static Floats UnsignedBytes(const std::byte* from) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(Load128(from)));
  }
  static Floats SignedBytes(const std::byte* from) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(Load128(from)));
  }
  template <DataType kType>
  static Floats Widen(const std::byte* from) {
    if constexpr (kType == DataType::kF32) return _mm512_loadu_ps(from);
    if constexpr (kType == DataType::kF16) return Halves(from);
    if constexpr (kType == DataType::kBF16) {
      const __m512i wide = _mm512_cvtepu16_epi32(Load256(from));
      return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
    }
    if constexpr (kType == DataType::kF8E4M3) {
      const __m256i wide = _mm256_cvtepu8_epi16(Load128(from));
      const __m256i magnitude = _mm256_and_si256(wide, _mm256_set1_epi16(0x7f));
      const __m256i sign = _mm256_slli_epi16(_mm256_and_si256(wide, _mm256_set1_epi16(0x80)), 8);
      const __mmask16 nan = _mm256_cmpeq_epi16_mask(magnitude, _mm256_set1_epi16(0x7f));
      const __m256i half = _mm256_or_si256(_mm256_slli_epi16(magnitude, 7), sign);
      return _mm512_cvtph_ps(_mm256_mask_mov_epi16(half, nan, _mm256_set1_epi16(0x7e00)));
    }
  }

  // 64 8-bit floats. Sign-extended and moved, their bits are those of f16 but for one; NaN alone is different.
  static void WidenFour(const std::byte* from, Floats* out) {
    const __m512i magnitudes = _mm512_and_si512(Load(from), _mm512_set1_epi8(0x7f));
    if (_mm512_cmpeq_epi8_mask(magnitudes, _mm512_set1_epi8(0x7f)) != 0) [[unlikely]] {
      for (int i = 0; i < 4; ++i) out[i] = Widen<DataType::kF8E4M3>(from + i * kLanes);
      return;
    }
    for (int half = 0; half < 2; ++half) {
      const __m512i wide = _mm512_slli_epi16(_mm512_cvtepi8_epi16(Load256(from + 32 * half)), 7);
      const __m512i bits = _mm512_and_si512(wide, _mm512_set1_epi16(static_cast<int16_t>(0xbf80)));
      out[2 * half] = _mm512_cvtph_ps(_mm512_castsi512_si256(bits));
      out[2 * half + 1] = _mm512_cvtph_ps(_mm512_extracti64x4_epi64(bits, 1));
    }
  }

  static void Quantize(const float* x, int64_t columns, QuantizedGroup* out) {
    for (int64_t k = 0; k < columns; k += kGroup, ++out) {
      const __m512 a = _mm512_loadu_ps(x + k), b = _mm512_loadu_ps(x + k + 16);
      const __m512i mask = _mm512_set1_epi32(0x7fffffff);
      const uint32_t bits = _mm512_reduce_max_epu32(
          _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(a), mask),
                           _mm512_and_si512(_mm512_castps_si512(b), mask)));
      const auto [scale, inverse] = GroupScale(bits);
      const __m512 factor = _mm512_set1_ps(inverse);
      const __mmask16 any = inverse != 0 ? 0xffff : 0;
      const __m512i p = _mm512_maskz_cvtps_epi32(any, _mm512_mul_ps(a, factor));
      const __m512i q = _mm512_maskz_cvtps_epi32(any, _mm512_mul_ps(b, factor));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out->values), _mm512_cvtepi32_epi8(p));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out->values + 16), _mm512_cvtepi32_epi8(q));
      FinishGroup(scale, _mm512_reduce_add_epi32(p), _mm512_reduce_add_epi32(q), *out);
    }
  }
};

}  // namespace
}  // namespace portcullis::inference
