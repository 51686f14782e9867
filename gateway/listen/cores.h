// One io_context and one thread per core. Nothing is shared between them and no strand is needed:
// a connection, its timers and its handler stay on the core that accepted it.
// Threading: Run() blocks the calling thread, which works as core 0; Stop() from any thread.
// Failure: an exception that reaches an io_context is counted and the loop goes on.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace portcullis::gateway {

class Cores {
 public:
  explicit Cores(size_t count);  // 0: one per available processor

  void Run();   // until Stop()
  void Stop();  // abandons what is pending
  size_t size() const { return contexts_.size(); }
  boost::asio::io_context& at(size_t i) { return *contexts_[i]; }
  std::vector<boost::asio::io_context*> all();
  uint64_t exceptions() const { return exceptions_.load(std::memory_order_relaxed); }

 private:
  void RunOne(boost::asio::io_context& context);

  std::vector<std::unique_ptr<boost::asio::io_context>> contexts_;
  std::atomic<uint64_t> exceptions_{0};
};

}  // namespace portcullis::gateway
