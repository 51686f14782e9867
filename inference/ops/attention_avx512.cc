// GCC 12 takes the undefined vectors of its own header for a mistake.
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#include <algorithm>

#include "inference/ops/attention_kernels.h"
#include "inference/ops/kernels/prefetch.h"
#include "inference/ops/simd_exp.h"

#define PORTCULLIS_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma,f16c")))

namespace portcullis::inference {
namespace {

// 6 × 4 sums and 4 columns of b fit the 32 registers. 7 or 8 rows, as heads often share a key-value head, are
// computed at once too, so that what the memory gives is read and converted once.
constexpr int kRows = 6;
constexpr int kVectors = 4;
constexpr int kGroupRows = 8;
constexpr int kGroupVectors = 2;

PORTCULLIS_AVX512 inline __m512 Load(const float* source) { return _mm512_loadu_ps(source); }
PORTCULLIS_AVX512 inline __m512 Load(const uint16_t* source) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(source)));
}

template <class T>
constexpr int kVectorsOfLine = static_cast<int>(4 / sizeof(T));

template <int rows, int vectors, class T>
PORTCULLIS_AVX512 void Tile(bool keep, int64_t k, const float* a, int64_t a_stride, const T* b,
                            int64_t b_stride, const T* next, float* c, int64_t c_stride) {
  __attribute__((uninitialized)) __m512 sums[rows][vectors];
  for (int row = 0; row < rows; ++row) {
    for (int v = 0; v < vectors; ++v) {
      sums[row][v] = keep ? _mm512_loadu_ps(c + row * c_stride + 16 * v) : _mm512_setzero_ps();
    }
  }
  for (int64_t i = 0; i < k; ++i) {
    __m512 columns[vectors];
    for (int v = 0; v < vectors; ++v) columns[v] = Load(b + i * b_stride + 16 * v);
    for (int v = 0; v < vectors; v += kVectorsOfLine<T>) Prefetch<CacheLevel::kSecond>(next + i * b_stride + 16 * v, 0);
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
using TileFunction = void (*)(bool, int64_t, const float*, int64_t, const T*, int64_t, const T*, float*,
                              int64_t);

template <int rows, class T>
constexpr TileFunction<T> kTilesOfRows[kVectors] = {Tile<rows, 1, T>, Tile<rows, 2, T>,
                                                    Tile<rows, 3, T>, Tile<rows, 4, T>};
template <int rows, class T>
constexpr TileFunction<T> kTilesOfGroup[kGroupVectors] = {Tile<rows, 1, T>, Tile<rows, 2, T>};
template <class T>
constexpr const TileFunction<T>* kTiles[kGroupRows] = {
    kTilesOfRows<1, T>, kTilesOfRows<2, T>, kTilesOfRows<3, T>,  kTilesOfRows<4, T>,
    kTilesOfRows<5, T>, kTilesOfRows<6, T>, kTilesOfGroup<7, T>, kTilesOfGroup<8, T>};

template <class T>
void MultiplyAs(bool keep, int64_t rows, int64_t n, int64_t k, const float* a, int64_t a_stride,
                const KvMatrix& matrix, float* c, int64_t c_stride) {
  const T* b = reinterpret_cast<const T*>(matrix.data);
  // What is in the cache already can be asked for again at no cost.
  const T* next = matrix.next == nullptr ? b : reinterpret_cast<const T*>(matrix.next);
  const bool group = rows > kRows && rows <= kGroupRows;
  const int64_t most_rows = group ? kGroupRows : kRows, most_vectors = group ? kGroupVectors : kVectors;
  for (int64_t column = 0; column < n; column += 16 * most_vectors) {
    const int64_t vectors = std::min(most_vectors, (n - column) / 16);
    for (int64_t row = 0; row < rows; row += most_rows) {
      const int64_t some = std::min(most_rows, rows - row);
      kTiles<T>[some - 1][vectors - 1](keep, k, a + row * a_stride, a_stride, b + column, matrix.stride,
                                       (row == 0 ? next : b) + column, c + row * c_stride + column, c_stride);
    }
  }
}

void Multiply(bool keep, int64_t rows, int64_t n, int64_t k, const float* a, int64_t a_stride,
              const KvMatrix& b, float* c, int64_t c_stride) {
  if (b.type == KvType::kF32) return MultiplyAs<float>(keep, rows, n, k, a, a_stride, b, c, c_stride);
  MultiplyAs<uint16_t>(keep, rows, n, k, a, a_stride, b, c, c_stride);
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
                            int64_t b_stride, const T* next, float* c, int64_t c_stride) {
  for (int64_t column = 0; column < n; column += 4) {
    __attribute__((uninitialized)) __m512 sums[rows][4];
    for (auto& line : sums) {
      for (auto& sum : line) sum = _mm512_setzero_ps();
    }
    const T* lines = b + column * b_stride;
    const T* next_lines = next + column * b_stride;
    for (int64_t i = 0; i < k; i += 16) {
      __m512 values[4];
      for (int j = 0; j < 4; ++j) values[j] = Load(lines + j * b_stride + i);
      for (int v = 0; v < 4; v += kVectorsOfLine<T>) Prefetch<CacheLevel::kSecond>(next_lines + 4 * i + 16 * v, 0);
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
using DotsFunction = void (*)(int64_t, int64_t, const float*, int64_t, const T*, int64_t, const T*, float*,
                              int64_t);
template <class T>
constexpr DotsFunction<T> kDots[kRows] = {Dots<1, T>, Dots<2, T>, Dots<3, T>,
                                          Dots<4, T>, Dots<5, T>, Dots<6, T>};

template <class T>
void MultiplyTransposedAs(int64_t rows, int64_t n, int64_t k, const float* a, int64_t a_stride,
                          const KvMatrix& matrix, float* c, int64_t c_stride) {
  const T* b = reinterpret_cast<const T*>(matrix.data);
  const T* next = matrix.next == nullptr ? b : reinterpret_cast<const T*>(matrix.next);
  // b comes from the second-level cache: the more rows share what is loaded, the better.
  for (int64_t row = 0; row < rows; row += kRows) {
    const int64_t some = std::min<int64_t>(kRows, rows - row);
    kDots<T>[some - 1](n, k, a + row * a_stride, a_stride, b, matrix.stride, row == 0 ? next : b,
                       c + row * c_stride, c_stride);
  }
}

void MultiplyTransposed(int64_t rows, int64_t n, int64_t k, const float* a, int64_t a_stride,
                        const KvMatrix& b, float* c, int64_t c_stride) {
  if (b.type == KvType::kF32) return MultiplyTransposedAs<float>(rows, n, k, a, a_stride, b, c, c_stride);
  MultiplyTransposedAs<uint16_t>(rows, n, k, a, a_stride, b, c, c_stride);
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
