#include "inference/ops/vector.h"

#include <immintrin.h>

#include "inference/ops/cpu.h"

namespace portcullis::inference {
namespace {

__attribute__((target("avx2,fma"))) float DotAvx2(const float* a, const float* b, int64_t count) {
  __m256 sum0 = _mm256_setzero_ps(), sum1 = sum0, sum2 = sum0, sum3 = sum0;
  int64_t i = 0;
  for (; i + 32 <= count; i += 32) {
    sum0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), sum0);
    sum1 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), sum1);
    sum2 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16), sum2);
    sum3 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24), sum3);
  }
  for (; i + 8 <= count; i += 8) {
    sum0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), sum0);
  }
  const __m256 sum = _mm256_add_ps(_mm256_add_ps(sum0, sum1), _mm256_add_ps(sum2, sum3));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  float total = _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
  for (; i < count; ++i) total += a[i] * b[i];
  return total;
}

__attribute__((target("avx2,fma"))) void AddScaledAvx2(float factor, const float* in, int64_t count,
                                                       float* out) {
  const __m256 wide = _mm256_set1_ps(factor);
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    _mm256_storeu_ps(out + i,
                     _mm256_fmadd_ps(wide, _mm256_loadu_ps(in + i), _mm256_loadu_ps(out + i)));
  }
  for (; i < count; ++i) out[i] += factor * in[i];
}

}  // namespace

float Dot(const float* a, const float* b, int64_t count) {
  if (HasAvx2()) return DotAvx2(a, b, count);
  float lanes[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int j = 0; j < 8; ++j) lanes[j] += a[i + j] * b[i + j];
  }
  float total = 0;
  for (const float lane : lanes) total += lane;
  for (; i < count; ++i) total += a[i] * b[i];
  return total;
}

void AddScaled(float factor, const float* in, int64_t count, float* out) {
  if (HasAvx2()) return AddScaledAvx2(factor, in, count, out);
  for (int64_t i = 0; i < count; ++i) out[i] += factor * in[i];
}

}  // namespace portcullis::inference
