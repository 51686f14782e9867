#include "inference/ops/swiglu.h"

#include <immintrin.h>

#include <cmath>

#include "inference/ops/cpu.h"
#include "inference/ops/simd_exp.h"

namespace portcullis::inference {
namespace {

void SwiGluPortable(float* gate, const float* up, int64_t count) {
  for (int64_t i = 0; i < count; ++i) gate[i] = gate[i] / (1.0f + std::exp(-gate[i])) * up[i];
}

__attribute__((target("avx2,fma"))) void SwiGluAvx2(float* gate, const float* up, int64_t count) {
  const __m256 one = _mm256_set1_ps(1.0f);
  const __m256 zero = _mm256_setzero_ps();
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 x = _mm256_loadu_ps(gate + i);
    const __m256 silu = _mm256_div_ps(x, _mm256_add_ps(one, Exp(_mm256_sub_ps(zero, x))));
    _mm256_storeu_ps(gate + i, _mm256_mul_ps(silu, _mm256_loadu_ps(up + i)));
  }
  SwiGluPortable(gate + i, up + i, count - i);
}

__attribute__((target("avx512f"))) void SwiGluAvx512(float* gate, const float* up, int64_t count) {
  const __m512 one = _mm512_set1_ps(1.0f);
  const __m512 zero = _mm512_setzero_ps();
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m512 x = _mm512_loadu_ps(gate + i);
    const __m512 silu = _mm512_div_ps(x, _mm512_add_ps(one, Exp(_mm512_sub_ps(zero, x))));
    _mm512_storeu_ps(gate + i, _mm512_mul_ps(silu, _mm512_loadu_ps(up + i)));
  }
  SwiGluPortable(gate + i, up + i, count - i);
}

}  // namespace

void SwiGlu(float* gate, const float* up, int64_t count) {
  static const Isa isa = BestIsa();
  if (isa >= Isa::kAvx512) return SwiGluAvx512(gate, up, count);
  if (isa >= Isa::kAvx2) return SwiGluAvx2(gate, up, count);
  SwiGluPortable(gate, up, count);
}

}  // namespace portcullis::inference
