// The listening half of the gateway: all acceptors and connections, over all cores. Each core has
// its own io_context, its own acceptors (SO_REUSEPORT) and its own connections; cores share only
// the atomic counters of ConnectionTable and Counters.
// Threading: Add() before the cores run; Stop() from any thread; the destructor after they stopped.
// Failure: kConfig or kIo naming the address; a handler's exception drops its connection only.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "gateway/error.h"
#include "gateway/listen/counters.h"
#include "gateway/listen/exchange.h"
#include "gateway/listen/limits.h"
#include "gateway/listen/tls_context.h"

namespace portcullis::gateway {

struct TcpListen {
  boost::asio::ip::address address;
  uint16_t port = 0;  // 0: any free port
};
struct UnixListen {
  std::filesystem::path path;  // a stale socket file is replaced, anything else is refused
  unsigned mode = 0600;
};
struct InheritedListen {
  int fd = -1;  // listening already (systemd); TCP or Unix is found out; taken over
};

struct ListenerConfig {
  std::string name;  // "api", "admin", "socket": shown in Peer::listener
  std::variant<TcpListen, UnixListen, InheritedListen> where;
  std::shared_ptr<TlsContext> tls;  // demanded for TCP, forbidden for Unix
  Handler handler;
};

class Server {
 public:
  // The cores must outlive the server and must have stopped before it is destroyed.
  Server(std::vector<boost::asio::io_context*> cores, const Limits& limits);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds, listens and starts to accept on every core. Returns the TCP port (0 for Unix).
  Result<uint16_t> Add(ListenerConfig config);

  // Ends connections whose client certificates today's settings of their listener would refuse: the
  // revoked ones. Call after a reload; from any thread.
  void Recheck();

  // Stops accepting, closes idle connections, lets running exchanges end until the deadline, then
  // closes them too (their OnPeerGone fires). `done` is called once, on some core.
  void Stop(std::chrono::milliseconds drain, std::function<void()> done);

  const Counters& counters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace portcullis::gateway
