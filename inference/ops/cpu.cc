#include "inference/ops/cpu.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace portcullis::inference {
namespace {

struct Level {
  Isa isa;
  std::string_view name;
};
// In the order of Isa.
constexpr std::array kLevels = {
    Level{Isa::kScalar, "scalar"},   Level{Isa::kAvx2, "avx2"},
    Level{Isa::kAvxVnni, "avxvnni"}, Level{Isa::kAvx512, "avx512"},
    Level{Isa::kAvx512Vnni, "vnni"}, Level{Isa::kAmx, "amx"},
};

// Linux hands out the tile registers on request only.
bool AskForTiles() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// Leaf 7: the compilers' names for these bits differ.
bool HasLeaf7(unsigned subleaf, unsigned eax_bits, unsigned edx_bits) {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, subleaf, &eax, &ebx, &ecx, &edx) == 0) return false;
  return (eax & eax_bits) == eax_bits && (edx & edx_bits) == edx_bits;
}

bool Usable(Isa isa) {
  constexpr unsigned kAvxVnniBit = 1u << 4, kAvx512Bf16Bit = 1u << 5;
  constexpr unsigned kAmxBits = 1u << 22 | 1u << 24 | 1u << 25;  // bf16, tile, int8
  switch (isa) {
    case Isa::kScalar: return true;
    case Isa::kAvx2: return HasAvx2();
    case Isa::kAvxVnni: return HasAvx2() && HasLeaf7(1, kAvxVnniBit, 0);
    case Isa::kAvx512:
      return HasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    case Isa::kAvx512Vnni: return Usable(Isa::kAvx512) && __builtin_cpu_supports("avx512vnni");
    case Isa::kAmx:
      return Usable(Isa::kAvx512Vnni) && __builtin_cpu_supports("gfni") &&
             HasLeaf7(0, 0, kAmxBits) &&
             HasLeaf7(1, kAvx512Bf16Bit, 0) && AskForTiles();
  }
  return false;
}

bool IsFromAmd() {
  unsigned eax = 0, vendor[3] = {};
  return __get_cpuid(0, &eax, &vendor[0], &vendor[2], &vendor[1]) != 0 &&
         std::memcmp(vendor, "AuthenticAMD", sizeof vendor) == 0;
}

}  // namespace

CacheLevel PrefetchLevel() {
  static const CacheLevel level = IsFromAmd() ? CacheLevel::kSecond : CacheLevel::kFirst;
  return level;
}

const std::vector<Isa>& UsableIsas() {
  static const std::vector<Isa> usable = [] {
    std::vector<Isa> found;
    for (const auto& level : kLevels) {
      if (Usable(level.isa)) found.push_back(level.isa);
    }
    return found;
  }();
  return usable;
}

Isa BestIsa() { return UsableIsas().back(); }

std::string_view NameOf(Isa isa) { return kLevels[static_cast<size_t>(isa)].name; }

}  // namespace portcullis::inference
