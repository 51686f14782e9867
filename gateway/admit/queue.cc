// Start-time fair queueing. Each tenant is a flow with a position in virtual time. A call that
// arrives starts, virtually, where the flow's last call finished, but not before the present:
//   start = max(V, flow.finish), flow.finish = start + cost / weight
// and calls run in the order of their starts. V is the start of the call that began last. A tenant
// that offers much runs ahead of V and waits; one that offers little starts at V, next in line. An
// idle tenant saves up nothing. Over any busy stretch two waiting tenants get work in the ratio of
// their weights, but for one call each and place.
#include "gateway/admit/queue.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <limits>

namespace portcullis::gateway {
namespace {

namespace asio = boost::asio;

constexpr double kFading = 0.95;
constexpr int64_t kMinRetryMs = 1000;
constexpr size_t kFlowsBeforePruning = 64;

enum State : int { kWaiting, kGranted, kRefused, kClosed };

Error Overloaded(int64_t estimate_ns) {
  return Error{Code::kQueueFull,
               "the models are busy: try again later",
               {},
               std::max(estimate_ns / 1'000'000, kMinRetryMs)};
}

Error Closing() { return Error{Code::kShuttingDown, "the gateway is shutting down"}; }

Error Gone() { return Error{Code::kPeerGone, "the caller left while waiting"}; }

}  // namespace

// `state` is guarded by the queue's mutex; the timer belongs to the coroutine's executor.
struct FairQueue::Waiter {
  Waiter(const asio::any_io_executor& executor, std::string t, Key k, uint64_t c)
      : timer(executor), tenant(std::move(t)), key(k), cost(c) {}

  asio::steady_timer timer;
  const std::string tenant;
  const Key key;
  const uint64_t cost;
  int64_t started_ns = 0;
  int state = kWaiting;
};

// Stands for a waiter in its coroutine: whatever ends the coroutine, the waiter leaves the queue,
// and a place that was granted but not taken goes back.
class FairQueue::Registration {
 public:
  Registration(FairQueue& queue, std::shared_ptr<Waiter> waiter)
      : queue_(queue), waiter_(std::move(waiter)) {}
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  ~Registration() {
    if (waiter_ != nullptr) static_cast<void>(Take(true));
  }

  Result<Slot> Take(bool cancelled) {
    const std::shared_ptr<Waiter> waiter = std::move(waiter_);
    std::unique_lock lock(queue_.mutex_);
    switch (waiter->state) {
      case kGranted:
        return Slot(&queue_, waiter->cost, waiter->started_ns);
      case kClosed:
        return Closing();
      case kRefused:
        return Overloaded(queue_.EstimateNs(waiter->key.first));
      default:
        break;
    }
    const int64_t estimate = queue_.EstimateNs(waiter->key.first);
    queue_.Detach(queue_.waiters_.find(waiter->key), kRefused);
    ++(cancelled ? queue_.stats_.abandoned : queue_.stats_.refused);
    if (cancelled) return Gone();
    return Overloaded(estimate);
  }

 private:
  FairQueue& queue_;
  std::shared_ptr<Waiter> waiter_;
};

Slot::~Slot() {
  if (queue_ != nullptr) queue_->Leave(cost_, started_ns_);
}

FairQueue::FairQueue(const Clock& clock, const FairQueueOptions& options)
    : clock_(clock), options_(options) {}

FairQueue::~FairQueue() = default;

asio::awaitable<Result<Slot>> FairQueue::Enter(std::string tenant, uint32_t weight, uint64_t cost,
                                               std::chrono::steady_clock::time_point deadline,
                                               asio::cancellation_slot leave) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) {
    co_return Gone();
  }
  cost = std::max<uint64_t>(cost, 1);
  std::shared_ptr<Waiter> waiter;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) co_return Closing();
    Flow& flow = flows_[tenant];
    flow.weight = std::max<uint32_t>(weight, 1);
    const double start = std::max(virtual_time_, flow.finish);
    const double finish = start + static_cast<double>(cost) / flow.weight;
    if (stats_.running < options_.capacity && waiters_.empty()) {
      flow.finish = finish;
      Start(start, cost);
      co_return Slot(this, cost, clock_.MonotonicNs());
    }
    const Result<void> may_wait = MayWait(flow, start);
    if (!may_wait) {
      ++stats_.refused;
      co_return may_wait.error();
    }
    flow.finish = finish;
    ++flow.waiting;
    const Key key(start, arrivals_++);
    waiter = std::make_shared<Waiter>(executor, std::move(tenant), key, cost);
    waiters_.emplace(key, waiter);
  }
  Registration registration(*this, waiter);
  waiter->timer.expires_at(
      std::min(deadline, std::chrono::steady_clock::now() + options_.hard_limit));
  constexpr auto kQuiet = asio::as_tuple(asio::use_awaitable);
  boost::system::error_code ended;
  if (leave.is_connected()) {
    const auto [error] = co_await waiter->timer.async_wait(asio::bind_cancellation_slot(leave, kQuiet));
    ended = error;
    leave.clear();
  } else {
    const auto [error] = co_await waiter->timer.async_wait(kQuiet);
    ended = error;
  }
  waiter.reset();
  co_return registration.Take(ended == asio::error::operation_aborted);
}

// Waiting places of `flow` among the active tenants and the one that asks.
uint32_t FairQueue::ShareOf(const Flow& flow, const Flow& asking) const {
  uint64_t weights = 0;
  for (const auto& [tenant, other] : flows_) {
    if (&other == &asking || other.waiting > 0 || other.finish > virtual_time_) {
      weights += other.weight;
    }
  }
  const uint64_t places = uint64_t{options_.waiting} * flow.weight / std::max<uint64_t>(weights, 1);
  return static_cast<uint32_t>(std::max<uint64_t>(places, 1));
}

Result<void> FairQueue::MayWait(const Flow& flow, double start) {
  const int64_t estimate = EstimateNs(start);
  const bool over_share = flow.waiting >= ShareOf(flow, flow);
  if (estimate > std::chrono::nanoseconds(options_.hard_limit).count()) {
    return Overloaded(estimate);
  }
  if (estimate > std::chrono::nanoseconds(options_.target).count() && over_share) {
    return Overloaded(estimate);
  }
  if (waiters_.size() >= options_.waiting && (over_share || !DisplaceFor(flow))) {
    return Overloaded(estimate);
  }
  return boost::outcome_v2::success();
}

bool FairQueue::DisplaceFor(const Flow& flow) {
  const Flow* greedy = nullptr;
  for (const auto& [tenant, other] : flows_) {
    const auto per_weight = [](const Flow& f) { return double{1} * f.waiting / f.weight; };
    if (&other != &flow && other.waiting > ShareOf(other, flow) &&
        (greedy == nullptr || per_weight(other) > per_weight(*greedy))) {
      greedy = &other;
    }
  }
  if (greedy == nullptr) return false;
  for (auto it = waiters_.end(); it != waiters_.begin();) {
    --it;
    if (&flows_[it->second->tenant] != greedy) continue;
    ++stats_.refused;
    Wake(Detach(it, kRefused));
    return true;
  }
  return false;
}

int64_t FairQueue::EstimateNs(double start) const {
  if (stats_.running < options_.capacity || finished_cost_ <= 0) return 0;
  double ahead = static_cast<double>(running_cost_) / 2;  // on average half of it is done
  for (const auto& [key, waiter] : waiters_) {
    if (key.first > start) break;
    ahead += static_cast<double>(waiter->cost);
  }
  const double ns = ahead * finished_ns_ / finished_cost_ / options_.capacity;
  return static_cast<int64_t>(std::min(ns, 1e15));
}

void FairQueue::Start(double virtual_start, uint64_t cost) {
  virtual_time_ = std::max(virtual_time_, virtual_start);
  ++stats_.running;
  ++stats_.entered;
  running_cost_ += cost;
}

std::shared_ptr<FairQueue::Waiter> FairQueue::Detach(Waiters::iterator it, int state) {
  std::shared_ptr<Waiter> waiter = std::move(it->second);
  waiters_.erase(it);
  --flows_[waiter->tenant].waiting;
  waiter->state = state;
  return waiter;
}

// Ends the wait of a coroutine on another thread, perhaps; the timer is touched on its own.
void FairQueue::Wake(std::shared_ptr<Waiter> waiter) {
  const asio::any_io_executor executor = waiter->timer.get_executor();
  asio::post(executor, [waiter = std::move(waiter)] { waiter->timer.cancel(); });
}

void FairQueue::Dispatch() {
  while (!closed_ && stats_.running < options_.capacity && !waiters_.empty()) {
    const auto first = waiters_.begin();
    Waiter& waiter = *first->second;
    waiter.started_ns = clock_.MonotonicNs();
    Start(waiter.key.first, waiter.cost);
    Wake(Detach(first, kGranted));
  }
  Prune();
}

void FairQueue::Prune() {
  if (stats_.running == 0 && waiters_.empty()) {
    flows_.clear();
    virtual_time_ = 0;
  } else if (flows_.size() > kFlowsBeforePruning) {
    std::erase_if(flows_, [this](const auto& entry) {
      return entry.second.waiting == 0 && entry.second.finish <= virtual_time_;
    });
  }
}

void FairQueue::Leave(uint64_t cost, int64_t started_ns) {
  const std::lock_guard lock(mutex_);
  --stats_.running;
  running_cost_ -= cost;
  const int64_t elapsed = std::max<int64_t>(clock_.MonotonicNs() - started_ns, 0);
  finished_ns_ = finished_ns_ * kFading + static_cast<double>(elapsed);
  finished_cost_ = finished_cost_ * kFading + static_cast<double>(cost);
  Dispatch();
}

void FairQueue::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  while (!waiters_.empty()) Wake(Detach(waiters_.begin(), kClosed));
}

FairQueue::Stats FairQueue::GetStats() const {
  const std::lock_guard lock(mutex_);
  Stats stats = stats_;
  stats.waiting = static_cast<uint32_t>(waiters_.size());
  stats.estimated_delay_ns = EstimateNs(std::numeric_limits<double>::infinity());
  return stats;
}

}  // namespace portcullis::gateway
