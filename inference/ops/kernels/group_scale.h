// How a group of inputs finds its scale: the same operations at every instruction level.
#pragma once

#include <cstdint>

#include "inference/ops/kernels.h"

namespace portcullis::inference {
namespace {

struct Scales {
  float scale;
  float inverse;  // 0: all values are 0
};

// `bits` are those of the largest magnitude, which order like the numbers; not finite ones are
// greatest. A group that holds one gets the scale NaN, which spreads to its outputs.
inline Scales GroupScale(uint32_t bits) {
  constexpr uint32_t kInfinity = 0x7f800000, kTiny = 0x0d800000;  // 2^-100
  if (bits >= kInfinity) return {__builtin_nanf(""), 0};
  if (bits < kTiny) return {0, 0};
  float largest;
  __builtin_memcpy(&largest, &bits, sizeof largest);
  return {largest / 127.0f, 127.0f / largest};
}

inline void FinishGroup(float scale, int32_t first, int32_t second, QuantizedGroup& out) {
  out.scale = scale;
  out.scaled_sum = scale * static_cast<float>(first + second);
  out.negative_sum = -(first + second);
  out.negative_half = -first;
}

}  // namespace
}  // namespace portcullis::inference
