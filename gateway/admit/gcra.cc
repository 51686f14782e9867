// Why giving back is safe.
//
// Think of the bucket as a line of time: now on the left, TAT on the right, all between still to
// leak out. A reservation of cost R occupies (tat_after - R, tat_after]. Leaking moves `now` to the
// right; what lies left of it is gone and must not be given back, or a caller could reserve much,
// let it leak, take again, and then have the first reservation refunded from the second's debt.
//
// Rule: refund min(R - actual, tat_after - now), never below 0. Let L be the level with R in it and
// L' the level had only `actual` been taken. If refund = R - actual < tat_after - now, then
// now < tat_after - R + actual: the bucket of L' has not run empty since, and L - refund = L'.
// Otherwise L - refund = what came after the reservation >= L', because all of `actual` and of what
// was before has leaked out. So the level after a refund is never below the true one.
//
// Refunds of others move the line to the left, and with it this reservation's place: all refunds
// since the reservation are subtracted from tat_after (also those of later ones, which is more than
// needed, thus safe). Refunds are counted in refunds_begun_ before and in refunds_done_ after they
// reach tat_; a reservation remembers `done`, a refund compares with `begun`, so a refund that runs
// between counts as later than it was, which again only makes refunds smaller.
#include "gateway/admit/gcra.h"

#include <algorithm>

namespace portcullis::gateway {
namespace {

constexpr int64_t kMaxDebtNs = int64_t{86400} * 1'000'000'000;  // an upstream's absurd count ends

}  // namespace

int64_t Rate::UnitNs() const {
  if (limit == 0) return kMaxCostNs;
  const auto period = static_cast<uint64_t>(period_ns);
  return static_cast<int64_t>(period / limit + (period % limit != 0 ? 1 : 0));
}

int64_t Rate::CostNs(uint64_t units) const {
  int64_t cost = 0;
  const uint64_t bounded = std::min(units, static_cast<uint64_t>(kMaxCostNs));
  if (__builtin_mul_overflow(static_cast<int64_t>(bounded), UnitNs(), &cost)) return kMaxCostNs;
  return std::min(cost, kMaxCostNs);
}

GcraResult Gcra::Peek(const Rate& rate, int64_t now) const {
  const int64_t level = std::max<int64_t>(tat_.load(std::memory_order_relaxed) - now, 0);
  const int64_t room = std::max<int64_t>(rate.CostNs(rate.burst) - level, 0);
  return {
      .allowed = true, .remaining = static_cast<uint64_t>(room / rate.UnitNs()), .reset_ns = level};
}

GcraResult Gcra::Reserve(const Rate& rate, uint64_t units, int64_t now, Reservation* reservation) {
  const int64_t cost = rate.CostNs(units);
  const int64_t tolerance = rate.limit == 0 ? 0 : rate.CostNs(rate.burst);
  if (units == 0) return Peek(rate, now);
  if (cost > tolerance) {
    GcraResult refused = Peek(rate, now);
    refused.allowed = false;
    refused.retry_after_ns = -1;
    return refused;
  }
  const int64_t refunds_before = refunds_done_.load(std::memory_order_acquire);
  int64_t tat = tat_.load(std::memory_order_relaxed);
  int64_t next = 0;
  do {
    next = std::max(tat, now) + cost;
    if (next - now > tolerance) {
      GcraResult refused = Peek(rate, now);
      refused.allowed = false;
      refused.retry_after_ns = next - now - tolerance;
      return refused;
    }
  } while (
      !tat_.compare_exchange_weak(tat, next, std::memory_order_acq_rel, std::memory_order_relaxed));
  *reservation = {.cost_ns = cost, .tat_after = next, .refunds_before = refunds_before};
  return {.allowed = true,
          .remaining = static_cast<uint64_t>((tolerance - (next - now)) / rate.UnitNs()),
          .reset_ns = next - now};
}

void Gcra::Settle(const Rate& rate, const Reservation& reservation, uint64_t actual_units,
                  int64_t now) {
  const int64_t actual = rate.CostNs(actual_units);
  if (actual > reservation.cost_ns) {
    const int64_t extra = actual - reservation.cost_ns;
    int64_t tat = tat_.load(std::memory_order_relaxed);
    int64_t next = 0;
    do {
      const int64_t base = std::max(tat, now);
      next = std::max(base, std::min(base + extra, now + kMaxDebtNs));
    } while (!tat_.compare_exchange_weak(tat, next, std::memory_order_acq_rel,
                                         std::memory_order_relaxed));
    return;
  }
  int64_t refund = 0;
  int64_t begun = refunds_begun_.load(std::memory_order_relaxed);
  do {
    const int64_t moved = begun - reservation.refunds_before;
    refund = std::min(reservation.cost_ns - actual, reservation.tat_after - moved - now);
    if (refund <= 0) return;
  } while (!refunds_begun_.compare_exchange_weak(begun, begun + refund, std::memory_order_acq_rel,
                                                 std::memory_order_relaxed));
  tat_.fetch_sub(refund, std::memory_order_acq_rel);
  refunds_done_.fetch_add(refund, std::memory_order_release);
}

void Gcra::Reset() {
  tat_.store(kLongAgo, std::memory_order_relaxed);
  refunds_begun_.store(0, std::memory_order_relaxed);
  refunds_done_.store(0, std::memory_order_relaxed);
}

}  // namespace portcullis::gateway
