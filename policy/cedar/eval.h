// Evaluates one policy for one request with Cedar's exact rules: && and || stop early, a type
// error, overflow, missing attribute or missing entity is an error of the policy. Results are
// borrowed from the stores where possible, so that the usual condition allocates nothing.
// One evaluator per request and thread. Recursion is bounded by kMaxDepth.
#pragma once

#include <string>

#include "policy/cedar/ast.h"
#include "policy/cedar/entities.h"

namespace portcullis::policy::cedar {

enum class Outcome : uint8_t { kUnsatisfied, kSatisfied, kError };

class Evaluator {
 public:
  // All arguments must outlive the evaluator.
  Evaluator(const EntityView& entities, const Value& principal, const Value& action,
            const Value& resource, const Value& context)
      : entities_(entities), variables_{&principal, &action, &resource, &context} {}

  Outcome Evaluate(const Policy& policy);
  // The value of an expression that stands alone.
  Result<Value> Evaluate(const Expr& expr);

  // After kError: where in the policy's file, and why.
  uint32_t error_offset() const { return error_offset_; }
  const std::string& error_message() const { return error_message_; }

 private:
  // A result: borrowed from a store or the tree, or owned.
  struct Operand {
    const Value* value = nullptr;
    Value owned;

    Operand() = default;
    Operand(const Operand&) = delete;
    Operand& operator=(const Operand&) = delete;
    void Own(Value result) {
      owned = std::move(result);
      value = &owned;
    }
    void Own(bool result) { Own(Value::Bool(result)); }
  };

  bool Matches(const Scope& scope, Var var) const;

  // All return false after an error.
  bool Eval(const Expr& expr, Operand& out);
  bool EvalBool(const Expr& expr, bool& out);
  bool EvalLong(const Expr& expr, int64_t& out);
  bool EvalKind(const Expr& expr, Kind kind, Operand& out);
  bool EvalAnd(const Expr& expr, bool& out);
  bool EvalOr(const Expr& expr, bool& out);
  bool EvalArithmetic(const Expr& expr, Operand& out);
  bool EvalOrder(const Expr& expr, bool& out);
  bool EvalIn(const Expr& expr, const Value& child, bool& out);
  bool EvalInList(const Expr& expr, const Value& child, bool& out);
  bool EvalSetRelation(const Expr& expr, bool& out);
  bool EvalListContains(const Expr& expr, bool& out);
  bool EvalTag(const Expr& expr, Operand& out);
  bool EvalGetAttr(const Expr& expr, Operand& out);
  bool EvalHasAttr(const Expr& expr, bool& out);
  bool EvalCall(const Expr& expr, Operand& out);
  bool EvalBuild(const Expr& expr, Operand& out);

  bool Fail(const Expr& expr, std::string message);
  bool TypeError(const Expr& expr, std::string_view expected, const Value& found);

  const EntityView& entities_;
  const Value* const variables_[4];
  uint32_t error_offset_ = 0;
  std::string error_message_;
};

}  // namespace portcullis::policy::cedar
