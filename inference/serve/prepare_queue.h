// What a request makes the engine do before its place in the scheduler's queue (reading its JSON,
// rendering the template, tokens, grammar) is done here, on a thread of its own: the io thread only
// moves bytes, and nobody's stream waits for somebody else's prompt. Bounded like the scheduler's
// own door, in places of 32 KiB of body; tenants take turns. A client that leaves takes its
// preparation with it: one that waits is dropped, one that runs is asked to stop and its result
// lost. Threading: all functions on the io thread, the works on the queue's. Nothing of a
// preparation points into the queue: either may go first.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>

#include "inference/schedule/request.h"

namespace portcullis::inference {

class Preparation : public std::enable_shared_from_this<Preparation> {
 public:
  using Work = std::function<void(const std::stop_token& gone)>;
  enum class End {
    kDone,
    kFailed,   // the work threw
    kLeft,     // Leave was called first
    kStopped,  // the queue stopped before its turn
  };

  // Until one of these is the case; for one coroutine.
  boost::asio::awaitable<End> Wait();
  // The client left.
  void Leave();

 private:
  friend class PrepareQueue;
  struct Lines;

  Preparation(const boost::asio::any_io_executor& io, const Caller& caller, size_t places,
              Work work, const std::shared_ptr<Lines>& lines);
  void Run();
  void Tell(End end);
  void Finish(End end);

  const Caller caller_;
  const size_t places_;
  const std::weak_ptr<Lines> lines_;
  Work work_;  // of whoever took this out of its line
  std::stop_source stop_;
  boost::asio::steady_timer timer_;  // the io thread's, as is what follows
  bool ended_ = false;
  End end_ = End::kDone;
};

class PrepareQueue {
 public:
  PrepareQueue(boost::asio::any_io_executor io, size_t places);
  // Waits for the work that runs; its executor must still be there.
  ~PrepareQueue();

  // The thread starts here, inside whatever sandbox stands by then.
  void Start();
  // Those who wait end with kStopped, nobody enters any more; the one that runs goes on.
  void Stop();

  // Null where there is no room for `bytes` of body of this caller.
  std::shared_ptr<Preparation> Enter(const Caller& caller, size_t bytes, Preparation::Work work);
  size_t waiting() const;

 private:
  void Run();

  const boost::asio::any_io_executor io_;
  const std::shared_ptr<Preparation::Lines> lines_;
  std::thread thread_;
};

}  // namespace portcullis::inference
