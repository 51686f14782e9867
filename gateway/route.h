// The route table: method, path, who may call, on which listener, how large a body, what it does.
// This page is the whole attack surface of the gateway's protocols: what is not in the table does
// not exist, and every row is served by the one walk of walk.cc. Matching is exact, segment by
// segment; `{id}` takes one segment, `{name}` all that are left (models have names with slashes).
// Constant data, any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "gateway/error.h"

namespace portcullis::gateway {

enum class Operation : uint8_t {
  kHealth,
  kReady,
  kModels,
  kModel,
  kReceipt,
  kChat,
  kText,
  kEmbedding,
  kStatus,
  kMetrics,
  kKeyList,
  kKeyIssue,
  kKeyRevoke,
  kPrincipalPut,
  kPolicyStatus,
  kPolicyRevision,
  kPolicyPropose,
  kPolicyApprove,
  kPolicyApply,
  kPolicyKeep,
  kPolicyRollback,
  kPolicyWithdraw,
};

enum class Access : uint8_t {
  kOpen,   // no identity, no detail in the answer, limited by address
  kUser,   // a proved principal, decided by policy
  kAdmin,  // a proved principal with the role admin
};

// Listeners as bits: a route is served on the listeners of its row and nowhere else.
enum Listener : uint8_t { kApi = 1, kAdminTls = 2, kAdminSocket = 4 };

struct Route {
  std::string_view method;
  std::string_view path;
  uint8_t listeners;
  Access access;
  Operation operation;
  uint32_t body_limit;  // bytes; 0: a body is refused
};

struct Match {
  const Route* route = nullptr;
  std::string argument;  // what stood for {id} or {name}
};

std::span<const Route> Routes();

// kNotFound, or kMethodNotAllowed when the path exists with another method.
Result<Match> FindRoute(Listener listener, std::string_view method, std::string_view path);

std::string_view Name(Operation operation);
// Chat, plain completion, embedding: goes to an engine.
bool IsModelCall(Operation operation);

}  // namespace portcullis::gateway
