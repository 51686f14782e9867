#include <string_view>

#include "policy/cedar/expression_json.h"
#include "policy/cedar/policy_json.h"
#include "policy/cedar/value_json.h"

namespace portcullis::policy::cedar {
namespace {

std::string EntityOrSlot(const Scope& scope, Var var) {
  if (scope.slot) return "\"slot\":\"?" + std::string(NameOf(var)) + "\"";
  return "\"entity\":" + ToJson(scope.entity.entity());
}

std::string ToJson(const Scope& scope, Var var) {
  switch (scope.op) {
    case ScopeOp::kAny:
      return R"({"op":"All"})";
    case ScopeOp::kEqual:
      return R"({"op":"==",)" + EntityOrSlot(scope, var) + "}";
    case ScopeOp::kIn:
      return R"({"op":"in",)" + EntityOrSlot(scope, var) + "}";
    case ScopeOp::kIs:
    case ScopeOp::kIsIn: {
      std::string out = R"({"op":"is","entity_type":)" + JsonQuoted(scope.type);
      if (scope.op == ScopeOp::kIsIn) out += ",\"in\":{" + EntityOrSlot(scope, var) + "}";
      return out + "}";
    }
    case ScopeOp::kInList: {
      if (scope.list.size() == 1) {
        return R"({"op":"in","entity":)" + cedar::ToJson(scope.list[0].entity()) + "}";
      }
      std::string out = R"({"op":"in","entities":[)";
      for (size_t i = 0; i < scope.list.size(); ++i) {
        out += (i == 0 ? "" : ",") + cedar::ToJson(scope.list[i].entity());
      }
      return out + "]}";
    }
  }
  return "{}";
}

std::string ByIds(const std::vector<Policy>& policies) {
  std::string out = "{";
  for (const Policy& policy : policies) {
    if (!policy.template_id.empty()) continue;  // a link
    if (out.size() > 1) out += ',';
    out += JsonQuoted(policy.id) + ":" + ToJson(policy);
  }
  return out + "}";
}

std::string LinkJson(const Policy& policy) {
  std::string values;
  const auto add = [&](const Scope& scope, std::string_view slot) {
    if (!scope.linked) return;
    values += (values.empty() ? "" : ",") + JsonQuoted(slot) + ":" + ToJson(scope.entity.entity());
  };
  add(policy.principal, "?principal");
  add(policy.resource, "?resource");
  return "{\"templateId\":" + JsonQuoted(policy.template_id) +
         ",\"newId\":" + JsonQuoted(policy.id) + ",\"values\":{" + values + "}}";
}

}  // namespace

std::string ToJson(const Policy& policy) {
  std::string out =
      policy.effect == Effect::kPermit ? R"({"effect":"permit")" : R"({"effect":"forbid")";
  out += ",\"principal\":" + ToJson(policy.principal, Var::kPrincipal) +
         ",\"action\":" + ToJson(policy.action, Var::kAction) +
         ",\"resource\":" + ToJson(policy.resource, Var::kResource) + ",\"conditions\":[";
  bool first = true;
  for (const Condition& condition : policy.conditions) {
    if (!first) out += ',';
    first = false;
    out += condition.unless ? R"({"kind":"unless","body":)" : R"({"kind":"when","body":)";
    WriteJson(*condition.body, out);
    out += '}';
  }
  out += ']';
  if (!policy.annotations.empty()) {
    std::string list;
    for (const auto& [name, value] : policy.annotations) {
      list += (list.empty() ? "" : ",") + JsonQuoted(name) + ":" +
              (policy.bare_annotations.contains(name) ? "null" : JsonQuoted(value));
    }
    out += ",\"annotations\":{" + list + "}";
  }
  return out + "}";
}

std::string ToJson(const PolicySet& policies) {
  std::string links;
  for (const Policy& policy : policies.policies()) {
    if (!policy.template_id.empty()) links += (links.empty() ? "" : ",") + LinkJson(policy);
  }
  return "{\"staticPolicies\":" + ByIds(policies.policies()) +
         ",\"templates\":" + ByIds(policies.templates()) + ",\"templateLinks\":[" + links + "]}";
}

}  // namespace portcullis::policy::cedar
