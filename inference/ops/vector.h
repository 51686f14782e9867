// Inner loops over contiguous f32 values, any alignment. The order of additions depends on the
// length only, so equal inputs give equal bits whatever else is computed beside them.
#pragma once

#include <cstdint>

namespace portcullis::inference {

float Dot(const float* a, const float* b, int64_t count);
// out[i] += factor * in[i]
void AddScaled(float factor, const float* in, int64_t count, float* out);

}  // namespace portcullis::inference
