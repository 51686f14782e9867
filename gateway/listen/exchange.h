// One request on one connection, handed to the handler (the walk). It lives until the handler
// returns; a request that was not answered by then drops the connection.
// Threading: everything runs on the connection's core (executor()); one call at a time.
// Failure: kPeerGone when the client left or was too slow to read, kTimeout for a slow body,
// kTooLarge, kBadRequest for framing. After a failure only returning makes sense.
// INVARIANT: at most one of Respond() and StartStream() succeeds.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "gateway/error.h"
#include "gateway/http/message.h"
#include "gateway/listen/peer.h"

namespace portcullis::gateway {

class Connection;

class Exchange {
 public:
  Exchange(Connection& connection, Result<http::RequestHead> head);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // A malformed head arrives as the Error to answer with; the connection closes after that.
  const Result<http::RequestHead>& head() const { return head_; }
  const Peer& peer() const;
  boost::asio::any_io_executor executor() const;

  // The whole body, at most `limit` bytes: kTooLarge before anything is read when the declared
  // length exceeds it. Sends 100 Continue when asked for. Call at most once.
  boost::asio::awaitable<Result<std::string>> ReadBody(size_t limit);

  // The whole response. A body to a HEAD request is not sent, its length is.
  boost::asio::awaitable<Result<void>> Respond(http::ResponseHead head, std::string body);

  // Server-sent events: the head (content-type, cache-control and x-accel-buffering are added
  // where missing), then one Write() per event or group of events, then EndStream(). A stream
  // that is not ended is cut off, so that the client sees the truncation.
  boost::asio::awaitable<Result<void>> StartStream(http::ResponseHead head);
  boost::asio::awaitable<Result<void>> Write(std::string_view bytes);
  boost::asio::awaitable<Result<void>> EndStream();

  // Called once, on executor(), outside any of the coroutines above, when the client goes away
  // (FIN, RST, close_notify, forced stop) after its request was read completely and before the
  // handler returns. At once if that has happened already. A new function replaces the old one.
  void OnPeerGone(std::function<void()> callback);
  bool peer_gone() const;

  bool response_started() const { return state_ != State::kPending; }
  // Closes the connection after this exchange.
  void CloseAfter();

 private:
  friend class Connection;
  enum class State { kPending, kStreaming, kDone, kBroken };

  bool BodySettled();
  boost::asio::awaitable<Result<void>> Send(std::string bytes, State next);

  Connection& connection_;  // outlives the exchange
  Result<http::RequestHead> head_;
  std::function<void()> on_gone_;
  State state_ = State::kPending;
  bool body_read_ = false;   // nothing of this request is left on the wire
  bool body_taken_ = false;  // ReadBody was called
  bool head_only_ = false;   // HEAD
  bool chunked_ = false;     // how the stream is framed
};

using Handler = std::function<boost::asio::awaitable<void>(Exchange&)>;

}  // namespace portcullis::gateway
