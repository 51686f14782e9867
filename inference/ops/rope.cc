#include "inference/ops/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

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
  const int64_t half = pairs();
  const int64_t step = interleaved_ ? 2 : 1;
  const int64_t other = interleaved_ ? 1 : half;
  for (int64_t head = 0; head < heads; ++head) {
    float* values = x + head * head_stride;
    for (int64_t i = 0; i < half; ++i) {
      const float a = values[i * step];
      const float b = values[i * step + other];
      values[i * step] = a * cosines[i] - b * sines[i];
      values[i * step + other] = a * sines[i] + b * cosines[i];
    }
  }
}

}  // namespace portcullis::inference
