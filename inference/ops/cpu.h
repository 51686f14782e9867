// Which instructions this machine has; asked once. Kernels exist for each level of Isa, and a level
// contains those below it except kAvxVnni, which is a side branch for processors without AVX-512.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace portcullis::inference {

enum class Isa : uint8_t { kScalar, kAvx2, kAvxVnni, kAvx512, kAvx512Vnni, kAmx };

// The best this machine can run. kAmx asks the kernel for the tile registers, once per process:
// call it before a sandbox forbids arch_prctl.
Isa BestIsa();
// All that this machine can run, from kScalar up.
const std::vector<Isa>& UsableIsas();
std::string_view NameOf(Isa isa);

// AVX2 with FMA and F16C, as one level: every processor with the first two has the third.
inline bool HasAvx2() {
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return has;
}

// The cache into which weights are prefetched from memory. AMD's processors (Zen 4) read more of them a second
// with the second.
enum class CacheLevel : uint8_t { kFirst, kSecond };
CacheLevel PrefetchLevel();

}  // namespace portcullis::inference
