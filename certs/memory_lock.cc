#include "certs/memory_lock.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <cstddef>

namespace portcullis::certs {
namespace {

// Whether more than the limit can be locked: what CAP_IPC_LOCK is for. The address space counts, so a mapping that may
// not be touched, and takes no page, asks.
bool MayLockBeyond(rlim_t limit) {
  constexpr size_t kMore = 4096;  // bytes
  const size_t size = static_cast<size_t>(limit) + kMore;
  void* const probe = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_LOCKED, -1, 0);
  if (probe == MAP_FAILED) return false;
  ::munmap(probe, size);
  return true;
}

}  // namespace

bool LockMemory() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0) return false;
  if (limit.rlim_cur != RLIM_INFINITY && !MayLockBeyond(limit.rlim_cur)) return false;
  return ::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}

}  // namespace portcullis::certs
