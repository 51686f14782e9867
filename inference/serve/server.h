// The engine's HTTP server on a Unix socket: the route table, and one coroutine a connection. A
// generation's answer is followed by closing its connection, so that a client's leaving is seen at
// once and nothing can be smuggled behind a request. A half-closed client counts as gone.
// Everything runs on the io thread but the preparation of requests (prepare_queue.h); all functions
// are to be called there, or while it does not run.
#pragma once

#include <spdlog/logger.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "inference/engine.h"
#include "inference/serve/answering.h"
#include "inference/serve/call.h"
#include "inference/serve/connection.h"
#include "inference/serve/plan.h"
#include "inference/serve/prepare_queue.h"

namespace portcullis::inference {

struct ServerOptions {
  SamplingOptions defaults;  // what the model's makers recommend
  size_t max_connections = 512;
  std::chrono::steady_clock::duration keep_alive = std::chrono::seconds(10);
  size_t prepare_places = 4096;                   // of requests to prepare; see prepare_queue.h
  std::function<void()> before_prepare_for_test;  // called on the preparing thread
};

class Server {
 public:
  // Takes the listening socket; `context` and `engine` must outlive the server.
  Server(boost::asio::io_context& context, int listening_socket, Engine& engine,
         const ServerOptions& options, std::shared_ptr<spdlog::logger> log);

  void Start();
  // No new connections; /readyz says 503. Requests that wait to be prepared are refused, answers
  // under way go on.
  void StopAccepting();
  size_t connections() const { return connections_; }

 private:
  using Handler = boost::asio::awaitable<bool> (Server::*)(std::shared_ptr<Connection>,
                                                           HttpRequest&);
  struct Route {
    boost::beast::http::verb method;
    std::string_view path;
    Handler handler;
  };
  static const Route kRoutes[];

  boost::asio::awaitable<void> Accept();
  boost::asio::awaitable<void> Serve(std::shared_ptr<Connection> connection);
  boost::asio::awaitable<bool> Dispatch(std::shared_ptr<Connection> connection,
                                        HttpRequest& request);

  // Handlers: true to keep the connection.
  boost::asio::awaitable<bool> Chat(std::shared_ptr<Connection> c, HttpRequest& request);
  boost::asio::awaitable<bool> Complete(std::shared_ptr<Connection> c, HttpRequest& request);
  boost::asio::awaitable<bool> Models(std::shared_ptr<Connection> c, HttpRequest& request);
  boost::asio::awaitable<bool> OneModel(std::shared_ptr<Connection> c, HttpRequest& request);
  boost::asio::awaitable<bool> Health(std::shared_ptr<Connection> c, HttpRequest& request);
  boost::asio::awaitable<bool> Ready(std::shared_ptr<Connection> c, HttpRequest& request);
  boost::asio::awaitable<bool> Status(std::shared_ptr<Connection> c, HttpRequest& request);
  boost::asio::awaitable<bool> Embed(std::shared_ptr<Connection> c, HttpRequest& request);
  using ReadCall = ApiResult<Call> (*)(std::string_view, const SamplingOptions&);
  boost::asio::awaitable<bool> Generate(std::shared_ptr<Connection> c, HttpRequest& request,
                                        ReadCall read);

  // A call that was read, and what it set going.
  template <class CallType>
  struct Accepted {
    CallType call;
    std::vector<Generation> running;
    std::vector<std::string> echoes;  // of generations
    int64_t tokens = 0;               // of embeddings
  };
  // These two run on the preparing thread.
  ApiResult<Accepted<Call>> AcceptGeneration(ReadCall read, const std::string& body,
                                             const Caller& caller,
                                             const std::shared_ptr<Mailbox>& box,
                                             const std::stop_token& gone);
  ApiResult<Accepted<EmbedCall>> AcceptEmbedding(const std::string& body, const Caller& caller,
                                                 const std::shared_ptr<Mailbox>& box);
  // Has `work` done by the preparing thread; an error with status 499 where the client left.
  template <class T>
  boost::asio::awaitable<ApiResult<T>> Prepared(
      std::shared_ptr<Connection> c, Caller caller, size_t bytes,
      std::function<ApiResult<T>(const std::stop_token&)> work);
  boost::asio::awaitable<bool> Refuse(std::shared_ptr<Connection> c, std::string id,
                                      ApiError refusal);
  ApiError WrongModel() const;
  void Log(const std::string& id, const Outcome& outcome, std::chrono::steady_clock::duration took);

  boost::asio::io_context& context_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  Engine& engine_;
  Planner planner_;  // the preparing thread's
  const ServerOptions options_;
  std::shared_ptr<spdlog::logger> log_;
  size_t connections_ = 0;
  bool stopping_ = false;
  int64_t started_;
  PrepareQueue preparing_;  // last: its thread uses the above
};

}  // namespace portcullis::inference
