// A JSON Schema (draft 2020-12, the part that can be enforced while text is written) compiled into a
// grammar all of whose texts satisfy it. Enforced: type, properties (in the order of the schema),
// required, additionalProperties, items, prefixItems, min/maxItems, enum, const, min/maxLength,
// pattern, format (date, time, date-time, duration, email, hostname, ipv4, ipv6, uri, uuid),
// minimum, maximum, exclusive bounds, multipleOf of whole numbers, anyOf, oneOf of branches that
// exclude each other, allOf of one, $ref within the schema with recursion. A grammar may be narrower
// than its schema, never wider; a keyword that it cannot enforce is refused with its path
// (kInvalidArgument). Schemas are the caller's: size and depth are bounded. Pure functions.
#pragma once

#include <boost/json/value.hpp>

#include "inference/sample/grammar/grammar.h"

namespace portcullis::inference::grammar {

// The value of `schema`, then `next`. `schema` must outlive the call only.
Result<StateId> CompileSchema(Grammar& grammar, const boost::json::value& schema, StateId next);

}  // namespace portcullis::inference::grammar
