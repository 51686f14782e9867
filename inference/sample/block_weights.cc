// exp is that of ops/simd_exp.h. Where there is no AVX2 the same operations are done one by one, fused
// multiplications included, in eight sums like the eight lanes.
#include "inference/sample/block_weights.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "inference/ops/cpu.h"
#include "inference/ops/simd_exp.h"

namespace portcullis::inference {
namespace {

constexpr size_t kLanes = 8;
constexpr float kLowest = -std::numeric_limits<float>::infinity();

float ExpPortable(float x) {
  if (x < kExpLeast) return 0;
  x = std::min(x, kExpMost);
  const float n = std::nearbyint(x * kLog2E);
  float rest = std::fma(-n, kLn2High, x);
  rest = std::fma(-n, kLn2Low, rest);
  float sum = kExpTerms[0];
  for (int i = 1; i < 6; ++i) sum = std::fma(sum, rest, kExpTerms[i]);
  sum = std::fma(sum * rest, rest, rest) + 1.0f;
  return sum * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

// The lanes of a sum, always added in this order.
float SumOf(const float* lanes) {
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

float WeighPortable(const float* logits, float top, float scale, float* weights) {
  float lanes[kLanes] = {};
  for (size_t i = 0; i < kWeightBlock; ++i) {
    weights[i] = ExpPortable((logits[i] - top) * scale);
    lanes[i % kLanes] += weights[i];
  }
  return SumOf(lanes);
}

__attribute__((target("avx2,fma"))) float WeighAvx2(const float* logits, float top, float scale,
                                                    float* weights) {
  const __m256 tops = _mm256_set1_ps(top);
  const __m256 scales = _mm256_set1_ps(scale);
  __m256 sum = _mm256_setzero_ps();
  for (size_t i = 0; i < kWeightBlock; i += kLanes) {
    const __m256 weight = Exp(_mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(logits + i), tops), scales));
    _mm256_storeu_ps(weights + i, weight);
    sum = _mm256_add_ps(sum, weight);
  }
  float lanes[kLanes];
  _mm256_storeu_ps(lanes, sum);
  return SumOf(lanes);
}

// Comparisons are written so that NaN never wins.
float LargestPortable(std::span<const float> values, float largest) {
  for (const float value : values) largest = largest < value ? value : largest;
  return largest;
}

__attribute__((target("avx2"))) float LargestAvx2(std::span<const float> values) {
  __m256 largest = _mm256_set1_ps(kLowest);
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    largest = _mm256_max_ps(_mm256_loadu_ps(values.data() + i), largest);
  }
  float lanes[kLanes];
  _mm256_storeu_ps(lanes, largest);
  return LargestPortable(values.subspan(i), LargestPortable(lanes, kLowest));
}

}  // namespace

void BlockMaxima(std::span<const float> logits, std::vector<float>& maxima) {
  maxima.resize(BlocksOf(logits.size()));
  for (size_t block = 0; block < maxima.size(); ++block) {
    const size_t begin = block * kWeightBlock;
    const auto some = logits.subspan(begin, std::min(kWeightBlock, logits.size() - begin));
    maxima[block] = HasAvx2() ? LargestAvx2(some) : LargestPortable(some, kLowest);
  }
}

float WeighBlock(std::span<const float> logits, size_t index, float top, float scale, BlockOfWeights& weights) {
  const float* from = logits.data() + index * kWeightBlock;
  const size_t count = std::min(kWeightBlock, logits.size() - index * kWeightBlock);
  BlockOfWeights padded;
  if (count < kWeightBlock) {
    std::fill(std::copy_n(from, count, padded.begin()), padded.end(), kLowest);
    from = padded.data();
  }
  return HasAvx2() ? WeighAvx2(from, top, scale, weights.data()) : WeighPortable(from, top, scale, weights.data());
}

}  // namespace portcullis::inference
