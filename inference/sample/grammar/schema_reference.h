// References of a JSON Schema (draft 2020-12, sections 8.2 and 9.2) within one document: `$id` of the
// whole and of schemas in it, relative and absolute URIs (RFC 3986, section 5.2), `$anchor`, and
// `$dynamicRef` where all ways to it lead to one place. Nothing is ever fetched. Pure functions.
#pragma once

#include <boost/json/value.hpp>
#include <optional>

#include "inference/error.h"

namespace portcullis::inference::grammar {

// A copy of `schema` whose references are all `#` and a JSON Pointer (RFC 6901) from its root; those
// that lead nowhere stay as they are. None where they are so already. kInvalidArgument where two places
// have one name. Takes from `effort` what it costs.
Result<std::optional<boost::json::value>> WithPlainReferences(const boost::json::value& schema,
                                                              int64_t& effort);

}  // namespace portcullis::inference::grammar
