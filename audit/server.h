// The socket of portcullis-auditd: accepts peers whose uid is allowed (SO_PEERCRED), reads frames,
// hands appends to the writer, sends replies in the order they become ready. One I/O thread. Bounded:
// connections, bytes and appends in flight per connection; a peer that sends a malformed frame or
// reads too slowly is dropped, never the process.
#pragma once

#include <sys/types.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "audit/error.h"
#include "audit/writer.h"

namespace portcullis::audit {

struct ServerOptions {
  std::string socket_path;      // empty when an inherited socket is used
  int inherited_fd = -1;        // LISTEN_FDS
  std::set<uid_t> allowed_uids;   // may append, ask for status and proofs
  std::set<uid_t> admin_uids;     // may also release, hold, erase; root and auditd's own user always may
  size_t max_connections = 64;
  std::function<void(const std::string&)> log;
};

class Server {
 public:
  // `writer` must outlive the server and every callback of the io_context.
  Server(boost::asio::io_context& io, ServerOptions options, Writer& writer);
  // Binds (mode 0660) or takes the inherited socket, and starts to accept.
  Result<void> Listen();
  // Stops accepting; connections end when their peers hang up or the io_context stops.
  void Close();

 private:
  class Session;
  boost::asio::awaitable<void> Accept();
  bool Allowed(int fd, uid_t& uid) const;

  boost::asio::io_context& io_;
  ServerOptions options_;
  Writer& writer_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  // Sessions may outlive the server by a moment.
  const std::shared_ptr<size_t> connections_ = std::make_shared<size_t>(0);
};

}  // namespace portcullis::audit
