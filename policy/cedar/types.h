// Building blocks of the type checker: simple types, the truth types, and the one type that two
// types have in common under Cedar's strict or permissive rules. Pure functions.
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

// How much two types must agree. Strict: records and entities must be the same. Permissive: a value
// may be of one of several entity types, and of records only what all have in common is known.
enum class Mode : uint8_t { kStrict, kPermissive };

// The least type that includes both, or nullptr when there is none.
TypePtr CommonType(const TypePtr& left, const TypePtr& right, Mode mode);
// The entity types that a value of an entity type can be of.
std::set<std::string> EntityNames(const Type& type);

}  // namespace portcullis::policy::cedar
