// exp of f32 vectors within 2 ulp: 2^n times a polynomial of the rest (the coefficients are those
// of Cephes' expf). Arguments below the smallest normal result give 0, minus infinity included.
#pragma once

#include <immintrin.h>

namespace portcullis::inference {

inline constexpr float kExpLeast = -87.33f;
inline constexpr float kExpMost = 88.37f;
inline constexpr float kLog2E = 1.44269504f;
inline constexpr float kLn2High = 0.693359375f;
inline constexpr float kLn2Low = -2.12194440e-4f;
inline constexpr float kExpTerms[] = {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                      4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};

__attribute__((target("avx2,fma"))) inline __m256 Exp(__m256 x) {
  const __m256 tiny = _mm256_cmp_ps(x, _mm256_set1_ps(kExpLeast), _CMP_LT_OQ);
  // The second operand is what NaN gives.
  x = _mm256_max_ps(_mm256_set1_ps(kExpLeast), _mm256_min_ps(_mm256_set1_ps(kExpMost), x));
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(kLog2E)),
                                   _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 rest = _mm256_fnmadd_ps(n, _mm256_set1_ps(kLn2High), x);
  rest = _mm256_fnmadd_ps(n, _mm256_set1_ps(kLn2Low), rest);
  __m256 sum = _mm256_set1_ps(kExpTerms[0]);
  for (int i = 1; i < 6; ++i) sum = _mm256_fmadd_ps(sum, rest, _mm256_set1_ps(kExpTerms[i]));
  sum = _mm256_fmadd_ps(_mm256_mul_ps(sum, rest), rest, rest);
  sum = _mm256_add_ps(sum, _mm256_set1_ps(1.0f));
  const __m256i exponent = _mm256_slli_epi32(
      _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_andnot_ps(tiny, _mm256_mul_ps(sum, _mm256_castsi256_ps(exponent)));
}

__attribute__((target("avx512f"))) inline __m512 Exp(__m512 x) {
  const __mmask16 normal = _mm512_cmp_ps_mask(x, _mm512_set1_ps(kExpLeast), _CMP_NLT_UQ);
  x = _mm512_max_ps(_mm512_set1_ps(kExpLeast), _mm512_min_ps(_mm512_set1_ps(kExpMost), x));
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(kLog2E)),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 rest = _mm512_fnmadd_ps(n, _mm512_set1_ps(kLn2High), x);
  rest = _mm512_fnmadd_ps(n, _mm512_set1_ps(kLn2Low), rest);
  __m512 sum = _mm512_set1_ps(kExpTerms[0]);
  for (int i = 1; i < 6; ++i) sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(kExpTerms[i]));
  sum = _mm512_fmadd_ps(_mm512_mul_ps(sum, rest), rest, rest);
  sum = _mm512_add_ps(sum, _mm512_set1_ps(1.0f));
  return _mm512_maskz_scalef_ps(normal, sum, n);
}

}  // namespace portcullis::inference
