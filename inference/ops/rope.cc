#include "inference/ops/rope.h"

#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "inference/ops/cpu.h"

namespace portcullis::inference {
namespace {

// The (fractional) pair whose wavelength makes `rotations` turns within the original context.
double PairOfRotations(const RopeConfig& config, double rotations) {
  return static_cast<double>(config.dimensions) *
         std::log(static_cast<double>(config.original_context) /
                  (rotations * 2.0 * std::numbers::pi)) /
         (2.0 * std::log(config.theta));
}

// YaRN keeps fast pairs, stretches slow ones by the factor, and blends in between.
double YarnFrequency(const RopeConfig& config, int64_t pair, double frequency) {
  const double low = std::max(std::floor(PairOfRotations(config, config.beta_fast)), 0.0);
  double high = std::min(std::ceil(PairOfRotations(config, config.beta_slow)),
                         static_cast<double>(config.dimensions - 1));
  if (low == high) high += 0.001;
  const double stretched = std::clamp((static_cast<double>(pair) - low) / (high - low), 0.0, 1.0);
  return frequency / config.factor * stretched + frequency * (1.0 - stretched);
}

// Llama 3 does the same by wavelength: short ones stay, long ones are stretched.
double Llama3Frequency(const RopeConfig& config, double frequency) {
  const double turns =
      static_cast<double>(config.original_context) * frequency / (2.0 * std::numbers::pi);
  const double kept = std::clamp((turns - config.low_frequency_factor) /
                                     (config.high_frequency_factor - config.low_frequency_factor),
                                 0.0, 1.0);
  return frequency / config.factor * (1.0 - kept) + frequency * kept;
}

void RotatePairs(const float* cosines, const float* sines, int64_t begin, int64_t pairs,
                 bool adjacent, float* values) {
  const int64_t step = adjacent ? 2 : 1;
  const int64_t other = adjacent ? 1 : pairs;
  for (int64_t i = begin; i < pairs; ++i) {
    const float a = values[i * step];
    const float b = values[i * step + other];
    values[i * step] = a * cosines[i] - b * sines[i];
    values[i * step + other] = a * sines[i] + b * cosines[i];
  }
}

__attribute__((target("avx2,fma"))) void RotateAdjacentAvx2(const float* cosines,
                                                            const float* sines, int64_t pairs,
                                                            float* values) {
  const __m256i twice = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
  int64_t i = 0;
  for (; i + 4 <= pairs; i += 4) {
    const __m256 cosine = _mm256_permutevar8x32_ps(
        _mm256_castps128_ps256(_mm_loadu_ps(cosines + i)), twice);
    const __m256 sine =
        _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(sines + i)), twice);
    const __m256 x = _mm256_loadu_ps(values + 2 * i);
    const __m256 crossed = _mm256_mul_ps(_mm256_permute_ps(x, 0b10110001), sine);
    _mm256_storeu_ps(values + 2 * i, _mm256_fmaddsub_ps(x, cosine, crossed));
  }
  RotatePairs(cosines, sines, i, pairs, true, values);
}

__attribute__((target("avx2,fma"))) void RotateHalvesAvx2(const float* cosines, const float* sines,
                                                          int64_t pairs, float* values) {
  int64_t i = 0;
  for (; i + 8 <= pairs; i += 8) {
    const __m256 cosine = _mm256_loadu_ps(cosines + i);
    const __m256 sine = _mm256_loadu_ps(sines + i);
    const __m256 a = _mm256_loadu_ps(values + i);
    const __m256 b = _mm256_loadu_ps(values + pairs + i);
    _mm256_storeu_ps(values + i, _mm256_fmsub_ps(a, cosine, _mm256_mul_ps(b, sine)));
    _mm256_storeu_ps(values + pairs + i, _mm256_fmadd_ps(a, sine, _mm256_mul_ps(b, cosine)));
  }
  RotatePairs(cosines, sines, i, pairs, false, values);
}

}  // namespace

Rope::Rope(const RopeConfig& config, std::span<const float> divisors)
    : magnitude_(static_cast<float>(config.magnitude)), interleaved_(config.interleaved) {
  for (int64_t pair = 0; pair < config.dimensions / 2; ++pair) {
    double frequency = std::pow(config.theta, -2.0 * static_cast<double>(pair) /
                                                  static_cast<double>(config.dimensions));
    if (!divisors.empty()) frequency /= static_cast<double>(divisors[static_cast<size_t>(pair)]);
    switch (config.scaling) {
      case RopeScaling::kNone: break;
      case RopeScaling::kLinear: frequency /= config.factor; break;
      case RopeScaling::kLlama3: frequency = Llama3Frequency(config, frequency); break;
      case RopeScaling::kYarn: frequency = YarnFrequency(config, pair, frequency); break;
    }
    frequencies_.push_back(static_cast<float>(frequency));
  }
}

void Rope::Angles(int64_t position, float* cosines, float* sines) const {
  for (size_t i = 0; i < frequencies_.size(); ++i) {
    // The product is rounded to f32, as in the reference implementations.
    const float angle = static_cast<float>(position) * frequencies_[i];
    cosines[i] = std::cos(angle) * magnitude_;
    sines[i] = std::sin(angle) * magnitude_;
  }
}

void Rope::Apply(const float* cosines, const float* sines, int64_t heads, int64_t head_stride,
                 float* x) const {
  const bool vectors = HasAvx2();
  for (int64_t head = 0; head < heads; ++head) {
    float* values = x + head * head_stride;
    if (!vectors) {
      RotatePairs(cosines, sines, 0, pairs(), interleaved_, values);
    } else if (interleaved_) {
      RotateAdjacentAvx2(cosines, sines, pairs(), values);
    } else {
      RotateHalvesAvx2(cosines, sines, pairs(), values);
    }
  }
}

}  // namespace portcullis::inference
