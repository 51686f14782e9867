// The engine's HTTP server on a Unix socket: the route table, and one coroutine a connection. A
// generation's answer is followed by closing its connection, so that a client's leaving is seen at
// once and nothing can be smuggled behind a request. A half-closed client counts as gone.
// Everything runs on the thread that calls Run; Stop may be called from a handler on it.
#pragma once

#include <spdlog/logger.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "inference/engine.h"
#include "inference/serve/answering.h"
#include "inference/serve/call.h"
#include "inference/serve/connection.h"
#include "inference/serve/plan.h"

namespace portcullis::inference {

struct ServerOptions {
  SamplingOptions defaults;  // what the model's makers recommend
  size_t max_connections = 512;
  std::chrono::steady_clock::duration keep_alive = std::chrono::seconds(10);
};

class Server {
 public:
  // Takes the listening socket; `context` and `engine` must outlive the server.
  Server(boost::asio::io_context& context, int listening_socket, Engine& engine,
         const ServerOptions& options, std::shared_ptr<spdlog::logger> log);

  void Start();
  // No new connections; /readyz says 503. Answers under way go on.
  void StopAccepting();
  size_t connections() const { return connections_; }

 private:
  using Handler = boost::asio::awaitable<bool> (Server::*)(std::shared_ptr<Connection>,
                                                           const HttpRequest&);
  struct Route {
    boost::beast::http::verb method;
    std::string_view path;
    Handler handler;
  };
  static const Route kRoutes[];

  boost::asio::awaitable<void> Accept();
  boost::asio::awaitable<void> Serve(std::shared_ptr<Connection> connection);
  boost::asio::awaitable<bool> Dispatch(std::shared_ptr<Connection> connection,
                                        const HttpRequest& request);

  // Handlers: true to keep the connection.
  boost::asio::awaitable<bool> Chat(std::shared_ptr<Connection> c, const HttpRequest& request);
  boost::asio::awaitable<bool> Complete(std::shared_ptr<Connection> c, const HttpRequest& request);
  boost::asio::awaitable<bool> Models(std::shared_ptr<Connection> c, const HttpRequest& request);
  boost::asio::awaitable<bool> Health(std::shared_ptr<Connection> c, const HttpRequest& request);
  boost::asio::awaitable<bool> Ready(std::shared_ptr<Connection> c, const HttpRequest& request);
  boost::asio::awaitable<bool> Status(std::shared_ptr<Connection> c, const HttpRequest& request);
  boost::asio::awaitable<bool> Embed(std::shared_ptr<Connection> c, const HttpRequest& request);
  boost::asio::awaitable<bool> Generate(std::shared_ptr<Connection> c, const HttpRequest& request,
                                        ApiResult<Call> call);
  ApiError WrongModel() const;
  void Log(const std::string& id, const Outcome& outcome, std::chrono::steady_clock::duration took);

  boost::asio::io_context& context_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  Engine& engine_;
  Planner planner_;
  const ServerOptions options_;
  std::shared_ptr<spdlog::logger> log_;
  size_t connections_ = 0;
  bool stopping_ = false;
  int64_t started_;
};

}  // namespace portcullis::inference
