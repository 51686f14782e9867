// Asking the memory for what will be read soon.
#pragma once

#include <cstddef>
#include <cstdint>

namespace portcullis::inference {

constexpr int64_t kLineBytes = 64;

// Several lines asked for at once cost up to a fifth of the memory's rate; asked for one by one, between other
// work, they come at all of it. So the compiler may not draw these together: nothing is moved past one. The
// address may lie behind the end of the data.
inline void AskFor(const std::byte* line) {
  asm volatile("" ::: "memory");
  __builtin_prefetch(line);
  asm volatile("" ::: "memory");
}

}  // namespace portcullis::inference
