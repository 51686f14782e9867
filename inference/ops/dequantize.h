// Conversion of weights to f32, row by row or part of a row. The block types are ggml's:
// Q8_0 and Q4_0 are 32 values with one f16 scale; Q4_K, Q5_K and Q6_K are 256 values in groups with
// scales of their own. Written for any alignment; the common types have an AVX2 path that gives the
// same bits as the portable one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/model/tensor.h"

namespace portcullis::inference {

// `count` values starting at `source`; a multiple of the type's block. `type` is never kOther.
void DequantizeRow(DataType type, const std::byte* source, int64_t count, float* out);

// The portable path, whatever the machine has.
void DequantizeRowPortable(DataType type, const std::byte* source, int64_t count, float* out);

float HalfToFloat(uint16_t half);

}  // namespace portcullis::inference
