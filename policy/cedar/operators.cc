#include "policy/cedar/operators.h"

#include <algorithm>
#include <array>

namespace portcullis::policy::cedar {
namespace {

constexpr std::array<Method, 6> kMethods = {{{"contains", Op::kContains, 1},
                                             {"containsAll", Op::kContainsAll, 1},
                                             {"containsAny", Op::kContainsAny, 1},
                                             {"isEmpty", Op::kIsEmpty, 0},
                                             {"getTag", Op::kGetTag, 1},
                                             {"hasTag", Op::kHasTag, 1}}};

struct Relation {
  std::string_view symbol;
  Op op;
};
constexpr std::array<Relation, 7> kRelations = {{{"==", Op::kEqual},
                                                 {"!=", Op::kNotEqual},
                                                 {"<", Op::kLess},
                                                 {"<=", Op::kLessEqual},
                                                 {">", Op::kGreater},
                                                 {">=", Op::kGreaterEqual},
                                                 {"in", Op::kIn}}};

}  // namespace

const Method* MethodNamed(std::string_view name) {
  const auto* found = std::find_if(kMethods.begin(), kMethods.end(),
                                   [&](const Method& method) { return method.name == name; });
  return found == kMethods.end() ? nullptr : found;
}

const Method* MethodOf(Op op) {
  const auto* found = std::find_if(kMethods.begin(), kMethods.end(),
                                   [&](const Method& method) { return method.op == op; });
  return found == kMethods.end() ? nullptr : found;
}

std::string_view SymbolOf(Op op) {
  if (op == Op::kAnd) return "&&";
  if (op == Op::kOr) return "||";
  if (op == Op::kProduct) return "*";
  for (const Relation& relation : kRelations) {
    if (relation.op == op) return relation.symbol;
  }
  return {};
}

std::optional<Op> RelationNamed(std::string_view symbol) {
  for (const Relation& relation : kRelations) {
    if (relation.symbol == symbol) return relation.op;
  }
  return std::nullopt;
}

std::optional<Var> VarNamed(std::string_view name) {
  for (const Var var : {Var::kPrincipal, Var::kAction, Var::kResource, Var::kContext}) {
    if (name == NameOf(var)) return var;
  }
  return std::nullopt;
}

Binding BindingOf(const Expr& expr) {
  switch (expr.op) {
    case Op::kIf:
      return Binding::kIf;
    case Op::kOr:
      return Binding::kOr;
    case Op::kAnd:
      return Binding::kAnd;
    case Op::kEqual:
    case Op::kNotEqual:
    case Op::kLess:
    case Op::kLessEqual:
    case Op::kGreater:
    case Op::kGreaterEqual:
    case Op::kIn:
    case Op::kHasAttr:
    case Op::kLike:
    case Op::kIs:
    case Op::kIsIn:
      return Binding::kRelation;
    case Op::kSum:
      return Binding::kSum;
    case Op::kProduct:
      return Binding::kProduct;
    case Op::kNot:
    case Op::kNegate:
      return Binding::kUnary;
    case Op::kLiteral:  // the minus of a negative number binds like the operator
      return expr.literal.IsLong() && expr.literal.long_value() < 0 ? Binding::kUnary
                                                                    : Binding::kMember;
    default:
      return Binding::kMember;
  }
}

}  // namespace portcullis::policy::cedar
