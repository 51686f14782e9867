// Which instructions this machine has; asked once.
#pragma once

namespace portcullis::inference {

// AVX2 with FMA and F16C, as one level: every processor with the first two has the third.
inline bool HasAvx2() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return has;
}

}  // namespace portcullis::inference
