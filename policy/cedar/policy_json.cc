#include "policy/cedar/policy_json.h"

#include <algorithm>
#include <array>

#include "policy/cedar/expression_json.h"
#include "policy/cedar/print.h"
#include "policy/cedar/text.h"
#include "policy/cedar/value_json.h"

namespace portcullis::policy::cedar {
namespace {

Error At(const std::string& path, std::string message) {
  return {Code::kJson, path + ": " + std::move(message)};
}

bool IsActionType(std::string_view type) { return type == "Action" || type.ends_with("::Action"); }

Result<Value> ActionFromJson(const Json& json, const std::string& path) {
  BOOST_OUTCOME_TRY(EntityUid uid, UidFromJson(json, path));
  if (!IsActionType(uid.type)) {
    return At(path, "expected an action such as Action::\"read\", found " + ToText(uid));
  }
  return Value::Entity(std::move(uid));
}

// {"entity": …} or {"slot": "?principal"}.
Result<void> EntityOrSlot(const Json& json, Var var, Scope& scope, const std::string& path) {
  if (const Json* entity = json.Find("entity")) {
    if (var == Var::kAction) {
      BOOST_OUTCOME_TRY(scope.entity, ActionFromJson(*entity, path + ".entity"));
      return boost::outcome_v2::success();
    }
    BOOST_OUTCOME_TRY(EntityUid uid, UidFromJson(*entity, path + ".entity"));
    scope.entity = Value::Entity(std::move(uid));
    return boost::outcome_v2::success();
  }
  const Json* slot = json.Find("slot");
  if (slot == nullptr || !slot->IsString()) return At(path, "expected \"entity\" or \"slot\"");
  if (var == Var::kAction || slot->string != "?" + std::string(NameOf(var))) {
    return At(path, "the slot " + Quoted(slot->string) + " cannot stand here");
  }
  scope.slot = true;
  return boost::outcome_v2::success();
}

Result<Scope> ScopeFromJson(const Json* json, Var var, const std::string& policy_path) {
  const std::string path = policy_path + "." + std::string(NameOf(var));
  const Json* op = json == nullptr ? nullptr : json->Find("op");
  if (op == nullptr || !op->IsString()) return At(path, "expected an object with \"op\"");
  Scope scope;
  if (op->string == "All" || op->string == "all") return scope;
  if (op->string == "==") {
    scope.op = ScopeOp::kEqual;
    BOOST_OUTCOME_TRY(EntityOrSlot(*json, var, scope, path));
    return scope;
  }
  if (op->string == "in") {
    scope.op = ScopeOp::kIn;
    const Json* list = json->Find("entities");
    if (var != Var::kAction || json->Find("entity") != nullptr || list == nullptr) {
      BOOST_OUTCOME_TRY(EntityOrSlot(*json, var, scope, path));
      return scope;
    }
    if (!list->IsArray()) return At(path + ".entities", "expected a list");
    scope.op = ScopeOp::kInList;
    for (const Json& item : list->items) {
      BOOST_OUTCOME_TRY(Value action, ActionFromJson(item, path + ".entities"));
      scope.list.push_back(std::move(action));
    }
    return scope;
  }
  if (op->string != "is" || var == Var::kAction) {
    return At(path, "there is no operator " + Quoted(op->string) + " here");
  }
  const Json* type = json->Find("entity_type");
  if (type == nullptr || !type->IsString() || !IsTypeName(type->string)) {
    return At(path + ".entity_type", "expected the name of an entity type");
  }
  for (const JsonMember& member : json->members) {
    if (member.name != "op" && member.name != "entity_type" && member.name != "in") {
      return At(path, "unexpected member " + Quoted(member.name));
    }
  }
  scope.op = ScopeOp::kIs;
  scope.type = type->string;
  const Json* in = json->Find("in");
  if (in != nullptr && in->kind != Json::Kind::kNull) {
    scope.op = ScopeOp::kIsIn;
    BOOST_OUTCOME_TRY(EntityOrSlot(*in, var, scope, path + ".in"));
  }
  return scope;
}

// Annotation names may be words that are reserved elsewhere.
bool IsAnnotationName(std::string_view name) { return IsIdentifier(name) || IsReserved(name); }

Result<void> ReadAnnotations(const Json& json, Policy& policy, const std::string& path) {
  if (!json.IsObject()) return At(path, "expected an object");
  for (const JsonMember& member : json.members) {
    const std::string where = path + "." + member.name;
    if (!IsAnnotationName(member.name)) return At(where, "this cannot name an annotation");
    const bool bare = member.value.kind == Json::Kind::kNull;
    if (!bare && !member.value.IsString()) return At(where, "expected a string or null");
    if (bare) policy.bare_annotations.insert(member.name);
    policy.annotations.emplace(member.name, member.value.string);
  }
  return boost::outcome_v2::success();
}

Result<void> ReadConditions(ParsedFiles& files, const Json* json, Policy& policy,
                            const std::string& path) {
  if (json == nullptr || !json->IsArray()) return At(path, "expected a list");
  for (size_t i = 0; i < json->items.size(); ++i) {
    const Json& item = json->items[i];
    const std::string where = path + "[" + std::to_string(i) + "]";
    const Json* kind = item.Find("kind");
    const Json* body = item.Find("body");
    if (kind == nullptr || body == nullptr || item.members.size() != 2 ||
        (kind->string != "when" && kind->string != "unless")) {
      return At(where, R"(expected {"kind": "when" or "unless", "body": …})");
    }
    Condition condition;
    condition.unless = kind->string == "unless";
    BOOST_OUTCOME_TRY(condition.body, ExprFromJson(files, *body, where + ".body"));
    policy.conditions.push_back(condition);
  }
  return boost::outcome_v2::success();
}

}  // namespace

Result<Policy> PolicyFromJson(ParsedFiles& files, const Json& json, std::string id,
                              const std::string& path) {
  constexpr std::array<std::string_view, 6> kMembers = {"effect",   "principal",  "action",
                                                        "resource", "conditions", "annotations"};
  if (!json.IsObject()) return At(path, "expected a policy as an object");
  for (const JsonMember& member : json.members) {
    if (std::find(kMembers.begin(), kMembers.end(), member.name) == kMembers.end()) {
      return At(path, "unexpected member " + Quoted(member.name));
    }
  }
  Policy policy;
  policy.id = std::move(id);
  const Json* effect = json.Find("effect");
  if (effect == nullptr || (effect->string != "permit" && effect->string != "forbid")) {
    return At(path + ".effect", "expected \"permit\" or \"forbid\"");
  }
  policy.effect = effect->string == "permit" ? Effect::kPermit : Effect::kForbid;
  BOOST_OUTCOME_TRY(policy.principal, ScopeFromJson(json.Find("principal"), Var::kPrincipal, path));
  BOOST_OUTCOME_TRY(policy.action, ScopeFromJson(json.Find("action"), Var::kAction, path));
  BOOST_OUTCOME_TRY(policy.resource, ScopeFromJson(json.Find("resource"), Var::kResource, path));
  BOOST_OUTCOME_TRY(ReadConditions(files, json.Find("conditions"), policy, path + ".conditions"));
  if (const Json* annotations = json.Find("annotations")) {
    BOOST_OUTCOME_TRY(ReadAnnotations(*annotations, policy, path + ".annotations"));
  }
  policy.file = static_cast<uint32_t>(files.files.size());
  files.files.push_back({path, PrintPolicy(policy)});
  return policy;
}

}  // namespace portcullis::policy::cedar
