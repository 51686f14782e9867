// One listening socket on one core: accepts, applies the connection caps, starts connections.
// Threading: its core only, after construction. Failure: running out of descriptors closes the
// newcomer by means of a reserve descriptor and backs off 100 ms; the loop never spins or dies.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>

#include "gateway/error.h"
#include "gateway/listen/server_state.h"

namespace portcullis::gateway {

class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  // Takes over `fd`, which is listening and non-blocking.
  Acceptor(std::shared_ptr<ServerState> state, std::shared_ptr<const ListenerState> listener,
           CoreState& core, int fd);
  ~Acceptor();

  void Start();
  void Stop();

 private:
  boost::asio::awaitable<void> Run();
  bool AcceptOne();  // false: nothing more to accept now
  void ShedOne();

  std::shared_ptr<ServerState> state_;
  std::shared_ptr<const ListenerState> listener_;
  CoreState& core_;
  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer timer_;
  int reserve_ = -1;  // given up for a moment to accept and close what cannot be kept
  bool back_off_ = false;
};

}  // namespace portcullis::gateway
