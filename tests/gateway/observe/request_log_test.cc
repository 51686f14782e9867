#include "gateway/observe/request_log.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <boost/json.hpp>
#include <sstream>

namespace portcullis::gateway {
namespace {

class Log {
 public:
  explicit Log(LogLevel level = LogLevel::kInfo)
      : log(level, std::make_shared<spdlog::sinks::ostream_sink_mt>(out)) {}

  boost::json::object Only() const {
    const std::string text = out.str();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
    return boost::json::parse(text).as_object();
  }

  std::ostringstream out;
  RequestLog log;
};

TEST(RequestLog, WritesTheFieldsThatAreThere) {
  Log log;
  RequestLogLine line;
  line.request_id = "req_1";
  line.tenant = "acme";
  line.outcome = Code::kRateLimited;
  line.http_status = 429;
  line.duration_us = 1234;
  line.streamed = true;
  log.log.Write(line);
  const auto json = log.Only();
  EXPECT_EQ(json.at("request_id"), "req_1");
  EXPECT_EQ(json.at("outcome"), "rate_limit_exceeded");
  EXPECT_EQ(json.at("status"), 429);
  EXPECT_EQ(json.at("duration_us"), 1234);
  EXPECT_EQ(json.at("level"), "info");
  EXPECT_EQ(json.at("streamed"), true);
  EXPECT_FALSE(json.contains("subject"));
  EXPECT_FALSE(json.contains("prompt_tokens"));
  EXPECT_EQ(json.at("time").as_string().size(), 24u);
}

TEST(RequestLog, OneEventIsOneLineOfJsonWhateverComesIn) {
  Log log;
  log.log.Event(LogLevel::kWarning, "evil", "a\"b\\c\nd\r{\x01\x7f\xc3\xa4%v{}}");
  const auto json = log.Only();
  EXPECT_EQ(json.at("detail"), "a\"b\\c?d?{????%v{}}");
  EXPECT_EQ(json.at("level"), "warning");
}

TEST(RequestLog, CutsLongValues) {
  Log log;
  log.log.Event(LogLevel::kError, "long", std::string(10'000, 'x'));
  EXPECT_EQ(log.Only().at("detail").as_string().size(), 256u);
}

TEST(RequestLog, HonoursTheLevel) {
  Log log(LogLevel::kWarning);
  RequestLogLine line;
  line.request_id = "quiet";
  log.log.Write(line);
  log.log.Event(LogLevel::kInfo, "quiet", "");
  EXPECT_TRUE(log.out.str().empty());
  line.request_id = "loud";
  line.outcome = Code::kAuditUnavailable;
  log.log.Write(line);
  EXPECT_EQ(log.Only().at("request_id"), "loud");

  EXPECT_EQ(RequestLog::ParseLevel("warning").value(), LogLevel::kWarning);
  EXPECT_EQ(RequestLog::ParseLevel("loud").error().code, Code::kConfig);
}

TEST(RequestLog, ManyLinesReachStandardErrorOrAreCounted) {
  ::testing::internal::CaptureStderr();
  uint64_t dropped = 0;
  {
    RequestLog log(LogLevel::kInfo);
    for (int i = 0; i < 20'000; ++i) log.Event(LogLevel::kInfo, "line", std::to_string(i));
    dropped = log.dropped();
  }
  const std::string text = ::testing::internal::GetCapturedStderr();
  const auto lines = static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
  EXPECT_GE(lines + dropped, 20'000u - 8192u);
  EXPECT_LE(lines, 20'000u);
  EXPECT_NE(text.find("\"19999\""), std::string::npos) << "the newest survive";
}

}  // namespace
}  // namespace portcullis::gateway
