// The one place where work is spread over threads. The pool is OpenMP's (libgomp), that oneDNN uses
// too, so that there is never a second pool. Built without OpenMP (clang, ThreadSanitizer, which
// cannot see libgomp's locks) everything runs on the calling thread, with the same results.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "inference/ops/buffer.h"

namespace portcullis::inference {

class Workers {
 public:
  // `threads` 0: one per core this process may run on.
  explicit Workers(int threads);

  int threads() const { return static_cast<int>(scratch_.size()); }
  // Memory that belongs to one worker during a Run.
  Buffer& scratch(int worker) { return scratch_[static_cast<size_t>(worker)]; }

  // Ends the threads that wait for the calling one's next Run, of any Workers; that starts new ones.
  static void EndThreads();

  // Memory for what the workers of a Run share; belongs to who started it.
  Buffer& shared() { return shared_; }

  // Memory for the list of what a Run is to do; belongs to who starts it.
  Buffer& plan() { return plan_; }

  // Calls task(index, worker) for every index below `count` (below 2^32), in any order. Each worker begins
  // with neighbours, in rising order, so that what it reads goes on where it ended; who has no more takes
  // from the end of the longest list left. `worthwhile` false: the work is too small to wake other
  // threads. The first std::bad_alloc is thrown again at the end; tasks throw nothing else.
  template <class Task>
  void Run(int64_t count, bool worthwhile, const Task& task) {
    const Function call = [](const void* erased, int64_t index, int worker) {
      (*static_cast<const Task*>(erased))(index, worker);
    };
    RunErased(count, worthwhile && count > 1, &task, call);
  }

 private:
  using Function = void (*)(const void* task, int64_t index, int worker);
  void RunErased(int64_t count, bool parallel, const void* task, Function function);
  // The indexes a worker has not begun: the first in the upper half, the end in the lower.
  struct alignas(64) Share {
    std::atomic<uint64_t> left{0};
  };
  static int64_t TakeFirst(Share& share);  // negative: there is none
  static int64_t TakeLast(Share& share);
  int64_t Next(int worker);

  std::vector<Buffer> scratch_;
  std::unique_ptr<Share[]> shares_;
  Buffer shared_, plan_;
};

}  // namespace portcullis::inference
