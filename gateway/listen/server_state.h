// What connections share with their server: limits, counters, the connection table, and per core
// the list of its connections. Kept alive by the server and by every connection.
// Threading: a CoreState is touched by its core only; the rest is immutable or atomic.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/intrusive/list.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/listen/connection_table.h"
#include "gateway/listen/counters.h"
#include "gateway/listen/exchange.h"
#include "gateway/listen/limits.h"
#include "gateway/listen/tls_context.h"

namespace portcullis::gateway {

struct ListenerState {
  std::string name;
  std::shared_ptr<TlsContext> tls;  // null: Unix sockets
  Handler handler;
};

using ConnectionHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

struct CoreState {
  explicit CoreState(boost::asio::io_context& context) : io(context) {}

  boost::asio::io_context& io;
  boost::intrusive::list<ConnectionHook, boost::intrusive::constant_time_size<false>> connections;
  bool stopping = false;
  std::function<void()> on_empty;  // set by Stop(): called once no connection is left
};

struct ServerState {
  explicit ServerState(const Limits& l) : limits(l), table(l.connections, l.per_address) {}

  const Limits limits;
  Counters counters;
  ConnectionTable table;
  std::vector<std::unique_ptr<CoreState>> cores;
};

}  // namespace portcullis::gateway
