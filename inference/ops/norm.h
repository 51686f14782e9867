// Root mean square normalisation: out = in / sqrt(mean(in²) + epsilon) · weight, over `count`
// values. `out` may be `in`.
#pragma once

#include <cstdint>

namespace portcullis::inference {

void RmsNorm(const float* in, const float* weight, int64_t count, float epsilon, float* out);

// The same of x + addend, which is left in x.
void AddRmsNorm(float* x, const float* addend, const float* weight, int64_t count, float epsilon,
                float* out);

}  // namespace portcullis::inference
