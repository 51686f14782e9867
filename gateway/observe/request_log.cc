#include "gateway/observe/request_log.h"

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace portcullis::gateway {
namespace {

constexpr size_t kBufferedLines = 8192;
constexpr size_t kMaxValueBytes = 256;
constexpr const char* kPattern = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})";

// Members of a JSON object. Values are printable ASCII: what is not becomes `?`, so a line stays a
// line and JSON stays JSON whatever comes in.
class Members {
 public:
  Members& Add(std::string_view name, std::string_view value) {
    if (value.empty()) return *this;
    Name(name);
    text_ += '"';
    for (const char c : value.substr(0, kMaxValueBytes)) {
      if (c == '"' || c == '\\') text_ += '\\';
      text_ += c >= 0x20 && c < 0x7f ? c : '?';
    }
    text_ += '"';
    return *this;
  }

  Members& Add(std::string_view name, int64_t value) {
    if (value < 0) return *this;
    Name(name);
    text_ += std::to_string(value);
    return *this;
  }

  Members& AddTrue(std::string_view name, bool value) {
    if (!value) return *this;
    Name(name);
    text_ += "true";
    return *this;
  }

  const std::string& text() const { return text_; }

 private:
  void Name(std::string_view name) {
    if (!text_.empty()) text_ += ',';
    text_.append("\"").append(name).append("\":");
  }

  std::string text_;
};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

void Prepare(spdlog::logger& logger, LogLevel level) {
  logger.set_formatter(
      std::make_unique<spdlog::pattern_formatter>(kPattern, spdlog::pattern_time_type::utc));
  logger.set_level(ToSpdlog(level));
}

LogLevel LevelOf(Code outcome) {
  switch (Info(outcome).http_status) {
    case 500:
    case 503:
      return LogLevel::kWarning;
    default:
      return LogLevel::kInfo;
  }
}

}  // namespace

struct RequestLog::Async {
  std::shared_ptr<spdlog::details::thread_pool> pool =
      std::make_shared<spdlog::details::thread_pool>(kBufferedLines, 1);
};

RequestLog::RequestLog(LogLevel level)
    : async_(std::make_unique<Async>()),
      logger_(std::make_shared<spdlog::async_logger>(
          "portcullis", std::make_shared<spdlog::sinks::stderr_sink_mt>(), async_->pool,
          spdlog::async_overflow_policy::overrun_oldest)) {
  Prepare(*logger_, level);
}

RequestLog::RequestLog(LogLevel level, std::shared_ptr<spdlog::sinks::sink> sink)
    : logger_(std::make_shared<spdlog::logger>("portcullis", std::move(sink))) {
  Prepare(*logger_, level);
}

RequestLog::~RequestLog() = default;

void RequestLog::Write(const RequestLogLine& line) {
  const spdlog::level::level_enum level = ToSpdlog(LevelOf(line.outcome));
  if (!logger_->should_log(level)) return;
  Members members;
  members.Add("event", "request")
      .Add("request_id", line.request_id)
      .Add("trace_id", line.trace_id)
      .Add("listener", line.listener)
      .Add("operation", line.operation)
      .Add("outcome", line.outcome == Code::kOk ? std::string_view("ok") : Info(line.outcome).name)
      .Add("status", int64_t{line.http_status})
      .Add("tenant", line.tenant)
      .Add("subject", line.subject)
      .Add("key_id", line.key_id)
      .Add("model", line.model)
      .Add("site", line.site)
      .Add("treatment", line.treatment)
      .Add("policy_revision", line.policy_revision)
      .Add("finish_reason", line.finish_reason)
      .AddTrue("streamed", line.streamed)
      .Add("prompt_tokens", line.prompt_tokens)
      .Add("completion_tokens", line.completion_tokens)
      .Add("queue_us", line.queue_us)
      .Add("first_token_us", line.first_token_us)
      .Add("duration_us", line.duration_us)
      .Add("audit_seq", line.audit_seq);
  logger_->log(level, members.text());
}

void RequestLog::Event(LogLevel level, std::string_view event, std::string_view detail) {
  const spdlog::level::level_enum spd = ToSpdlog(level);
  if (!logger_->should_log(spd)) return;
  Members members;
  members.Add("event", event).Add("detail", detail);
  logger_->log(spd, members.text());
}

uint64_t RequestLog::dropped() const {
  return async_ == nullptr ? 0 : async_->pool->overrun_counter();
}

Result<LogLevel> RequestLog::ParseLevel(std::string_view text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warning") return LogLevel::kWarning;
  if (text == "error") return LogLevel::kError;
  if (text == "off") return LogLevel::kOff;
  return Error{Code::kConfig,
               "log_level `" + std::string(text) + "` is none of debug, info, warning, error, off"};
}

}  // namespace portcullis::gateway
