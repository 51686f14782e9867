// Makes the nodes of syntax trees, whatever form they are read from. Adding a node folds constants
// and bounds the depth. Not thread-safe: an arena is filled by one reader.
#pragma once

#include <vector>

#include "policy/cedar/ast.h"

namespace portcullis::policy::cedar {

Expr MakeExpr(Op op, uint32_t offset, std::vector<const Expr*> args);
Expr MakeLiteral(Value value, uint32_t offset);
// Moves the node into the arena; nullptr when it would be deeper than kMaxDepth, or when `has`
// paths within `has` paths would make it too large to be written out.
const Expr* AddExpr(ParsedFiles& files, Expr expr);
// A copy of a template with its slots filled; `id` is the new policy's own.
Policy LinkTemplate(const Policy& pattern, std::string id, const Value* principal,
                    const Value* resource);

}  // namespace portcullis::policy::cedar
