// One connection: accept → TLS handshake → { head → handler } … → close, as one coroutine with one
// deadline. It owns the socket and all waiting; Stream only tries, Exchange only asks.
// Threading: everything on its core; held alive by its own coroutine and by pending waits.
// Failure: any error, timeout or exception ends this connection and nothing else.
// INVARIANT: at most Limits::pipeline bytes are kept beyond the request in flight.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/error.h"
#include "gateway/http/message.h"
#include "gateway/listen/exchange.h"
#include "gateway/listen/peer.h"
#include "gateway/listen/server_state.h"
#include "gateway/listen/stream.h"

namespace portcullis::gateway {

class Connection : public std::enable_shared_from_this<Connection>, public ConnectionHook {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Clock = std::chrono::steady_clock;

  // `core` outlives the connection: it belongs to `state`.
  Connection(std::shared_ptr<ServerState> state, std::shared_ptr<const ListenerState> listener,
             CoreState& core, Socket socket, Peer peer);
  ~Connection();

  // Spawns the connection's coroutine.
  void Start();
  // Graceful stop: closes it if no request is running, otherwise after the running one.
  void Drain();
  // Ends it now, as if the client had gone.
  void Abort();
  // Aborts it if the client's certificate would not be accepted any more.
  void Recheck();

  // For Exchange.
  const Peer& peer() const { return peer_; }
  const Limits& limits() const { return state_->limits; }
  Socket::executor_type executor() { return socket_.get_executor(); }
  bool peer_gone() const { return peer_gone_; }
  bool keep_alive() const { return !close_after_ && !core_.stopping; }
  void CloseAfter() { close_after_ = true; }
  std::string& inbound() { return inbound_; }  // received, not yet used
  // Receives at least one more byte into inbound(), within the deadline that is set.
  boost::asio::awaitable<Result<void>> Fill();
  boost::asio::awaitable<Result<void>> WriteAll(std::string_view bytes);
  void SetDeadline(Clock::time_point deadline);
  void ClearDeadline() { deadline_ = Clock::time_point::max(); }
  // Reports the client's leaving to the exchange until Unwatch(); keeps what it pipelines.
  void Watch(Exchange& exchange);
  void Unwatch() { watching_ = nullptr; }

 private:
  boost::asio::awaitable<void> Run();
  boost::asio::awaitable<bool> Handshake();
  // Empty: the connection ended (or idled out) between requests.
  boost::asio::awaitable<std::optional<Result<http::RequestHead>>> ReadHead();
  boost::asio::awaitable<bool> Serve(Result<http::RequestHead> head);
  boost::asio::awaitable<void> CloseGracefully();

  boost::asio::awaitable<bool> Wait(Stream::Status readiness);
  Stream::Outcome Pull();
  Error WaitError();
  void ArmTimer();
  void OnTimer();
  void ArmWatch();
  void OnWatched(bool for_error, bool cancelled);
  void NotifyGone();

  std::shared_ptr<ServerState> state_;
  std::shared_ptr<const ListenerState> listener_;
  CoreState& core_;
  Socket socket_;
  boost::asio::steady_timer timer_;
  std::unique_ptr<Stream> stream_;
  Peer peer_;
  std::string inbound_;
  Exchange* watching_ = nullptr;
  Clock::time_point deadline_ = Clock::time_point::max();
  bool timer_armed_ = false;
  bool read_watch_armed_ = false;
  bool error_watch_armed_ = false;  // where inbound_ is full
  bool timed_out_ = false;
  bool aborted_ = false;
  bool idle_ = false;  // between requests, nothing received
  bool peer_gone_ = false;
  bool close_after_ = false;
  bool graceful_ = false;  // the last message was complete: say goodbye properly
};

}  // namespace portcullis::gateway
