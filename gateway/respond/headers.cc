#include "gateway/respond/headers.h"

namespace portcullis::gateway {

http::ResponseHead MakeHead(const Call& call, int status, int64_t retry_after_ms) {
  http::ResponseHead head;
  head.status = status;
  head.fields.push_back({"x-request-id", call.id_text});
  ForEachRateHeader(call.rates, retry_after_ms, [&](std::string_view name, std::string value) {
    head.fields.push_back({std::string(name), std::move(value)});
  });
  if (!call.revision.empty()) head.fields.push_back({"x-portcullis-policy", call.revision});
  if (!call.receipt.empty()) head.fields.push_back({"x-portcullis-receipt", call.receipt});
  if (call.treatment == Treatment::kRedacted) {
    head.fields.push_back({"x-portcullis-treatment", "redacted"});
  }
  head.fields.push_back({"strict-transport-security", "max-age=31536000"});
  head.fields.push_back({"x-content-type-options", "nosniff"});
  head.fields.push_back({"cache-control", "no-store"});
  return head;
}

void Finished(const Call& call, Code outcome, int status, std::string_view finish_reason) {
  const int64_t duration_ns = call.services.clock.MonotonicNs() - call.started_ns;
  GatewayMetrics& metrics = call.services.metrics;
  metrics.CountRequest(outcome, duration_ns);
  metrics.prompt_tokens.Add(call.prompt_tokens);
  metrics.completion_tokens.Add(call.completion_tokens);
  if (call.treatment == Treatment::kRedacted) metrics.redactions.Add();
  RequestLogLine line;
  line.request_id = call.id_text;
  line.operation = call.route ? Name(call.route->operation) : "none";
  line.listener = call.exchange.peer().listener;
  line.subject = call.subject;
  line.treatment = call.revision.empty() ? "" : ToString(call.treatment);
  line.policy_revision = call.revision;
  line.finish_reason = finish_reason;
  line.outcome = outcome;
  line.http_status = status;
  line.streamed = call.chat && call.chat->stream;
  if (call.prompt_tokens > 0) {
    line.prompt_tokens = static_cast<int64_t>(call.prompt_tokens);
    line.completion_tokens = static_cast<int64_t>(call.completion_tokens);
  }
  line.duration_us = duration_ns / 1000;
  if (call.request_seq > 0) line.audit_seq = static_cast<int64_t>(call.request_seq);
  call.services.log.Write(line);
}

}  // namespace portcullis::gateway
