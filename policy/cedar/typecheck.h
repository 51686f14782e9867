// The type checker behind Validate: computes the type of an expression for one kind of request
// (action, principal type, resource type) and what becomes known when the expression is true.
// Types are fine-grained: an expression that can only be true or false has type True or False, and
// what such a value makes unreachable is not checked, exactly as in Cedar's strict mode.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "policy/cedar/ast.h"
#include "policy/cedar/schema.h"
#include "policy/cedar/types.h"

namespace portcullis::policy::cedar {

// Optional attributes and tags known to be there, as text keys of the expressions.
using Capabilities = std::set<std::string>;

struct Environment {
  const Action* action = nullptr;
  std::string principal;
  std::string resource;
};

class TypeChecker {
 public:
  using Report = std::function<void(uint32_t offset, std::string message)>;
  struct Typed {
    TypePtr type;  // nullptr: an error was reported
    Capabilities known;
  };

  // All must outlive the checker.
  TypeChecker(const Schema& schema, const Environment& environment, Mode mode, Report report)
      : schema_(schema), environment_(environment), mode_(mode), report_(std::move(report)) {}

  Typed Check(const Expr& expr, const Capabilities& known);
  Typed CheckBool(const Expr& expr, const Capabilities& known);

 private:
  Typed CheckLiteral(const Expr& expr);
  Typed CheckVar(const Expr& expr) const;
  Typed CheckAnd(const Expr& expr, const Capabilities& known);
  Typed CheckOr(const Expr& expr, const Capabilities& known);
  Typed CheckIf(const Expr& expr, const Capabilities& known);
  Typed CheckEqual(const Expr& expr, const Capabilities& known);
  Typed CheckOrder(const Expr& expr, const Capabilities& known);
  Typed CheckIn(const Expr& expr, const Expr& left, const TypePtr& left_type,
                const Capabilities& known);
  Typed CheckIs(const Expr& expr, const Capabilities& known);
  Typed CheckSetRelation(const Expr& expr, const Capabilities& known);
  Typed CheckTag(const Expr& expr, const Capabilities& known);
  Typed CheckGetAttr(const Expr& expr, const Capabilities& known);
  Typed CheckHasAttr(const Expr& expr, const Capabilities& known);
  Typed CheckSet(const Expr& expr, const Capabilities& known);
  Typed CheckRecord(const Expr& expr, const Capabilities& known);
  Typed CheckCall(const Expr& expr, const Capabilities& known);
  // Every argument of the kind; false after a report.
  bool ExpectAll(const Expr& expr, Type::Kind kind, const Capabilities& known);
  TypePtr Expect(const Expr& expr, Type::Kind kind, const Capabilities& known);

  std::optional<bool> InActions(const Expr& left, const Expr& right) const;
  const EntityUid* ActionLiteral(const Expr& expr) const;
  // The attribute of a record or entity, as far as it is the same whichever type the value is of.
  std::optional<Attribute> FindAttribute(const Type& type, const std::string& name) const;
  // Whether a value of the type could have the attribute for all that is known.
  bool MayHave(const Type& type, const std::string& name) const;
  bool CanBeIn(const Type& child, const Type& parent) const;
  Typed Fail(const Expr& expr, std::string message);

  const Schema& schema_;
  const Environment& environment_;
  const Mode mode_;
  Report report_;
};

}  // namespace portcullis::policy::cedar
