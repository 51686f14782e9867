// A JSON Schema (draft 2020-12) compiled into a grammar all of whose texts satisfy it. Enforced: type,
// enum, const; properties (in the order of the schema), required, additionalProperties,
// patternProperties, propertyNames, min/maxProperties, dependentRequired, dependentSchemas; items,
// prefixItems, min/maxItems, contains, min/maxContains, uniqueItems (of listed values, and of strings and
// numbers without an upper end); min/maxLength,
// pattern, format (formats.cc); bounds of numbers, multipleOf of whole and decimal numbers; anyOf, oneOf,
// allOf, not, if/then/else, unevaluated*; $ref with recursion, $anchor, $id and $dynamicRef within the
// document (schema_reference.h). A grammar may be narrower than its schema, never wider, but for formats
// that serve/README.md names; what cannot be enforced is refused with its path (kInvalidArgument).
// Schemas are the caller's: size and depth are bounded. Pure functions. Read schema_compiler.h next.
#pragma once

#include <boost/json/value.hpp>

#include "inference/sample/grammar/grammar.h"

namespace portcullis::inference::grammar {

// Steps that the schemas of one request may take together to compile, some tenths of a second; below
// zero nothing is compiled any more.
inline constexpr int64_t kSchemaEffort = 20'000'000;

// The value of `schema`, then `next`. `schema` must outlive the call only. What it takes is taken from
// `effort`.
Result<StateId> CompileSchema(Grammar& grammar, const boost::json::value& schema, StateId next,
                              int64_t& effort);

}  // namespace portcullis::inference::grammar
