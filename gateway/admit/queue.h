// Bounded weighted fair queue before the engines (start-time fair queueing, Goyal 1996): at most
// `capacity` calls run, at most `waiting` wait, and a tenant's share of the engine's work under
// load is its weight, whatever the others offer. Cost is prompt tokens + max tokens.
//
// Refused early (kQueueFull, retry_after_ms set): the queue is full; the estimated delay passes
// `hard_limit`; or it passes `target` and the tenant holds its share of the waiting places already.
// When all places are taken, a tenant below its share displaces the last waiter of the one most
// above. The estimate is learned from finished calls (time per unit of cost).
//
// Threading: Enter and Slot may be used from any thread; one short mutex guards the state and is
// never held across I/O or a handler. The caller's executor must be serial (an io_context run by
// one thread, or a strand). Cancelling the coroutine while it waits removes the waiter.
// The queue must outlive its slots and waiters.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "gateway/error.h"
#include "gateway/state/clock.h"

namespace portcullis::gateway {

struct FairQueueOptions {
  uint32_t capacity = 32;
  uint32_t waiting = 256;
  std::chrono::milliseconds target{200};
  std::chrono::milliseconds hard_limit{10'000};
};

class FairQueue;

// A place among the running calls; given back on destruction. Move-only.
class Slot {
 public:
  Slot(Slot&& other) noexcept
      : queue_(std::exchange(other.queue_, nullptr)),
        cost_(other.cost_),
        started_ns_(other.started_ns_) {}
  Slot& operator=(Slot&& other) noexcept {
    Slot taken(std::move(other));
    std::swap(queue_, taken.queue_);
    std::swap(cost_, taken.cost_);
    std::swap(started_ns_, taken.started_ns_);
    return *this;
  }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot();

 private:
  friend class FairQueue;
  Slot(FairQueue* queue, uint64_t cost, int64_t started_ns)
      : queue_(queue), cost_(cost), started_ns_(started_ns) {}

  FairQueue* queue_;
  uint64_t cost_;
  int64_t started_ns_;
};

class FairQueue {
 public:
  FairQueue(const Clock& clock, const FairQueueOptions& options);
  ~FairQueue();
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  // Waits for a place, at most until `deadline` (and hard_limit). kQueueFull when refused or too
  // late, kPeerGone when cancelled or when `leave` is emitted, kShuttingDown after Close().
  boost::asio::awaitable<Result<Slot>> Enter(std::string tenant, uint32_t weight, uint64_t cost,
                                             std::chrono::steady_clock::time_point deadline,
                                             boost::asio::cancellation_slot leave = {});

  // Refuses new and waiting calls; running ones keep their slots.
  void Close();

  struct Stats {
    uint32_t running = 0;
    uint32_t waiting = 0;
    int64_t estimated_delay_ns = 0;  // of a call that would enter now, behind all others
    uint64_t entered = 0;
    uint64_t refused = 0;
    uint64_t abandoned = 0;  // left while waiting
  };
  Stats GetStats() const;

 private:
  friend class Slot;
  struct Waiter;
  class Registration;

  // One tenant's position in virtual time.
  struct Flow {
    double finish = 0;  // virtual time at which its last call would finish
    uint32_t weight = 1;
    uint32_t waiting = 0;
  };
  using Key = std::pair<double, uint64_t>;  // virtual start, arrival number
  using Waiters = std::map<Key, std::shared_ptr<Waiter>>;

  // All of these are called with the mutex held.
  Result<void> MayWait(const Flow& flow, double start);
  uint32_t ShareOf(const Flow& flow, const Flow& asking) const;
  bool DisplaceFor(const Flow& flow);
  int64_t EstimateNs(double start) const;
  void Start(double virtual_start, uint64_t cost);
  void Dispatch();
  std::shared_ptr<Waiter> Detach(Waiters::iterator it, int state);
  static void Wake(std::shared_ptr<Waiter> waiter);
  void Prune();

  void Leave(uint64_t cost, int64_t started_ns);

  const Clock& clock_;
  const FairQueueOptions options_;
  mutable std::mutex mutex_;
  bool closed_ = false;
  Waiters waiters_;
  std::unordered_map<std::string, Flow> flows_;
  double virtual_time_ = 0;
  uint64_t arrivals_ = 0;
  uint64_t running_cost_ = 0;
  // Time and cost of finished calls, the older ones fading: their quotient is the speed of a slot.
  double finished_ns_ = 0;
  double finished_cost_ = 0;
  Stats stats_;
};

}  // namespace portcullis::gateway
