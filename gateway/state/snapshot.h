// A value that many threads read and few replace, as an immutable snapshot (RCU in its plainest
// form). Load() costs one atomic read and a reference count while nothing was stored: each thread
// keeps the snapshot it saw last. Store() bites at every thread's next Load(). A thread that never
// loads again keeps its last snapshot alive until it ends.
//
// std::atomic<std::shared_ptr> would do, but in libstdc++ 12 it is a spin lock which thread
// sanitizer cannot follow.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

namespace portcullis::gateway {

template <class T>
class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const T> value) { Store(std::move(value)); }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  std::shared_ptr<const T> Load() const {
    thread_local Seen seen;
    const uint64_t version = version_.load(std::memory_order_acquire);
    if (seen.version != version) {
      const std::lock_guard lock(mutex_);
      seen.version = version_.load(std::memory_order_relaxed);
      seen.value = value_;
    }
    return seen.value;
  }

  void Store(std::shared_ptr<const T> value) {
    const std::lock_guard lock(mutex_);
    value_.swap(value);
    // Versions are drawn from one counter for all snapshots of the type, so a version names both
    // the snapshot object and its value.
    version_.store(next_version_.fetch_add(1) + 1, std::memory_order_release);
  }

 private:
  struct Seen {
    uint64_t version = 0;
    std::shared_ptr<const T> value;
  };

  inline static std::atomic<uint64_t> next_version_{0};

  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
  std::atomic<uint64_t> version_{0};
};

}  // namespace portcullis::gateway
