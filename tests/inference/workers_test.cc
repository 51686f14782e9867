// How work is spread: every index once, whatever the sizes, and nothing lost when a task fails.
#include "inference/ops/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <thread>
#include <vector>

namespace portcullis::inference {
namespace {

TEST(WorkersTest, EveryIndexIsCalledOnce) {
  for (const int threads : {1, 2, 3, 7}) {
    Workers workers(threads);
    for (const int64_t count : {0, 1, 2, 6, 7, 8, 100, 1001}) {
      std::vector<std::atomic<int>> calls(static_cast<size_t>(count));
      workers.Run(count, true, [&](int64_t index, int worker) {
        EXPECT_GE(worker, 0);
        EXPECT_LT(worker, workers.threads());
        ++calls[static_cast<size_t>(index)];
      });
      for (size_t i = 0; i < calls.size(); ++i) EXPECT_EQ(calls[i], 1) << i << " of " << count;
    }
  }
}

TEST(WorkersTest, WhoIsDoneTakesFromOthers) {
  Workers workers(2);
  if (workers.threads() < 2) GTEST_SKIP() << "built without OpenMP: one thread";
  constexpr int64_t kCount = 64;
  std::atomic<int64_t> done{0};
  // The first one ends only when all others are done, so its neighbours must go to somebody else.
  workers.Run(kCount, true, [&](int64_t index, int) {
    while (index == 0 && done < kCount - 1) std::this_thread::yield();
    ++done;
  });
  EXPECT_EQ(done, kCount);
}

TEST(WorkersTest, LackOfMemoryIsThrownWhenTheRestIsDone) {
  Workers workers(2);
  std::atomic<int> calls{0};
  const auto task = [&](int64_t index, int) {
    ++calls;
    if (index == 3) throw std::bad_alloc();
  };
  EXPECT_THROW(workers.Run(32, true, task), std::bad_alloc);
  EXPECT_EQ(calls, workers.threads() > 1 ? 32 : 4);
}

}  // namespace
}  // namespace portcullis::inference
