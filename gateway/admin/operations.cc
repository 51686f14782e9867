#include "gateway/admin/operations.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <optional>

#include "gateway/admin/key_request.h"
#include "gateway/admin/policy_operations.h"
#include "gateway/identify/issue_key.h"

namespace portcullis::gateway {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {

json::object KeyJson(const ApiKey& key) {
  json::object out{{"id", key.id},           {"principal", key.principal},
                   {"label", key.label},     {"created", key.created},
                   {"expires", key.expires}, {"revoked", key.revoked}};
  out["last_used"] = int64_t{key.last_used_day} * 86400;
  return out;
}

json::object StatusJson(const Call& call, const std::vector<std::string>& said_of_policy) {
  const auto list = call.services.sites.Load();
  json::array sites;
  for (const Site& site : list->sites) {
    json::array models;
    for (const ServedModel& model : site.models) models.emplace_back(model.id);
    sites.push_back({{"id", site.id}, {"up", site.up}, {"models", std::move(models)}});
  }
  json::array complaints(said_of_policy.begin(), said_of_policy.end());
  const auto queue = call.services.queue.GetStats();
  const GatewayMetrics& metrics = call.services.metrics;
  return {{"schema", "portcullis.status.v1"},
          {"version", PORTCULLIS_VERSION},
          {"policy_revision", call.revision},
          {"policy_number", call.services.policy.snapshot().Load()->number},
          {"policy_complaints", std::move(complaints)},
          {"sites", std::move(sites)},
          {"audit", "writable"},
          {"queue", {{"running", queue.running}, {"waiting", queue.waiting}}},
          {"streams", metrics.active_streams.value()},
          {"connections", metrics.open_connections()},
          {"prompt_tokens", metrics.prompt_tokens.value()},
          {"completion_tokens", metrics.completion_tokens.value()},
          {"request_seconds",
           {{"p50", metrics.request_seconds.Quantile(0.5)},
            {"p99", metrics.request_seconds.Quantile(0.99)}}}};
}

asio::awaitable<Result<Answer>> ListKeys(Call& call) {
  auto keys = co_await call.services.store.Run([](Store& store) { return store.ListKeys(); });
  if (!keys) co_return keys.error();
  json::array list;
  for (const ApiKey& key : keys.value()) list.push_back(KeyJson(key));
  Answer answer;
  answer.document = {{"schema", "portcullis.keys.v1"}, {"keys", std::move(list)}};
  co_return answer;
}

Result<void> PutTenantIfNew(Store& store, const std::string& id) {
  BOOST_OUTCOME_TRY(auto tenants, store.ListTenants());
  if (std::ranges::find(tenants, id, &Tenant::id) != tenants.end()) {
    return boost::outcome_v2::success();
  }
  Tenant tenant;
  tenant.id = id;
  tenant.name = id;
  return store.PutTenant(tenant);
}

// The tenant and the principal come into being with their first key; later issues change them only
// in what the request names.
Result<IssuedKey> IssueOne(Store& store, const KeyHasher& hasher, const Clock& clock,
                           const KeyIssueRequest& request) {
  BOOST_OUTCOME_TRY(PutTenantIfNew(store, request.tenant));
  BOOST_OUTCOME_TRY(auto principals, store.ListPrincipals());
  const auto known = std::ranges::find(principals, request.principal, &Principal::id);
  if (known == principals.end()) {
    BOOST_OUTCOME_TRY(store.PutPrincipal(request.NewPrincipal()));
  } else if (known->tenant != request.tenant) {
    return Error{Code::kConflict, "`" + request.principal + "` belongs to tenant `" + known->tenant +
                                      "`; name that tenant", "tenant"};
  }
  KeyRequest key;
  key.principal = request.principal;
  key.label = request.label;
  key.valid_seconds = request.valid_seconds;
  key.limits = request.limits;
  return IssueKey(store, hasher, clock, key);
}

asio::awaitable<Result<Answer>> Issue(Call& call) {
  auto request = ReadKeyIssueRequest(call.document);
  if (!request) co_return request.error();
  const KeyHasher& hasher = call.services.hasher;
  const Clock& clock = call.services.clock;
  const KeyIssueRequest wanted = std::move(request.value());
  std::optional<IssuedKey> made;
  auto issued = co_await call.services.store.Run([&](Store& store) -> Result<void> {
    BOOST_OUTCOME_TRY(auto key, IssueOne(store, hasher, clock, wanted));
    made.emplace(std::move(key));
    return boost::outcome_v2::success();
  });
  if (!issued) co_return issued.error();
  Answer answer;
  const std::string_view token(reinterpret_cast<const char*>(made->token.data()), made->token.size());
  answer.document = {{"schema", "portcullis.key.v1"}, {"key", token}};
  for (auto& [name, value] : KeyJson(made->key)) answer.document[name] = value;
  co_return answer;
}

asio::awaitable<Result<Answer>> PutPrincipal(Call& call) {
  auto request = ReadKeyIssueRequest(call.document, call.argument);
  if (!request) co_return request.error();
  const KeyIssueRequest wanted = std::move(request.value());
  auto put = co_await call.services.store.Run([&](Store& store) -> Result<void> {
    BOOST_OUTCOME_TRY(PutTenantIfNew(store, wanted.tenant));
    return store.PutPrincipal(wanted.NewPrincipal());
  });
  if (!put) co_return put.error();
  Answer answer;
  answer.document = {{"schema", "portcullis.principal.v1"}, {"id", wanted.principal}};
  co_return answer;
}

asio::awaitable<Result<Answer>> Revoke(Call& call) {
  const std::string id = call.argument;
  const int64_t now = call.services.clock.UnixSeconds();
  auto revoked =
      co_await call.services.store.Run([&](Store& store) { return store.RevokeKey(id, now); });
  if (!revoked) co_return revoked.error();
  Answer answer;
  answer.document = {{"schema", "portcullis.key.v1"}, {"id", id}, {"revoked", now}};
  co_return answer;
}

}  // namespace

asio::awaitable<Result<Answer>> Administer(Call& call) {
  switch (call.route->operation) {
    case Operation::kKeyList: co_return co_await ListKeys(call);
    case Operation::kKeyIssue: co_return co_await Issue(call);
    case Operation::kKeyRevoke: co_return co_await Revoke(call);
    case Operation::kPrincipalPut: co_return co_await PutPrincipal(call);
    case Operation::kPolicyStatus:
    case Operation::kPolicyRevision:
    case Operation::kPolicyPropose:
    case Operation::kPolicyApprove:
    case Operation::kPolicyApply:
    case Operation::kPolicyKeep:
    case Operation::kPolicyRollback:
    case Operation::kPolicyWithdraw: co_return co_await AdministerPolicy(call);
    default: break;
  }
  Answer answer;
  if (call.route->operation == Operation::kMetrics) {
    answer.text = call.services.metrics.Render();
  } else {
    const PolicyKeeper& keeper = call.services.policy;
    const std::vector<std::string> complaints =
        co_await call.services.store.Run([&](Store&) { return keeper.Complaints(); });
    answer.document = StatusJson(call, complaints);
  }
  co_return answer;
}

}  // namespace portcullis::gateway
