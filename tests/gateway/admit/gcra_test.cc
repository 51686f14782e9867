#include "gateway/admit/gcra.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "gateway/admit/rate_headers.h"

namespace portcullis::gateway {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

TEST(Gcra, LetsTheBurstThroughAndThenTheRate) {
  Gcra gcra;
  const Rate rate = Rate::PerMinute(60);
  Reservation reservation;
  int64_t now = 5 * kSecond;
  for (uint64_t i = 0; i < 60; ++i) {
    const GcraResult result = gcra.Reserve(rate, 1, now, &reservation);
    ASSERT_TRUE(result.allowed);
    ASSERT_EQ(result.remaining, 59 - i);
  }
  GcraResult result = gcra.Reserve(rate, 1, now, &reservation);
  EXPECT_FALSE(result.allowed);
  EXPECT_EQ(result.remaining, 0u);
  EXPECT_EQ(result.retry_after_ns, kSecond);
  EXPECT_EQ(result.reset_ns, 60 * kSecond);
  EXPECT_FALSE(gcra.Reserve(rate, 1, now + kSecond - 1, &reservation).allowed);
  now += kSecond;
  EXPECT_TRUE(gcra.Reserve(rate, 1, now, &reservation).allowed);
  EXPECT_FALSE(gcra.Reserve(rate, 1, now, &reservation).allowed);
}

TEST(Gcra, TellsWhatCanNeverBe) {
  Gcra gcra;
  Reservation reservation;
  EXPECT_EQ(gcra.Reserve(Rate::PerMinute(100), 101, 0, &reservation).retry_after_ns, -1);
  EXPECT_TRUE(gcra.Reserve(Rate::PerMinute(100), 100, 0, &reservation).allowed);
  EXPECT_FALSE(Gcra().Reserve(Rate::PerMinute(0), 1, 0, &reservation).allowed);
  EXPECT_FALSE(Gcra().Reserve(Rate::PerMinute(7), UINT64_MAX, 0, &reservation).allowed);
  EXPECT_TRUE(Gcra().Reserve(Rate::PerMinute(0), 0, 0, &reservation).allowed);
}

TEST(Gcra, NeverLosesAUnitToRounding) {
  for (const uint64_t limit : {1u, 3u, 7u, 11u, 999u, 60'001u, 7'000'003u}) {
    Gcra gcra;
    const Rate rate = Rate::PerMinute(limit);
    Reservation reservation;
    const uint64_t tries = std::min<uint64_t>(limit, 2000);
    ASSERT_TRUE(gcra.Reserve(rate, limit - tries + 1, 0, &reservation).allowed);
    for (uint64_t i = 1; i < tries; ++i) {
      ASSERT_TRUE(gcra.Reserve(rate, 1, 0, &reservation).allowed) << limit << " " << i;
    }
    ASSERT_FALSE(gcra.Reserve(rate, 1, 0, &reservation).allowed);
  }
}

TEST(Gcra, GivesBackAndTakesMore) {
  Gcra gcra;
  const Rate rate = Rate::PerMinute(600);
  Reservation reservation;
  ASSERT_TRUE(gcra.Reserve(rate, 600, 0, &reservation).allowed);
  gcra.Settle(rate, reservation, 100, 0);
  EXPECT_EQ(gcra.Peek(rate, 0).remaining, 500u);
  ASSERT_TRUE(gcra.Reserve(rate, 500, 0, &reservation).allowed);
  gcra.Settle(rate, reservation, 700, 0);  // 200 past the burst
  EXPECT_EQ(gcra.Peek(rate, 0).remaining, 0u);
  EXPECT_EQ(gcra.Peek(rate, 0).reset_ns, 80 * kSecond);
  gcra.Settle(rate, reservation, UINT64_MAX, 0);
  EXPECT_LE(gcra.Peek(rate, 0).reset_ns, 86400 * kSecond);
}

TEST(Gcra, DoesNotGiveBackWhatHasLeakedOut) {
  Gcra gcra;
  const Rate rate = Rate::PerMinute(60);
  Reservation first;
  Reservation second;
  ASSERT_TRUE(gcra.Reserve(rate, 60, 0, &first).allowed);
  ASSERT_TRUE(gcra.Reserve(rate, 60, 60 * kSecond, &second).allowed);
  gcra.Settle(rate, first, 0, 60 * kSecond);  // leaked out long ago
  EXPECT_EQ(gcra.Peek(rate, 60 * kSecond).remaining, 0u);
  gcra.Settle(rate, second, 0, 90 * kSecond);
  EXPECT_EQ(gcra.Peek(rate, 90 * kSecond).remaining, 60u);
}

// An independent model: the level of a leaky bucket, replayed from the whole history with what is
// known by now about each reservation.
class Model {
 public:
  explicit Model(const Rate& rate) : rate_(rate) {}

  size_t Add(int64_t at, uint64_t units) {
    events_.push_back({at, units});
    return events_.size() - 1;
  }
  void Settle(size_t event, uint64_t actual) { events_[event].units = actual; }

  int64_t LevelNs(int64_t now) const {
    int64_t level = 0;
    int64_t last = 0;
    for (const Event& event : events_) {
      level = std::max<int64_t>(level - (event.at - last), 0);
      level += static_cast<int64_t>(event.units) * rate_.UnitNs();
      last = event.at;
    }
    return std::max<int64_t>(level - (now - last), 0);
  }

  // The largest excess over burst + window / unit of any window.
  int64_t WorstWindowNs() const {
    int64_t worst = INT64_MIN;
    for (size_t i = 0; i < events_.size(); ++i) {
      int64_t sum = 0;
      for (size_t j = i; j < events_.size(); ++j) {
        sum += static_cast<int64_t>(events_[j].units) * rate_.UnitNs();
        worst = std::max(worst, sum - (events_[j].at - events_[i].at) - rate_.CostNs(rate_.burst));
      }
    }
    return worst;
  }

 private:
  struct Event {
    int64_t at;
    uint64_t units;
  };
  const Rate rate_;
  std::vector<Event> events_;
};

class GcraProperty : public ::testing::TestWithParam<int> {};

TEST_P(GcraProperty, AgreesWithTheModelWithoutRefunds) {
  std::mt19937_64 random(static_cast<uint64_t>(GetParam()));
  const Rate rate = Rate::PerMinute(1 + random() % 5000);
  Gcra gcra;
  Model model(rate);
  int64_t now = 0;
  int granted = 0;
  for (int i = 0; i < 600; ++i) {
    now += static_cast<int64_t>(random() % static_cast<uint64_t>(3 * rate.CostNs(rate.burst) / 20));
    const uint64_t units = 1 + random() % (rate.burst / 4 + 1);
    const int64_t cost = rate.CostNs(units);
    const bool fits = model.LevelNs(now) + cost <= rate.CostNs(rate.burst);
    Reservation reservation;
    const GcraResult result = gcra.Reserve(rate, units, now, &reservation);
    ASSERT_EQ(result.allowed, fits) << "step " << i;
    if (fits) {
      model.Add(now, units);
      ++granted;
    } else if (result.retry_after_ns > 0) {
      const int64_t then = now + result.retry_after_ns;
      ASSERT_EQ(model.LevelNs(then) + cost, rate.CostNs(rate.burst)) << "retry-after is exact";
    }
    ASSERT_EQ(result.reset_ns, model.LevelNs(now));
  }
  EXPECT_GT(granted, 50);
  EXPECT_LE(model.WorstWindowNs(), 0);
}

TEST_P(GcraProperty, NeverPassesTheRateWithRefunds) {
  std::mt19937_64 random(static_cast<uint64_t>(GetParam()) + 1000);
  const Rate rate = Rate::PerMinute(100 + random() % 5000);
  Gcra gcra;
  Model model(rate);
  struct Open {
    size_t event;
    Reservation reservation;
    uint64_t units;
  };
  std::vector<Open> open;
  int64_t now = 0;
  double excess = 0;
  const int steps = 600;
  for (int i = 0; i < steps; ++i) {
    now += static_cast<int64_t>(random() % static_cast<uint64_t>(rate.CostNs(rate.burst) / 10));
    if (open.size() < 16 && random() % 2 == 0) {
      const uint64_t units = 1 + random() % (rate.burst / 2);
      Reservation reservation;
      if (gcra.Reserve(rate, units, now, &reservation).allowed) {
        open.push_back({model.Add(now, units), reservation, units});
      }
    } else if (!open.empty()) {
      const size_t pick = random() % open.size();
      const uint64_t actual = random() % (open[pick].units + 1);
      gcra.Settle(rate, open[pick].reservation, actual, now);
      model.Settle(open[pick].event, actual);
      open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
    }
    const int64_t level = gcra.Peek(rate, now).reset_ns;
    ASSERT_GE(level, model.LevelNs(now)) << "step " << i;
    excess += static_cast<double>(level - model.LevelNs(now));
  }
  EXPECT_LE(model.WorstWindowNs(), 0);
  // And it is not uselessly strict, although reservations are settled in any order.
  EXPECT_LT(excess / steps, 0.4 * static_cast<double>(rate.CostNs(rate.burst)));
}

INSTANTIATE_TEST_SUITE_P(Seeds, GcraProperty, ::testing::Range(0, 40));

TEST(Gcra, HoldsUnderManyThreads) {
  Gcra gcra;
  const Rate rate = Rate::PerMinute(10'000);
  std::atomic<uint64_t> granted{0};
  std::atomic<int64_t> clock{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<uint64_t>(t));
      for (int i = 0; i < 50'000; ++i) {
        const int64_t now = clock.fetch_add(100'000);
        Reservation reservation;
        const uint64_t units = 1 + random() % 5;
        if (!gcra.Reserve(rate, units, now, &reservation).allowed) continue;
        if (random() % 3 == 0) {
          gcra.Settle(rate, reservation, 0, clock.load());
        } else {
          granted += units;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto leaked = static_cast<uint64_t>(clock.load() / rate.UnitNs());
  EXPECT_LE(granted.load(), rate.burst + leaked);
  EXPECT_GT(granted.load(), (rate.burst + leaked) / 2);
}

TEST(RateHeaders, FormatsDurations) {
  EXPECT_EQ(FormatDuration(0), "0s");
  EXPECT_EQ(FormatDuration(-5), "0s");
  EXPECT_EQ(FormatDuration(1), "1ms");
  EXPECT_EQ(FormatDuration(12'000'000), "12ms");
  EXPECT_EQ(FormatDuration(999'000'001), "1s");
  EXPECT_EQ(FormatDuration(1'500'000'000), "1.5s");
  EXPECT_EQ(FormatDuration(59'999'000'000), "59.999s");
  EXPECT_EQ(FormatDuration(360 * kSecond), "6m0s");
  EXPECT_EQ(FormatDuration(3600 * kSecond), "1h0m0s");
  EXPECT_EQ(FormatDuration(3'661'020'000'000), "1h1m1.02s");
}

TEST(RateHeaders, EmitsWhatApplies) {
  std::vector<std::string> lines;
  const auto emit = [&lines](std::string_view name, const std::string& value) {
    lines.push_back(std::string(name) + ": " + value);
  };
  ForEachRateHeader({.requests = {.limit = 60, .remaining = 59, .reset_ns = kSecond}}, 1001, emit);
  EXPECT_EQ(lines,
            (std::vector<std::string>{
                "x-ratelimit-limit-requests: 60", "x-ratelimit-remaining-requests: 59",
                "x-ratelimit-reset-requests: 1s", "retry-after: 2", "retry-after-ms: 1001"}));
  lines.clear();
  ForEachRateHeader({}, -1, emit);
  EXPECT_TRUE(lines.empty());
}

}  // namespace
}  // namespace portcullis::gateway
