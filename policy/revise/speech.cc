#include "policy/revise/speech.h"

#include <algorithm>

#include "policy/revise/ladder.h"

namespace portcullis::policy::revise {

using cedar::Expr;
using cedar::Kind;
using cedar::Op;
using cedar::Value;

namespace {

bool IsConnective(Op op) {
  return op == Op::kAnd || op == Op::kOr || op == Op::kNot || op == Op::kIf;
}

bool IsList(const std::vector<Value>& values) {
  return !values.empty() && std::ranges::all_of(values, [](const Value& value) {
    return value.kind() == Kind::kEntity;
  });
}

// Operators for which one element of a list is as good as all of them.
bool TakesAnyOf(Op op) {
  return op == Op::kIn || op == Op::kIsIn || op == Op::kContainsAny || op == Op::kContains;
}

// The same, or one is a part of the other; the caller's own id is no part of his attributes.
bool IsOrHolds(std::string_view known, std::string_view input) {
  if (known == input) return true;
  if (known == "principal" || input == "principal") return false;
  const auto holds = [](std::string_view whole, std::string_view part) {
    return part.size() > whole.size() && part.starts_with(whole) && part[whole.size()] == '.';
  };
  return holds(known, input) || holds(input, known);
}

template <class Map>
void JoinMaps(Map& into, const Map& other) {
  for (const auto& [key, values] : other) into[key].insert(values.begin(), values.end());
}

}  // namespace

struct Speech::Comparison {
  Op op = Op::kLiteral;
  Names inputs;
  Beside beside;
  std::map<std::string, std::string> first;  // type → one id of it
};

void Beside::Join(const Beside& other) {
  numbers.insert(other.numbers.begin(), other.numbers.end());
  times.insert(other.times.begin(), other.times.end());
  spans.insert(other.spans.begin(), other.spans.end());
  ranges.insert(other.ranges.begin(), other.ranges.end());
  words.insert(other.words.begin(), other.words.end());
  types.insert(other.types.begin(), other.types.end());
  inputs.insert(other.inputs.begin(), other.inputs.end());
  JoinMaps(ids, other.ids);
  JoinMaps(exact, other.exact);
  JoinMaps(together, other.together);
}

std::string InputOf(const Expr& expr) {
  if (expr.op == Op::kVar) return std::string(cedar::NameOf(expr.var));
  if (expr.op != Op::kGetAttr) return {};
  std::string object = InputOf(*expr.args[0]);
  return object.empty() ? object : object + "." + expr.name;
}

bool IsAboutTransfers(const cedar::Policy& policy, const cedar::Entities& entities) {
  const cedar::EntityView view(entities, nullptr);
  const auto matches = [&](const Value& action) {
    const cedar::Scope& scope = policy.action;
    switch (scope.op) {
      case cedar::ScopeOp::kEqual:
        return action == scope.entity;
      case cedar::ScopeOp::kIn:
        return view.In(action, scope.entity);
      case cedar::ScopeOp::kInList:
        return std::ranges::any_of(scope.list,
                                   [&](const Value& uid) { return view.In(action, uid); });
      default:
        return true;
    }
  };
  return std::ranges::any_of(kLadder, [&](Treatment treatment) {
    return matches(Value::Entity("Gw::Action", std::string(ToString(treatment))));
  });
}

void Speech::Read(const cedar::Policy& policy) {
  Wanted wanted;
  Comparison head;
  head.op = policy.principal.op == cedar::ScopeOp::kEqual ? Op::kEqual : Op::kIn;
  head.inputs.insert("principal");
  if (!policy.principal.type.empty()) head.beside.types.insert(policy.principal.type);
  if (policy.principal.entity.kind() == Kind::kEntity) AddLiteral(policy.principal.entity, head);
  if (policy.principal.op != cedar::ScopeOp::kAny) Keep(head, wanted);
  for (const cedar::Condition& condition : policy.conditions) {
    ReadCondition(*condition.body, wanted);
  }
  for (const auto& [input, types] : wanted) {
    for (const auto& [type, ids] : types) {
      if (ids.size() > 1) inputs_[input].together[type].insert(ids);
    }
  }
}

void Speech::ReadCondition(const Expr& expr, Wanted& wanted) {
  if (expr.constant) return;
  if (!IsConnective(expr.op)) return ReadComparison(expr, wanted);
  for (const Expr* arg : expr.args) ReadCondition(*arg, wanted);
}

void Speech::ReadComparison(const Expr& expr, Wanted& wanted) {
  Comparison comparison;
  comparison.op = expr.op;
  Collect(expr, comparison);
  Keep(comparison, wanted);
}

void Speech::Keep(const Comparison& comparison, Wanted& wanted) {
  const bool exact = comparison.op != Op::kIn && comparison.op != Op::kIsIn;
  for (const std::string& input : comparison.inputs) {
    Beside beside = comparison.beside;
    beside.inputs = comparison.inputs;
    if (exact) beside.exact = beside.ids;
    inputs_[input].Join(beside);
    for (const auto& [type, id] : comparison.first) wanted[input][type].insert(id);
  }
}

void Speech::Collect(const Expr& expr, Comparison& into) {
  if (expr.constant) return AddLiteral(expr.literal, into);
  if (expr.op == Op::kIs || expr.op == Op::kIsIn) into.beside.types.insert(expr.name);
  if (expr.op == Op::kLike) {
    std::string fits;
    for (const std::string& piece : expr.pattern.pieces) fits += piece;
    into.beside.words.insert(std::move(fits));
  }
  std::string input = InputOf(expr);
  if (expr.op == Op::kHasAttr) {
    input = InputOf(*expr.args[0]);
    if (!input.empty()) {
      for (const std::string& name : expr.names) input += "." + name;
    }
  }
  if (!input.empty()) {
    into.inputs.insert(std::move(input));
    return;
  }
  if (expr.op == Op::kSet) {
    std::vector<Value> literals;
    for (const Expr* arg : expr.args) {
      if (arg->constant) literals.push_back(arg->literal);
    }
    if (literals.size() == expr.args.size() && IsList(literals)) return AddList(literals, into);
  }
  for (const Expr* arg : expr.args) Collect(*arg, into);
}

void Speech::AddLiteral(const Value& value, Comparison& into) {
  switch (value.kind()) {
    case Kind::kLong:
      into.beside.numbers.insert(value.long_value());
      return;
    case Kind::kDatetime:
      into.beside.times.insert(value.long_value());
      return;
    case Kind::kDuration:
      into.beside.spans.insert(value.long_value());
      return;
    case Kind::kIp:
      into.beside.ranges.insert(value.ip());
      return;
    case Kind::kString:
      into.beside.words.insert(value.string());
      return;
    case Kind::kEntity: {
      const auto& [type, id] = value.entity();
      into.beside.ids[type].insert(id);
      into.first.emplace(type, id);
      namings_[type][id].insert("alone: " + id);
      return;
    }
    case Kind::kSet:
      if (IsList(value.elements())) return AddList(value.elements(), into);
      for (const Value& element : value.elements()) AddLiteral(element, into);
      return;
    case Kind::kRecord:
      for (const auto& [name, field] : value.fields()) AddLiteral(field, into);
      return;
    case Kind::kBool:
    case Kind::kDecimal:
      return;
  }
}

void Speech::AddList(const std::vector<Value>& uids, Comparison& into) {
  const std::string list = "list " + std::to_string(++lists_);
  std::map<std::string, Names> types;
  for (const Value& uid : uids) {
    const auto& [type, id] = uid.entity();
    types[type].insert(id);
    namings_[type][id].insert(list);
    into.first.emplace(type, id);
  }
  for (const auto& [type, ids] : types) {
    into.beside.ids[type].insert(ids.begin(), ids.end());
    if (ids.size() > 1 && !TakesAnyOf(into.op)) into.beside.together[type].insert(ids);
  }
}

bool Speech::Has(std::string_view input) const {
  return std::ranges::any_of(inputs_,
                             [&](const auto& known) { return IsOrHolds(known.first, input); });
}

Beside Speech::Of(std::string_view input) const {
  Beside out;
  for (const auto& [name, beside] : inputs_) {
    if (IsOrHolds(name, input)) out.Join(beside);
  }
  return out;
}

const std::map<std::string, Names>& Speech::NamingsOf(const std::string& type) const {
  static const std::map<std::string, Names> kNone;
  const auto found = namings_.find(type);
  return found == namings_.end() ? kNone : found->second;
}

Names Speech::NamedIds(const std::string& type) const {
  Names out;
  for (const auto& [id, how] : NamingsOf(type)) out.insert(id);
  return out;
}

}  // namespace portcullis::policy::revise
