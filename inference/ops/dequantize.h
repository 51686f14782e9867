// Conversion of weights to f32, row by row or part of a row. The block types are ggml's:
// Q8_0 and Q4_0 are 32 values with one f16 scale; Q4_K, Q5_K and Q6_K are 256 values in groups with
// scales of their own. Written for any alignment; the common types have an AVX2 path that gives the
// same bits as the portable one. kF8E4M3 is converted without its block factors, except where a whole
// Matrix is given.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/model/tensor.h"
#include "inference/model/weights.h"

namespace portcullis::inference {

// `count` values starting at `source`; a multiple of the type's block. `type` is never kOther.
void DequantizeRow(DataType type, const std::byte* source, int64_t count, float* out);

// The portable path, whatever the machine has.
void DequantizeRowPortable(DataType type, const std::byte* source, int64_t count, float* out);

// `count` values of a matrix's row from column `begin` on; both whole blocks of the type.
void DequantizePart(const Matrix& matrix, int64_t row, int64_t begin, int64_t count, float* out);

float HalfToFloat(uint16_t half);
// OCP E4M3: four exponent bits with bias 7, three of mantissa, no infinity; 0x7f and 0xff are NaN.
float F8ToFloat(uint8_t value);

}  // namespace portcullis::inference
