// What this machine can do at most with the threads of a Workers, measured now: the figures by
// which a benchmark says how much of the machine it used. Takes about two seconds and twice the last-level cache
// (256 MiB to 1 GiB, above the least an eighth of the memory at most). A multiplication with an addition counts as two operations.
#pragma once

#include "inference/ops/workers.h"

namespace portcullis::inference {

struct MachineLimits {
  double read_bytes_per_second = 0;  // from memory, far beyond the caches
  double f32_per_second = 0;         // fused multiply-adds of f32
  double bf16_per_second = 0;        // bf16 products summed in f32; 0: no instruction for them
  double int8_per_second = 0;        // int8 products summed in int32; 0: no instruction for them
};

// Throws std::bad_alloc.
MachineLimits MeasureLimits(Workers& workers);

}  // namespace portcullis::inference
