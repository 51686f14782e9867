// How many may wait: a bound for all, half of it for one tenant, and less of it for lower classes,
// so that a flood of batch work never keeps a person out. Thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>

#include "inference/schedule/request.h"

namespace portcullis::inference {

class Door {
 public:
  explicit Door(size_t limit) : limit_(limit) {}

  // All `count` or none.
  bool Enter(const Caller& caller, size_t count) {
    const std::lock_guard lock(mutex_);
    if (!HasRoom(caller, count)) return false;
    inside_ += count;
    tenants_[caller.tenant] += count;
    classes_[static_cast<size_t>(caller.priority)] += count;
    return true;
  }

  // Whether one more could enter now; a no counts as a refusal.
  bool Admits(const Caller& caller) {
    const std::lock_guard lock(mutex_);
    return HasRoom(caller, 1);
  }

  // Those who entered have their place to run, or have gone.
  void Leave(const Caller& caller, size_t count = 1) {
    const std::lock_guard lock(mutex_);
    inside_ -= count;
    classes_[static_cast<size_t>(caller.priority)] -= count;
    const auto own = tenants_.find(caller.tenant);
    own->second -= count;
    if (own->second == 0) tenants_.erase(own);
  }

  std::array<size_t, kPriorities> classes() const {
    const std::lock_guard lock(mutex_);
    return classes_;
  }
  size_t refused() const {
    const std::lock_guard lock(mutex_);
    return refused_;
  }

 private:
  size_t Limit(Priority priority) const {
    switch (priority) {
      case Priority::kInteractive:
        return limit_;
      case Priority::kNormal:
        return limit_ - limit_ / 8;
      case Priority::kBatch:
        break;
    }
    return (limit_ + 1) / 2;
  }

  bool HasRoom(const Caller& caller, size_t count) {
    const auto own = tenants_.find(caller.tenant);
    const size_t waiting = own == tenants_.end() ? 0 : own->second;
    const bool room =
        inside_ + count <= Limit(caller.priority) && waiting + count <= (limit_ + 1) / 2;
    if (!room) ++refused_;
    return room;
  }

  const size_t limit_;
  mutable std::mutex mutex_;
  size_t inside_ = 0;   // guarded by mutex_, as is what follows
  size_t refused_ = 0;
  std::array<size_t, kPriorities> classes_ = {};
  std::map<std::string, size_t> tenants_;
};

}  // namespace portcullis::inference
