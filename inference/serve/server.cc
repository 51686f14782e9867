#include "inference/serve/server.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <ctime>
#include <utility>

#include "inference/percent.h"
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
constexpr std::string_view kOneModel = "/v1/models/";  // and its name

// A request id is logged and sent back: letters, digits, `-`, `_`, `.` only.
std::string CleanId(std::string_view id) {
  const bool good =
      !id.empty() && id.size() <= kMaxRequestId && std::all_of(id.begin(), id.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '_' || c == '.';
      });
  return good ? std::string(id) : std::string();
}

ApiError Stopping() { return ToApiError({Code::kShuttingDown, "the engine is stopping"}); }
ApiError Full(const char* what) {
  return ToApiError({Code::kQueueFull, std::string(what) + "; try again later"});
}
ApiError Late() { return ToApiError({Code::kTimeout, "the request waited beyond its time"}); }
ApiError Unprepared() {
  return ToApiError({Code::kOutOfMemory, "the engine could not prepare the request"});
}

}  // namespace

// Everything that a client can reach, kOneModel aside.
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
      started_(std::time(nullptr)),
      preparing_(context.get_executor(), options.prepare_places) {}

void Server::Start() {
  preparing_.Start();
  net::co_spawn(context_, Accept(), net::detached);
}

void Server::StopAccepting() {
  stopping_ = true;
  preparing_.Stop();
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
        connection->set_client_stays(request->keep_alive());
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
                                      HttpRequest& request) {
  const std::string_view target = request.target();
  const std::string_view path = target.substr(0, target.find('?'));
  bool known = false;
  Handler handler = nullptr;
  for (const Route& route : kRoutes) {
    if (route.path != path) continue;
    known = true;
    if (route.method == request.method()) handler = route.handler;
  }
  if (path.starts_with(kOneModel) && path != kOneModel) {
    known = true;
    if (request.method() == http::verb::get) handler = &Server::OneModel;
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

net::awaitable<bool> Server::Health(std::shared_ptr<Connection> c, HttpRequest&) {
  const boost::json::object body{{"status", "ok"}};
  const bool keep = co_await c->SendJson(200, body, true);
  co_return keep;
}

net::awaitable<bool> Server::Ready(std::shared_ptr<Connection> c, HttpRequest&) {
  const SchedulerCounters counters = engine_.counters();
  boost::json::object body{{"status", stopping_ ? "stopping" : "ready"}};
  body["running"] = counters.running;
  body["waiting"] = counters.waiting;
  body["kv_bytes_used"] = counters.kv_bytes_used;
  const bool keep = co_await c->SendJson(stopping_ ? 503 : 200, body, true);
  co_return keep;
}

net::awaitable<bool> Server::Status(std::shared_ptr<Connection> c, HttpRequest&) {
  boost::json::object body = StatusBody(engine_.counters());
  body["preparing"] = preparing_.waiting();
  const bool keep = co_await c->SendJson(200, body, true);
  co_return keep;
}

net::awaitable<bool> Server::Models(std::shared_ptr<Connection> c, HttpRequest&) {
  const boost::json::object body = ModelList(engine_, started_);
  const bool keep = co_await c->SendJson(200, body, true);
  co_return keep;
}

net::awaitable<bool> Server::OneModel(std::shared_ptr<Connection> c, HttpRequest& request) {
  const std::string_view target = request.target();
  const std::string_view path = target.substr(0, target.find('?'));
  if (PercentDecoded(path.substr(kOneModel.size())) != engine_.name()) {
    const ApiError error = WrongModel();
    const bool keep = co_await c->SendError(error, true);
    co_return keep;
  }
  const boost::json::object body = ModelList(engine_, started_).at("data").at(0).as_object();
  const bool keep = co_await c->SendJson(200, body, true);
  co_return keep;
}

net::awaitable<bool> Server::Chat(std::shared_ptr<Connection> c, HttpRequest& request) {
  const bool keep = co_await Generate(c, request, ReadChatCall);
  co_return keep;
}

net::awaitable<bool> Server::Complete(std::shared_ptr<Connection> c, HttpRequest& request) {
  const bool keep = co_await Generate(c, request, ReadTextCall);
  co_return keep;
}

template <class T>
net::awaitable<ApiResult<T>> Server::Prepared(
    std::shared_ptr<Connection> c, Caller caller, size_t bytes,
    std::function<ApiResult<T>(const std::stop_token&)> work) {
  if (stopping_) co_return Stopping();
  // Asked before anything is done for the request; the scheduler's own door has the last word.
  if (!engine_.Admits(caller)) co_return Full("the engine's waiting list is full");
  const auto result = std::make_shared<std::optional<ApiResult<T>>>();
  Preparation::Work prepare = [result, work = std::move(work), deadline = caller.deadline,
                               hook =
                                   options_.before_prepare_for_test](const std::stop_token& gone) {
    if (hook) hook();
    if (std::chrono::steady_clock::now() >= deadline) {
      result->emplace(Late());
    } else {
      result->emplace(work(gone));
    }
  };
  const auto task = preparing_.Enter(caller, bytes, std::move(prepare));
  if (!task) co_return Full("too many requests wait to be prepared");
  std::function<void()> leave = [task] { task->Leave(); };
  c->WatchLeaving(std::move(leave));
  const Preparation::End end = co_await task->Wait();
  c->StopWatching();
  switch (end) {
    case Preparation::End::kDone:
      co_return std::move(**result);
    case Preparation::End::kLeft:
      co_return ClientLeft();
    case Preparation::End::kStopped:
      co_return Stopping();
    case Preparation::End::kFailed:
      break;
  }
  co_return Unprepared();
}

ApiResult<Server::Accepted<Call>> Server::AcceptGeneration(ReadCall read, const std::string& body,
                                                           const Caller& caller,
                                                           const std::shared_ptr<Mailbox>& box,
                                                           const std::stop_token& gone) {
  Accepted<Call> out;
  BOOST_OUTCOME_TRY(out.call, read(body, options_.defaults));
  if (out.call.model != engine_.name()) return WrongModel();
  BOOST_OUTCOME_TRY(auto prepared, Prepare(engine_, planner_, out.call, caller, gone));
  std::vector<std::shared_ptr<Sink>> sinks;
  for (size_t i = 0; i < prepared.requests.size(); ++i) {
    sinks.push_back(box->SinkFor(static_cast<int>(i)));
  }
  auto running = engine_.Generate(std::move(prepared.requests), std::move(sinks));
  if (!running) return ToApiError(running.error());
  out.running = std::move(running).value();
  out.echoes = std::move(prepared.echoes);
  // What the answer does not need is freed here, not on the io thread.
  out.call.messages = {};
  out.call.chat_options.tools = {};
  out.call.schema = nullptr;
  for (TextInput& prompt : out.call.prompts) prompt = {};
  return out;
}

net::awaitable<bool> Server::Refuse(std::shared_ptr<Connection> c, std::string id,
                                    ApiError refusal) {
  log_->info("refused id={} status={} code={}", id, refusal.status, refusal.code);
  if (refusal.status == ClientLeft().status) co_return false;
  const bool keep = co_await c->SendError(refusal, true);
  co_return keep;
}

net::awaitable<bool> Server::Generate(std::shared_ptr<Connection> c, HttpRequest& request,
                                      ReadCall read) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string id = CleanId(request["x-request-id"]);
  const auto caller = ReadCaller(request);
  if (!caller) {
    const bool keep = co_await Refuse(c, id, caller.error());
    co_return keep;
  }
  const auto box = std::make_shared<Mailbox>(context_.get_executor());
  const size_t bytes = request.body().size();
  std::function<ApiResult<Accepted<Call>>(const std::stop_token&)> work =
      [this, read, body = std::move(request.body()), who = caller.value(),
       box](const std::stop_token& gone) { return AcceptGeneration(read, body, who, box, gone); };
  auto accepted = co_await Prepared<Accepted<Call>>(c, caller.value(), bytes, std::move(work));
  if (!accepted) {
    const bool keep = co_await Refuse(c, id, accepted.error());
    co_return keep;
  }

  const Call& call = accepted.value().call;
  const Reply reply(engine_, call);
  Outcome outcome;
  if (call.stream) {
    outcome =
        co_await AnswerStream(c, box, reply, call, accepted.value().echoes, options_.keep_alive);
  } else {
    outcome = co_await AnswerWhole(c, box, reply, call, accepted.value().echoes);
  }
  accepted.value().running.clear();
  Log(id, outcome, std::chrono::steady_clock::now() - begin);
  co_return false;
}

void Server::Log(const std::string& id, const Outcome& outcome,
                 std::chrono::steady_clock::duration took) {
  log_->info("answered id={} status={} prompt_tokens={} completion_tokens={} ms={}", id,
             outcome.status, outcome.usage.prompt_tokens, outcome.usage.completion_tokens,
             std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
}

ApiResult<Server::Accepted<EmbedCall>> Server::AcceptEmbedding(
    const std::string& body, const Caller& caller, const std::shared_ptr<Mailbox>& box) {
  Accepted<EmbedCall> out;
  BOOST_OUTCOME_TRY(out.call, ReadEmbedCall(body));
  if (out.call.model != engine_.name()) return WrongModel();
  BOOST_OUTCOME_TRY(auto prepared, PrepareEmbedding(engine_, out.call, caller));
  std::vector<std::shared_ptr<EmbedSink>> sinks;
  for (size_t i = 0; i < prepared.requests.size(); ++i) {
    sinks.push_back(box->EmbedSinkFor(static_cast<int>(i)));
  }
  auto running = engine_.Embed(std::move(prepared.requests), std::move(sinks));
  if (!running) {
    ApiError refusal = ToApiError(running.error());
    if (refusal.param == "messages") refusal.param = "input";
    return refusal;
  }
  out.running = std::move(running).value();
  out.tokens = prepared.tokens;
  for (TextInput& input : out.call.inputs) input = {};
  return out;
}

net::awaitable<bool> Server::Embed(std::shared_ptr<Connection> c, HttpRequest& request) {
  const auto begin = std::chrono::steady_clock::now();
  const std::string id = CleanId(request["x-request-id"]);
  const auto caller = ReadCaller(request);
  if (!caller) {
    const bool keep = co_await Refuse(c, id, caller.error());
    co_return keep;
  }
  const auto box = std::make_shared<Mailbox>(context_.get_executor());
  const size_t bytes = request.body().size();
  std::function<ApiResult<Accepted<EmbedCall>>(const std::stop_token&)> work =
      [this, body = std::move(request.body()), who = caller.value(), box](const std::stop_token&) {
        return AcceptEmbedding(body, who, box);
      };
  auto accepted = co_await Prepared<Accepted<EmbedCall>>(c, caller.value(), bytes, std::move(work));
  if (!accepted) {
    const bool keep = co_await Refuse(c, id, accepted.error());
    co_return keep;
  }
  Accepted<EmbedCall>& made = accepted.value();
  const Outcome outcome = co_await AnswerEmbedding(c, box, engine_, made.call, made.tokens);
  made.running.clear();
  Log(id, outcome, std::chrono::steady_clock::now() - begin);
  co_return false;
}

ApiError Server::WrongModel() const {
  return {404, "the model `" + engine_.name() + "` is served here, not the one named", "model",
          "model_not_found"};
}

}  // namespace portcullis::inference
