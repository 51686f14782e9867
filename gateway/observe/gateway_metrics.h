// The series that the gateway exposes, declared in one place. No label holds anything that a
// caller chose. Thread-safe as metrics.h says.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/error.h"
#include "gateway/listen/counters.h"
#include "gateway/observe/metrics.h"

namespace portcullis::gateway {

class GatewayMetrics {
 public:
  GatewayMetrics();
  GatewayMetrics(const GatewayMetrics&) = delete;
  GatewayMetrics& operator=(const GatewayMetrics&) = delete;

  // One finished call: the outcome (kOk or the error) and the time from the first byte of the head.
  void CountRequest(Code outcome, int64_t duration_ns);

  uint64_t requests(Code outcome) const;
  std::string Render() const { return registry_.Render(); }

  // Adds what the connection layer counts. Once, before the threads start; `counters` outlives this.
  void ExposeConnections(const Counters& counters);
  int64_t open_connections() const;

 private:
  static constexpr size_t kCodes = 64;

  Registry registry_;
  const Counters* connections_ = nullptr;
  std::array<Counter*, kCodes> requests_{};

 public:
  Histogram& request_seconds;
  Histogram& first_token_seconds;
  Histogram& queue_seconds;
  Histogram& audit_seconds;
  Counter& prompt_tokens;
  Counter& completion_tokens;
  Counter& identify_failures;
  Counter& penalized;
  Counter& redactions;
  Gauge& active_streams;
};

}  // namespace portcullis::gateway
