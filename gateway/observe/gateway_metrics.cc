#include "gateway/observe/gateway_metrics.h"

#include <algorithm>

namespace portcullis::gateway {
namespace {

constexpr std::array kLatency = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,   0.25,
                                 0.5,    1.0,   2.5,    5.0,   10.0, 30.0,  60.0, 120.0, 300.0};
constexpr std::array kShort = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                               0.025,  0.05,    0.1,    0.25,  0.5,    1.0,   2.5};
constexpr auto kLastCode = static_cast<size_t>(Code::kPenalized);

}  // namespace

GatewayMetrics::GatewayMetrics()
    : request_seconds(registry_.AddHistogram("portcullis_request_seconds",
                                             "From the first byte of a request to its last answer",
                                             kLatency)),
      first_token_seconds(
          registry_.AddHistogram("portcullis_first_token_seconds",
                                 "From the first byte of a request to the first token", kLatency)),
      queue_seconds(registry_.AddHistogram("portcullis_queue_seconds",
                                           "Waiting for a place at the engine", kLatency)),
      audit_seconds(registry_.AddHistogram("portcullis_audit_seconds",
                                           "Waiting for a record to be durable", kShort)),
      prompt_tokens(registry_.AddCounter("portcullis_tokens_total", "Tokens by direction",
                                         {{"direction", "prompt"}})),
      completion_tokens(registry_.AddCounter("portcullis_tokens_total", "Tokens by direction",
                                             {{"direction", "completion"}})),
      identify_failures(registry_.AddCounter("portcullis_identify_failures_total",
                                             "Requests without a valid proof of identity")),
      penalized(registry_.AddCounter("portcullis_penalized_total",
                                     "Connections refused because of earlier misdeeds")),
      redactions(registry_.AddCounter("portcullis_redactions_total",
                                      "Findings replaced in prompts and answers")),
      active_streams(registry_.AddGauge("portcullis_active_streams", "Answers under way now")) {
  for (size_t code = 0; code < requests_.size(); ++code) {
    const size_t known = std::min(code, kLastCode + 1);
    if (known != code) {
      requests_[code] = requests_[known];
      continue;
    }
    const std::string_view name = code == 0          ? std::string_view("ok")
                                  : code > kLastCode ? std::string_view("unknown")
                                                     : Info(static_cast<Code>(code)).name;
    requests_[code] = &registry_.AddCounter("portcullis_requests_total",
                                            "Requests finished, by outcome", {{"outcome", name}});
  }
}

void GatewayMetrics::CountRequest(Code outcome, int64_t duration_ns) {
  requests_[std::min(static_cast<size_t>(outcome), kCodes - 1)]->Add();
  request_seconds.ObserveNs(duration_ns);
}

void GatewayMetrics::ExposeConnections(const Counters& counters) {
  connections_ = &counters;
  const auto expose = [this](std::string_view name, std::string_view help, const auto& value) {
    registry_.AddCallback(name, help, [&value] {
      return static_cast<double>(value.load(std::memory_order_relaxed));
    });
  };
  expose("portcullis_open_connections", "Connections open now", counters.open);
  expose("portcullis_connections_total", "Connections accepted", counters.accepted);
  expose("portcullis_handshake_failures_total", "TLS handshakes that failed",
         counters.handshakes_failed);
  expose("portcullis_refused_connections_total", "Connections refused over the limit of all",
         counters.refused_total);
  expose("portcullis_refused_connections_address_total",
         "Connections refused over the limit of one address", counters.refused_address);
  expose("portcullis_malformed_heads_total", "Request heads that are not HTTP", counters.malformed);
  expose("portcullis_timeouts_total", "Connections closed because a deadline passed",
         counters.timeouts);
  expose("portcullis_peer_gone_total", "Clients that left before their answer was complete",
         counters.peer_gone);
}

int64_t GatewayMetrics::open_connections() const {
  return connections_ == nullptr ? 0 : connections_->open.load(std::memory_order_relaxed);
}

uint64_t GatewayMetrics::requests(Code outcome) const {
  return requests_[std::min(static_cast<size_t>(outcome), kCodes - 1)]->value();
}

}  // namespace portcullis::gateway
