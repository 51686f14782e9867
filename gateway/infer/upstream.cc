#include "gateway/infer/upstream.h"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "gateway/http/json_reader.h"
#include "gateway/infer/sse_reader.h"

namespace portcullis::gateway {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = beast::http;

namespace {

constexpr auto kQuiet = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kAccept{120};  // until the engine takes or refuses the call
constexpr std::chrono::seconds kSilence{60};  // between bytes; engines send keep-alive comments
constexpr std::chrono::seconds kProbe{5};
constexpr size_t kMaxErrorBody = 64u << 10;
constexpr size_t kMaxWords = 1024;  // of an engine's error message
constexpr size_t kMaxModels = 1u << 20;
constexpr size_t kMaxWhole = 32u << 20;  // 256 vectors of 8192 numbers

using Stream = beast::basic_stream<asio::local::stream_protocol>;

Error Unavailable(const std::string& why) {
  return Error{Code::kUpstreamUnavailable, "the inference engine " + why, "", 1000};
}

// The engine's own refusal, in its words where they are meant for the caller.
Error FromEngine(unsigned status, std::string_view body) {
  std::string message, param, code;
  if (auto document = http::ReadJson(body); document && document.value().is_object()) {
    const auto* error = document.value().get_object().if_contains("error");
    if (const auto* object = error ? error->if_object() : nullptr) {
      const auto text = [&](const char* key) {
        const auto* value = object->if_contains(key);
        return value && value->is_string() ? std::string(value->get_string()) : std::string();
      };
      message = text("message").size() <= kMaxWords ? text("message") : "";
      param = text("param").size() <= kMaxWords ? text("param") : "";
      code = text("code");
    }
  }
  Error out{Code::kUpstreamError, message.empty() ? "the inference engine failed" : message, param};
  if (status == 400) {
    out.code = code == "context_length_exceeded" ? Code::kContextLength : Code::kInvalidParameter;
  } else if (status == 404) {
    out.code = Code::kModelNotFound;
  } else if (status == 413) {
    out.code = Code::kTooLarge;
  } else if (status == 408) {
    out.code = Code::kTimeout;
  } else if (status == 429 || status == 503) {
    out.code = Code::kUpstreamUnavailable;
    out.retry_after_ms = 1000;
  }
  return out;
}

}  // namespace

struct UpstreamStream::Connection {
  explicit Connection(asio::io_context& core) : stream(core), buffer(64u << 10) {
    parser.body_limit(boost::none);
  }

  asio::awaitable<Result<void>> Send(const std::filesystem::path& path,
                                     const bhttp::request<bhttp::string_body>& request,
                                     std::chrono::seconds accept) {
    stream.expires_after(accept);
    const asio::local::stream_protocol::endpoint endpoint(path.string());
    auto [connect_error] = co_await stream.async_connect(endpoint, kQuiet);
    if (connect_error) co_return Unavailable("is not running or still loading its model");
    auto [write_error, written] = co_await bhttp::async_write(stream, request, kQuiet);
    if (write_error) co_return Unavailable("closed the connection");
    auto [read_error, read] = co_await bhttp::async_read_header(stream, buffer, parser, kQuiet);
    if (read_error) co_return Unavailable("did not answer");
    co_return boost::outcome_v2::success();
  }

  // Some bytes of the body; empty at its end.
  asio::awaitable<Result<std::string_view>> Read(std::chrono::seconds silence) {
    while (!parser.is_done()) {
      stream.expires_after(silence);
      parser.get().body().data = chunk.data();
      parser.get().body().size = chunk.size();
      auto [error, size] = co_await bhttp::async_read_some(stream, buffer, parser, kQuiet);
      if (error && error != bhttp::error::need_buffer) {
        co_return Error{Code::kUpstreamError, "the inference engine ended in the middle of its answer"};
      }
      const size_t got = chunk.size() - parser.get().body().size;
      if (got > 0) co_return std::string_view(chunk.data(), got);
    }
    co_return std::string_view();
  }

  // `limit` bytes and `total` time bound the whole, not each read.
  asio::awaitable<Result<std::string>> ReadAll(size_t limit, std::chrono::seconds total) {
    const auto end = std::chrono::steady_clock::now() + total;
    std::string all;
    while (true) {
      auto some = co_await Read(total);
      if (!some) co_return some.error();
      if (some.value().empty()) co_return all;
      if (all.size() + some.value().size() > limit || std::chrono::steady_clock::now() > end) {
        co_return Error{Code::kUpstreamError, "the inference engine's answer is too long"};
      }
      all += some.value();
    }
  }

  Stream stream;
  beast::flat_buffer buffer;
  bhttp::response_parser<bhttp::buffer_body> parser;
  std::array<char, 8192> chunk;
  SseReader events;
  bool done = false;
};

UpstreamStream::UpstreamStream(std::unique_ptr<Connection> connection, AuditPermit permit)
    : connection_(std::move(connection)), permit_(std::move(permit)) {}
UpstreamStream::~UpstreamStream() = default;

void UpstreamStream::Cancel() { connection_->stream.close(); }

asio::awaitable<Result<std::optional<std::string>>> UpstreamStream::Next() {
  while (true) {
    if (connection_->done) co_return std::optional<std::string>();
    if (auto event = connection_->events.Next()) {
      if (*event == "[DONE]") {
        connection_->done = true;
        co_return std::optional<std::string>();
      }
      co_return event;
    }
    auto bytes = co_await connection_->Read(kSilence);
    if (!bytes) co_return bytes.error();
    if (bytes.value().empty()) {
      co_return Error{Code::kUpstreamError, "the inference engine ended in the middle of its answer"};
    }
    auto fed = connection_->events.Feed(bytes.value());
    if (!fed) co_return fed.error();
  }
}

asio::awaitable<Result<std::string>> UpstreamStream::Whole() {
  co_return co_await connection_->ReadAll(kMaxWhole, kSilence);
}

asio::awaitable<Result<std::unique_ptr<UpstreamStream>>> UpstreamClient::Open(
    const UpstreamRequest& request, AuditPermit permit, UpstreamStream** opening) {
  std::unique_ptr<UpstreamStream> stream(new UpstreamStream(
      std::make_unique<UpstreamStream::Connection>(core_), std::move(permit)));
  *opening = stream.get();
  bhttp::request<bhttp::string_body> message(bhttp::verb::post, request.path, 11);
  message.set(bhttp::field::host, "engine");
  message.set(bhttp::field::content_type, "application/json");
  message.set(bhttp::field::accept, "text/event-stream");
  message.set("x-request-id", request.request_id);
  message.set("x-portcullis-tenant", request.tenant);
  message.set("x-portcullis-priority", request.priority);
  message.body() = request.body;
  message.prepare_payload();
  auto& connection = *stream->connection_;
  auto sent = co_await connection.Send(request.socket, message, kAccept);
  if (!sent) {
    *opening = nullptr;
    co_return sent.error();
  }
  const unsigned status = connection.parser.get().result_int();
  if (status != 200) {
    auto body = co_await connection.ReadAll(kMaxErrorBody, kProbe);
    *opening = nullptr;
    co_return FromEngine(status, body ? std::string_view(body.value()) : std::string_view());
  }
  *opening = nullptr;
  co_return stream;
}

asio::awaitable<Result<boost::json::value>> UpstreamClient::Models(
    const std::filesystem::path& socket) {
  UpstreamStream::Connection connection(core_);
  bhttp::request<bhttp::string_body> message(bhttp::verb::get, "/v1/models", 11);
  message.set(bhttp::field::host, "engine");
  auto sent = co_await connection.Send(socket, message, kProbe);
  if (!sent) co_return sent.error();
  if (connection.parser.get().result_int() != 200) co_return Unavailable("is not ready");
  auto body = co_await connection.ReadAll(kMaxModels, kProbe);
  if (!body) co_return body.error();
  http::JsonLimits limits;
  limits.bytes = kMaxModels;
  co_return http::ReadJson(body.value(), limits);
}

}  // namespace portcullis::gateway
