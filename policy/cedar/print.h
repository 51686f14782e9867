// Policies and expressions as Cedar text on one line: for policies that came as JSON, and for
// messages. The layout for people is format.h's. What is printed parses to the same tree.
#pragma once

#include <string>

#include "policy/cedar/ast.h"

namespace portcullis::policy::cedar {

std::string PrintExpr(const Expr& expr);
std::string PrintPolicy(const Policy& policy);     // a template with its slots
std::string PrintPattern(const Pattern& pattern);  // with its quotes

}  // namespace portcullis::policy::cedar
