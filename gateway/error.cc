#include "gateway/error.h"

#include <array>

namespace portcullis::gateway {
namespace {

constexpr std::array<CodeInfo, 29> kTable = {{
    {Code::kOk, 200, "", "", 0, false},
    {Code::kBadRequest, 400, "invalid_request_error", "bad_request", 1, false},
    {Code::kInvalidParameter, 400, "invalid_request_error", "invalid_parameter", 1, false},
    {Code::kUnauthenticated, 401, "authentication_error", "invalid_api_key", 4, false},
    {Code::kForbidden, 403, "permission_error", "policy_denied", 3, false},
    {Code::kNotFound, 404, "invalid_request_error", "not_found", 1, false},
    {Code::kModelNotFound, 404, "invalid_request_error", "model_not_found", 1, false},
    {Code::kMethodNotAllowed, 405, "invalid_request_error", "method_not_allowed", 1, false},
    {Code::kTimeout, 408, "invalid_request_error", "request_timeout", 2, true},
    {Code::kConflict, 409, "invalid_request_error", "conflict", 1, false},
    {Code::kTooLarge, 413, "invalid_request_error", "request_too_large", 1, false},
    {Code::kContextLength, 400, "invalid_request_error", "context_length_exceeded", 1, false},
    {Code::kRateLimited, 429, "rate_limit_error", "rate_limit_exceeded", 2, true},
    {Code::kBudgetSpent, 429, "insufficient_quota", "insufficient_quota", 2, false},
    {Code::kQueueFull, 503, "server_error", "overloaded", 2, true},
    {Code::kAuditUnavailable, 503, "server_error", "audit_unavailable", 2, true},
    {Code::kUpstreamUnavailable, 503, "server_error", "engine_unavailable", 2, true},
    {Code::kUpstreamError, 500, "server_error", "engine_error", 2, true},
    {Code::kPeerGone, 499, "server_error", "client_closed_request", 2, false},
    {Code::kShuttingDown, 503, "server_error", "shutting_down", 2, true},
    {Code::kInternal, 500, "server_error", "internal_error", 2, true},
    {Code::kConfig, 500, "server_error", "bad_configuration", 1, false},
    {Code::kState, 500, "server_error", "state_unavailable", 2, true},
    {Code::kTls, 400, "invalid_request_error", "tls_error", 2, false},
    {Code::kIo, 500, "server_error", "io_error", 2, true},
    {Code::kHeaderTooLarge, 431, "invalid_request_error", "header_too_large", 1, false},
    {Code::kUnsupportedMedia, 415, "invalid_request_error", "unsupported_media_type", 1, false},
    {Code::kFilterFailed, 500, "server_error", "filter_failed", 2, false},
    {Code::kPenalized, 429, "rate_limit_error", "temporarily_refused", 2, true},
}};

}  // namespace

const CodeInfo& Info(Code code) {
  for (const CodeInfo& row : kTable) {
    if (row.code == code) return row;
  }
  return kTable[static_cast<size_t>(Code::kInternal)];
}

}  // namespace portcullis::gateway
