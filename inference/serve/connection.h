// One client connection of the engine's socket: reads requests strictly, one at a time, and writes
// answers. Limits: 16 KiB of header, 64 fields, 4 MiB of body; bodies need one plain
// Content-Length, transfer codings are refused. A client that shuts down its writing side alone says
// that no request follows (RFC 9112, section 9.6) and gets its answer; one that closes the socket, or
// shuts it down for reading too, has left: a Unix socket tells the two apart. Runs as one coroutine on
// the server's io thread, with a second one while an answer is generated that notices the client's
// leaving. Failure ends the connection.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/json/object.hpp>
#include <functional>
#include <memory>
#include <string>

#include "inference/serve/api_error.h"
#include "inference/serve/mailbox.h"

namespace portcullis::inference {

using HttpRequest = boost::beast::http::request<boost::beast::http::string_body>;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Stream = boost::beast::basic_stream<boost::asio::local::stream_protocol>;

  explicit Connection(boost::asio::local::stream_protocol::socket socket);

  // The next request; nothing when the connection ended. A request that breaks a rule is answered
  // with its error here, and ends the connection.
  boost::asio::awaitable<std::optional<HttpRequest>> Read();

  boost::asio::awaitable<bool> SendJson(unsigned status, const boost::json::object& body,
                                        bool keep_open);
  boost::asio::awaitable<bool> SendError(const ApiError& error, bool keep_open);

  // A stream of server-sent events, in chunked coding; the connection ends with it.
  boost::asio::awaitable<bool> BeginEvents();
  boost::asio::awaitable<bool> SendEvents(std::string text);
  boost::asio::awaitable<bool> EndEvents();

  // Calls `gone` when the client goes away, until StopWatching. Reads nothing: what the client sends
  // meanwhile is its next request, and ends the watch.
  void WatchLeaving(std::function<void()> gone);
  void StopWatching();
  // Closes `box` as soon as the client goes away, until Close.
  void WatchClient(std::shared_ptr<Mailbox> box);
  void Close();

  void set_request_id(std::string id) { request_id_ = std::move(id); }
  // Whether the client may send more after this request; otherwise the answer says that it ends here.
  void set_client_stays(bool stays) { client_stays_ = stays; }

 private:
  // Waits until the client can read no more either.
  void AwaitHangup(std::function<void()> gone);
  boost::asio::awaitable<bool> Write(std::string bytes);
  std::string Head(unsigned status, bool keep_open) const;

  Stream stream_;
  boost::beast::flat_buffer buffer_;
  std::string request_id_;
  bool client_stays_ = true;
};

}  // namespace portcullis::inference
