// Asking the memory for what will be read soon.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/ops/cpu.h"

namespace portcullis::inference {

constexpr int64_t kLineBytes = 64;

// The line `ahead` bytes behind `from`. The address is a number: it may lie behind the end of the data, where
// no pointer may point.
template <CacheLevel kLevel = CacheLevel::kFirst>
inline void Prefetch(const void* from, int64_t ahead) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(from) +
                                                   static_cast<uintptr_t>(ahead)),
                     0, kLevel == CacheLevel::kFirst ? 3 : 2);
}

// The same, and nothing is moved past it: several lines asked for at once cost up to a fifth of the memory's
// rate; asked for one by one, between other work, they come at all of it.
template <CacheLevel kLevel = CacheLevel::kFirst>
inline void PrefetchApart(const std::byte* from, int64_t ahead) {
  asm volatile("" ::: "memory");
  Prefetch<kLevel>(from, ahead);
  asm volatile("" ::: "memory");
}

}  // namespace portcullis::inference
