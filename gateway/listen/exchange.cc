// Bodies in, responses out: the framing of one request on one connection.
#include "gateway/listen/exchange.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "gateway/http/chunked.h"
#include "gateway/http/response_writer.h"
#include "gateway/listen/connection.h"

namespace portcullis::gateway {

using boost::asio::awaitable;

namespace {

void AddIfMissing(http::ResponseHead& head, const char* name, const char* value) {
  const bool present = std::any_of(head.fields.begin(), head.fields.end(),
                                   [&](const http::Field& field) { return field.name == name; });
  if (!present) head.fields.push_back(http::Field{name, value});
}

Error TooLarge(size_t limit) {
  return Error{Code::kTooLarge, "body exceeds " + std::to_string(limit) + " bytes: send less"};
}

}  // namespace

Exchange::Exchange(Connection& connection, Result<http::RequestHead> head)
    : connection_(connection), head_(std::move(head)) {
  head_only_ = head_ && head_.value().method == "HEAD";
  body_read_ = head_ && !head_.value().has_body();
}

Exchange::~Exchange() { connection_.Unwatch(); }

const Peer& Exchange::peer() const { return connection_.peer(); }
boost::asio::any_io_executor Exchange::executor() const { return connection_.executor(); }
bool Exchange::peer_gone() const { return connection_.peer_gone(); }
void Exchange::CloseAfter() { connection_.CloseAfter(); }

awaitable<Result<std::string>> Exchange::ReadBody(size_t limit) {
  std::string body;
  if (!head_ || std::exchange(body_taken_, true) || state_ != State::kPending) {
    co_return Error{Code::kInternal, "body was asked for at the wrong time"};
  }
  if (body_read_) co_return body;
  const http::RequestHead& head = head_.value();
  if (head.Get("content-encoding")) {
    co_return Error{Code::kUnsupportedMedia, "`Content-Encoding` is refused: send plain bytes"};
  }
  if (head.content_length && *head.content_length > limit) co_return TooLarge(limit);
  std::string& inbound = connection_.inbound();
  if (head.expect_continue && inbound.empty()) {
    const Result<void> sent = co_await connection_.WriteAll("HTTP/1.1 100 Continue\r\n\r\n");
    if (!sent) co_return sent.error();
  }

  const Limits& limits = connection_.limits();
  const auto start = Connection::Clock::now();
  http::ChunkedDecoder decoder(limit);
  size_t left = static_cast<size_t>(head.content_length.value_or(0));
  size_t received = 0;
  body.reserve(std::min<size_t>(left, 64 * 1024));
  while (true) {
    size_t used = std::min(left, inbound.size());
    if (head.chunked) {
      const Result<size_t> fed = decoder.Feed(inbound, body);
      if (!fed) co_return fed.error();
      used = fed.value();
    } else {
      body.append(inbound, 0, used);
      left -= used;
    }
    inbound.erase(0, used);
    received += used;
    if (head.chunked ? decoder.done() : left == 0) break;
    // The slowest pace allowed from the start of the body, whatever came in bursts.
    const auto pace = std::chrono::milliseconds(received * 1000 / std::max<size_t>(1, limits.min_rate));
    connection_.SetDeadline(start + limits.body_grace + pace);
    const Result<void> filled = co_await connection_.Fill();
    connection_.ClearDeadline();
    if (!filled) {
      CloseAfter();
      co_return filled.error();
    }
  }
  body_read_ = true;
  if (on_gone_) connection_.Watch(*this);
  co_return body;
}

// Whether the next request can follow on this connection: the body of this one is read, or lies
// here completely and is dropped.
bool Exchange::BodySettled() {
  if (body_read_) return true;
  if (!head_ || body_taken_ || head_.value().chunked) return false;
  const uint64_t length = head_.value().content_length.value_or(0);
  std::string& inbound = connection_.inbound();
  if (length > inbound.size()) return false;
  inbound.erase(0, static_cast<size_t>(length));
  body_read_ = true;
  return true;
}

awaitable<Result<void>> Exchange::Send(std::string bytes, State next) {
  state_ = State::kBroken;
  Result<void> sent = co_await connection_.WriteAll(bytes);
  if (sent) {
    state_ = next;
  } else {
    CloseAfter();
    // A client that does not read is treated as one that left.
    if (sent.error().code == Code::kTimeout) {
      sent = Error{Code::kPeerGone, "client read too slowly"};
    }
  }
  co_return sent;
}

awaitable<Result<void>> Exchange::Respond(http::ResponseHead head, std::string body) {
  if (state_ != State::kPending) {
    co_return Error{Code::kInternal, "a response was started already"};
  }
  if (!BodySettled()) CloseAfter();
  http::ResponseFraming framing;
  framing.length = body.size();
  framing.close = !connection_.keep_alive();
  if (head.status < 200 || head.status == 204 || head.status == 304) {
    framing.framing = http::Framing::kNone;
    body.clear();
  }
  Result<std::string> bytes = http::WriteHead(head, framing);
  if (!bytes) co_return bytes.error();
  if (!head_only_) bytes.value().append(body);
  Result<void> sent = co_await Send(std::move(bytes.value()), State::kDone);
  connection_.Unwatch();
  co_return sent;
}

awaitable<Result<void>> Exchange::StartStream(http::ResponseHead head) {
  if (state_ != State::kPending) {
    co_return Error{Code::kInternal, "a response was started already"};
  }
  if (!BodySettled()) CloseAfter();
  AddIfMissing(head, "content-type", "text/event-stream");
  AddIfMissing(head, "cache-control", "no-store");
  AddIfMissing(head, "x-accel-buffering", "no");
  chunked_ = head_ && head_.value().minor_version == 1;
  if (!chunked_) CloseAfter();
  http::ResponseFraming framing;
  framing.framing = chunked_ ? http::Framing::kChunked : http::Framing::kClose;
  framing.close = !connection_.keep_alive();
  Result<std::string> bytes = http::WriteHead(head, framing);
  if (!bytes) co_return bytes.error();
  Result<void> sent = co_await Send(std::move(bytes.value()), State::kStreaming);
  co_return sent;
}

awaitable<Result<void>> Exchange::Write(std::string_view bytes) {
  if (state_ == State::kBroken || connection_.peer_gone()) {
    co_return Error{Code::kPeerGone, "client closed the connection"};
  }
  if (state_ != State::kStreaming) co_return Error{Code::kInternal, "no stream was started"};
  if (bytes.empty() || head_only_) co_return boost::outcome_v2::success();
  std::string framed;
  if (chunked_) {
    framed.reserve(bytes.size() + 16);
    http::AppendChunk(bytes, framed);
  } else {
    framed = bytes;
  }
  Result<void> sent = co_await Send(std::move(framed), State::kStreaming);
  co_return sent;
}

awaitable<Result<void>> Exchange::EndStream() {
  if (state_ == State::kBroken || connection_.peer_gone()) {
    co_return Error{Code::kPeerGone, "client closed the connection"};
  }
  if (state_ != State::kStreaming) co_return Error{Code::kInternal, "no stream was started"};
  std::string last;
  if (chunked_ && !head_only_) last = "0\r\n\r\n";
  Result<void> sent = co_await Send(std::move(last), State::kDone);
  connection_.Unwatch();
  co_return sent;
}

void Exchange::OnPeerGone(std::function<void()> callback) {
  on_gone_ = std::move(callback);
  if (!on_gone_ || state_ == State::kDone) {
    connection_.Unwatch();
    return;
  }
  if (connection_.peer_gone()) {
    boost::asio::post(executor(), std::exchange(on_gone_, nullptr));
  } else if (body_read_) {
    connection_.Watch(*this);
  }
}

}  // namespace portcullis::gateway
