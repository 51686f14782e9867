#include "gateway/admit/queue.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <thread>

#include "tests/gateway/state/steps_fixture.h"

namespace portcullis::gateway {
namespace {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::chrono::steady_clock::time_point In(std::chrono::steady_clock::duration time) {
  return std::chrono::steady_clock::now() + time;
}

// Callers on one thread: each enters, notes its turn, and holds its slot until it is told to end.
class Bench {
 public:
  explicit Bench(const FairQueueOptions& options) : queue(clock, options) {}

  size_t Enter(const std::string& tenant, uint32_t weight = 1, uint64_t cost = 100,
               std::chrono::steady_clock::duration patience = seconds(60)) {
    const size_t id = callers_.size();
    callers_.emplace_back();
    asio::co_spawn(context, Call(id, tenant, weight, cost, patience),
                   asio::bind_cancellation_slot(callers_[id].cancel.slot(), asio::detached));
    Poll();
    return id;
  }

  void Poll() {
    context.restart();
    context.poll();
  }

  void End(size_t id) {
    callers_[id].slot.reset();
    Poll();
  }

  void Cancel(size_t id) {
    callers_[id].cancel.emit(asio::cancellation_type::terminal);
    Poll();
  }

  bool Running(size_t id) const { return callers_[id].slot.has_value(); }
  Code Outcome(size_t id) const { return callers_[id].outcome; }
  int64_t RetryAfterMs(size_t id) const { return callers_[id].retry_after_ms; }

  ManualClock clock;
  FairQueue queue;
  asio::io_context context;
  std::vector<std::string> served;  // tenants in the order of their turns
  std::deque<size_t> order;         // callers that run, oldest first

 private:
  struct Caller {
    std::optional<Slot> slot;
    Code outcome = Code::kOk;
    int64_t retry_after_ms = -1;
    asio::cancellation_signal cancel;
  };

  asio::awaitable<void> Call(size_t id, std::string tenant, uint32_t weight, uint64_t cost,
                             std::chrono::steady_clock::duration patience) {
    Result<Slot> entered = co_await queue.Enter(tenant, weight, cost, In(patience));
    if (!entered) {
      callers_[id].outcome = entered.error().code;
      callers_[id].retry_after_ms = entered.error().retry_after_ms;
      co_return;
    }
    callers_[id].slot = std::move(entered).value();
    served.push_back(tenant);
    order.push_back(id);
  }

  std::deque<Caller> callers_;
};

TEST(FairQueue, RunsUpToCapacityAndThenInTurn) {
  Bench bench({.capacity = 2, .waiting = 10});
  const size_t a = bench.Enter("t");
  const size_t b = bench.Enter("t");
  const size_t c = bench.Enter("t");
  const size_t d = bench.Enter("t");
  EXPECT_TRUE(bench.Running(a) && bench.Running(b));
  EXPECT_FALSE(bench.Running(c) || bench.Running(d));
  EXPECT_EQ(bench.queue.GetStats().running, 2u);
  EXPECT_EQ(bench.queue.GetStats().waiting, 2u);
  bench.End(b);
  EXPECT_TRUE(bench.Running(c));
  EXPECT_FALSE(bench.Running(d));
  bench.End(a);
  EXPECT_TRUE(bench.Running(d));
  bench.End(c);
  bench.End(d);
  EXPECT_EQ(bench.queue.GetStats().running, 0u);
  EXPECT_EQ(bench.queue.GetStats().entered, 4u);
}

TEST(FairQueue, SharesByWeight) {
  Bench bench({.capacity = 1, .waiting = 200});
  const size_t first = bench.Enter("blocker");
  for (int i = 0; i < 60; ++i) {
    bench.Enter("one", 1);
    bench.Enter("three", 3);
  }
  bench.End(first);
  std::map<std::string, int> count;
  for (int i = 0; i < 40; ++i) {
    ++count[bench.served.back()];
    bench.End(bench.order.back());
  }
  EXPECT_NEAR(count["three"], 30, 1);
  EXPECT_NEAR(count["one"], 10, 1);
}

TEST(FairQueue, SharesByCostNotByCalls) {
  Bench bench({.capacity = 1, .waiting = 200});
  const size_t first = bench.Enter("blocker");
  for (int i = 0; i < 50; ++i) {
    bench.Enter("long", 1, 1000);
    bench.Enter("short", 1, 100);
  }
  bench.End(first);
  std::map<std::string, int> count;
  for (int i = 0; i < 44; ++i) {
    ++count[bench.served.back()];
    bench.End(bench.order.back());
  }
  EXPECT_NEAR(count["short"], 40, 2);
  EXPECT_NEAR(count["long"], 4, 1);
}

TEST(FairQueue, ALightTenantOvertakesAHeavyOne) {
  Bench bench({.capacity = 1, .waiting = 200});
  const size_t first = bench.Enter("heavy");
  for (int i = 0; i < 100; ++i) bench.Enter("heavy");
  const size_t light = bench.Enter("light");
  bench.End(first);
  for (int i = 0; i < 2 && !bench.Running(light); ++i) bench.End(bench.order.back());
  EXPECT_TRUE(bench.Running(light));
}

TEST(FairQueue, AnIdleTenantSavesUpNothing) {
  Bench bench({.capacity = 1, .waiting = 200});
  size_t last = bench.Enter("busy");
  for (int i = 0; i < 50; ++i) {
    const size_t next = bench.Enter("busy");
    bench.End(last);
    last = next;
  }
  for (int i = 0; i < 20; ++i) {
    bench.Enter("idle");
    bench.Enter("busy");
  }
  bench.served.clear();
  bench.End(last);
  for (int i = 0; i < 19; ++i) bench.End(bench.order.back());
  std::map<std::string, int> count;
  for (const std::string& tenant : bench.served) ++count[tenant];
  EXPECT_NEAR(count["idle"], 10, 1);
}

TEST(FairQueue, RefusesWhenFull) {
  Bench bench({.capacity = 1, .waiting = 3});
  bench.Enter("t");
  for (int i = 0; i < 3; ++i) bench.Enter("t");
  const size_t over = bench.Enter("t");
  EXPECT_EQ(bench.Outcome(over), Code::kQueueFull);
  EXPECT_GE(bench.RetryAfterMs(over), 1000);
  EXPECT_EQ(bench.queue.GetStats().waiting, 3u);
  EXPECT_EQ(bench.queue.GetStats().refused, 1u);
}

TEST(FairQueue, ANewTenantDisplacesTheGreediest) {
  Bench bench({.capacity = 1, .waiting = 4});
  bench.Enter("greedy");
  std::vector<size_t> greedy;
  for (int i = 0; i < 4; ++i) greedy.push_back(bench.Enter("greedy"));
  const size_t light = bench.Enter("light");
  EXPECT_EQ(bench.Outcome(light), Code::kOk);
  EXPECT_EQ(bench.Outcome(greedy[3]), Code::kQueueFull) << "its last one goes";
  EXPECT_EQ(bench.Outcome(greedy[2]), Code::kOk);
  EXPECT_EQ(bench.queue.GetStats().waiting, 4u);
  bench.Enter("light");
  EXPECT_EQ(bench.Outcome(greedy[2]), Code::kQueueFull);
  EXPECT_EQ(bench.Outcome(bench.Enter("light")), Code::kQueueFull) << "both have their share now";
}

// Teaches the queue that 100 units of cost take `time`.
void Learn(Bench& bench, milliseconds time) {
  const size_t call = bench.Enter("teacher");
  bench.clock.AdvanceNs(std::chrono::nanoseconds(time).count());
  bench.End(call);
}

TEST(FairQueue, RefusesEarlyPastTheHardLimit) {
  Bench bench({.capacity = 1,
               .waiting = 100,
               .target = milliseconds(200),
               .hard_limit = milliseconds(2000)});
  Learn(bench, milliseconds(500));
  bench.Enter("t");
  int waiting = 0;
  size_t id = bench.Enter("t");
  while (bench.Outcome(id) == Code::kOk) {
    ++waiting;
    ASSERT_LT(waiting, 50);
    id = bench.Enter("t");
  }
  EXPECT_EQ(waiting, 4) << "0.25 s left of the running call + 4 x 0.5 s pass 2 s";
  EXPECT_NEAR(static_cast<double>(bench.RetryAfterMs(id)), 2250, 1);
  EXPECT_NEAR(static_cast<double>(bench.queue.GetStats().estimated_delay_ns), 2.25e9, 1e6);
}

TEST(FairQueue, PastTheTargetATenantKeepsToItsShare) {
  Bench bench({.capacity = 1,
               .waiting = 4,
               .target = milliseconds(200),
               .hard_limit = milliseconds(60'000)});
  Learn(bench, milliseconds(500));
  bench.Enter("a");
  bench.Enter("b");
  EXPECT_EQ(bench.Outcome(bench.Enter("a")), Code::kOk);
  EXPECT_EQ(bench.Outcome(bench.Enter("a")), Code::kOk);
  EXPECT_EQ(bench.Outcome(bench.Enter("a")), Code::kQueueFull) << "2 of 4 places are its share";
  EXPECT_EQ(bench.Outcome(bench.Enter("b")), Code::kOk);
}

TEST(FairQueue, GivesUpAtTheDeadline) {
  Bench bench({.capacity = 1, .waiting = 4});
  bench.Enter("t");
  const size_t late = bench.Enter("t", 1, 100, milliseconds(1));
  bench.context.restart();
  while (bench.Outcome(late) == Code::kOk) bench.context.run_one();
  EXPECT_EQ(bench.Outcome(late), Code::kQueueFull);
  EXPECT_EQ(bench.queue.GetStats().waiting, 0u);
}

TEST(FairQueue, CancellingRemovesTheWaiter) {
  Bench bench({.capacity = 1, .waiting = 4});
  const size_t running = bench.Enter("t");
  const size_t gone = bench.Enter("t");
  const size_t next = bench.Enter("t");
  bench.Cancel(gone);
  EXPECT_EQ(bench.Outcome(gone), Code::kPeerGone);
  EXPECT_EQ(bench.queue.GetStats().waiting, 1u);
  EXPECT_EQ(bench.queue.GetStats().abandoned, 1u);
  bench.End(running);
  EXPECT_TRUE(bench.Running(next));
}

TEST(FairQueue, CloseSendsTheWaitingAway) {
  Bench bench({.capacity = 1, .waiting = 4});
  const size_t running = bench.Enter("t");
  const size_t waiting = bench.Enter("t");
  bench.queue.Close();
  bench.Poll();
  EXPECT_EQ(bench.Outcome(waiting), Code::kShuttingDown);
  EXPECT_EQ(bench.Outcome(bench.Enter("t")), Code::kShuttingDown);
  EXPECT_TRUE(bench.Running(running));
  bench.End(running);
  EXPECT_EQ(bench.queue.GetStats().running, 0u);
}

TEST(FairQueue, DestroyedCoroutinesLeaveNothingBehind) {
  ManualClock clock;
  FairQueue queue(clock, {.capacity = 1, .waiting = 4});
  {
    asio::io_context context;
    for (int i = 0; i < 3; ++i) {
      asio::co_spawn(
          context,
          [&]() -> asio::awaitable<void> {
            const auto slot = co_await queue.Enter("t", 1, 1, In(seconds(60)));
            asio::steady_timer forever(context, In(seconds(60)));
            co_await forever.async_wait(asio::use_awaitable);
          },
          asio::detached);
    }
    context.poll();
    EXPECT_EQ(queue.GetStats().waiting, 2u);
  }
  EXPECT_EQ(queue.GetStats().waiting, 0u);
  EXPECT_EQ(queue.GetStats().running, 0u);
}

// Callers on several threads that finish, leave or lose patience at random.
TEST(FairQueue, NothingLeaksOverThreads) {
  const SystemClock clock;
  FairQueue queue(clock, {.capacity = 3, .waiting = 5000, .hard_limit = seconds(60)});
  std::atomic<uint64_t> ran{0};
  std::atomic<int> now_running{0};
  std::atomic<int> most_running{0};
  std::atomic<uint64_t> left{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      asio::io_context context(1);
      std::mt19937_64 random(t);
      std::deque<asio::cancellation_signal> signals;
      const auto call = [&](uint64_t work_us, uint64_t patience_ms) -> asio::awaitable<void> {
        const std::string tenant = "t" + std::to_string(work_us % 3);
        Result<Slot> slot =
            co_await queue.Enter(tenant, 1, 1 + work_us, In(milliseconds(patience_ms)));
        if (!slot) {
          ++left;
          co_return;
        }
        const int running = ++now_running;
        int most = most_running.load();
        while (running > most && !most_running.compare_exchange_weak(most, running)) {
        }
        ++ran;
        // Counted out before the slot goes back, however this coroutine ends.
        const std::shared_ptr<void> out(nullptr, [&](void*) { --now_running; });
        asio::steady_timer work(context, std::chrono::microseconds(work_us));
        co_await work.async_wait(asio::use_awaitable);
      };
      for (int i = 0; i < 400; ++i) {
        asio::cancellation_signal& signal = signals.emplace_back();
        asio::co_spawn(context, call(random() % 300, random() % 3 == 0 ? 1 : 60'000),
                       asio::bind_cancellation_slot(signal.slot(), [](std::exception_ptr) {}));
        if (random() % 3 == 0) {
          asio::post(context, [&signal] { signal.emit(asio::cancellation_type::terminal); });
        }
        if (random() % 4 == 0) context.poll();
      }
      if (t == 0) {
        context.poll();  // this thread dies with coroutines in every state
      } else {
        context.run();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const FairQueue::Stats stats = queue.GetStats();
  EXPECT_EQ(stats.running, 0u);
  EXPECT_EQ(stats.waiting, 0u);
  EXPECT_EQ(now_running, 0);
  EXPECT_LE(most_running, 3);
  EXPECT_GT(ran, 300u);
  EXPECT_GT(left, 100u);
}

}  // namespace
}  // namespace portcullis::gateway
