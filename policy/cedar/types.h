// Building blocks of the type checker: simple types, the truth types, and the one type that two
// types have in common under Cedar's strict rules. Pure functions.
#pragma once

#include <string>

#include "policy/cedar/schema.h"

namespace portcullis::policy::cedar {

TypePtr SimpleType(Type::Kind kind);
TypePtr EntityTypeOf(const std::string& name);
TypePtr SetOf(TypePtr element);
TypePtr Truth(bool value);  // the type of an expression that can only have this value

bool IsBool(const Type& type);  // Bool, True or False
bool IsTrue(const TypePtr& type);
bool IsFalse(const TypePtr& type);
Type::Kind TypeKindOf(Kind kind);

// The one type that both are, or nullptr: strict, so records and entities must be the same.
TypePtr CommonType(const TypePtr& left, const TypePtr& right);

}  // namespace portcullis::policy::cedar
