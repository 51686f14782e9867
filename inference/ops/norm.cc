#include "inference/ops/norm.h"

#include <immintrin.h>

#include <cmath>

#include "inference/ops/cpu.h"
#include "inference/ops/vector.h"

namespace portcullis::inference {
namespace {

__attribute__((target("avx2,fma"))) void ScaleAvx2(const float* in, const float* weight,
                                                   int64_t count, float factor, float* out) {
  const __m256 wide = _mm256_set1_ps(factor);
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(in + i), wide);
    _mm256_storeu_ps(out + i, _mm256_mul_ps(scaled, _mm256_loadu_ps(weight + i)));
  }
  for (; i < count; ++i) out[i] = in[i] * factor * weight[i];
}

}  // namespace

void RmsNorm(const float* in, const float* weight, int64_t count, float epsilon, float* out) {
  const float mean = Dot(in, in, count) / static_cast<float>(count);
  const float factor = 1.0f / std::sqrt(mean + epsilon);
  if (HasAvx2()) return ScaleAvx2(in, weight, count, factor, out);
  for (int64_t i = 0; i < count; ++i) out[i] = in[i] * factor * weight[i];
}

void AddRmsNorm(float* x, const float* addend, const float* weight, int64_t count, float epsilon,
                float* out) {
  AddScaled(1.0f, addend, count, x);
  RmsNorm(x, weight, count, epsilon, out);
}

}  // namespace portcullis::inference
