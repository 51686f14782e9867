// Rotary position embedding with the context extensions in use: linear, Llama 3's, YaRN
// (arXiv 2309.00071), and per-frequency divisors from the file.
// Immutable after construction, safe on any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/model/config.h"

namespace portcullis::inference {

class Rope {
 public:
  Rope() = default;
  // `divisors` is empty or has dimensions / 2 values that divide the frequencies.
  Rope(const RopeConfig& config, std::span<const float> divisors);

  int64_t pairs() const { return static_cast<int64_t>(frequencies_.size()); }
  std::span<const float> frequencies() const { return frequencies_; }

  // Cosines and sines of one position, pairs() of each.
  void Angles(int64_t position, float* cosines, float* sines) const;
  // Rotates the first 2 · pairs() values of each of `heads` heads.
  void Apply(const float* cosines, const float* sines, int64_t heads, int64_t head_stride,
             float* x) const;

 private:
  std::vector<float> frequencies_;
  float magnitude_ = 1.0f;
  bool interleaved_ = false;
};

}  // namespace portcullis::inference
