#include "inference/ops/workers.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <new>

#ifdef _OPENMP
#include <omp.h>
#else
extern "C" void omp_set_num_threads(int threads);
#endif

namespace portcullis::inference {
namespace {

constexpr int kMaxThreads = 256;

[[maybe_unused]] int UsableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return sched_getaffinity(0, sizeof set, &set) == 0 ? std::max(1, CPU_COUNT(&set)) : 1;
}

}  // namespace

Workers::Workers(int threads) {
#ifdef _OPENMP
  if (threads <= 0) threads = UsableCores();
#else
  threads = 1;
#endif
  scratch_.resize(static_cast<size_t>(std::clamp(threads, 1, kMaxThreads)));
  shares_ = std::make_unique<Share[]>(scratch_.size());
}

void Workers::EndThreads() {
#ifdef _OPENMP
  omp_pause_resource_all(omp_pause_hard);
#endif
}

int64_t Workers::TakeFirst(Share& share) {
  uint64_t left = share.left.load(std::memory_order_relaxed);
  while (left >> 32 < (left & UINT32_MAX)) {
    if (share.left.compare_exchange_weak(left, left + (uint64_t{1} << 32), std::memory_order_relaxed)) {
      return static_cast<int64_t>(left >> 32);
    }
  }
  return -1;
}

int64_t Workers::TakeLast(Share& share) {
  uint64_t left = share.left.load(std::memory_order_relaxed);
  while (left >> 32 < (left & UINT32_MAX)) {
    if (share.left.compare_exchange_weak(left, left - 1, std::memory_order_relaxed)) {
      return static_cast<int64_t>((left & UINT32_MAX) - 1);
    }
  }
  return -1;
}

int64_t Workers::Next(int worker) {
  if (const int64_t index = TakeFirst(shares_[static_cast<size_t>(worker)]); index >= 0) return index;
  for (;;) {
    Share* longest = nullptr;
    uint64_t most = 0;
    for (size_t i = 0; i < scratch_.size(); ++i) {
      const uint64_t left = shares_[i].left.load(std::memory_order_relaxed);
      const uint64_t begin = left >> 32, end = left & UINT32_MAX;
      if (end > begin && end - begin > most) {
        most = end - begin;
        longest = &shares_[i];
      }
    }
    if (longest == nullptr) return -1;
    if (const int64_t index = TakeLast(*longest); index >= 0) return index;
  }
}

void Workers::RunErased(int64_t count, bool parallel, const void* task, Function function) {
#ifdef _OPENMP
  if (parallel && threads() > 1) {
    std::atomic<bool> out_of_memory{false};
    const auto total = static_cast<uint64_t>(count), workers = static_cast<uint64_t>(threads());
    for (uint64_t i = 0; i < workers; ++i) {
      shares_[i].left.store((total * i / workers) << 32 | total * (i + 1) / workers, std::memory_order_relaxed);
    }
#pragma omp parallel num_threads(threads())
    {
      const int self = omp_get_thread_num();
      for (int64_t index = Next(self); index >= 0; index = Next(self)) {
        try {
          function(task, index, self);
        } catch (const std::bad_alloc&) {
          out_of_memory = true;
        }
      }
    }
    if (out_of_memory) throw std::bad_alloc();
    return;
  }
#else
  static_cast<void>(parallel);
#endif
  // Outside a parallel region oneDNN would start threads of its own accord.
  omp_set_num_threads(1);
  for (int64_t index = 0; index < count; ++index) function(task, index, 0);
}

}  // namespace portcullis::inference
