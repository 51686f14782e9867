// The operators and built-in methods of the language by name: one table for the parser, the JSON
// form, the printer and the formatter. Pure functions over constants.
#pragma once

#include <optional>
#include <string_view>

#include "policy/cedar/ast.h"

namespace portcullis::policy::cedar {

// How tightly an operator binds, loosest first; a part that binds more loosely than its place
// demands needs parentheses.
enum class Binding : uint8_t { kIf, kOr, kAnd, kRelation, kSum, kProduct, kUnary, kMember };

struct Method {
  std::string_view name;
  Op op;
  size_t arguments;  // without the object
};
const Method* MethodNamed(std::string_view name);
const Method* MethodOf(Op op);  // nullptr for anything but a method

// `&&`, `==`, `in` … between two operands; empty for an operator that is none of these.
std::string_view SymbolOf(Op op);
// A relation that takes an operand on both sides: == != < <= > >= in.
std::optional<Op> RelationNamed(std::string_view symbol);
std::optional<Var> VarNamed(std::string_view name);
Binding BindingOf(const Expr& expr);

}  // namespace portcullis::policy::cedar
