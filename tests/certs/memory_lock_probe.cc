// Locks its memory and then allocates more than the limit of locked memory. A program of its own, linked statically:
// mlockall() succeeds under a limit only where all that is mapped already fits in it.
#include <sys/mman.h>
#include <sys/resource.h>

#include <cstddef>

#include "certs/memory_lock.h"

int main() {
  constexpr int kLocked = 10, kNotLocked = 11, kAllocationFails = 12;
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return 1;
  const bool locked = portcullis::certs::LockMemory();
  const size_t size = limit.rlim_cur == RLIM_INFINITY ? 1 << 20 : limit.rlim_cur + (1 << 20);
  if (::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED) {
    return kAllocationFails;
  }
  return locked ? kLocked : kNotLocked;
}
