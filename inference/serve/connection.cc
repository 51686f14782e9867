#include "inference/serve/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/json/serialize.hpp>
#include <cerrno>
#include <charconv>
#include <utility>

namespace portcullis::inference {
namespace {

namespace net = boost::asio;
namespace http = boost::beast::http;

constexpr uint32_t kMaxHeader = 16 * 1024;
constexpr size_t kMaxFields = 64;
constexpr uint64_t kMaxBody = 4 * 1024 * 1024;
constexpr size_t kReadBuffer = 64 * 1024;
constexpr auto kIdle = std::chrono::seconds(60);
constexpr auto kBodyTime = std::chrono::seconds(30);
constexpr auto kWriteTime = std::chrono::seconds(30);

constexpr auto kTuple = net::as_tuple(net::use_awaitable);

bool IsPost(const http::request_header<>& header) { return header.method() == http::verb::post; }

// The framing rules that stand between us and request smuggling.
std::optional<ApiError> CheckFraming(const http::request_header<>& header) {
  const auto bad = [](const char* message) {
    return ApiError{400, message, "", "malformed_request"};
  };
  size_t fields = 0, lengths = 0, hosts = 0;
  for (const auto& field : header) {
    ++fields;
    if (field.name() == http::field::transfer_encoding) {
      return ApiError{411, "send the body with a Content-Length", "", "length_required"};
    }
    if (field.name() == http::field::host) ++hosts;
    if (field.name() != http::field::content_length) continue;
    ++lengths;
    const auto value = field.value();
    if (value.empty() || value.size() > 12 ||
        !std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      return bad("Content-Length is not a number");
    }
  }
  if (fields > kMaxFields) return bad("more than 64 header fields");
  if (header.version() != 11) return bad("HTTP/1.1 only");
  if (hosts != 1) return bad("exactly one Host field is needed");
  if (lengths > 1) return bad("more than one Content-Length");
  if (IsPost(header) && lengths == 0) {
    return ApiError{411, "send the body with a Content-Length", "", "length_required"};
  }
  if (!header.target().starts_with('/')) return bad("the target must be a path");
  return std::nullopt;
}

// The client's end of the socket is closed or shut down in both directions.
bool HungUp(int socket) {
  pollfd about{socket, 0, 0};
  return poll(&about, 1, 0) == 1 && (about.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

}  // namespace

Connection::Connection(net::local::stream_protocol::socket socket)
    : stream_(std::move(socket)), buffer_(kReadBuffer) {}

net::awaitable<std::optional<HttpRequest>> Connection::Read() {
  request_id_.clear();
  http::request_parser<http::string_body> parser;
  parser.header_limit(kMaxHeader);
  parser.body_limit(kMaxBody);
  stream_.expires_after(kIdle);
  auto [header_error, header_bytes] =
      co_await http::async_read_header(stream_, buffer_, parser, kTuple);
  if (header_error == http::error::body_limit) {
    const ApiError error{413, "the body exceeds 4 MiB", "", "request_too_large"};
    co_await SendError(error, false);
    co_return std::nullopt;
  }
  if (header_error) {
    const bool protocol =
        header_error.category() == http::make_error_code(http::error::bad_value).category();
    if (protocol && header_error != http::error::end_of_stream &&
        header_error != http::error::partial_message) {
      const ApiError error{400, "malformed HTTP request: " + header_error.message(), "",
                           "malformed_request"};
      co_await SendError(error, false);
    }
    co_return std::nullopt;
  }
  if (const auto error = CheckFraming(parser.get())) {
    co_await SendError(*error, false);
    co_return std::nullopt;
  }
  if (parser.get()[http::field::expect] == "100-continue") {
    std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    const bool sent = co_await Write(std::move(go_on));
    if (!sent) co_return std::nullopt;
  }
  stream_.expires_after(kBodyTime);
  auto [body_error, body_bytes] = co_await http::async_read(stream_, buffer_, parser, kTuple);
  if (body_error == http::error::body_limit) {
    const ApiError error{413, "the body exceeds 4 MiB", "", "request_too_large"};
    co_await SendError(error, false);
    co_return std::nullopt;
  }
  if (body_error) co_return std::nullopt;
  std::optional<HttpRequest> request(parser.release());
  co_return request;
}

std::string Connection::Head(unsigned status, bool keep_open) const {
  std::string head = "HTTP/1.1 " + std::to_string(status) + " ";
  head += http::obsolete_reason(static_cast<http::status>(status));
  head += "\r\nConnection: ";
  head += keep_open && client_stays_ ? "keep-alive" : "close";
  if (!request_id_.empty()) head += "\r\nx-request-id: " + request_id_;
  if (status == 503) head += "\r\nRetry-After: 1";
  return head + "\r\n";
}

net::awaitable<bool> Connection::SendJson(unsigned status, const boost::json::object& body,
                                          bool keep_open) {
  const std::string text = boost::json::serialize(body);
  std::string bytes =
      Head(status, keep_open) +
      "Content-Type: application/json\r\nContent-Length: " + std::to_string(text.size()) +
      "\r\n\r\n" + text;
  const bool sent = co_await Write(std::move(bytes));
  co_return sent;
}

net::awaitable<bool> Connection::SendError(const ApiError& error, bool keep_open) {
  const boost::json::object body = ErrorBody(error);
  const bool sent = co_await SendJson(error.status, body, keep_open);
  co_return sent;
}

net::awaitable<bool> Connection::BeginEvents() {
  std::string head = Head(200, false) +
                     "Content-Type: text/event-stream\r\nCache-Control: no-store\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n";
  const bool sent = co_await Write(std::move(head));
  co_return sent;
}

net::awaitable<bool> Connection::SendEvents(std::string text) {
  if (text.empty()) co_return true;
  std::array<char, 20> size{};
  const auto end = std::to_chars(size.data(), size.data() + size.size(), text.size(), 16).ptr;
  std::string chunk(size.data(), end);
  chunk += "\r\n" + text + "\r\n";
  const bool sent = co_await Write(std::move(chunk));
  co_return sent;
}

net::awaitable<bool> Connection::EndEvents() {
  std::string last = "0\r\n\r\n";
  const bool sent = co_await Write(std::move(last));
  co_return sent;
}

net::awaitable<bool> Connection::Write(std::string bytes) {
  stream_.expires_after(kWriteTime);
  const auto [error, count] = co_await net::async_write(stream_, net::buffer(bytes), kTuple);
  co_return !error;
}

void Connection::WatchLeaving(std::function<void()> gone) {
  const auto readable = [self = shared_from_this(),
                         call = std::move(gone)](const boost::system::error_code& error) {
    if (error) return;
    char byte = 0;
    const ssize_t n =
        recv(self->stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return self->WatchLeaving(call);
    if (n <= 0) self->AwaitHangup(call);
  };
  stream_.socket().async_wait(net::local::stream_protocol::socket::wait_read, readable);
}

void Connection::AwaitHangup(std::function<void()> gone) {
  if (HungUp(stream_.socket().native_handle())) return gone();
  const auto hung_up = [self = shared_from_this(),
                        call = std::move(gone)](const boost::system::error_code& error) {
    if (!error) self->AwaitHangup(call);
  };
  stream_.socket().async_wait(net::local::stream_protocol::socket::wait_error, hung_up);
}

void Connection::StopWatching() {
  boost::system::error_code ignored;
  stream_.socket().cancel(ignored);
}

void Connection::WatchClient(std::shared_ptr<Mailbox> box) {
  stream_.expires_never();
  const auto watch = [](std::shared_ptr<Connection> self,
                        std::shared_ptr<Mailbox> mailbox) -> net::awaitable<void> {
    std::array<char, 512> ignored{};
    boost::system::error_code ended;
    for (size_t total = 0; total < kReadBuffer && !ended;) {
      const auto [error, count] =
          co_await self->stream_.async_read_some(net::buffer(ignored), kTuple);
      ended = error;
      total += count;
    }
    if (ended != net::error::eof) {
      mailbox->Close();
      co_return;
    }
    std::function<void()> close = [mailbox] { mailbox->Close(); };
    self->AwaitHangup(std::move(close));
  };
  net::co_spawn(stream_.get_executor(), watch(shared_from_this(), std::move(box)), net::detached);
}

void Connection::Close() { stream_.close(); }

}  // namespace portcullis::inference
