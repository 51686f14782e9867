// Each limit is the best of several short runs: interruptions can only make a run slower. The
// arithmetic loops keep enough independent sums to hide the latency of the instruction.
#include "inference/ops/limits.h"

#include <immintrin.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <new>
#include <vector>

#include "inference/ops/cpu.h"
#include "inference/ops/kernels/prefetch.h"
#include "inference/ops/kernels/tile_config.h"

namespace portcullis::inference {
namespace {

constexpr int kRuns = 7;
constexpr int kSums = 12;
constexpr int64_t kLoops = 1 << 21;
constexpr size_t kLeastReadBytes = size_t{256} << 20, kMostReadBytes = size_t{1} << 30;
constexpr int64_t kReadAhead = 2048;

using Loop = void (*)(int64_t loops);

// One instruction on each of twelve registers, which sums into that register. Written as text: of
// sums in an array a compiler would make loads and stores, of equal sums one.
#define TWELVE_SUMS(OP) \
  OP("0") OP("1") OP("2") OP("3") OP("4") OP("5") OP("6") OP("7") OP("8") OP("9") OP("10") OP("11")
#define ALL_SUMS(R) \
  R "0", R "1", R "2", R "3", R "4", R "5", R "6", R "7", R "8", R "9", R "10", R "11"

void F32Avx2(int64_t loops) {
#define OP(N) "vfmadd231ps %%ymm14, %%ymm15, %%ymm" N "\n"
  asm volatile("vxorps %%ymm14, %%ymm14, %%ymm14\n vxorps %%ymm15, %%ymm15, %%ymm15\n"
               "1:\n" TWELVE_SUMS(OP) "dec %0\n jnz 1b\n vzeroupper"
               : "+r"(loops) : : "cc", ALL_SUMS("xmm"), "xmm14", "xmm15");
#undef OP
}

void F32Avx512(int64_t loops) {
#define OP(N) "vfmadd231ps %%zmm14, %%zmm15, %%zmm" N "\n"
  asm volatile("vpxord %%zmm14, %%zmm14, %%zmm14\n vpxord %%zmm15, %%zmm15, %%zmm15\n"
               "1:\n" TWELVE_SUMS(OP) "dec %0\n jnz 1b\n vzeroupper"
               : "+r"(loops) : : "cc", ALL_SUMS("xmm"), "xmm14", "xmm15");
#undef OP
}

// Without a dot product instruction: products in pairs to 16 bits, those in pairs to 32, and a sum.
void Int8Avx2(int64_t loops) {
#define OP(N)                                     \
  "vpmaddubsw %%ymm14, %%ymm15, %%ymm12\n"        \
  "vpmaddwd %%ymm14, %%ymm12, %%ymm13\n"          \
  "vpaddd %%ymm13, %%ymm" N ", %%ymm" N "\n"
  asm volatile("vxorps %%ymm14, %%ymm14, %%ymm14\n vxorps %%ymm15, %%ymm15, %%ymm15\n"
               "1:\n" TWELVE_SUMS(OP) "dec %0\n jnz 1b\n vzeroupper"
               : "+r"(loops) : : "cc", ALL_SUMS("xmm"), "xmm12", "xmm13", "xmm14", "xmm15");
#undef OP
}

void Int8Avx512(int64_t loops) {
#define OP(N)                                     \
  "vpmaddubsw %%zmm14, %%zmm15, %%zmm12\n"        \
  "vpmaddwd %%zmm14, %%zmm12, %%zmm13\n"          \
  "vpaddd %%zmm13, %%zmm" N ", %%zmm" N "\n"
  asm volatile("vpxord %%zmm14, %%zmm14, %%zmm14\n vpxord %%zmm15, %%zmm15, %%zmm15\n"
               "1:\n" TWELVE_SUMS(OP) "dec %0\n jnz 1b\n vzeroupper"
               : "+r"(loops) : : "cc", ALL_SUMS("xmm"), "xmm12", "xmm13", "xmm14", "xmm15");
#undef OP
}

void Int8Vnni(int64_t loops) {
#define OP(N) "vpdpbusd %%zmm14, %%zmm15, %%zmm" N "\n"
  asm volatile("vpxord %%zmm14, %%zmm14, %%zmm14\n vpxord %%zmm15, %%zmm15, %%zmm15\n"
               "1:\n" TWELVE_SUMS(OP) "dec %0\n jnz 1b\n vzeroupper"
               : "+r"(loops) : : "cc", ALL_SUMS("xmm"), "xmm14", "xmm15");
#undef OP
}

void Int8AvxVnni(int64_t loops) {
#define OP(N) "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm" N "\n"
  asm volatile("vxorps %%ymm14, %%ymm14, %%ymm14\n vxorps %%ymm15, %%ymm15, %%ymm15\n"
               "1:\n" TWELVE_SUMS(OP) "dec %0\n jnz 1b\n vzeroupper"
               : "+r"(loops) : : "cc", ALL_SUMS("xmm"), "xmm14", "xmm15");
#undef OP
}

// Tiles of 16 rows of 64 bytes; four sums from two times two factors.
constexpr auto kTiles = amx::TileConfig::All(16, 64);
constexpr int64_t kTileLoops = kLoops / 8;

__attribute__((target("amx-tile,amx-int8"))) void Int8Amx(int64_t loops) {
  _tile_loadconfig(&kTiles);
  _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
  _tile_zero(4); _tile_zero(5); _tile_zero(6); _tile_zero(7);
  for (int64_t i = 0; i < loops; ++i) {
    _tile_dpbssd(0, 4, 6);
    _tile_dpbssd(1, 4, 7);
    _tile_dpbssd(2, 5, 6);
    _tile_dpbssd(3, 5, 7);
  }
  _tile_release();
}

__attribute__((target("amx-tile,amx-bf16"))) void Bf16Amx(int64_t loops) {
  _tile_loadconfig(&kTiles);
  _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
  _tile_zero(4); _tile_zero(5); _tile_zero(6); _tile_zero(7);
  for (int64_t i = 0; i < loops; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
}

double SecondsOf(Workers& workers, const auto& task) {
  double best = 1e9;
  for (int run = 0; run < kRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
    workers.Run(workers.threads(), true, task);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return best;
}

double Rate(Workers& workers, Loop loop, int64_t loops, double operations_a_loop) {
  const double seconds = SecondsOf(workers, [&](int64_t, int) { loop(loops); });
  return operations_a_loop * static_cast<double>(loops) * workers.threads() / seconds;
}

// Line by line, each with its request for one that comes: a loop that only reads is a fifth slower.
__attribute__((target("avx2"))) uint64_t SumAvx2(const std::byte* data, size_t bytes) {
  __m256i sums[2] = {};
  for (size_t i = 0; i + kLineBytes <= bytes; i += kLineBytes) {
    const auto* at = reinterpret_cast<const __m256i*>(data + i);
    sums[0] = _mm256_xor_si256(sums[0], _mm256_load_si256(at));
    PrefetchApart(data + i, kReadAhead);
    sums[1] = _mm256_xor_si256(sums[1], _mm256_load_si256(at + 1));
  }
  const __m256i all = _mm256_xor_si256(sums[0], sums[1]);
  return static_cast<uint64_t>(_mm256_extract_epi64(all, 0));
}

uint64_t SumPortable(const std::byte* data, size_t bytes) {
  uint64_t sum = 0;
  for (size_t i = 0; i + 8 <= bytes; i += 8) {
    uint64_t word;
    std::memcpy(&word, data + i, sizeof word);
    sum ^= word;
  }
  return sum;
}

// Twice the last-level cache, as far as it is known and an eighth of the memory reaches.
size_t ReadBytes() {
  const auto of = [](int name) { return static_cast<size_t>(std::max(0l, sysconf(name))); };
  const size_t memory = of(_SC_PHYS_PAGES) * of(_SC_PAGESIZE);
  return std::clamp(2 * of(_SC_LEVEL3_CACHE_SIZE), kLeastReadBytes,
                    std::clamp(memory / 8, kLeastReadBytes, kMostReadBytes));
}

double ReadRate(Workers& workers) {
  const size_t bytes = ReadBytes();
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                      0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  madvise(memory, bytes, MADV_HUGEPAGE);
  auto* data = static_cast<std::byte*>(memory);
  const size_t part = bytes / static_cast<size_t>(workers.threads()) / kLineBytes * kLineBytes;
  std::atomic<uint64_t> sum{0};
  const auto begin = [&](int64_t index) { return data + static_cast<size_t>(index) * part; };
  workers.Run(workers.threads(), true, [&](int64_t i, int) { std::memset(begin(i), 1, part); });
  const double seconds = SecondsOf(workers, [&](int64_t index, int) {
    sum += HasAvx2() ? SumAvx2(begin(index), part) : SumPortable(begin(index), part);
  });
  munmap(memory, bytes);
  return static_cast<double>(part) * workers.threads() / seconds;
}

}  // namespace

MachineLimits MeasureLimits(Workers& workers) {
  MachineLimits limits;
  limits.read_bytes_per_second = ReadRate(workers);
  const Isa isa = BestIsa();
  if (isa >= Isa::kAvx512) {
    limits.f32_per_second = Rate(workers, F32Avx512, kLoops, 2 * 16 * kSums);
    limits.int8_per_second = Rate(workers, Int8Avx512, kLoops / 2, 2 * 64 * kSums);
  } else if (HasAvx2()) {
    limits.f32_per_second = Rate(workers, F32Avx2, kLoops, 2 * 8 * kSums);
    limits.int8_per_second = Rate(workers, Int8Avx2, kLoops / 2, 2 * 32 * kSums);
  }
  if (isa == Isa::kAvxVnni) {
    limits.int8_per_second = Rate(workers, Int8AvxVnni, kLoops, 2 * 32 * kSums);
  }
  if (isa >= Isa::kAvx512Vnni) {
    limits.int8_per_second = Rate(workers, Int8Vnni, kLoops, 2 * 64 * kSums);
  }
  if (isa == Isa::kAmx) {
    constexpr double kTile = 4 * 2 * 16 * 16;  // per loop and per value of a row of the factors
    limits.int8_per_second = Rate(workers, Int8Amx, kTileLoops, kTile * 64);
    limits.bf16_per_second = Rate(workers, Bf16Amx, kTileLoops, kTile * 32);
  }
  return limits;
}

}  // namespace portcullis::inference
