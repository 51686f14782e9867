// The part of the evaluator that looks into entities, records and sets, and that calls and builds.
#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <optional>

#include "policy/cedar/eval.h"
#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

// A set literal whose elements are known only now.
bool IsBuiltSet(const Expr& expr) { return expr.op == Op::kSet && !expr.constant; }

}  // namespace

// A set that is written out is not built: its elements are looked at one by one. All of them are
// evaluated, for any may fail.
bool Evaluator::EvalInList(const Expr& expr, const Value& child, bool& out) {
  bool found = false;
  std::optional<Kind> wrong;
  for (const Expr* arg : expr.args[1]->args) {
    Operand element;
    if (!Eval(*arg, element)) return false;
    if (element.value->kind() != Kind::kEntity) {
      wrong = element.value->kind();
    } else if (child.kind() == Kind::kEntity) {
      found = found || entities_.In(child, *element.value);
    }
  }
  if (child.kind() != Kind::kEntity) return TypeError(expr, "entity", child);
  if (wrong) {
    return Fail(expr, "type error: expected entity, got " + std::string(NameOf(*wrong)));
  }
  out = found;
  return true;
}

bool Evaluator::EvalListContains(const Expr& expr, bool& out) {
  boost::container::small_vector<Value, 8> elements;
  for (const Expr* arg : expr.args[0]->args) {
    Operand element;
    if (!Eval(*arg, element)) return false;
    elements.push_back(*element.value);
  }
  Operand wanted;
  if (!Eval(*expr.args[1], wanted)) return false;
  out = std::find(elements.begin(), elements.end(), *wanted.value) != elements.end();
  return true;
}

bool Evaluator::EvalIn(const Expr& expr, const Value& child, bool& out) {
  if (IsBuiltSet(*expr.args[1])) return EvalInList(expr, child, out);
  Operand parent;
  if (!Eval(*expr.args[1], parent)) return false;
  if (child.kind() != Kind::kEntity) return TypeError(expr, "entity", child);
  if (parent.value->kind() == Kind::kEntity) {
    out = entities_.In(child, *parent.value);
    return true;
  }
  if (parent.value->kind() != Kind::kSet) {
    return TypeError(expr, "entity or set of entities", *parent.value);
  }
  const std::vector<Value>& all = parent.value->elements();
  for (const Value& element : all) {
    if (element.kind() != Kind::kEntity) return TypeError(expr, "entity", element);
  }
  out = std::any_of(all.begin(), all.end(),
                    [&](const Value& element) { return entities_.In(child, element); });
  return true;
}

bool Evaluator::EvalSetRelation(const Expr& expr, bool& out) {
  if (expr.op == Op::kContains && IsBuiltSet(*expr.args[0])) return EvalListContains(expr, out);
  Operand left, right;
  if (!Eval(*expr.args[0], left) || !Eval(*expr.args[1], right)) return false;
  if (left.value->kind() != Kind::kSet) return TypeError(expr, "set", *left.value);
  if (expr.op == Op::kContains) {
    out = left.value->Contains(*right.value);
    return true;
  }
  if (right.value->kind() != Kind::kSet) return TypeError(expr, "set", *right.value);
  const std::vector<Value>& wanted = right.value->elements();
  const auto present = [&](const Value& element) { return left.value->Contains(element); };
  out = expr.op == Op::kContainsAll ? std::all_of(wanted.begin(), wanted.end(), present)
                                    : std::any_of(wanted.begin(), wanted.end(), present);
  return true;
}

bool Evaluator::EvalTag(const Expr& expr, Operand& out) {
  Operand object, name;
  if (!Eval(*expr.args[0], object) || !Eval(*expr.args[1], name)) return false;
  if (object.value->kind() != Kind::kEntity) return TypeError(expr, "entity", *object.value);
  if (name.value->kind() != Kind::kString) return TypeError(expr, "string", *name.value);
  const Entities::Stored* stored =
      entities_.Find(object.value->entity(), object.value->entity_hash());
  const Value* tag = stored == nullptr ? nullptr : stored->tags.Find(name.value->string());
  if (expr.op == Op::kHasTag) {
    out.Own(tag != nullptr);
    return true;
  }
  if (stored == nullptr) {
    return Fail(expr, "entity " + ToText(object.value->entity()) + " does not exist");
  }
  if (tag == nullptr) {
    return Fail(expr,
                ToText(object.value->entity()) + " has no tag " + Quoted(name.value->string()));
  }
  out.value = tag;
  return true;
}

bool Evaluator::EvalGetAttr(const Expr& expr, Operand& out) {
  Operand object;
  if (!Eval(*expr.args[0], object)) return false;
  const Value& base = *object.value;
  if (base.kind() == Kind::kRecord) {
    const Value* found = base.Find(expr.name);
    if (found == nullptr) return Fail(expr, "the record has no attribute `" + expr.name + "`");
    if (object.value == &object.owned) {
      out.Own(*found);
    } else {
      out.value = found;
    }
    return true;
  }
  if (base.kind() != Kind::kEntity) return TypeError(expr, "record or entity", base);
  const Entities::Stored* stored = entities_.Find(base.entity(), base.entity_hash());
  if (stored == nullptr) return Fail(expr, "entity " + ToText(base.entity()) + " does not exist");
  out.value = stored->attrs.Find(expr.name);
  return out.value != nullptr ||
         Fail(expr, ToText(base.entity()) + " has no attribute `" + expr.name + "`");
}

bool Evaluator::EvalHasAttr(const Expr& expr, bool& out) {
  Operand object;
  if (!Eval(*expr.args[0], object)) return false;
  const Value* current = object.value;
  out = false;
  for (const std::string& name : expr.names) {
    if (current->kind() == Kind::kRecord) {
      current = current->Find(name);
    } else if (current->kind() == Kind::kEntity) {
      const Entities::Stored* stored = entities_.Find(current->entity(), current->entity_hash());
      current = stored == nullptr ? nullptr : stored->attrs.Find(name);
    } else {
      return TypeError(expr, "record or entity", *current);
    }
    if (current == nullptr) return true;
  }
  out = true;
  return true;
}

bool Evaluator::EvalCall(const Expr& expr, Operand& out) {
  boost::container::small_vector<Value, 2> values;
  for (const Expr* arg : expr.args) {
    Operand operand;
    if (!Eval(*arg, operand)) return false;
    values.push_back(*operand.value);
  }
  Result<Value> result = Call(expr.function, {values.data(), values.size()});
  if (!result) return Fail(expr, result.error().message);
  out.Own(std::move(result.value()));
  return true;
}

bool Evaluator::EvalBuild(const Expr& expr, Operand& out) {
  std::vector<Value> values;
  values.reserve(expr.args.size());
  for (const Expr* arg : expr.args) {
    Operand operand;
    if (!Eval(*arg, operand)) return false;
    values.push_back(*operand.value);
  }
  if (expr.op == Op::kSet) {
    out.Own(Value::Set(std::move(values)));
    return true;
  }
  std::vector<Value::Field> fields;
  fields.reserve(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    fields.emplace_back(expr.names[i], std::move(values[i]));
  }
  out.Own(Value::Record(std::move(fields)));
  return true;
}

}  // namespace portcullis::policy::cedar
