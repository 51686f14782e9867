#include "inference/ops/dequantize.h"

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "inference/ops/cpu.h"

namespace portcullis::inference {
namespace {

constexpr int kBlock = 32;        // values of Q8_0 and Q4_0
constexpr int kSuperBlock = 256;  // values of the K types

template <class T>
T Load(const std::byte* source) {
  T value;
  std::memcpy(&value, source, sizeof value);
  return value;
}

uint8_t Byte(const std::byte* source, int index) { return static_cast<uint8_t>(source[index]); }

float BrainToFloat(uint16_t value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value) << 16);
}

// { f16 scale; int8 values[32] }
void Q8_0Block(const std::byte* source, float* out) {
  const float scale = HalfToFloat(Load<uint16_t>(source));
  for (int i = 0; i < kBlock; ++i) {
    out[i] = static_cast<float>(static_cast<int8_t>(source[2 + i])) * scale;
  }
}

// { f16 scale; nibbles[16] }: the low nibbles are values 0-15, the high ones 16-31; zero is 8.
void Q4_0Block(const std::byte* source, float* out) {
  const float scale = HalfToFloat(Load<uint16_t>(source));
  for (int i = 0; i < kBlock / 2; ++i) {
    const uint8_t pair = Byte(source, 2 + i);
    out[i] = static_cast<float>((pair & 15) - 8) * scale;
    out[i + kBlock / 2] = static_cast<float>((pair >> 4) - 8) * scale;
  }
}

// Q4_1: { f16 scale; f16 least; nibbles[16] }, in the order of Q4_0; zero is `least`.
void Q4_1Block(const std::byte* source, float* out) {
  const float scale = HalfToFloat(Load<uint16_t>(source));
  const float least = HalfToFloat(Load<uint16_t>(source + 2));
  for (int i = 0; i < kBlock / 2; ++i) {
    const uint8_t pair = Byte(source, 4 + i);
    out[i] = static_cast<float>(pair & 15) * scale + least;
    out[i + kBlock / 2] = static_cast<float>(pair >> 4) * scale + least;
  }
}

// Q5_0: { f16 scale; fifth bits[4]; nibbles[16] }, zero is 16; Q5_1 has a least value as Q4_1 does.
// Bit i of the fifth bits belongs to value i.
template <bool kLeast>
void Q5Block(const std::byte* source, float* out) {
  const float scale = HalfToFloat(Load<uint16_t>(source));
  const float least = kLeast ? HalfToFloat(Load<uint16_t>(source + 2)) : -16.0f * scale;
  const std::byte* fifths = source + (kLeast ? 4 : 2);
  const auto bits = Load<uint32_t>(fifths);
  for (int i = 0; i < kBlock / 2; ++i) {
    const uint8_t pair = Byte(fifths, 4 + i);
    const auto low = static_cast<int>((pair & 15u) | (bits >> i & 1u) << 4);
    const auto high = static_cast<int>((pair >> 4) | (bits >> (i + 16) & 1u) << 4);
    out[i] = static_cast<float>(low) * scale + least;
    out[i + kBlock / 2] = static_cast<float>(high) * scale + least;
  }
}

// Q4_K and Q5_K pack eight 6-bit scales and eight 6-bit minima into twelve bytes: the first four of
// each lie whole in bytes 0-7, whose two upper bits hold the upper bits of the last four.
struct ScaleAndMin {
  uint8_t scale;
  uint8_t min;
};
ScaleAndMin UnpackScale(const std::byte* packed, int group) {
  if (group < 4) {
    return {static_cast<uint8_t>(Byte(packed, group) & 63),
            static_cast<uint8_t>(Byte(packed, group + 4) & 63)};
  }
  const uint8_t low = Byte(packed, group + 4);
  return {static_cast<uint8_t>((low & 15) | ((Byte(packed, group - 4) >> 6) << 4)),
          static_cast<uint8_t>((low >> 4) | ((Byte(packed, group) >> 6) << 4))};
}

// { f16 scale; f16 min scale; packed scales[12]; Q5_K only: high bits[32]; nibbles[128] }
// Groups of 32 values; a run of 32 bytes holds an even group in its low nibbles and the next group
// in its high ones. Bit g of high byte i is the fifth bit of value i of group g.
template <bool kFiveBits>
void K45Block(const std::byte* source, float* out) {
  const float scale = HalfToFloat(Load<uint16_t>(source));
  const float min_scale = HalfToFloat(Load<uint16_t>(source + 2));
  const std::byte* packed = source + 4;
  const std::byte* high = source + 16;
  const std::byte* nibbles = kFiveBits ? high + 32 : high;
  for (int group = 0; group < 8; ++group) {
    const auto [factor, min] = UnpackScale(packed, group);
    const float step = scale * static_cast<float>(factor);
    const float base = min_scale * static_cast<float>(min);
    for (int i = 0; i < 32; ++i) {
      const uint8_t pair = Byte(nibbles, group / 2 * 32 + i);
      int value = group % 2 == 0 ? pair & 15 : pair >> 4;
      if constexpr (kFiveBits) value += ((Byte(high, i) >> group) & 1) << 4;
      out[group * 32 + i] = step * static_cast<float>(value) - base;
    }
  }
}

// { low nibbles[128]; high pairs of bits[64]; int8 scales[16]; f16 scale }: two halves of 128,
// each four runs of 32; groups of 16 values share a scale; zero is 32.
void Q6KBlock(const std::byte* source, float* out) {
  const float scale = HalfToFloat(Load<uint16_t>(source + 208));
  for (int half = 0; half < 2; ++half) {
    const std::byte* low = source + half * 64;
    const std::byte* high = source + 128 + half * 32;
    const std::byte* scales = source + 192 + half * 8;
    for (int part = 0; part < 8; ++part) {  // sixteen values with one scale
      const int run = part / 2;
      const int begin = part % 2 * 16;
      const int low_shift = run < 2 ? 0 : 4;
      const int high_shift = 2 * run;
      const float step = scale * static_cast<float>(static_cast<int8_t>(scales[part]));
      const std::byte* lows = low + run % 2 * 32 + begin;
      float* values = out + half * 128 + part * 16;
      for (int i = 0; i < 16; ++i) {
        const int nibble = (Byte(lows, i) >> low_shift) & 15;
        const int top = (Byte(high, begin + i) >> high_shift) & 3;
        values[i] = step * static_cast<float>((nibble | top << 4) - 32);
      }
    }
  }
}

template <int kValues, int kBytes, void (*kConvert)(const std::byte*, float*)>
void Blocks(const std::byte* source, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += kValues, source += kBytes) kConvert(source, out + i);
}

__attribute__((target("avx2,fma,f16c"))) void F16Avx2(const std::byte* source, int64_t count,
                                                      float* out) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + 2 * i));
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(half));
  }
  for (; i < count; ++i) out[i] = HalfToFloat(Load<uint16_t>(source + 2 * i));
}

__attribute__((target("avx2,fma,f16c"))) void BF16Avx2(const std::byte* source, int64_t count,
                                                       float* out) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m128i brain = _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + 2 * i));
    const __m256i wide = _mm256_slli_epi32(_mm256_cvtepu16_epi32(brain), 16);
    _mm256_storeu_ps(out + i, _mm256_castsi256_ps(wide));
  }
  for (; i < count; ++i) out[i] = BrainToFloat(Load<uint16_t>(source + 2 * i));
}

// Eight signed bytes, scaled.
__attribute__((target("avx2,fma,f16c"))) inline void StoreScaled(__m128i bytes, __m256 scale,
                                                                 float* out) {
  _mm256_storeu_ps(out, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)), scale));
}

__attribute__((target("avx2,fma,f16c"))) void Q8_0Avx2(const std::byte* source, int64_t count,
                                                       float* out) {
  for (int64_t i = 0; i < count; i += kBlock, source += 34) {
    const __m256 scale = _mm256_set1_ps(_cvtsh_ss(Load<uint16_t>(source)));
    for (int j = 0; j < kBlock; j += 8) {
      StoreScaled(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(source + 2 + j)), scale,
                  out + i + j);
    }
  }
}

__attribute__((target("avx2,fma,f16c"))) void Q4_0Avx2(const std::byte* source, int64_t count,
                                                       float* out) {
  const __m128i mask = _mm_set1_epi8(15);
  const __m128i zero = _mm_set1_epi8(8);
  for (int64_t i = 0; i < count; i += kBlock, source += 18) {
    const __m256 scale = _mm256_set1_ps(_cvtsh_ss(Load<uint16_t>(source)));
    const __m128i pairs = _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + 2));
    const __m128i low = _mm_sub_epi8(_mm_and_si128(pairs, mask), zero);
    const __m128i high = _mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(pairs, 4), mask), zero);
    StoreScaled(low, scale, out + i);
    StoreScaled(_mm_srli_si128(low, 8), scale, out + i + 8);
    StoreScaled(high, scale, out + i + 16);
    StoreScaled(_mm_srli_si128(high, 8), scale, out + i + 24);
  }
}

void F8Table(const std::byte* source, int64_t count, float* out) {
  static const auto values = [] {
    std::array<float, 256> all{};
    for (size_t i = 0; i < all.size(); ++i) all[i] = F8ToFloat(static_cast<uint8_t>(i));
    return all;
  }();
  for (int64_t i = 0; i < count; ++i) out[i] = values[static_cast<size_t>(source[i])];
}

}  // namespace

float F8ToFloat(uint8_t value) {
  const int exponent = (value >> 3) & 15;
  const int mantissa = value & 7;
  float magnitude = std::ldexp(static_cast<float>(mantissa), -9);
  if (exponent > 0) magnitude = std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  if ((value & 0x7f) == 0x7f) magnitude = std::numeric_limits<float>::quiet_NaN();
  return value >= 0x80 ? -magnitude : magnitude;
}

float HalfToFloat(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = (half >> 10) & 31;
  const uint32_t mantissa = half & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | mantissa << 13);
  if (exponent > 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
  const float subnormal = static_cast<float>(mantissa) * 0x1p-24f;
  return sign != 0 ? -subnormal : subnormal;
}

void DequantizeRowPortable(DataType type, const std::byte* source, int64_t count, float* out) {
  switch (type) {
    case DataType::kF32:
      std::memcpy(out, source, static_cast<size_t>(count) * sizeof(float));
      return;
    case DataType::kF16:
      for (int64_t i = 0; i < count; ++i) out[i] = HalfToFloat(Load<uint16_t>(source + 2 * i));
      return;
    case DataType::kBF16:
      for (int64_t i = 0; i < count; ++i) out[i] = BrainToFloat(Load<uint16_t>(source + 2 * i));
      return;
    case DataType::kQ8_0: return Blocks<kBlock, 34, Q8_0Block>(source, count, out);
    case DataType::kQ4_0: return Blocks<kBlock, 18, Q4_0Block>(source, count, out);
    case DataType::kQ4_K: return Blocks<kSuperBlock, 144, K45Block<false>>(source, count, out);
    case DataType::kQ5_K: return Blocks<kSuperBlock, 176, K45Block<true>>(source, count, out);
    case DataType::kQ6_K: return Blocks<kSuperBlock, 210, Q6KBlock>(source, count, out);
    case DataType::kF8E4M3: return F8Table(source, count, out);
    case DataType::kQ4_1: return Blocks<kBlock, 20, Q4_1Block>(source, count, out);
    case DataType::kQ5_0: return Blocks<kBlock, 22, Q5Block<false>>(source, count, out);
    case DataType::kQ5_1: return Blocks<kBlock, 24, Q5Block<true>>(source, count, out);
    case DataType::kOther: return;
  }
}

void DequantizeRow(DataType type, const std::byte* source, int64_t count, float* out) {
  if (HasAvx2()) {
    switch (type) {
      case DataType::kF16: return F16Avx2(source, count, out);
      case DataType::kBF16: return BF16Avx2(source, count, out);
      case DataType::kQ8_0: return Q8_0Avx2(source, count, out);
      case DataType::kQ4_0: return Q4_0Avx2(source, count, out);
      default: break;
    }
  }
  DequantizeRowPortable(type, source, count, out);
}

void DequantizePart(const Matrix& matrix, int64_t row, int64_t begin, int64_t count, float* out) {
  const auto layout = LayoutOf(matrix.type);
  DequantizeRow(matrix.type, matrix.row(row) + begin / layout.elements * layout.bytes, count, out);
  const float* factors = matrix.scale_row(row);
  if (factors == nullptr) return;
  for (int64_t i = 0; i < count;) {
    const int64_t block = (begin + i) / kScaleBlock;
    const int64_t end = std::min(count, (block + 1) * kScaleBlock - begin);
    for (; i < end; ++i) out[i] *= factors[block];
  }
}

}  // namespace portcullis::inference
