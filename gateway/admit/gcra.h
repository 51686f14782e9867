// Generic cell rate algorithm (ITU-T I.371): a leaky bucket kept as one number, the theoretical
// arrival time (TAT) at which the bucket will be empty. Units: nanoseconds of Clock::MonotonicNs.
// Lock-free; every method may be called from any thread. No failure but "no".
//
// Guarantee: in any window of w ns at most burst + w / UnitNs() units are let through, where a
// settled reservation counts with what it settled for (proof in gcra.cc).
#pragma once

#include <atomic>
#include <cstdint>

namespace portcullis::gateway {

// `limit` units per `period_ns`, of which `burst` may come at once. limit 0 lets nothing through.
struct Rate {
  uint64_t limit = 0;
  uint64_t burst = 0;
  int64_t period_ns = 60'000'000'000;

  static Rate PerMinute(uint64_t limit) { return {limit, limit, 60'000'000'000}; }

  int64_t UnitNs() const;                // time in which one unit leaks out, rounded up
  int64_t CostNs(uint64_t units) const;  // units * UnitNs(), at most kMaxCostNs

  static constexpr int64_t kMaxCostNs = int64_t{1} << 61;
};

// What one call of Gcra::Reserve took; needed to give it back.
struct Reservation {
  int64_t cost_ns = 0;  // 0: nothing taken
  int64_t tat_after = 0;
  int64_t refunds_before = 0;
};

struct GcraResult {
  bool allowed = false;
  uint64_t remaining = 0;      // units that could be had at once now
  int64_t reset_ns = 0;        // until the whole burst is there again
  int64_t retry_after_ns = 0;  // when refused; -1: never, the cost is above the burst
};

class Gcra {
 public:
  GcraResult Reserve(const Rate& rate, uint64_t units, int64_t now, Reservation* reservation);

  // The state without taking anything.
  GcraResult Peek(const Rate& rate, int64_t now) const;

  // Nothing is taken: a fresh one would answer alike.
  bool Full(int64_t now) const { return tat_.load(std::memory_order_relaxed) <= now; }
  // As if fresh; while nobody else uses it.
  void Reset();

  // Corrects a reservation to what was really used; call once. Less gives back what has not leaked
  // out in the meantime, more takes it afterwards, even past the burst.
  void Settle(const Rate& rate, const Reservation& reservation, uint64_t actual_units, int64_t now);

 private:
  static constexpr int64_t kLongAgo = INT64_MIN / 4;

  std::atomic<int64_t> tat_{kLongAgo};
  // Sums of all refunds in ns, before and after they are applied to tat_.
  std::atomic<int64_t> refunds_begun_{0};
  std::atomic<int64_t> refunds_done_{0};
};

}  // namespace portcullis::gateway
