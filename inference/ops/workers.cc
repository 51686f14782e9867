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
}

void Workers::EndThreads() {
#ifdef _OPENMP
  omp_pause_resource_all(omp_pause_hard);
#endif
}

void Workers::RunErased(int64_t count, bool parallel, const void* task, Function function) {
#ifdef _OPENMP
  if (parallel && threads() > 1) {
    std::atomic<bool> out_of_memory{false};
#pragma omp parallel for schedule(dynamic) num_threads(threads())
    for (int64_t index = 0; index < count; ++index) {
      try {
        function(task, index, omp_get_thread_num());
      } catch (const std::bad_alloc&) {
        out_of_memory = true;
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
