#include "policy/cedar/tree.h"

#include <algorithm>

namespace portcullis::policy::cedar {
namespace {

// `has` paths inside the objects of `has` paths double with every level; in JSON they are written
// out.
constexpr size_t kMaxRepeated = 1'000'000;

// Sets, records and extension constructors of constants become values once, here. A constructor
// that fails stays a call: its error belongs to the evaluation.
void Fold(Expr& expr) {
  if (expr.op != Op::kSet && expr.op != Op::kRecord && expr.op != Op::kCall) return;
  if (!std::all_of(expr.args.begin(), expr.args.end(),
                   [](const Expr* arg) { return arg->constant; })) {
    return;
  }
  if (expr.op == Op::kRecord) {
    std::vector<Value::Field> fields;
    for (size_t i = 0; i < expr.args.size(); ++i) {
      fields.emplace_back(expr.names[i], expr.args[i]->literal);
    }
    expr.literal = Value::Record(std::move(fields));
  } else {
    std::vector<Value> values;
    for (const Expr* arg : expr.args) values.push_back(arg->literal);
    if (expr.op == Op::kSet) {
      expr.literal = Value::Set(std::move(values));
    } else {
      Result<Value> value = Call(expr.function, values);
      if (!value) return;
      expr.literal = std::move(value.value());
    }
  }
  expr.constant = true;
}

}  // namespace

Expr MakeExpr(Op op, uint32_t offset, std::vector<const Expr*> args) {
  Expr expr;
  expr.op = op;
  expr.offset = offset;
  expr.args = std::move(args);
  return expr;
}

Expr MakeLiteral(Value value, uint32_t offset) {
  Expr expr;
  expr.constant = true;
  expr.literal = std::move(value);
  expr.offset = offset;
  return expr;
}

const Expr* AddExpr(ParsedFiles& files, Expr expr) {
  for (const Expr* arg : expr.args) {
    expr.depth = std::max(expr.depth, arg->depth + 1);
    expr.weight += arg->weight;
  }
  if (expr.op == Op::kHasAttr) {  // x has a.b is x has a && x.a has b
    const size_t more = expr.names.size() - 1;
    if (more >= kMaxDepth) return nullptr;
    expr.depth += static_cast<int>(more);
    const size_t repeated = more * expr.args[0]->weight;
    expr.weight += repeated;
    files.repeated += repeated;
    if (files.repeated > kMaxRepeated) return nullptr;
  }
  if (expr.depth > kMaxDepth) return nullptr;
  Fold(expr);
  files.arena.push_back(std::move(expr));
  return &files.arena.back();
}

Policy LinkTemplate(const Policy& pattern, std::string id, const Value* principal,
                    const Value* resource) {
  Policy policy = pattern;
  policy.template_id = pattern.id;
  policy.id = std::move(id);
  const auto fill = [](Scope& scope, const Value* value) {
    if (!scope.slot) return;
    scope.slot = false;
    scope.linked = true;
    scope.entity = *value;
  };
  fill(policy.principal, principal);
  fill(policy.resource, resource);
  return policy;
}

}  // namespace portcullis::policy::cedar
