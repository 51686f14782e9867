// Errors of the gateway, numbered and stable: they appear in audit metadata, logs and metrics.
// One table (error.cc) maps every code to HTTP status, OpenAI error type and code, and CLI exit
// code. A refusal by policy is a Decision, not an Error; it is turned into kForbidden at the end.
// Messages name what, where and what to do; they never hold a secret or a caller's content.
#pragma once

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/all_narrow.hpp>
#include <boost/outcome/try.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace portcullis::gateway {

// DO NOT CHANGE THESE VALUES: they are written to the audit log (metadata, field "code").
enum class Code : uint16_t {
  kOk = 0,
  kBadRequest = 1,          // malformed HTTP or JSON
  kInvalidParameter = 2,    // a field of the call has a wrong type or value
  kUnauthenticated = 3,     // one constant answer for unknown, revoked, expired, malformed
  kForbidden = 4,           // policy said no
  kNotFound = 5,            // no such route
  kModelNotFound = 6,
  kMethodNotAllowed = 7,
  kTimeout = 8,             // the peer was too slow
  kConflict = 9,
  kTooLarge = 10,           // body over the route's limit
  kContextLength = 11,      // prompt + max_tokens over the model's context
  kRateLimited = 12,        // requests or tokens per time
  kBudgetSpent = 13,        // daily or monthly tokens
  kQueueFull = 14,          // refused early: the queue would be too slow
  kAuditUnavailable = 15,   // no durable record, so nothing is forwarded
  kUpstreamUnavailable = 16,
  kUpstreamError = 17,      // the engine answered with an error
  kPeerGone = 18,           // the client left
  kShuttingDown = 19,
  kInternal = 20,
  kConfig = 21,             // configuration refused at start-up
  kState = 22,              // state.db unreadable or damaged
  kTls = 23,
  kIo = 24,
  kHeaderTooLarge = 25,     // request head over its limit
  kUnsupportedMedia = 26,   // content-type or expectation not understood
  kFilterFailed = 27,       // a content filter failed: the text is withheld
  kPenalized = 28,          // source refused for a while after repeated failures
};

struct Error {
  Code code = Code::kInternal;
  std::string message;
  std::string param{};          // field of the call, when one is to blame
  int64_t retry_after_ms = -1;  // -1: none
};

template <class T>
using Result = boost::outcome_v2::basic_result<T, Error, boost::outcome_v2::policy::all_narrow>;

struct CodeInfo {
  Code code;
  int http_status;
  std::string_view type;    // OpenAI error.type
  std::string_view name;    // OpenAI error.code
  int exit_code;            // of the command line
  bool retry_useful;        // false: x-should-retry: false
};

// Never fails: unknown codes map to kInternal's row.
const CodeInfo& Info(Code code);

}  // namespace portcullis::gateway
