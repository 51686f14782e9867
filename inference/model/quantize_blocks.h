// One block of each quantised type from f32 values `x` with weights `w` of their errors. The
// layouts are ggml's and described at their readers, ops/dequantize.cc. Pure functions; used by
// quantize.cc.
#pragma once

#include <cstddef>

namespace portcullis::inference::quantize {

void BlockQ8_0(const float* x, const float* w, std::byte* out);  // 32 values
void BlockQ4_0(const float* x, const float* w, std::byte* out);  // 32 values
void BlockQ5_0(const float* x, const float* w, std::byte* out);  // 32 values
void BlockQ4K(const float* x, const float* w, std::byte* out);   // 256 values
void BlockQ5K(const float* x, const float* w, std::byte* out);   // 256 values
void BlockQ6K(const float* x, const float* w, std::byte* out);   // 256 values

}  // namespace portcullis::inference::quantize
