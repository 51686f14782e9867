#include "inference/serve/caller.h"

#include <charconv>

namespace portcullis::inference {
namespace {

constexpr size_t kMaxTenant = 128;
constexpr int64_t kMaxTimeout = 24LL * 3600 * 1000;

ApiError Malformed(const char* what) { return {400, what, "", "malformed_request"}; }

}  // namespace

ApiResult<Caller> ReadCaller(const HttpRequest& request) {
  Caller caller;
  const std::string_view tenant = request["x-portcullis-tenant"];
  if (tenant.size() > kMaxTenant) {
    return Malformed("x-portcullis-tenant is longer than 128 bytes");
  }
  caller.tenant = tenant;
  const std::string_view priority = request["x-portcullis-priority"];
  if (priority == "interactive") {
    caller.priority = Priority::kInteractive;
  } else if (priority == "batch") {
    caller.priority = Priority::kBatch;
  } else if (!priority.empty() && priority != "normal") {
    return Malformed("x-portcullis-priority must be interactive, normal or batch");
  }
  const std::string_view timeout = request["x-portcullis-timeout-ms"];
  if (!timeout.empty()) {
    int64_t milliseconds = 0;
    const auto [end, error] =
        std::from_chars(timeout.data(), timeout.data() + timeout.size(), milliseconds);
    if (error != std::errc() || end != timeout.data() + timeout.size() || milliseconds < 1 ||
        milliseconds > kMaxTimeout) {
      return Malformed("x-portcullis-timeout-ms must be a number from 1 to 86400000");
    }
    caller.deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  }
  return caller;
}

}  // namespace portcullis::inference
