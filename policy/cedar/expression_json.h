// Cedar's JSON form of expressions, both ways: an object with one member that names the operator,
// such as {"==":{"left":…,"right":…}}. A run of && || + - * nests to the left in JSON and is one
// node in the tree. Reading is bounded by the depth of the document; errors name the path in it.
#pragma once

#include <string>

#include "policy/cedar/ast.h"
#include "policy/cedar/json.h"

namespace portcullis::policy::cedar {

Result<const Expr*> ExprFromJson(ParsedFiles& files, const Json& json, const std::string& path);
void WriteJson(const Expr& expr, std::string& out);

}  // namespace portcullis::policy::cedar
