#include "inference/ops/swiglu.h"

#include <cmath>

namespace portcullis::inference {

void SwiGlu(float* gate, const float* up, int64_t count) {
  for (int64_t i = 0; i < count; ++i) gate[i] = gate[i] / (1.0f + std::exp(-gate[i])) * up[i];
}

}  // namespace portcullis::inference
