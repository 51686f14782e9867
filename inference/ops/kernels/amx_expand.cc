// Weights and inputs as blocks of bf16 for amx_multiply.cc.
// A packed tile already has its sixteen outputs side by side: four columns of an output are the four
// bytes of a lane, so shifting lanes gives one column of all outputs, which a lane-wise scale makes
// f32. Rows of float matrices are rounded first and then transposed, two columns a lane.
#include <immintrin.h>

#include "inference/ops/kernels/amx.h"
#include "inference/ops/pack.h"

namespace portcullis::inference::amx {
namespace {

__m512i Round(__m512 low_half, __m512 high_half) {
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high_half, low_half));
}

// Sixteen outputs at two neighbouring columns, as pairs.
__m512i RoundPairs(__m512 even, __m512 odd) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24,
                                         8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, Round(even, odd));
}

__m512 Halves(const std::byte* from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}
__m512 UnsignedBytes(const std::byte* from) {
  return _mm512_cvtepi32_ps(
      _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}
__m512 SignedBytes(const std::byte* from) {
  return _mm512_cvtepi32_ps(
      _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}

// Four columns: bytes of lanes, unsigned, to (byte · scale + offset).
void PutStep(__m512i bytes, __m512 scale, __m512 offset, uint16_t* out) {
  const __m512i mask = _mm512_set1_epi32(255);
  const auto column = [&](__m512i lanes) {
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(lanes), scale, offset);
  };
  const __m512 a = column(_mm512_and_si512(bytes, mask));
  const __m512 b = column(_mm512_and_si512(_mm512_srli_epi32(bytes, 8), mask));
  const __m512 c = column(_mm512_and_si512(_mm512_srli_epi32(bytes, 16), mask));
  const __m512 d = column(_mm512_srli_epi32(bytes, 24));
  _mm512_storeu_si512(out, RoundPairs(a, b));
  _mm512_storeu_si512(out + 32, RoundPairs(c, d));
}

struct Affine {
  __m512 scale[2];   // of columns 0-15 and 16-31 of a group
  __m512 offset[2];
};

Affine AffineOf(DataType type, const std::byte* head, const std::byte* scales) {
  const __m512 minus = _mm512_set1_ps(-0.0f);
  switch (type) {
    case DataType::kQ8_0: {
      const __m512 scale = Halves(scales);
      const __m512 offset = _mm512_mul_ps(scale, _mm512_set1_ps(-128));
      return {{scale, scale}, {offset, offset}};
    }
    case DataType::kQ4_1:
    case DataType::kQ5_1: {
      const __m512 scale = Halves(scales), minimum = Halves(scales + 2 * kTileRows);
      return {{scale, scale}, {minimum, minimum}};
    }
    case DataType::kQ5_0:
    case DataType::kQ4_0: {
      const __m512 scale = Halves(scales);
      const float zero = type == DataType::kQ5_0 ? -16 : -8;
      const __m512 offset = _mm512_mul_ps(scale, _mm512_set1_ps(zero));
      return {{scale, scale}, {offset, offset}};
    }
    case DataType::kQ6_K: {
      const __m512 super = Halves(head), zero = _mm512_set1_ps(-32);
      const __m512 first = _mm512_mul_ps(super, SignedBytes(scales));
      const __m512 second = _mm512_mul_ps(super, SignedBytes(scales + kTileRows));
      return {{first, second}, {_mm512_mul_ps(first, zero), _mm512_mul_ps(second, zero)}};
    }
    default: {
      const __m512 scale = _mm512_mul_ps(Halves(head), UnsignedBytes(scales));
      const __m512 minimum =
          _mm512_mul_ps(Halves(head + 2 * kTileRows), UnsignedBytes(scales + kTileRows));
      const __m512 offset = _mm512_xor_ps(minimum, minus);
      return {{scale, scale}, {offset, offset}};
    }
  }
}

// Step `s` of a group as unsigned bytes.
__m512i StepBytes(DataType type, const std::byte* tile, const GroupPlace& place, int64_t s) {
  const std::byte* values = tile + place.values;
  if (type == DataType::kQ8_0) {
    return _mm512_xor_si512(_mm512_loadu_si512(values + s * 64), _mm512_set1_epi8(-128));
  }
  const __m512i pair = _mm512_loadu_si512(values + s % 4 * 64);
  const __m512i low = _mm512_and_si512(s < 4 ? pair : _mm512_srli_epi16(pair, 4),
                                       _mm512_set1_epi8(15));
  const std::byte* high = tile + place.high_bits;
  if (BitsOf(type) == 5) {
    const __m512i bits = _mm512_srl_epi16(_mm512_loadu_si512(high), _mm_cvtsi64_si128(s));
    const __m512i fifth = _mm512_and_si512(bits, _mm512_set1_epi8(1));
    return _mm512_or_si512(low, _mm512_slli_epi16(fifth, 4));
  }
  if (type == DataType::kQ6_K) {
    const __m512i bits = _mm512_srl_epi16(_mm512_loadu_si512(high + s / 4 * 64),
                                          _mm_cvtsi64_si128(s % 4 * 2));
    const __m512i top = _mm512_and_si512(bits, _mm512_set1_epi8(3));
    return _mm512_or_si512(low, _mm512_slli_epi16(top, 4));
  }
  return low;
}

template <DataType kType>
void ExpandGroups(const std::byte* tile, int64_t begin, int64_t count, uint16_t* out) {
  for (int64_t group = begin; group < begin + count; ++group, out += kBlock) {
    const GroupPlace place = PlaceOf(kType, group);
    const auto [scale, offset] = AffineOf(kType, tile + place.head, tile + place.scales);
    for (int64_t s = 0; s < 8; ++s) {
      PutStep(StepBytes(kType, tile, place, s), scale[s / 4], offset[s / 4], out + 64 * s);
    }
  }
}

// Sixteen rows of sixteen lanes become sixteen columns.
void Transpose(__m512i* r) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // r[4 · a + b] holds column 4 · quarter + b of rows 4a to 4a + 3 in each quarter.
  for (int b = 0; b < 4; ++b) {
    const __m512i even_low = _mm512_shuffle_i32x4(r[b], r[4 + b], 0x88);
    const __m512i odd_low = _mm512_shuffle_i32x4(r[b], r[4 + b], 0xdd);
    const __m512i even_high = _mm512_shuffle_i32x4(r[8 + b], r[12 + b], 0x88);
    const __m512i odd_high = _mm512_shuffle_i32x4(r[8 + b], r[12 + b], 0xdd);
    t[b] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
    t[8 + b] = _mm512_shuffle_i32x4(even_low, even_high, 0xdd);
    t[4 + b] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
    t[12 + b] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xdd);
  }
  for (int i = 0; i < 16; ++i) r[i] = t[i];
}

template <DataType kType>
__m512 Sixteen(const std::byte* from, __mmask16 present, __m512 factor) {
  if constexpr (kType == DataType::kF32) return _mm512_maskz_loadu_ps(present, from);
  if constexpr (kType == DataType::kF16) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(present, from));
  }
  if constexpr (kType == DataType::kBF16) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(present, from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
  }
  if constexpr (kType == DataType::kF8E4M3) {
    const __m256i wide = _mm256_cvtepu8_epi16(_mm_maskz_loadu_epi8(present, from));
    const __m256i magnitude = _mm256_and_si256(wide, _mm256_set1_epi16(0x7f));
    const __m256i sign = _mm256_slli_epi16(_mm256_and_si256(wide, _mm256_set1_epi16(0x80)), 8);
    const __mmask16 nan = _mm256_cmpeq_epi16_mask(magnitude, _mm256_set1_epi16(0x7f));
    const __m256i half = _mm256_or_si256(_mm256_slli_epi16(magnitude, 7), sign);
    const __m256i checked = _mm256_mask_mov_epi16(half, nan, _mm256_set1_epi16(0x7e00));
    return _mm512_mul_ps(_mm512_cvtph_ps(checked), factor);
  }
}

// What bf16 loses of a pair of registers.
__m512i Rest(__m512 first, __m512 second, __m512i high) {
  const __m512i a = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(high)), 16);
  const __m512i b =
      _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(high, 1)), 16);
  return Round(_mm512_sub_ps(first, _mm512_castsi512_ps(a)),
               _mm512_sub_ps(second, _mm512_castsi512_ps(b)));
}

__mmask16 Present(int64_t count) {
  if (count >= 16) return 0xffff;
  return count <= 0 ? __mmask16{0} : static_cast<__mmask16>((1u << count) - 1);
}

template <DataType kType>
void ExpandFloats(const Matrix& matrix, int64_t row, int64_t begin, int64_t count, uint16_t* high,
                  uint16_t* low) {
  constexpr int64_t kBytes = kType == DataType::kF32 ? 4 : kType == DataType::kF8E4M3 ? 1 : 2;
  const int64_t rows = matrix.rows - row < kRows ? matrix.rows - row : kRows;
  const float* factors =
      matrix.scales == nullptr
          ? nullptr
          : matrix.scales + row / kScaleBlock * ((matrix.columns + kScaleBlock - 1) / kScaleBlock);
  const std::byte* first = matrix.data + row * matrix.columns * kBytes;
  for (int64_t block = begin; block < begin + count; ++block, high += kBlock) {
    const int64_t k = block * kDepth;
    const __mmask16 left = Present(matrix.columns - k), right = Present(matrix.columns - k - 16);
    // The blocks of scales begin at multiples of 128, those of depth at multiples of 32.
    const __m512 factor =
        _mm512_set1_ps(factors == nullptr ? 256.0f : 256.0f * factors[k / kScaleBlock]);
    __m512i highs[16], lows[16];
    for (int64_t i = 0; i < kRows; ++i) {
      highs[i] = lows[i] = _mm512_setzero_si512();
      if (i >= rows) continue;
      const std::byte* from = first + (i * matrix.columns + k) * kBytes;
      const __m512 a = Sixteen<kType>(from, left, factor);
      const __m512 b = Sixteen<kType>(from + 16 * kBytes, right, factor);
      highs[i] = Round(a, b);
      if (low != nullptr) lows[i] = Rest(a, b, highs[i]);
    }
    Transpose(highs);
    for (int i = 0; i < 16; ++i) _mm512_storeu_si512(high + 32 * i, highs[i]);
    if (low == nullptr) continue;
    Transpose(lows);
    for (int i = 0; i < 16; ++i) _mm512_storeu_si512(low + 32 * i, lows[i]);
    low += kBlock;
  }
}

}  // namespace

Split SplitOf(DataType type) {
  switch (type) {
    case DataType::kF32:
    case DataType::kF16: return {true, true};
    case DataType::kBF16: return {true, false};
    default: return {};
  }
}

void LayOutInputs(const float* x, int64_t x_stride, int64_t rows, int64_t columns, uint16_t* high,
                  uint16_t* low) {
  for (int64_t block = 0; block < DepthBlocks(columns); ++block) {
    const int64_t k = block * kDepth;
    const __mmask16 left = Present(columns - k), right = Present(columns - k - 16);
    for (int64_t i = 0; i < kRows; ++i, high += kDepth) {
      const bool real = i < rows;
      const float* from = x + (real ? i * x_stride + k : 0);
      const __m512 a = _mm512_maskz_loadu_ps(real ? left : __mmask16{0}, from);
      const __m512 b = _mm512_maskz_loadu_ps(real ? right : __mmask16{0}, from + 16);
      const __m512i rounded = Round(a, b);
      _mm512_storeu_si512(high, rounded);
      if (low == nullptr) continue;
      _mm512_storeu_si512(low, Rest(a, b, rounded));
      low += kDepth;
    }
  }
}

void ExpandTile(DataType type, const std::byte* tile, int64_t begin, int64_t count, uint16_t* high) {
  switch (type) {
    case DataType::kQ8_0:
      return ExpandGroups<DataType::kQ8_0>(tile, begin, count, high);
    case DataType::kQ4_0:
      return ExpandGroups<DataType::kQ4_0>(tile, begin, count, high);
    case DataType::kQ4_1:
      return ExpandGroups<DataType::kQ4_1>(tile, begin, count, high);
    case DataType::kQ5_0:
      return ExpandGroups<DataType::kQ5_0>(tile, begin, count, high);
    case DataType::kQ5_1:
      return ExpandGroups<DataType::kQ5_1>(tile, begin, count, high);
    case DataType::kQ4_K:
      return ExpandGroups<DataType::kQ4_K>(tile, begin, count, high);
    case DataType::kQ5_K:
      return ExpandGroups<DataType::kQ5_K>(tile, begin, count, high);
    default: return ExpandGroups<DataType::kQ6_K>(tile, begin, count, high);
  }
}

void ExpandRows(const Matrix& matrix, int64_t row, int64_t begin, int64_t count, uint16_t* high,
                uint16_t* low) {
  switch (matrix.type) {
    case DataType::kF32:
      return ExpandFloats<DataType::kF32>(matrix, row, begin, count, high, low);
    case DataType::kF16:
      return ExpandFloats<DataType::kF16>(matrix, row, begin, count, high, low);
    case DataType::kBF16:
      return ExpandFloats<DataType::kBF16>(matrix, row, begin, count, high, low);
    default: return ExpandFloats<DataType::kF8E4M3>(matrix, row, begin, count, high, low);
  }
}

}  // namespace portcullis::inference::amx
