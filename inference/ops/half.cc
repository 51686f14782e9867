#include "inference/ops/half.h"

#include <immintrin.h>

#include <bit>

#include "inference/ops/cpu.h"

namespace portcullis::inference {
namespace {

constexpr float kLargest = 65504.0f;

__attribute__((target("avx2,f16c"))) void ToHalvesAvx2(const float* in, int64_t count,
                                                             uint16_t* out) {
  const __m256 most = _mm256_set1_ps(kLargest);
  const __m256 least = _mm256_set1_ps(-kLargest);
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    // Both give their second operand for NaN.
    const __m256 value = _mm256_min_ps(most, _mm256_max_ps(least, _mm256_loadu_ps(in + i)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                     _mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT));
  }
  for (; i < count; ++i) out[i] = ToHalf(in[i]);
}

}  // namespace

uint16_t ToHalf(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (magnitude >= std::bit_cast<uint32_t>(kLargest)) return static_cast<uint16_t>(sign | 0x7bffu);
  if (magnitude < 0x38800000u) {
    // Below 2^-14 the spacing is 2^-24: adding 0.5 leaves the multiple in the last bits.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
  }
  // 13 bits go; half of the last one left, less one if it is even, rounds to nearest even.
  const uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

void ToHalves(const float* in, int64_t count, uint16_t* out) {
  if (HasAvx2()) return ToHalvesAvx2(in, count, out);
  for (int64_t i = 0; i < count; ++i) out[i] = ToHalf(in[i]);
}

}  // namespace portcullis::inference
