#include <immintrin.h>

#include <algorithm>

#include "inference/ops/attention_kernels.h"
#include "inference/ops/kernels/prefetch.h"
#include "inference/ops/simd_exp.h"

#define PORTCULLIS_AVX2 __attribute__((target("avx2,fma,f16c")))

namespace portcullis::inference {
namespace {

constexpr int kRows = 6;  // 6 × 2 sums and 2 columns of b fit the 16 registers

PORTCULLIS_AVX2 inline __m256 Load(const float* source) { return _mm256_loadu_ps(source); }
PORTCULLIS_AVX2 inline __m256 Load(const uint16_t* source) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(source)));
}

// 16 columns.
template <int rows, class T>
PORTCULLIS_AVX2 void Tile(bool keep, int64_t k, const float* a, int64_t a_stride, const T* b,
                          int64_t b_stride, const T* next, float* c, int64_t c_stride) {
  __attribute__((uninitialized)) __m256 sums[rows][2];
  for (int row = 0; row < rows; ++row) {
    for (int v = 0; v < 2; ++v) {
      sums[row][v] = keep ? _mm256_loadu_ps(c + row * c_stride + 8 * v) : _mm256_setzero_ps();
    }
  }
  for (int64_t i = 0; i < k; ++i) {
    const __m256 left = Load(b + i * b_stride);
    const __m256 right = Load(b + i * b_stride + 8);
    Prefetch<CacheLevel::kSecond>(next + i * b_stride, 0);
    for (int row = 0; row < rows; ++row) {
      const __m256 factor = _mm256_broadcast_ss(a + row * a_stride + i);
      sums[row][0] = _mm256_fmadd_ps(factor, left, sums[row][0]);
      sums[row][1] = _mm256_fmadd_ps(factor, right, sums[row][1]);
    }
  }
  for (int row = 0; row < rows; ++row) {
    for (int v = 0; v < 2; ++v) _mm256_storeu_ps(c + row * c_stride + 8 * v, sums[row][v]);
  }
}

template <class T>
using TileFunction = void (*)(bool, int64_t, const float*, int64_t, const T*, int64_t, const T*, float*,
                              int64_t);
template <class T>
constexpr TileFunction<T> kTiles[kRows] = {Tile<1, T>, Tile<2, T>, Tile<3, T>,
                                           Tile<4, T>, Tile<5, T>, Tile<6, T>};

template <class T>
void MultiplyAs(bool keep, int64_t rows, int64_t n, int64_t k, const float* a, int64_t a_stride,
                const KvMatrix& matrix, float* c, int64_t c_stride) {
  const T* b = reinterpret_cast<const T*>(matrix.data);
  // What is in the cache already can be asked for again at no cost.
  const T* next = matrix.next == nullptr ? b : reinterpret_cast<const T*>(matrix.next);
  for (int64_t column = 0; column < n; column += 16) {
    for (int64_t row = 0; row < rows; row += kRows) {
      kTiles<T>[std::min<int64_t>(kRows, rows - row) - 1](
          keep, k, a + row * a_stride, a_stride, b + column, matrix.stride, (row == 0 ? next : b) + column,
          c + row * c_stride + column, c_stride);
    }
  }
}

void Multiply(bool keep, int64_t rows, int64_t n, int64_t k, const float* a, int64_t a_stride,
              const KvMatrix& b, float* c, int64_t c_stride) {
  if (b.type == KvType::kF32) return MultiplyAs<float>(keep, rows, n, k, a, a_stride, b, c, c_stride);
  MultiplyAs<uint16_t>(keep, rows, n, k, a, a_stride, b, c, c_stride);
}

// The sums of four vectors' elements, each in the same order.
PORTCULLIS_AVX2 inline __m128 Sums(__m256 a, __m256 b, __m256 c, __m256 d) {
  const __m256 all = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  return _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
}

template <int rows, class T>
PORTCULLIS_AVX2 void Dots(int64_t n, int64_t k, const float* a, int64_t a_stride, const T* b,
                          int64_t b_stride, const T* next, float* c, int64_t c_stride) {
  for (int64_t column = 0; column < n; column += 4) {
    __attribute__((uninitialized)) __m256 sums[rows][4];
    for (auto& line : sums) {
      for (auto& sum : line) sum = _mm256_setzero_ps();
    }
    const T* lines = b + column * b_stride;
    const T* next_lines = next + column * b_stride;
    for (int64_t i = 0; i < k; i += 8) {
      __m256 values[4];
      for (int j = 0; j < 4; ++j) values[j] = Load(lines + j * b_stride + i);
      for (int64_t v = 0; v < 32; v += kLineBytes / static_cast<int64_t>(sizeof(T))) {
        Prefetch<CacheLevel::kSecond>(next_lines + 4 * i + v, 0);
      }
      for (int row = 0; row < rows; ++row) {
        const __m256 factors = _mm256_loadu_ps(a + row * a_stride + i);
        for (int j = 0; j < 4; ++j) {
          sums[row][j] = _mm256_fmadd_ps(factors, values[j], sums[row][j]);
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
                          const KvMatrix& matrix, float* c, int64_t c_stride) {
  const T* b = reinterpret_cast<const T*>(matrix.data);
  const T* next = matrix.next == nullptr ? b : reinterpret_cast<const T*>(matrix.next);
  for (int64_t row = 0; row < rows; row += 2) {
    const auto dots = rows - row >= 2 ? Dots<2, T> : Dots<1, T>;
    dots(n, k, a + row * a_stride, a_stride, b, matrix.stride, row == 0 ? next : b, c + row * c_stride,
         c_stride);
  }
}

void MultiplyTransposed(int64_t rows, int64_t n, int64_t k, const float* a, int64_t a_stride,
                        const KvMatrix& b, float* c, int64_t c_stride) {
  if (b.type == KvType::kF32) return MultiplyTransposedAs<float>(rows, n, k, a, a_stride, b, c, c_stride);
  MultiplyTransposedAs<uint16_t>(rows, n, k, a, a_stride, b, c, c_stride);
}

PORTCULLIS_AVX2 float Largest(const float* values, int64_t count) {
  __m256 most = _mm256_loadu_ps(values);
  for (int64_t i = 8; i < count; i += 8) most = _mm256_max_ps(most, _mm256_loadu_ps(values + i));
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

PORTCULLIS_AVX2 float Exponentials(float* values, int64_t count, float offset) {
  const __m256 wide = _mm256_set1_ps(offset);
  __m256 sum = _mm256_setzero_ps();
  for (int64_t i = 0; i < count; i += 8) {
    const __m256 result = Exp(_mm256_sub_ps(_mm256_loadu_ps(values + i), wide));
    _mm256_storeu_ps(values + i, result);
    sum = _mm256_add_ps(sum, result);
  }
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

}  // namespace

const AttentionKernels& Avx2AttentionKernels() {
  static constexpr AttentionKernels kernels{"avx2", Multiply, MultiplyTransposed, Largest,
                                            Exponentials};
  return kernels;
}

}  // namespace portcullis::inference
