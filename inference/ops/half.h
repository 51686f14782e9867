// f16 as storage: rounding to nearest even, numbers beyond the range become the largest finite one,
// NaN stays NaN. The vectorised path gives the same bits as the scalar one.
#pragma once

#include <cstdint>

namespace portcullis::inference {

uint16_t ToHalf(float value);
void ToHalves(const float* in, int64_t count, uint16_t* out);

}  // namespace portcullis::inference
