#include "policy/cedar/validate.h"

#include <algorithm>
#include <map>

#include "policy/cedar/ast.h"
#include "policy/cedar/text.h"
#include "policy/cedar/text_warnings.h"
#include "policy/cedar/typecheck.h"

namespace portcullis::policy::cedar {
namespace {

class PolicyValidator {
 public:
  PolicyValidator(const Policy& policy, const SourceFile& file, const Schema& schema, Mode mode,
                  Findings& findings)
      : policy_(policy), file_(file), schema_(schema), mode_(mode), findings_(findings) {}

  // A static policy or a template.
  void Run() {
    CheckNames();
    bool applicable = false;
    bool possible = false;
    ForEachEnvironment([&](const Environment& environment) {
      applicable = true;
      possible = CheckConditions(environment) || possible;
    });
    if (!applicable) Report(policy_.offset, "no action of the schema applies to this head");
    CheckActionList();
    if (!possible) Warn(policy_.offset, "this policy can never be satisfied by a valid request");
    WarnOfText(policy_,
               [this](uint32_t offset, const std::string& message) { Warn(offset, message); });
  }

  // A link: its template is checked by itself.
  void RunLink() {
    for (const Scope* scope : {&policy_.principal, &policy_.resource}) {
      if (scope->linked) CheckType(scope->entity.entity().type, scope->offset);
    }
    bool applicable = false;
    ForEachEnvironment([&](const Environment&) { applicable = true; });
    if (!applicable) {
      Report(policy_.offset, "no action of the schema applies to the link " + Quoted(policy_.id));
    }
  }

 private:
  // Every kind of request that the head admits.
  template <class Visit>
  void ForEachEnvironment(Visit&& visit) const {
    for (const auto& [uid, action] : schema_.actions()) {
      for (const std::string& principal : action.principals) {
        for (const std::string& resource : action.resources) {
          const Environment environment{&action, principal, resource};
          if (HeadAdmits(environment)) visit(environment);
        }
      }
    }
  }

  // A strict set holds entities of one type, and so does this list.
  void CheckActionList() {
    const std::vector<Value>& list = policy_.action.list;
    const bool mixed = std::any_of(list.begin(), list.end(), [&](const Value& uid) {
      return uid.entity().type != list[0].entity().type;
    });
    if (mode_ != Mode::kStrict || !mixed) return;
    const auto reached = [this](const auto& entry) {
      const Action& action = entry.second;
      return !action.resources.empty() &&
             std::any_of(
                 action.principals.begin(), action.principals.end(),
                 [this](const std::string& type) { return ScopeAdmits(policy_.principal, type); });
    };
    if (std::any_of(schema_.actions().begin(), schema_.actions().end(), reached)) {
      Report(policy_.action.offset,
             "these actions are of several types; write one policy for each");
    }
  }

  void Warn(uint32_t offset, const std::string& message) {
    findings_.warnings.push_back({policy_.id, Located(file_.name, file_.text, offset, message)});
  }

  void Report(uint32_t offset, const std::string& message) {
    std::string located = Located(file_.name, file_.text, offset, message);
    if (!errors_.insert(located).second) return;  // the same for another kind of request
    findings_.errors.push_back({policy_.id, std::move(located)});
  }

  // Every name in the policy, reachable or not.
  void CheckNames() {
    for (const Scope* scope : {&policy_.principal, &policy_.action, &policy_.resource}) {
      if (!scope->type.empty()) CheckType(scope->type, scope->offset);
      const bool entity =
          scope->op == ScopeOp::kEqual || scope->op == ScopeOp::kIn || scope->op == ScopeOp::kIsIn;
      if (entity && !scope->slot) {
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

  bool ScopeAdmits(const Scope& scope, const std::string& type) const {
    if (scope.slot) return scope.op != ScopeOp::kIsIn || scope.type == type;
    switch (scope.op) {
      case ScopeOp::kEqual:
        return scope.entity.entity().type == type;
      case ScopeOp::kIn:
        return schema_.CanBeIn(type, scope.entity.entity().type);
      case ScopeOp::kIs:
        return scope.type == type;
      case ScopeOp::kIsIn:
        return scope.type == type && schema_.CanBeIn(type, scope.entity.entity().type);
      default:
        return true;
    }
  }

  // Whether a request of this kind can match the head at all.
  bool HeadAdmits(const Environment& environment) const {
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
    return ScopeAdmits(policy_.principal, environment.principal) &&
           ScopeAdmits(policy_.resource, environment.resource);
  }

  // Whether the conditions can all hold.
  bool CheckConditions(const Environment& environment) {
    TypeChecker checker(
        schema_, environment, mode_,
        [this](uint32_t offset, const std::string& message) { Report(offset, message); });
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
  const Mode mode_;
  Findings& findings_;
  std::set<std::string> errors_;
};

}  // namespace

Findings Validate(const PolicySet& policies, const Schema& schema, Mode mode) {
  constexpr size_t kEnough = 1000;  // errors, after which the rest is not looked at
  Findings findings;
  for (const auto* list : {&policies.templates(), &policies.policies()}) {
    for (const Policy& policy : *list) {
      if (findings.errors.size() >= kEnough) return findings;
      PolicyValidator validator(policy, policies.files().FileOf(policy), schema, mode, findings);
      if (policy.template_id.empty()) {
        validator.Run();
      } else {
        validator.RunLink();
      }
    }
  }
  return findings;
}

}  // namespace portcullis::policy::cedar
