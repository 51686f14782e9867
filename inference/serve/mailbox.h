// Carries a request's events from the scheduler's thread to the coroutine that answers it. The
// sinks push, Take waits. Bounded: a caller that reads too slowly loses its generation, not our
// memory. Take and the coroutine run on one io thread; the sinks' functions may run on any.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>
#include <vector>

#include "inference/schedule/request.h"

namespace portcullis::inference {

struct Finished {
  FinishReason reason = FinishReason::kStop;
  Usage usage;
};

struct Event {
  int choice = 0;
  std::variant<Delta, Finished, Error, std::vector<float>> what;  // the last: an embedding
};

class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  explicit Mailbox(const boost::asio::any_io_executor& executor) : timer_(executor) {}

  std::shared_ptr<Sink> SinkFor(int choice);
  std::shared_ptr<EmbedSink> EmbedSinkFor(int input);
  // Waits for events until `patience` is over or Close was called; may give none.
  boost::asio::awaitable<std::vector<Event>> Take(std::chrono::steady_clock::duration patience);
  // The client left. Io thread only.
  void Close();
  bool closed() const { return closed_; }

 private:
  class ChoiceSink;
  class InputSink;
  void Push(Event event, size_t bytes);

  std::mutex mutex_;
  std::vector<Event> events_;  // guarded by mutex_
  size_t bytes_ = 0;           // guarded by mutex_
  bool overflow_ = false;      // guarded by mutex_
  boost::asio::steady_timer timer_;
  bool closed_ = false;
};

}  // namespace portcullis::inference
