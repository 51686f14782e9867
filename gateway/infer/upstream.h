// The gateway as a client of an engine: one HTTP/1.1 exchange over a Unix socket, answered as
// server-sent events or, for embeddings, whole. The request leaves only with an AuditPermit. Nothing is followed, retried or
// kept alive; closing the socket cancels the work in the engine.
// Threading: one core. Failure: kUpstreamUnavailable (not there, too slow), kUpstreamError, or the
// engine's own refusal (kInvalidParameter, kContextLength, kModelNotFound) with its words.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/error.h"
#include "gateway/record/permit.h"

namespace portcullis::gateway {

struct UpstreamRequest {
  std::filesystem::path socket;
  std::string_view path = "/v1/chat/completions";  // of the engine's API; a constant
  std::string body;        // JSON of the call
  std::string request_id;  // x-request-id
  std::string tenant;      // x-portcullis-tenant: salt of the engine's caches
  std::string priority;    // x-portcullis-priority: who goes first when the engine is busy
};

class UpstreamStream {
 public:
  ~UpstreamStream();
  UpstreamStream(const UpstreamStream&) = delete;
  UpstreamStream& operator=(const UpstreamStream&) = delete;

  // The next event's data, empty for a sign of life; nothing after [DONE]. An end without [DONE]
  // is kUpstreamError.
  boost::asio::awaitable<Result<std::optional<std::string>>> Next();
  // The whole body of an answer that is no stream; instead of Next().
  boost::asio::awaitable<Result<std::string>> Whole();
  // Closes at once; a pending Next() returns with an error. Safe to call twice.
  void Cancel();
  const AuditPermit& permit() const { return permit_; }

 private:
  friend class UpstreamClient;
  struct Connection;
  UpstreamStream(std::unique_ptr<Connection> connection, AuditPermit permit);

  std::unique_ptr<Connection> connection_;
  AuditPermit permit_;
};

class UpstreamClient {
 public:
  explicit UpstreamClient(boost::asio::io_context& core) : core_(core) {}

  // Returns once the engine has accepted (status 200). `opened`, when given, points to the stream
  // while it is still opening, so that a client that leaves can cancel it.
  boost::asio::awaitable<Result<std::unique_ptr<UpstreamStream>>> Open(
      const UpstreamRequest& request, AuditPermit permit, UpstreamStream** opening);

  // What a site serves: the JSON of GET /v1/models. Carries nothing of any caller.
  boost::asio::awaitable<Result<boost::json::value>> Models(const std::filesystem::path& socket);

 private:
  boost::asio::io_context& core_;
};

}  // namespace portcullis::gateway
