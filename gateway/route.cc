#include "gateway/route.h"

#include <array>

namespace portcullis::gateway {
namespace {

constexpr uint32_t kChatBody = 4u << 20;
constexpr uint32_t kAdminBody = 64u << 10;
constexpr uint32_t kPolicyBody = 8u << 20;  // a policy set, as JSON text
constexpr uint8_t kAdminBoth = kAdminTls | kAdminSocket;
constexpr uint8_t kEverywhere = kApi | kAdminBoth;

constexpr std::array kRoutes = {
    Route{"GET", "/healthz", kEverywhere, Access::kOpen, Operation::kHealth, 0},
    Route{"GET", "/readyz", kEverywhere, Access::kOpen, Operation::kReady, 0},
    Route{"POST", "/v1/chat/completions", kApi, Access::kUser, Operation::kChat, kChatBody},
    Route{"POST", "/chat/completions", kApi, Access::kUser, Operation::kChat, kChatBody},
    Route{"POST", "/v1/completions", kApi, Access::kUser, Operation::kText, kChatBody},
    Route{"POST", "/completions", kApi, Access::kUser, Operation::kText, kChatBody},
    Route{"POST", "/v1/embeddings", kApi, Access::kUser, Operation::kEmbedding, kChatBody},
    Route{"POST", "/embeddings", kApi, Access::kUser, Operation::kEmbedding, kChatBody},
    Route{"GET", "/v1/models", kApi, Access::kUser, Operation::kModels, 0},
    Route{"GET", "/models", kApi, Access::kUser, Operation::kModels, 0},
    Route{"GET", "/v1/models/{name}", kApi, Access::kUser, Operation::kModel, 0},
    Route{"GET", "/models/{name}", kApi, Access::kUser, Operation::kModel, 0},
    Route{"GET", "/v1/audit/receipts/{id}", kApi, Access::kUser, Operation::kReceipt, 0},
    Route{"GET", "/audit/receipts/{id}", kApi, Access::kUser, Operation::kReceipt, 0},
    Route{"GET", "/admin/v1/status", kAdminBoth, Access::kAdmin, Operation::kStatus, 0},
    Route{"GET", "/admin/v1/metrics", kAdminBoth, Access::kAdmin, Operation::kMetrics, 0},
    Route{"GET", "/admin/v1/keys", kAdminBoth, Access::kAdmin, Operation::kKeyList, 0},
    Route{"POST", "/admin/v1/keys", kAdminBoth, Access::kAdmin, Operation::kKeyIssue, kAdminBody},
    Route{"PUT", "/admin/v1/principals/{id}", kAdminBoth, Access::kAdmin, Operation::kPrincipalPut,
          kAdminBody},
    Route{"POST", "/admin/v1/keys/{id}/revoke", kAdminBoth, Access::kAdmin, Operation::kKeyRevoke,
          kAdminBody},
    Route{"GET", "/admin/v1/policy", kAdminBoth, Access::kAdmin, Operation::kPolicyStatus, 0},
    Route{"GET", "/admin/v1/policy/revisions/{id}", kAdminBoth, Access::kAdmin,
          Operation::kPolicyRevision, 0},
    Route{"POST", "/admin/v1/policy/revisions", kAdminBoth, Access::kAdmin,
          Operation::kPolicyPropose, kPolicyBody},
    Route{"POST", "/admin/v1/policy/revisions/{id}/approve", kAdminBoth, Access::kAdmin,
          Operation::kPolicyApprove, kAdminBody},
    Route{"POST", "/admin/v1/policy/revisions/{id}/apply", kAdminBoth, Access::kAdmin,
          Operation::kPolicyApply, kAdminBody},
    Route{"POST", "/admin/v1/policy/revisions/{id}/keep", kAdminBoth, Access::kAdmin,
          Operation::kPolicyKeep, kAdminBody},
    Route{"POST", "/admin/v1/policy/revisions/{id}/rollback", kAdminBoth, Access::kAdmin,
          Operation::kPolicyRollback, kAdminBody},
    Route{"POST", "/admin/v1/policy/revisions/{id}/withdraw", kAdminBoth, Access::kAdmin,
          Operation::kPolicyWithdraw, kAdminBody},
};

std::string_view NextSegment(std::string_view& path) {
  path.remove_prefix(1);
  const size_t end = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

bool PathMatches(std::string_view pattern, std::string_view path, std::string& argument) {
  argument.clear();
  while (!pattern.empty() && !path.empty()) {
    if (pattern.front() != '/' || path.front() != '/') return false;
    const std::string_view want = NextSegment(pattern);
    if (want == "{name}") {
      argument = path.substr(1);
      return !argument.empty();
    }
    const std::string_view got = NextSegment(path);
    if (want == "{id}") {
      if (got.empty()) return false;
      argument = got;
    } else if (want != got) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

}  // namespace

std::span<const Route> Routes() { return kRoutes; }

Result<Match> FindRoute(Listener listener, std::string_view method, std::string_view path) {
  bool path_known = false;
  for (const Route& route : kRoutes) {
    Match match{&route, {}};
    if ((route.listeners & listener) == 0 || !PathMatches(route.path, path, match.argument)) {
      continue;
    }
    if (route.method == method) return match;
    path_known = true;
  }
  if (path_known) {
    return Error{Code::kMethodNotAllowed, "this path does not take the method of the request"};
  }
  return Error{Code::kNotFound, "no such path; see GET /v1/models and POST /v1/chat/completions"};
}

std::string_view Name(Operation operation) {
  switch (operation) {
    case Operation::kHealth: return "health";
    case Operation::kReady: return "ready";
    case Operation::kModels: return "models";
    case Operation::kModel: return "model";
    case Operation::kReceipt: return "receipt";
    case Operation::kChat: return "chat";
    case Operation::kText: return "completion";
    case Operation::kEmbedding: return "embedding";
    case Operation::kStatus: return "status";
    case Operation::kMetrics: return "metrics";
    case Operation::kKeyList: return "key_list";
    case Operation::kKeyIssue: return "key_issue";
    case Operation::kKeyRevoke: return "key_revoke";
    case Operation::kPrincipalPut: return "principal_put";
    case Operation::kPolicyStatus: return "policy_status";
    case Operation::kPolicyRevision: return "policy_revision";
    case Operation::kPolicyPropose: return "policy_propose";
    case Operation::kPolicyApprove: return "policy_approve";
    case Operation::kPolicyApply: return "policy_apply";
    case Operation::kPolicyKeep: return "policy_keep";
    case Operation::kPolicyRollback: return "policy_rollback";
    case Operation::kPolicyWithdraw: return "policy_withdraw";
  }
  return "unknown";
}

bool IsModelCall(Operation operation) {
  return operation == Operation::kChat || operation == Operation::kText ||
         operation == Operation::kEmbedding;
}

}  // namespace portcullis::gateway
