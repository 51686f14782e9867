#include "inference/serve/server.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <ctime>
#include <utility>

#include "inference/serve/answering.h"
#include "inference/serve/caller.h"
#include "inference/serve/embedding.h"
#include "inference/serve/prepare.h"
#include "inference/serve/status.h"

namespace portcullis::inference {
namespace {

namespace net = boost::asio;
namespace http = boost::beast::http;

constexpr auto kTuple = net::as_tuple(net::use_awaitable);
constexpr size_t kMaxRequestId = 64;

// A request id is logged and sent back: letters, digits, `-`, `_`, `.` only.
std::string CleanId(std::string_view id) {
  const bool good =
      !id.empty() && id.size() <= kMaxRequestId && std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '_' || c == '.';
      });
  return good ? std::string(id) : std::string();
}

}  // namespace

// Everything that a client can reach.
const Server::Route Server::kRoutes[] = {
    {http::verb::post, "/v1/chat/completions", &Server::Chat},
    {http::verb::post, "/v1/completions", &Server::Complete},
    {http::verb::post, "/v1/embeddings", &Server::Embed},
    {http::verb::get, "/v1/models", &Server::Models},
    {http::verb::get, "/healthz", &Server::Health},
    {http::verb::get, "/readyz", &Server::Ready},
    {http::verb::get, "/status", &Server::Status},
};

Server::Server(net::io_context& context, int listening_socket, Engine& engine,
               const ServerOptions& options, std::shared_ptr<spdlog::logger> log)
    : context_(context),
      acceptor_(context, net::local::stream_protocol(), listening_socket),
      engine_(engine),
      planner_(engine),
      options_(options),
      log_(std::move(log)),
      started_(std::time(nullptr)) {}

void Server::Start() { net::co_spawn(context_, Accept(), net::detached); }

void Server::StopAccepting() {
  stopping_ = true;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

net::awaitable<void> Server::Accept() {
  net::steady_timer pause(context_);
  while (!stopping_) {
    auto [error, socket] = co_await acceptor_.async_accept(kTuple);
    if (stopping_) break;
    if (error) {  // out of file descriptors or memory: wait, do not spin
      log_->warn("accept failed: {}", error.message());
      pause.expires_after(std::chrono::milliseconds(100));
      co_await pause.async_wait(kTuple);
      continue;
    }
    auto connection = std::make_shared<Connection>(std::move(socket));
    net::co_spawn(context_, Serve(std::move(connection)), net::detached);
  }
}

net::awaitable<void> Server::Serve(std::shared_ptr<Connection> connection) {
  ++connections_;
  try {
    if (connections_ > options_.max_connections) {
      const ApiError full{503, "the engine has no connection to spare", "", "overloaded"};
      co_await connection->SendError(full, false);
    } else {
      for (bool keep = true; keep && !stopping_;) {
        auto request = co_await connection->Read();
        if (!request) break;
        connection->set_request_id(CleanId((*request)["x-request-id"]));
        keep = co_await Dispatch(connection, *request);
        keep = keep && request->keep_alive();
      }
    }
  } catch (const std::exception& failure) {
    log_->error("connection dropped: {}", failure.what());
  }
  connection->Close();
  --connections_;
}

net::awaitable<bool> Server::Dispatch(std::shared_ptr<Connection> connection,
                                      const HttpRequest& request) {
  const std::string_view target = request.target();
  const std::string_view path = target.substr(0, target.find('?'));
  bool known = false;
  Handler handler = nullptr;
  for (const Route& route : kRoutes) {
    if (route.path != path) continue;
    known = true;
    if (route.method == request.method()) handler = route.handler;
  }
  bool keep = false;
  if (handler != nullptr) {
    keep = co_await (this->*handler)(connection, request);
  } else if (known) {
    const ApiError error{405, "this route does not take that method", "", "method_not_allowed"};
    keep = co_await connection->SendError(error, true);
  } else {
    const ApiError error{404, "there is no such route", "", "unknown_route"};
    keep = co_await connection->SendError(error, true);
  }
  co_return keep;
}

net::awaitable<bool> Server::Health(std::shared_ptr<Connection> c, const HttpRequest&) {
  const boost::json::object body{{"status", "ok"}};
  const bool keep = co_await c->SendJson(200, body, true);
  co_return keep;
}

net::awaitable<bool> Server::Ready(std::shared_ptr<Connection> c, const HttpRequest&) {
  const SchedulerCounters counters = engine_.counters();
  boost::json::object body{{"status", stopping_ ? "stopping" : "ready"}};
  body["running"] = counters.running;
  body["waiting"] = counters.waiting;
  body["kv_bytes_used"] = counters.kv_bytes_used;
  const bool keep = co_await c->SendJson(stopping_ ? 503 : 200, body, true);
  co_return keep;
}

net::awaitable<bool> Server::Status(std::shared_ptr<Connection> c, const HttpRequest&) {
  const boost::json::object body = StatusBody(engine_.counters());
  const bool keep = co_await c->SendJson(200, body, true);
  co_return keep;
}

net::awaitable<bool> Server::Models(std::shared_ptr<Connection> c, const HttpRequest&) {
  const boost::json::object body = ModelList(engine_, started_);
  const bool keep = co_await c->SendJson(200, body, true);
  co_return keep;
}

net::awaitable<bool> Server::Chat(std::shared_ptr<Connection> c, const HttpRequest& request) {
  auto call = ReadChatCall(request.body(), options_.defaults);
  const bool keep = co_await Generate(c, request, std::move(call));
  co_return keep;
}

net::awaitable<bool> Server::Complete(std::shared_ptr<Connection> c, const HttpRequest& request) {
  auto call = ReadTextCall(request.body(), options_.defaults);
  const bool keep = co_await Generate(c, request, std::move(call));
  co_return keep;
}

net::awaitable<bool> Server::Generate(std::shared_ptr<Connection> c, const HttpRequest& request,
                                      ApiResult<Call> read) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string id = CleanId(request["x-request-id"]);
  std::optional<ApiError> refusal;
  std::vector<Generation> generations;
  auto box = std::make_shared<Mailbox>(context_.get_executor());
  const auto caller = ReadCaller(request);

  if (!read) {
    refusal = read.error();
  } else if (read.value().model != engine_.name()) {
    refusal = WrongModel();
  } else if (!caller) {
    refusal = caller.error();
  }
  std::vector<std::string> echoes;
  if (!refusal) {
    auto prepared = Prepare(engine_, planner_, read.value(), caller.value());
    if (prepared) {
      std::vector<std::shared_ptr<Sink>> sinks;
      for (size_t i = 0; i < prepared.value().requests.size(); ++i) {
        sinks.push_back(box->SinkFor(static_cast<int>(i)));
      }
      auto accepted = engine_.Generate(std::move(prepared.value().requests), std::move(sinks));
      if (accepted) {
        generations = std::move(accepted).value();
        echoes = std::move(prepared.value().echoes);
      } else {
        refusal = ToApiError(accepted.error());
      }
    } else {
      refusal = prepared.error();
    }
  }
  if (refusal) {
    log_->info("refused id={} status={} code={}", id, refusal->status, refusal->code);
    const bool keep = co_await c->SendError(*refusal, true);
    co_return keep;
  }

  const Call& call = read.value();
  const Reply reply(engine_, call);
  Outcome outcome;
  if (call.stream) {
    outcome = co_await AnswerStream(c, box, reply, call, echoes, options_.keep_alive);
  } else {
    outcome = co_await AnswerWhole(c, box, reply, call, echoes);
  }
  generations.clear();
  Log(id, outcome, std::chrono::steady_clock::now() - begin);
  co_return false;
}

void Server::Log(const std::string& id, const Outcome& outcome,
                 std::chrono::steady_clock::duration took) {
  log_->info("answered id={} status={} prompt_tokens={} completion_tokens={} ms={}", id,
             outcome.status, outcome.usage.prompt_tokens, outcome.usage.completion_tokens,
             std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
}

net::awaitable<bool> Server::Embed(std::shared_ptr<Connection> c, const HttpRequest& request) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string id = CleanId(request["x-request-id"]);
  const auto read = ReadEmbedCall(request.body());
  const auto caller = ReadCaller(request);
  auto box = std::make_shared<Mailbox>(context_.get_executor());
  std::optional<ApiError> refusal;
  std::vector<Generation> running;
  int64_t tokens = 0;
  if (!read) {
    refusal = read.error();
  } else if (read.value().model != engine_.name()) {
    refusal = WrongModel();
  } else if (!caller) {
    refusal = caller.error();
  } else if (auto prepared = PrepareEmbedding(engine_, read.value(), caller.value()); !prepared) {
    refusal = prepared.error();
  } else {
    std::vector<std::shared_ptr<EmbedSink>> sinks;
    for (size_t i = 0; i < prepared.value().requests.size(); ++i) {
      sinks.push_back(box->EmbedSinkFor(static_cast<int>(i)));
    }
    tokens = prepared.value().tokens;
    auto accepted = engine_.Embed(std::move(prepared.value().requests), std::move(sinks));
    if (accepted) {
      running = std::move(accepted).value();
    } else {
      refusal = ToApiError(accepted.error());
      if (refusal->param == "messages") refusal->param = "input";
    }
  }
  if (refusal) {
    log_->info("refused id={} status={} code={}", id, refusal->status, refusal->code);
    const bool keep = co_await c->SendError(*refusal, true);
    co_return keep;
  }
  const Outcome outcome = co_await AnswerEmbedding(c, box, engine_, read.value(), tokens);
  running.clear();
  Log(id, outcome, std::chrono::steady_clock::now() - begin);
  co_return false;
}

ApiError Server::WrongModel() const {
  return {404, "the model `" + engine_.name() + "` is served here, not the one named", "model",
          "model_not_found"};
}

}  // namespace portcullis::inference
