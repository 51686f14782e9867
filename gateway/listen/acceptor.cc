// accept4 on readiness, at most a handful at a time so that connections of the core get their turn.
#include "gateway/listen/acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <utility>

#include "gateway/listen/connection.h"
#include "gateway/listen/peer_address.h"

namespace portcullis::gateway {

using boost::asio::awaitable;

namespace {

constexpr int kBatch = 16;
constexpr std::chrono::milliseconds kBackOff{100};

int OpenReserve() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

void SetOption(int fd, int level, int name, int value) {
  // Best effort: each of these makes a good connection better and a lack of it harms nothing.
  (void)::setsockopt(fd, level, name, &value, sizeof(value));
}

// Dead peers are found by the kernel, and no more than 64 KiB wait unsent for a slow reader.
void TuneTcp(int fd) {
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 64 * 1024);
  SetOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000);
  SetOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  SetOption(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

}  // namespace

Acceptor::Acceptor(std::shared_ptr<ServerState> state, std::shared_ptr<const ListenerState> listener,
                   CoreState& core, int fd)
    : state_(std::move(state)),
      listener_(std::move(listener)),
      core_(core),
      socket_(core.io, fd),
      timer_(core.io),
      reserve_(OpenReserve()) {}

Acceptor::~Acceptor() {
  if (reserve_ >= 0) ::close(reserve_);
}

void Acceptor::Start() {
  boost::asio::co_spawn(core_.io, Run(), [self = shared_from_this()](const std::exception_ptr& e) {
    if (e) ++self->state_->counters.exceptions;
  });
}

void Acceptor::Stop() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  timer_.cancel();
}

awaitable<void> Acceptor::Run() {
  boost::system::error_code ec;
  auto token = boost::asio::redirect_error(boost::asio::use_awaitable, ec);
  while (socket_.is_open()) {
    co_await socket_.async_wait(boost::asio::posix::descriptor_base::wait_read, token);
    if (ec == boost::asio::error::operation_aborted) co_return;
    try {
      for (int i = 0; i < kBatch && AcceptOne(); ++i) {
      }
    } catch (const std::exception&) {
      ++state_->counters.accept_errors;
      back_off_ = true;
    }
    if (std::exchange(back_off_, false)) {
      timer_.expires_after(kBackOff);
      co_await timer_.async_wait(token);
    }
  }
}

bool Acceptor::AcceptOne() {
  sockaddr_storage from{};
  socklen_t size = sizeof(from);
  const int fd = ::accept4(socket_.native_handle(), reinterpret_cast<sockaddr*>(&from), &size,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    if (errno == EINTR || errno == ECONNABORTED) return true;
    if (errno == EMFILE || errno == ENFILE) ShedOne();
    ++state_->counters.accept_errors;
    back_off_ = true;
    return false;
  }
  Peer peer;
  peer.listener = listener_->name;
  peer.kind = listener_->tls ? Peer::Kind::kTls : Peer::Kind::kUnix;
  auto verdict = ConnectionTable::Verdict::kAdmitted;
  if (peer.kind == Peer::Kind::kTls) {
    SetAddress(from, peer);
    verdict = state_->table.Admit(peer.address);
  } else {
    verdict = state_->table.AdmitLocal();
  }
  if (verdict != ConnectionTable::Verdict::kAdmitted) {
    ++(verdict == ConnectionTable::Verdict::kTotal ? state_->counters.refused_total
                                                   : state_->counters.refused_address);
    ::close(fd);
    return true;
  }
  ++state_->counters.accepted;
  if (peer.kind == Peer::Kind::kTls) TuneTcp(fd);
  Connection::Socket socket(core_.io);
  boost::system::error_code ec;
  socket.assign(boost::asio::generic::stream_protocol(from.ss_family, 0), fd, ec);
  if (ec) {
    ::close(fd);
    if (peer.kind == Peer::Kind::kTls) {
      state_->table.Release(peer.address);
    } else {
      state_->table.ReleaseLocal();
    }
    ++state_->counters.accept_errors;
    back_off_ = true;
    return false;
  }
  std::make_shared<Connection>(state_, listener_, core_, std::move(socket), std::move(peer))->Start();
  return true;
}

void Acceptor::ShedOne() {
  if (reserve_ >= 0) ::close(reserve_);
  const int fd = ::accept4(socket_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) ::close(fd);
  reserve_ = OpenReserve();
}

}  // namespace portcullis::gateway
