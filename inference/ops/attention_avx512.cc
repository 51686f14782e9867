// GCC 12 takes the undefined vectors of its own header for a mistake.
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <algorithm>

#include "inference/ops/attention_kernels.h"
#include "inference/ops/simd_exp.h"

#define PORTCULLIS_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma,f16c")))

namespace portcullis::inference {
namespace {

constexpr int kRows = 6;     // 6 × 4 sums and 4 columns of b fit the 32 registers
constexpr int kVectors = 4;

PORTCULLIS_AVX512 inline __m512 Load(const float* source) { return _mm512_loadu_ps(source); }
PORTCULLIS_AVX512 inline __m512 Load(const uint16_t* source) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(source)));
}

template <int rows, int vectors, class T>
PORTCULLIS_AVX512 void Tile(bool keep, int64_t k, const float* a, int64_t a_stride, const T* b,
                            int64_t b_stride, float* c, int64_t c_stride) {
  __m512 sums[rows][vectors];
  for (int row = 0; row < rows; ++row) {
    for (int v = 0; v < vectors; ++v) {
      sums[row][v] = keep ? _mm512_loadu_ps(c + row * c_stride + 16 * v) : _mm512_setzero_ps();
    }
  }
  for (int64_t i = 0; i < k; ++i) {
    __m512 columns[vectors];
    for (int v = 0; v < vectors; ++v) columns[v] = Load(b + i * b_stride + 16 * v);
    for (int row = 0; row < rows; ++row) {
      const __m512 factor = _mm512_set1_ps(a[row * a_stride + i]);
      for (int v = 0; v < vectors; ++v) {
        sums[row][v] = _mm512_fmadd_ps(factor, columns[v], sums[row][v]);
      }
    }
  }
  for (int row = 0; row < rows; ++row) {
    for (int v = 0; v < vectors; ++v) _mm512_storeu_ps(c + row * c_stride + 16 * v, sums[row][v]);
  }
}

template <class T>
using TileFunction = void (*)(bool, int64_t, const float*, int64_t, const T*, int64_t, float*,
                              int64_t);

template <int rows, class T>
constexpr TileFunction<T> kTilesOfRows[kVectors] = {Tile<rows, 1, T>, Tile<rows, 2, T>,
                                                    Tile<rows, 3, T>, Tile<rows, 4, T>};
template <class T>
constexpr const TileFunction<T>* kTiles[kRows] = {kTilesOfRows<1, T>, kTilesOfRows<2, T>,
                                                  kTilesOfRows<3, T>, kTilesOfRows<4, T>,
                                                  kTilesOfRows<5, T>, kTilesOfRows<6, T>};

template <class T>
void MultiplyAs(bool keep, int64_t rows, int64_t n, int64_t k, const float* a, int64_t a_stride,
                const T* b, int64_t b_stride, float* c, int64_t c_stride) {
  for (int64_t column = 0; column < n; column += 16 * kVectors) {
    const int64_t vectors = std::min<int64_t>(kVectors, (n - column) / 16);
    for (int64_t row = 0; row < rows; row += kRows) {
      const int64_t some = std::min<int64_t>(kRows, rows - row);
      kTiles<T>[some - 1][vectors - 1](keep, k, a + row * a_stride, a_stride, b + column, b_stride,
                                       c + row * c_stride + column, c_stride);
    }
  }
}

void Multiply(bool keep, int64_t rows, int64_t n, int64_t k, const float* a, int64_t a_stride,
              const std::byte* b, int64_t b_stride, KvType type, float* c, int64_t c_stride) {
  if (type == KvType::kF32) {
    MultiplyAs(keep, rows, n, k, a, a_stride, reinterpret_cast<const float*>(b), b_stride, c,
               c_stride);
  } else {
    MultiplyAs(keep, rows, n, k, a, a_stride, reinterpret_cast<const uint16_t*>(b), b_stride, c,
               c_stride);
  }
}

// The sums of four vectors' elements, each in the same order.
PORTCULLIS_AVX512 inline __m128 Sums(__m512 a, __m512 b, __m512 c, __m512 d) {
  const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
  const __m512 all = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, _MM_SHUFFLE(1, 0, 1, 0)),
                                   _mm512_shuffle_ps(ab, cd, _MM_SHUFFLE(3, 2, 3, 2)));
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

template <int rows, class T>
PORTCULLIS_AVX512 void Dots(int64_t n, int64_t k, const float* a, int64_t a_stride, const T* b,
                            int64_t b_stride, float* c, int64_t c_stride) {
  for (int64_t column = 0; column < n; column += 4) {
    __m512 sums[rows][4];
    for (auto& line : sums) {
      for (auto& sum : line) sum = _mm512_setzero_ps();
    }
    const T* lines = b + column * b_stride;
    for (int64_t i = 0; i < k; i += 16) {
      __m512 values[4];
      for (int j = 0; j < 4; ++j) values[j] = Load(lines + j * b_stride + i);
      for (int row = 0; row < rows; ++row) {
        const __m512 factors = _mm512_loadu_ps(a + row * a_stride + i);
        for (int j = 0; j < 4; ++j) {
          sums[row][j] = _mm512_fmadd_ps(factors, values[j], sums[row][j]);
        }
      }
    }
    for (int row = 0; row < rows; ++row) {
      _mm_storeu_ps(c + row * c_stride + column,
                    Sums(sums[row][0], sums[row][1], sums[row][2], sums[row][3]));
    }
  }
}

template <class T>
void MultiplyTransposedAs(int64_t rows, int64_t n, int64_t k, const float* a, int64_t a_stride,
                          const T* b, int64_t b_stride, float* c, int64_t c_stride) {
  // b comes from the second-level cache: the more rows share what is loaded, the better.
  int64_t row = 0;
  for (; row + 6 <= rows; row += 6) {
    Dots<6>(n, k, a + row * a_stride, a_stride, b, b_stride, c + row * c_stride, c_stride);
  }
  for (; row + 4 <= rows; row += 4) {
    Dots<4>(n, k, a + row * a_stride, a_stride, b, b_stride, c + row * c_stride, c_stride);
  }
  for (; row + 2 <= rows; row += 2) {
    Dots<2>(n, k, a + row * a_stride, a_stride, b, b_stride, c + row * c_stride, c_stride);
  }
  if (row < rows) {
    Dots<1>(n, k, a + row * a_stride, a_stride, b, b_stride, c + row * c_stride, c_stride);
  }
}

void MultiplyTransposed(int64_t rows, int64_t n, int64_t k, const float* a, int64_t a_stride,
                        const std::byte* b, int64_t b_stride, KvType type, float* c,
                        int64_t c_stride) {
  if (type == KvType::kF32) {
    MultiplyTransposedAs(rows, n, k, a, a_stride, reinterpret_cast<const float*>(b), b_stride, c,
                         c_stride);
  } else {
    MultiplyTransposedAs(rows, n, k, a, a_stride, reinterpret_cast<const uint16_t*>(b), b_stride, c,
                         c_stride);
  }
}

PORTCULLIS_AVX512 float Largest(const float* values, int64_t count) {
  __m512 most = _mm512_loadu_ps(values);
  for (int64_t i = 16; i < count; i += 16) most = _mm512_max_ps(most, _mm512_loadu_ps(values + i));
  return _mm512_reduce_max_ps(most);
}

PORTCULLIS_AVX512 float Exponentials(float* values, int64_t count, float offset) {
  const __m512 wide = _mm512_set1_ps(offset);
  __m512 sum = _mm512_setzero_ps();
  for (int64_t i = 0; i < count; i += 16) {
    const __m512 result = Exp(_mm512_sub_ps(_mm512_loadu_ps(values + i), wide));
    _mm512_storeu_ps(values + i, result);
    sum = _mm512_add_ps(sum, result);
  }
  return _mm512_reduce_add_ps(sum);
}

}  // namespace

const AttentionKernels& Avx512AttentionKernels() {
  static constexpr AttentionKernels kernels{"avx512", Multiply, MultiplyTransposed, Largest,
                                            Exponentials};
  return kernels;
}

}  // namespace portcullis::inference
