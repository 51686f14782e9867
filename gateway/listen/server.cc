// Puts one acceptor per core behind every listener, and takes everything down again.
#include "gateway/listen/server.h"

#include <fcntl.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <csignal>
#include <exception>
#include <utility>

#include "gateway/listen/acceptor.h"
#include "gateway/listen/connection.h"
#include "gateway/listen/server_state.h"
#include "gateway/listen/sockets.h"

namespace portcullis::gateway {

struct Server::Impl {
  explicit Impl(const Limits& limits) : state(std::make_shared<ServerState>(limits)) {}

  std::shared_ptr<ServerState> state;
  std::vector<std::vector<std::shared_ptr<Acceptor>>> acceptors;  // by core; touched on that core
};

namespace {

Result<ListeningSocket> Open(const ListenerConfig& config) {
  if (const auto* tcp = std::get_if<TcpListen>(&config.where)) {
    return ListenTcp(tcp->address, tcp->port);
  }
  if (const auto* local = std::get_if<UnixListen>(&config.where)) {
    return ListenUnix(local->path, local->mode);
  }
  return AdoptListening(std::get<InheritedListen>(config.where).fd);
}

using Connections = std::vector<std::weak_ptr<Connection>>;

// A few a turn: each costs several signature checks, and the core's calls must go on meanwhile.
void RecheckSome(const std::shared_ptr<ServerState>& state, CoreState& core,
                 const std::shared_ptr<Connections>& left) {
  constexpr int kATurn = 4;
  for (int i = 0; i < kATurn && !left->empty(); ++i) {
    const auto connection = left->back().lock();
    left->pop_back();
    if (!connection) continue;
    try {
      connection->Recheck();
    } catch (const std::exception&) {  // no memory to ask: not known to be trusted
      connection->Abort();
    }
  }
  if (left->empty()) return;
  boost::asio::post(core.io, [state, &core, left] { RecheckSome(state, core, left); });
}

}  // namespace

Server::Server(std::vector<boost::asio::io_context*> cores, const Limits& limits)
    : impl_(std::make_unique<Impl>(limits)) {
  // OpenSSL writes to sockets with write(2); a client that left must not end the process.
  std::signal(SIGPIPE, SIG_IGN);
  for (boost::asio::io_context* core : cores) {
    impl_->state->cores.push_back(std::make_unique<CoreState>(*core));
  }
  impl_->acceptors.resize(cores.size());
}

Server::~Server() = default;

const Counters& Server::counters() const { return impl_->state->counters; }

Result<uint16_t> Server::Add(ListenerConfig config) {
  const auto& cores = impl_->state->cores;
  BOOST_OUTCOME_TRY(const ListeningSocket first, Open(config));
  std::vector<int> sockets = {first.fd};
  const auto close_all = [&](Error error) {
    for (const int fd : sockets) ::close(fd);
    return error;
  };
  if (first.is_unix == (config.tls != nullptr)) {
    return close_all(Error{Code::kConfig, "listener `" + config.name + "`: TLS is for TCP and only TCP"});
  }
  auto* const tcp = std::get_if<TcpListen>(&config.where);
  while (sockets.size() < cores.size()) {
    if (tcp != nullptr) {
      const Result<ListeningSocket> next = ListenTcp(tcp->address, first.port, PortShare::kWithOurs);
      if (!next) return close_all(next.error());
      sockets.push_back(next.value().fd);
    } else {
      const int copy = ::fcntl(first.fd, F_DUPFD_CLOEXEC, 3);
      if (copy < 0) return close_all(Error{Code::kIo, "too few descriptors: raise LimitNOFILE"});
      sockets.push_back(copy);
    }
  }
  const auto listener = std::make_shared<const ListenerState>(
      ListenerState{std::move(config.name), std::move(config.tls), std::move(config.handler)});
  for (size_t i = 0; i < cores.size(); ++i) {
    const auto acceptor =
        std::make_shared<Acceptor>(impl_->state, listener, *cores[i], sockets[i]);
    impl_->acceptors[i].push_back(acceptor);
    acceptor->Start();
  }
  return first.port;
}

void Server::Recheck() {
  for (const auto& core : impl_->state->cores) {
    boost::asio::post(core->io, [state = impl_->state, &core = *core] {
      const auto left = std::make_shared<Connections>();
      for (auto& hook : core.connections) {
        left->push_back(static_cast<Connection&>(hook).weak_from_this());
      }
      RecheckSome(state, core, left);
    });
  }
}

void Server::Stop(std::chrono::milliseconds drain, std::function<void()> done) {
  const auto state = impl_->state;
  const auto left = std::make_shared<std::atomic<size_t>>(state->cores.size());
  const auto shared_done = std::make_shared<std::function<void()>>(std::move(done));
  for (size_t i = 0; i < state->cores.size(); ++i) {
    CoreState& core = *state->cores[i];
    boost::asio::post(core.io, [this, state, &core, i, drain, left, shared_done] {
      core.stopping = true;
      for (const auto& acceptor : impl_->acceptors[i]) acceptor->Stop();
      const auto timer = std::make_shared<boost::asio::steady_timer>(core.io, drain);
      core.on_empty = [timer, left, shared_done] {
        timer->cancel();
        if (left->fetch_sub(1) == 1 && *shared_done) (*shared_done)();
      };
      if (core.connections.empty()) {
        std::exchange(core.on_empty, nullptr)();
        return;
      }
      for (auto& hook : core.connections) static_cast<Connection&>(hook).Drain();
      timer->async_wait([state, &core](const boost::system::error_code& ec) {
        if (ec) return;
        for (auto it = core.connections.begin(); it != core.connections.end();) {
          static_cast<Connection&>(*it++).Abort();
        }
      });
    });
  }
}

}  // namespace portcullis::gateway
