#include "inference/ops/norm.h"

#include <cmath>

#include "inference/ops/vector.h"

namespace portcullis::inference {

void RmsNorm(const float* in, const float* weight, int64_t count, float epsilon, float* out) {
  const float mean = Dot(in, in, count) / static_cast<float>(count);
  const float factor = 1.0f / std::sqrt(mean + epsilon);
  for (int64_t i = 0; i < count; ++i) out[i] = in[i] * factor * weight[i];
}

}  // namespace portcullis::inference
