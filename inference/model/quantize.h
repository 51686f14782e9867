// Conversion of f32 weights to the types of model files. Scales are searched for, not only computed
// from the largest value: the sum of importance · (error)² over a block is made small. Written from
// the block layouts in ops/dequantize.cc; the result does not depend on the machine or on threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "inference/model/tensor.h"

namespace portcullis::inference {

// Whether QuantizeWeights can make the type.
bool CanQuantize(DataType type);

// `count` finite values, a multiple of the type's block, to LayoutOf(type) bytes at `out`.
// `importance` is empty (all values matter alike) or holds one positive weight per value.
void QuantizeWeights(DataType type, const float* values, int64_t count,
                     std::span<const float> importance, std::byte* out);

// Round to nearest even; beyond the largest half: infinity.
uint16_t FloatToHalf(float value);
uint16_t FloatToBrain(float value);

}  // namespace portcullis::inference
