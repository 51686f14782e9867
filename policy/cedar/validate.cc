#include "policy/cedar/validate.h"

#include <algorithm>
#include <map>

#include "policy/cedar/ast.h"
#include "policy/cedar/text.h"
#include "policy/cedar/typecheck.h"

namespace portcullis::policy::cedar {
namespace {

class PolicyValidator {
 public:
  PolicyValidator(const Policy& policy, const SourceFile& file, const Schema& schema,
                  Findings& findings)
      : policy_(policy), file_(file), schema_(schema), findings_(findings) {}

  void Run() {
    CheckNames();
    bool applicable = false;
    bool possible = false;
    for (const auto& [uid, action] : schema_.actions()) {
      for (const std::string& principal : action.principals) {
        for (const std::string& resource : action.resources) {
          const Environment environment{&action, principal, resource};
          if (!HeadAdmits(environment)) continue;
          applicable = true;
          possible = CheckConditions(environment) || possible;
        }
      }
    }
    if (!applicable) {
      Report(policy_.offset, "no action of the schema applies to this head");
    } else if (!possible && errors_.empty()) {
      findings_.warnings.push_back(
          {policy_.id, Located(file_.name, file_.text, policy_.offset,
                               "this policy can never be satisfied by a valid request")});
    }
  }

 private:
  void Report(uint32_t offset, const std::string& message) {
    std::string located = Located(file_.name, file_.text, offset, message);
    if (!errors_.insert(located).second) return;  // the same for another kind of request
    findings_.errors.push_back({policy_.id, std::move(located)});
  }

  // Every name in the policy, reachable or not.
  void CheckNames() {
    for (const Scope* scope : {&policy_.principal, &policy_.action, &policy_.resource}) {
      if (!scope->type.empty()) CheckType(scope->type, scope->offset);
      if (scope->op == ScopeOp::kEqual || scope->op == ScopeOp::kIn ||
          scope->op == ScopeOp::kIsIn) {
        CheckUid(scope->entity.entity(), scope->offset);
      }
      for (const Value& uid : scope->list) CheckUid(uid.entity(), scope->offset);
      if (scope->op == ScopeOp::kInList && scope->list.empty()) {
        Report(scope->offset, "an empty set of actions matches nothing");
      }
    }
    for (const Condition& condition : policy_.conditions) CheckNames(*condition.body);
  }

  void CheckNames(const Expr& expr) {
    if (expr.op == Op::kIs || expr.op == Op::kIsIn) CheckType(expr.name, expr.offset);
    if (expr.op == Op::kLiteral && expr.literal.kind() == Kind::kEntity) {
      CheckUid(expr.literal.entity(), expr.offset);
    }
    for (const Expr* arg : expr.args) CheckNames(*arg);
  }

  void CheckType(const std::string& type, uint32_t offset) {
    const bool action = std::any_of(schema_.actions().begin(), schema_.actions().end(),
                                    [&](const auto& entry) { return entry.first.type == type; });
    if (!action && schema_.FindEntityType(type) == nullptr) {
      Report(offset, "the schema has no entity type `" + type + "`");
    }
  }

  void CheckUid(const EntityUid& uid, uint32_t offset) {
    const Result<void> known = schema_.CheckUid(uid);
    if (known) return;
    const bool action = uid.type == "Action" || uid.type.ends_with("::Action");
    Report(offset, action ? "the schema has no action " + ToText(uid) : known.error().message);
  }

  // Whether a request of this kind can match the head at all.
  bool HeadAdmits(const Environment& environment) const {
    const auto admits = [this](const Scope& scope, const std::string& type) {
      switch (scope.op) {
        case ScopeOp::kEqual:
          return scope.entity.entity().type == type && Listed(scope);
        case ScopeOp::kIn:
          return schema_.CanBeIn(type, scope.entity.entity().type);
        case ScopeOp::kIs:
          return scope.type == type;
        case ScopeOp::kIsIn:
          return scope.type == type && schema_.CanBeIn(type, scope.entity.entity().type);
        default:
          return true;
      }
    };
    const EntityUid& action = environment.action->uid;
    const auto in = [&](const Value& parent) {
      return parent.entity() == action || environment.action->ancestors.contains(parent.entity());
    };
    switch (policy_.action.op) {
      case ScopeOp::kEqual:
        if (policy_.action.entity.entity() != action) return false;
        break;
      case ScopeOp::kIn:
        if (!in(policy_.action.entity)) return false;
        break;
      case ScopeOp::kInList:
        if (std::none_of(policy_.action.list.begin(), policy_.action.list.end(), in)) return false;
        break;
      default:
        break;
    }
    return admits(policy_.principal, environment.principal) &&
           admits(policy_.resource, environment.resource);
  }

  bool Listed(const Scope& scope) const {
    return static_cast<bool>(schema_.CheckUid(scope.entity.entity()));
  }

  // Whether the conditions can all hold.
  bool CheckConditions(const Environment& environment) {
    TypeChecker checker(schema_, environment, [this](uint32_t offset, const std::string& message) {
      Report(offset, message);
    });
    Capabilities known;
    for (const Condition& condition : policy_.conditions) {
      const TypeChecker::Typed typed = checker.CheckBool(*condition.body, known);
      if (!typed.type) continue;
      const Type::Kind fails = condition.unless ? Type::Kind::kTrue : Type::Kind::kFalse;
      if (typed.type->kind == fails) return false;
      if (!condition.unless) known.insert(typed.known.begin(), typed.known.end());
    }
    return true;
  }

  const Policy& policy_;
  const SourceFile& file_;
  const Schema& schema_;
  Findings& findings_;
  std::set<std::string> errors_;
};

}  // namespace

Findings Validate(const PolicySet& policies, const Schema& schema) {
  Findings findings;
  for (const Policy& policy : policies.policies()) {
    PolicyValidator(policy, policies.files().FileOf(policy), schema, findings).Run();
  }
  return findings;
}

}  // namespace portcullis::policy::cedar
