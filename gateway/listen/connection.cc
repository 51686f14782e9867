// The connection's coroutine and its waiting.
//
// One deadline is enough because a connection does one thing at a time; it is a lazy timer: moving
// the deadline later costs nothing, the timer looks when it fires. Passing a deadline cancels the
// socket's waits and is always the end of the connection. While a handler works, a watch (a plain
// wait for readability, no coroutine) drains what the client sends into inbound_, because only
// reading reveals a FIN or close_notify; a full inbound_ stops the reading and leaves RST to see.
//
// co_await never stands behind && or || here: GCC 12 awaits it whatever the left side says.
#include "gateway/listen/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "gateway/http/head_parser.h"
#include "gateway/listen/plain_stream.h"
#include "gateway/listen/tls_stream.h"

namespace portcullis::gateway {

using boost::asio::awaitable;

namespace {

// One receive buffer a core, so that connections own none.
std::array<char, 16 * 1024>& ReceiveBuffer() {
  thread_local std::array<char, 16 * 1024> buffer;
  return buffer;
}

}  // namespace

Connection::Connection(std::shared_ptr<ServerState> state, std::shared_ptr<const ListenerState> listener,
                       CoreState& core, Socket socket, Peer peer)
    : state_(std::move(state)),
      listener_(std::move(listener)),
      core_(core),
      socket_(std::move(socket)),
      timer_(core.io),
      peer_(std::move(peer)) {
  core_.connections.push_back(*this);
  state_->counters.open.fetch_add(1, std::memory_order_relaxed);
}

Connection::~Connection() {
  unlink();
  if (peer_.kind == Peer::Kind::kTls) {
    state_->table.Release(peer_.address);
  } else {
    state_->table.ReleaseLocal();
  }
  state_->counters.open.fetch_sub(1, std::memory_order_relaxed);
}

void Connection::Start() {
  boost::asio::co_spawn(core_.io, Run(),
                        [self = shared_from_this()](const std::exception_ptr& failure) {
                          if (failure) ++self->state_->counters.exceptions;
                          boost::system::error_code ignored;
                          self->timer_.cancel();
                          self->socket_.close(ignored);
                          // Looked at once this connection is gone.
                          boost::asio::post(self->core_.io, [state = self->state_, &core = self->core_] {
                            if (core.on_empty && core.connections.empty()) {
                              std::exchange(core.on_empty, nullptr)();
                            }
                          });
                        });
}

void Connection::Drain() {
  if (!idle_) return;
  aborted_ = true;
  graceful_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Connection::Abort() {
  aborted_ = true;
  graceful_ = false;
  if (!socket_.is_open()) return;
  boost::system::error_code ignored;
  // The descriptor itself stays open until the coroutine is done with it.
  ::shutdown(socket_.native_handle(), SHUT_RDWR);
  socket_.cancel(ignored);
  NotifyGone();
}

void Connection::Recheck() {
  if (listener_->tls && stream_ && !stream_->TrustedBy(*listener_->tls->Snapshot())) Abort();
}

awaitable<void> Connection::Run() {
  if (!co_await Handshake()) co_return;
  bool more = true;
  while (more && !aborted_) {
    std::optional<Result<http::RequestHead>> head = co_await ReadHead();
    if (!head) break;
    more = co_await Serve(std::move(*head));
    if (more && !inbound_.empty()) {
      // A pipelining client waits for its turn like everybody else.
      co_await boost::asio::post(boost::asio::use_awaitable);
    }
  }
  if (graceful_) co_await CloseGracefully();
}

awaitable<bool> Connection::Handshake() {
  const int fd = socket_.native_handle();
  if (listener_->tls) {
    stream_ = TlsStream::Accept(listener_->tls->Snapshot(), fd);
  } else {
    stream_ = std::make_unique<PlainStream>(fd);
  }
  SetDeadline(Clock::now() + limits().handshake);
  while (stream_) {
    const Stream::Outcome outcome = stream_->Handshake();
    if (outcome.status == Stream::Status::kOk) {
      // The settings may have changed during the handshake, after Recheck() looked.
      if (listener_->tls && !stream_->TrustedBy(*listener_->tls->Snapshot())) break;
      stream_->Describe(peer_);
      ClearDeadline();
      co_return true;
    }
    const bool wants = outcome.status == Stream::Status::kWantRead ||
                       outcome.status == Stream::Status::kWantWrite;
    if (!wants) break;
    const bool ready = co_await Wait(outcome.status);
    if (!ready) break;
  }
  ++state_->counters.handshakes_failed;
  co_return false;
}

awaitable<std::optional<Result<http::RequestHead>>> Connection::ReadHead() {
  http::HeadScanner scanner;
  idle_ = inbound_.empty();
  if (idle_) std::string().swap(inbound_);
  SetDeadline(Clock::now() + (idle_ ? limits().idle : limits().head));
  while (true) {
    if (!inbound_.empty()) {
      if (std::exchange(idle_, false)) SetDeadline(Clock::now() + limits().head);
      const Result<size_t> length = scanner.Scan(inbound_);
      if (!length || length.value() > 0) {
        ClearDeadline();
        ++state_->counters.requests;
        if (!length) co_return Result<http::RequestHead>(length.error());
        const std::string_view text = std::string_view(inbound_).substr(0, length.value());
        Result<http::RequestHead> head = http::ParseHead(text);
        inbound_.erase(0, length.value());
        co_return head;
      }
    } else if (core_.stopping) {
      graceful_ = true;
      co_return std::nullopt;
    }
    const Result<void> filled = co_await Fill();
    if (filled) continue;
    ClearDeadline();
    if (idle_) {
      graceful_ = graceful_ || filled.error().code == Code::kTimeout;
      co_return std::nullopt;
    }
    if (filled.error().code != Code::kTimeout) co_return std::nullopt;
    co_return Result<http::RequestHead>(
        Error{Code::kTimeout, "request head took too long to arrive"});
  }
}

awaitable<bool> Connection::Serve(Result<http::RequestHead> head) {
  if (!head) ++state_->counters.malformed;
  if (!head || !head.value().keep_alive) close_after_ = true;
  graceful_ = false;
  Exchange exchange(*this, std::move(head));
  try {
    co_await listener_->handler(exchange);
  } catch (const std::exception&) {
    ++state_->counters.exceptions;
    co_return false;
  }
  ClearDeadline();
  if (exchange.state_ != Exchange::State::kDone) co_return false;
  graceful_ = true;
  co_return keep_alive() && !peer_gone_;
}

// close_notify, FIN, then reading and dropping what is still on its way: closing a socket with
// unread bytes would send RST, and RST can overtake the response.
awaitable<void> Connection::CloseGracefully() {
  aborted_ = timed_out_ = false;
  SetDeadline(Clock::now() + limits().shutdown);
  Stream::Outcome outcome = stream_->CloseNotify();
  while (outcome.status == Stream::Status::kWantWrite) {
    const bool ready = co_await Wait(outcome.status);
    if (!ready) break;
    outcome = stream_->CloseNotify();
  }
  ::shutdown(socket_.native_handle(), SHUT_WR);
  constexpr size_t kLingerBytes = 16 * 1024 * 1024;
  for (size_t dropped = 0; !peer_gone_ && dropped < kLingerBytes;) {
    auto& buffer = ReceiveBuffer();
    const ssize_t n = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), 0);
    if (n > 0) {
      dropped += static_cast<size_t>(n);
      continue;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) break;
    const bool ready = co_await Wait(Stream::Status::kWantRead);
    if (!ready) break;
  }
}

awaitable<bool> Connection::Wait(Stream::Status readiness) {
  boost::system::error_code ec;
  const auto direction = readiness == Stream::Status::kWantWrite ? Socket::wait_write
                                                                 : Socket::wait_read;
  if (timed_out_ || aborted_) co_return false;
  auto token = boost::asio::redirect_error(boost::asio::use_awaitable, ec);
  co_await socket_.async_wait(direction, token);
  co_return !ec && !timed_out_ && !aborted_;
}

Stream::Outcome Connection::Pull() {
  auto& buffer = ReceiveBuffer();
  const size_t room = limits().pipeline - std::min(limits().pipeline, inbound_.size());
  if (room == 0) return {Stream::Status::kFailed};
  const Stream::Outcome outcome = stream_->Read(buffer.data(), std::min(room, buffer.size()));
  if (outcome.status == Stream::Status::kOk) inbound_.append(buffer.data(), outcome.size);
  return outcome;
}

Error Connection::WaitError() {
  if (timed_out_) {
    timed_out_ = false;
    ++state_->counters.timeouts;
    return Error{Code::kTimeout, "client was too slow"};
  }
  return Error{Code::kPeerGone, "connection is being closed"};
}

awaitable<Result<void>> Connection::Fill() {
  while (true) {
    const Stream::Outcome outcome = Pull();
    switch (outcome.status) {
      case Stream::Status::kOk: co_return boost::outcome_v2::success();
      case Stream::Status::kWantRead:
      case Stream::Status::kWantWrite:
        if (!co_await Wait(outcome.status)) co_return WaitError();
        break;
      case Stream::Status::kEnd:
      case Stream::Status::kFailed:
        peer_gone_ = true;
        co_return Error{Code::kPeerGone, "client closed the connection"};
    }
  }
}

awaitable<Result<void>> Connection::WriteAll(std::string_view bytes) {
  const auto allowance =
      std::chrono::milliseconds(bytes.size() * 1000 / std::max<size_t>(1, limits().min_rate));
  SetDeadline(Clock::now() + limits().write + allowance);
  while (!bytes.empty()) {
    const Stream::Outcome outcome = stream_->Write(bytes.data(), bytes.size());
    if (outcome.status == Stream::Status::kOk) {
      bytes.remove_prefix(outcome.size);
      continue;
    }
    if (outcome.status != Stream::Status::kWantRead &&
        outcome.status != Stream::Status::kWantWrite) {
      ClearDeadline();
      co_return Error{Code::kPeerGone, "client closed the connection"};
    }
    if (!co_await Wait(outcome.status)) {
      ClearDeadline();
      co_return WaitError();
    }
  }
  ClearDeadline();
  co_return boost::outcome_v2::success();
}

void Connection::SetDeadline(Clock::time_point deadline) {
  deadline_ = deadline;
  if (!timer_armed_ || deadline < timer_.expiry()) ArmTimer();
}

void Connection::ArmTimer() {
  timer_armed_ = true;
  timer_.expires_at(deadline_);
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
    if (ec) return;
    if (const auto self = weak.lock()) self->OnTimer();
  });
}

void Connection::OnTimer() {
  timer_armed_ = false;
  if (deadline_ == Clock::time_point::max()) return;
  if (Clock::now() < deadline_) {
    ArmTimer();
    return;
  }
  ClearDeadline();
  timed_out_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void Connection::Watch(Exchange& exchange) {
  watching_ = &exchange;
  ArmWatch();
}

void Connection::ArmWatch() {
  if (peer_gone_) return;
  const bool full = inbound_.size() >= limits().pipeline;
  bool& armed = full ? error_watch_armed_ : read_watch_armed_;
  if (std::exchange(armed, true)) return;
  socket_.async_wait(full ? Socket::wait_error : Socket::wait_read,
                     [weak = weak_from_this(), full](const boost::system::error_code& ec) {
                       if (const auto self = weak.lock()) self->OnWatched(full, bool(ec));
                     });
}

void Connection::OnWatched(bool for_error, bool cancelled) {
  (for_error ? error_watch_armed_ : read_watch_armed_) = false;
  if (watching_ == nullptr) return;
  if (cancelled || for_error) {
    NotifyGone();
    return;
  }
  while (inbound_.size() < limits().pipeline) {
    const Stream::Outcome outcome = Pull();
    if (outcome.status == Stream::Status::kOk) continue;
    if (outcome.status == Stream::Status::kEnd || outcome.status == Stream::Status::kFailed) {
      NotifyGone();
      return;
    }
    break;
  }
  ArmWatch();
}

void Connection::NotifyGone() {
  peer_gone_ = true;
  Exchange* const exchange = std::exchange(watching_, nullptr);
  if (exchange == nullptr) return;
  ++state_->counters.peer_gone;
  const std::function<void()> callback = std::exchange(exchange->on_gone_, nullptr);
  if (callback) callback();
}

}  // namespace portcullis::gateway
