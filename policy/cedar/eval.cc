#include "policy/cedar/eval.h"

#include <algorithm>

#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
bool Evaluator::Fail(const Expr& expr, std::string message) {
  error_offset_ = expr.offset;
  error_message_ = std::move(message);
  return false;
}

bool Evaluator::TypeError(const Expr& expr, std::string_view expected, const Value& found) {
  return Fail(expr, "type error: expected " + std::string(expected) + ", got " +
                        std::string(NameOf(found.kind())));
}

bool Evaluator::Matches(const Scope& scope, Var var) const {
  const Value& value = *variables_[static_cast<size_t>(var)];
  switch (scope.op) {
    case ScopeOp::kAny:
      return true;
    case ScopeOp::kEqual:
      return value == scope.entity;
    case ScopeOp::kIn:
      return entities_.In(value, scope.entity);
    case ScopeOp::kIs:
      return value.entity().type == scope.type;
    case ScopeOp::kIsIn:
      return value.entity().type == scope.type && entities_.In(value, scope.entity);
    case ScopeOp::kInList:
      return std::any_of(scope.list.begin(), scope.list.end(),
                         [&](const Value& entity) { return entities_.In(value, entity); });
  }
  return false;
}

Outcome Evaluator::Evaluate(const Policy& policy) {
  if (!Matches(policy.principal, Var::kPrincipal) || !Matches(policy.action, Var::kAction) ||
      !Matches(policy.resource, Var::kResource)) {
    return Outcome::kUnsatisfied;
  }
  for (const Condition& condition : policy.conditions) {
    bool holds = false;
    if (!EvalBool(*condition.body, holds)) return Outcome::kError;
    if (holds == condition.unless) return Outcome::kUnsatisfied;
  }
  return Outcome::kSatisfied;
}

Result<Value> Evaluator::Evaluate(const Expr& expr) {
  Operand out;
  if (!Eval(expr, out)) return Error{Code::kValue, error_message_};
  return *out.value;
}

bool Evaluator::Eval(const Expr& expr, Operand& out) {
  if (expr.constant) {
    out.value = &expr.literal;
    return true;
  }
  bool holds = false;
  const auto boolean = [&](bool evaluated) {
    if (evaluated) out.Own(holds);
    return evaluated;
  };
  switch (expr.op) {
    case Op::kLiteral:
      return Fail(expr, "literal without a value");
    case Op::kVar:
      out.value = variables_[static_cast<size_t>(expr.var)];
      return true;
    case Op::kAnd:
      return boolean(EvalAnd(expr, holds));
    case Op::kOr:
      return boolean(EvalOr(expr, holds));
    case Op::kNot:
      if (!EvalBool(*expr.args[0], holds)) return false;
      out.Own(!holds);
      return true;
    case Op::kIf:
      if (!EvalBool(*expr.args[0], holds)) return false;
      return Eval(*expr.args[holds ? 1 : 2], out);
    case Op::kEqual:
    case Op::kNotEqual: {
      Operand left, right;
      if (!Eval(*expr.args[0], left) || !Eval(*expr.args[1], right)) return false;
      out.Own((*left.value == *right.value) == (expr.op == Op::kEqual));
      return true;
    }
    case Op::kLess:
    case Op::kLessEqual:
    case Op::kGreater:
    case Op::kGreaterEqual:
      return boolean(EvalOrder(expr, holds));
    case Op::kIn: {
      Operand child;
      return Eval(*expr.args[0], child) && boolean(EvalIn(expr, *child.value, holds));
    }
    case Op::kNegate:
    case Op::kSum:
    case Op::kProduct:
      return EvalArithmetic(expr, out);
    case Op::kContains:
    case Op::kContainsAll:
    case Op::kContainsAny:
      return boolean(EvalSetRelation(expr, holds));
    case Op::kIsEmpty: {
      Operand set;
      if (!EvalKind(*expr.args[0], Kind::kSet, set)) return false;
      out.Own(set.value->elements().empty());
      return true;
    }
    case Op::kGetTag:
    case Op::kHasTag:
      return EvalTag(expr, out);
    case Op::kGetAttr:
      return EvalGetAttr(expr, out);
    case Op::kHasAttr:
      return boolean(EvalHasAttr(expr, holds));
    case Op::kLike: {
      Operand text;
      if (!EvalKind(*expr.args[0], Kind::kString, text)) return false;
      out.Own(expr.pattern.Matches(text.value->string()));
      return true;
    }
    case Op::kIs:
    case Op::kIsIn: {
      Operand object;
      if (!EvalKind(*expr.args[0], Kind::kEntity, object)) return false;
      holds = object.value->entity().type == expr.name;
      if (holds && expr.op == Op::kIsIn) return boolean(EvalIn(expr, *object.value, holds));
      out.Own(holds);
      return true;
    }
    case Op::kSet:
    case Op::kRecord:
      return EvalBuild(expr, out);
    case Op::kCall:
      return EvalCall(expr, out);
  }
  return Fail(expr, "unknown expression");
}

bool Evaluator::EvalKind(const Expr& expr, Kind kind, Operand& out) {
  if (!Eval(expr, out)) return false;
  return out.value->kind() == kind || TypeError(expr, NameOf(kind), *out.value);
}

bool Evaluator::EvalBool(const Expr& expr, bool& out) {
  switch (expr.op) {  // the usual shapes of a condition need no operand
    case Op::kAnd:
      return EvalAnd(expr, out);
    case Op::kOr:
      return EvalOr(expr, out);
    case Op::kHasAttr:
      return EvalHasAttr(expr, out);
    default:
      break;
  }
  Operand operand;
  if (!EvalKind(expr, Kind::kBool, operand)) return false;
  out = operand.value->bool_value();
  return true;
}

bool Evaluator::EvalLong(const Expr& expr, int64_t& out) {
  Operand operand;
  if (!EvalKind(expr, Kind::kLong, operand)) return false;
  out = operand.value->long_value();
  return true;
}

bool Evaluator::EvalAnd(const Expr& expr, bool& out) {
  for (const Expr* arg : expr.args) {
    if (!EvalBool(*arg, out)) return false;
    if (!out) return true;
  }
  return true;
}

bool Evaluator::EvalOr(const Expr& expr, bool& out) {
  for (const Expr* arg : expr.args) {
    if (!EvalBool(*arg, out)) return false;
    if (out) return true;
  }
  return true;
}

bool Evaluator::EvalArithmetic(const Expr& expr, Operand& out) {
  int64_t total = 0;
  if (!EvalLong(*expr.args[0], total)) return false;
  bool overflow = false;
  if (expr.op == Op::kNegate) overflow = __builtin_sub_overflow(int64_t{0}, total, &total);
  for (size_t i = 1; i < expr.args.size() && !overflow; ++i) {
    int64_t next = 0;
    if (!EvalLong(*expr.args[i], next)) return false;
    if (expr.op == Op::kProduct) {
      overflow = __builtin_mul_overflow(total, next, &total);
    } else if (expr.name[i - 1] == '+') {
      overflow = __builtin_add_overflow(total, next, &total);
    } else {
      overflow = __builtin_sub_overflow(total, next, &total);
    }
  }
  if (overflow) return Fail(expr, "integer overflow");
  out.Own(Value::Long(total));
  return true;
}

bool Evaluator::EvalOrder(const Expr& expr, bool& out) {
  Operand left, right;
  if (!Eval(*expr.args[0], left) || !Eval(*expr.args[1], right)) return false;
  const Kind kind = left.value->kind();
  if (kind != Kind::kLong && kind != Kind::kDatetime && kind != Kind::kDuration) {
    return TypeError(expr, "long, datetime or duration", *left.value);
  }
  if (right.value->kind() != kind) return TypeError(expr, NameOf(kind), *right.value);
  const int64_t a = left.value->long_value();
  const int64_t b = right.value->long_value();
  switch (expr.op) {
    case Op::kLess:
      out = a < b;
      break;
    case Op::kLessEqual:
      out = a <= b;
      break;
    case Op::kGreater:
      out = a > b;
      break;
    default:
      out = a >= b;
      break;
  }
  return true;
}

}  // namespace portcullis::policy::cedar
