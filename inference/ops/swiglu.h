// SwiGLU's element-wise half: gate = gate / (1 + exp(-gate)) · up.
#pragma once

#include <cstdint>

namespace portcullis::inference {

void SwiGlu(float* gate, const float* up, int64_t count);

}  // namespace portcullis::inference
