#include "policy/cedar/typecheck.h"

#include <algorithm>
#include <iterator>

#include "policy/cedar/types.h"

namespace portcullis::policy::cedar {
namespace {

Capabilities Union(const Capabilities& a, const Capabilities& b) {
  Capabilities both = a;
  both.insert(b.begin(), b.end());
  return both;
}
Capabilities Intersection(const Capabilities& a, const Capabilities& b) {
  Capabilities both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(both, both.end()));
  return both;
}

}  // namespace

TypeChecker::Typed TypeChecker::Fail(const Expr& expr, std::string message) {
  report_(expr.offset, std::move(message));
  return {};
}

TypePtr TypeChecker::Expect(const Expr& expr, Type::Kind kind, const Capabilities& known) {
  const Typed typed = Check(expr, known);
  if (!typed.type || typed.type->kind == kind) return typed.type;
  if (kind == Type::Kind::kBool && IsBool(*typed.type)) return typed.type;
  Type expected;
  expected.kind = kind;
  const std::string name = kind == Type::Kind::kSet      ? "a set"
                           : kind == Type::Kind::kEntity ? "an entity"
                                                         : ToText(expected);
  return Fail(expr, "expected " + name + ", found " + ToText(*typed.type)).type;
}

bool TypeChecker::ExpectAll(const Expr& expr, Type::Kind kind, const Capabilities& known) {
  bool good = true;
  for (const Expr* arg : expr.args) good = Expect(*arg, kind, known) != nullptr && good;
  return good;
}

TypeChecker::Typed TypeChecker::CheckBool(const Expr& expr, const Capabilities& known) {
  Typed typed = Check(expr, known);
  if (typed.type && !IsBool(*typed.type)) {
    return Fail(expr, "expected Bool, found " + ToText(*typed.type));
  }
  return typed;
}

TypeChecker::Typed TypeChecker::Check(const Expr& expr, const Capabilities& known) {
  switch (expr.op) {
    case Op::kLiteral:
      return CheckLiteral(expr);
    case Op::kVar:
      return CheckVar(expr);
    case Op::kAnd:
      return CheckAnd(expr, known);
    case Op::kOr:
      return CheckOr(expr, known);
    case Op::kNot: {
      const Typed arg = CheckBool(*expr.args[0], known);
      if (IsTrue(arg.type) || IsFalse(arg.type)) return {Truth(IsFalse(arg.type)), {}};
      return {arg.type, {}};
    }
    case Op::kIf:
      return CheckIf(expr, known);
    case Op::kEqual:
    case Op::kNotEqual:
      return CheckEqual(expr, known);
    case Op::kLess:
    case Op::kLessEqual:
    case Op::kGreater:
    case Op::kGreaterEqual:
      return CheckOrder(expr, known);
    case Op::kIn: {
      const TypePtr left = Expect(*expr.args[0], Type::Kind::kEntity, known);
      return CheckIn(expr, *expr.args[0], left, known);
    }
    case Op::kNegate:
    case Op::kSum:
    case Op::kProduct:
      return {ExpectAll(expr, Type::Kind::kLong, known) ? SimpleType(Type::Kind::kLong) : nullptr,
              {}};
    case Op::kContains:
    case Op::kContainsAll:
    case Op::kContainsAny:
      return CheckSetRelation(expr, known);
    case Op::kIsEmpty:
      return {ExpectAll(expr, Type::Kind::kSet, known) ? SimpleType(Type::Kind::kBool) : nullptr,
              {}};
    case Op::kGetTag:
    case Op::kHasTag:
      return CheckTag(expr, known);
    case Op::kGetAttr:
      return CheckGetAttr(expr, known);
    case Op::kHasAttr:
      return CheckHasAttr(expr, known);
    case Op::kLike:
      return {ExpectAll(expr, Type::Kind::kString, known) ? SimpleType(Type::Kind::kBool) : nullptr,
              {}};
    case Op::kIs:
    case Op::kIsIn:
      return CheckIs(expr, known);
    case Op::kSet:
      return CheckSet(expr, known);
    case Op::kRecord:
      return CheckRecord(expr, known);
    case Op::kCall:
      return CheckCall(expr, known);
  }
  return Fail(expr, "unknown expression");
}

TypeChecker::Typed TypeChecker::CheckLiteral(const Expr& expr) {
  const Value& value = expr.literal;
  if (value.kind() == Kind::kBool) return {Truth(value.bool_value()), {}};
  if (value.kind() != Kind::kEntity) return {SimpleType(TypeKindOf(value.kind())), {}};
  const std::string& type = value.entity().type;
  const bool known =
      schema_.FindEntityType(type) != nullptr || schema_.FindAction(value.entity()) != nullptr;
  return {known ? EntityTypeOf(type) : nullptr, {}};  // Validate has already named an unknown one
}

TypeChecker::Typed TypeChecker::CheckVar(const Expr& expr) const {
  switch (expr.var) {
    case Var::kPrincipal:
      return {EntityTypeOf(environment_.principal), {}};
    case Var::kAction:
      return {EntityTypeOf(environment_.action->uid.type), {}};
    case Var::kResource:
      return {EntityTypeOf(environment_.resource), {}};
    case Var::kContext:
      return {environment_.action->context, {}};
  }
  return {};
}

TypeChecker::Typed TypeChecker::CheckAnd(const Expr& expr, const Capabilities& known) {
  Typed result = CheckBool(*expr.args[0], known);
  bool failed = !result.type;
  Capabilities inside = Union(known, result.known);  // what is known after the parts so far
  for (size_t i = 1; i < expr.args.size(); ++i) {
    if (!failed && IsFalse(result.type)) return {result.type, {}};
    const Typed next = CheckBool(*expr.args[i], inside);
    inside.insert(next.known.begin(), next.known.end());
    result.known.insert(next.known.begin(), next.known.end());
    failed = failed || !next.type;
    if (failed) continue;
    if (IsFalse(next.type) || IsTrue(result.type)) {
      result.type = next.type;
    } else if (!IsTrue(next.type)) {
      result.type = SimpleType(Type::Kind::kBool);
    }
  }
  if (failed) result.type = nullptr;
  if (IsFalse(result.type)) result.known.clear();
  return result;
}

TypeChecker::Typed TypeChecker::CheckOr(const Expr& expr, const Capabilities& known) {
  Typed result = CheckBool(*expr.args[0], known);
  bool failed = !result.type;
  for (size_t i = 1; i < expr.args.size(); ++i) {
    if (!failed && IsTrue(result.type)) return result;
    const Typed next = CheckBool(*expr.args[i], known);
    failed = failed || !next.type;
    if (failed) continue;
    if (IsFalse(result.type)) {
      result = next;
    } else if (IsTrue(next.type)) {
      result = next;
    } else if (!IsFalse(next.type)) {
      result = {SimpleType(Type::Kind::kBool), Intersection(result.known, next.known)};
    }
  }
  if (failed) result.type = nullptr;
  return result;
}

TypeChecker::Typed TypeChecker::CheckIf(const Expr& expr, const Capabilities& known) {
  const Typed guard = CheckBool(*expr.args[0], known);
  if (IsFalse(guard.type)) return Check(*expr.args[2], known);
  Typed yes = Check(*expr.args[1], Union(known, guard.known));
  yes.known = Union(yes.known, guard.known);
  if (IsTrue(guard.type)) return yes;
  const Typed no = Check(*expr.args[2], known);
  if (!guard.type || !yes.type || !no.type) return {};
  const TypePtr common = CommonType(yes.type, no.type, mode_);
  if (!common) {
    return Fail(
        expr, "`then` is of type " + ToText(*yes.type) + " and `else` of type " + ToText(*no.type));
  }
  return {common, Intersection(yes.known, no.known)};
}

TypeChecker::Typed TypeChecker::CheckEqual(const Expr& expr, const Capabilities& known) {
  const Expr& left = *expr.args[0];
  const Expr& right = *expr.args[1];
  const Typed left_typed = Check(left, known);
  const Typed right_typed = Check(right, known);
  if (!left_typed.type || !right_typed.type) return {};
  const bool equal = expr.op == Op::kEqual;
  const auto literal = [this](const Expr& side) -> std::optional<Value> {
    if (side.op == Op::kLiteral) return side.literal;
    if (const EntityUid* action = ActionLiteral(side)) return Value::Entity(*action);
    return std::nullopt;
  };
  if (const auto a = literal(left), b = literal(right); a && b) {
    return {Truth((*a == *b) == equal), {}};
  }
  const Type& a = *left_typed.type;
  const Type& b = *right_typed.type;
  if (a.kind == Type::Kind::kEntity && b.kind == Type::Kind::kEntity) {
    const std::set<std::string> others = EntityNames(b);
    const std::set<std::string> names = EntityNames(a);
    if (std::none_of(names.begin(), names.end(),
                     [&](const std::string& name) { return others.contains(name); })) {
      return {Truth(!equal), {}};
    }
  }
  if (mode_ == Mode::kStrict && !CommonType(left_typed.type, right_typed.type, mode_)) {
    return Fail(expr, "compares " + ToText(a) + " with " + ToText(b) + ", which are never equal");
  }
  return {SimpleType(Type::Kind::kBool), {}};
}

TypeChecker::Typed TypeChecker::CheckOrder(const Expr& expr, const Capabilities& known) {
  const TypePtr left = Check(*expr.args[0], known).type;
  const TypePtr right = Check(*expr.args[1], known).type;
  if (!left || !right) return {};
  if (left->kind != Type::Kind::kLong && left->kind != Type::Kind::kDatetime &&
      left->kind != Type::Kind::kDuration) {
    return Fail(expr, "only Long, datetime and duration have an order, not " + ToText(*left));
  }
  if (right->kind != left->kind) {
    return Fail(expr, "compares " + ToText(*left) + " with " + ToText(*right));
  }
  return {SimpleType(Type::Kind::kBool), {}};
}

}  // namespace portcullis::policy::cedar
