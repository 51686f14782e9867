// One JSON line per finished request, and few lines on the process's own doings, through spdlog to
// standard error (journald). The fields are this struct's and no others: there is no way to log a
// header, a body, a key or a prompt. Error messages of the gateway's own code name no content.
// Thread-safe; a slow sink never blocks a request: lines beyond the buffer are dropped and counted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/error.h"

namespace spdlog {
class logger;
namespace sinks {
class sink;
}
}  // namespace spdlog

namespace portcullis::gateway {

// What a line may say. Empty text and negative numbers are left out.
struct RequestLogLine {
  std::string_view request_id;
  std::string_view operation;
  std::string_view listener;
  std::string_view tenant;
  std::string_view subject;
  std::string_view key_id;
  std::string_view model;  // of the gateway's own list, never the caller's spelling
  std::string_view site;
  std::string_view treatment;
  std::string_view policy_revision;
  std::string_view finish_reason;
  std::string_view trace_id;
  Code outcome = Code::kOk;
  int http_status = 0;
  bool streamed = false;
  int64_t prompt_tokens = -1;
  int64_t completion_tokens = -1;
  int64_t queue_us = -1;
  int64_t first_token_us = -1;
  int64_t duration_us = -1;
  int64_t audit_seq = -1;
};

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError, kOff };

class RequestLog {
 public:
  // To standard error.
  explicit RequestLog(LogLevel level);
  // To a sink of the caller's, without a buffer between; for tests.
  RequestLog(LogLevel level, std::shared_ptr<spdlog::sinks::sink> sink);
  ~RequestLog();

  void Write(const RequestLogLine& line);

  // `event` is a fixed name such as "started"; `detail` is the gateway's own words.
  void Event(LogLevel level, std::string_view event, std::string_view detail);

  uint64_t dropped() const;

  // "debug", "info", "warning", "error", "off"; kConfig for another word.
  static Result<LogLevel> ParseLevel(std::string_view text);

 private:
  struct Async;
  std::unique_ptr<Async> async_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace portcullis::gateway
