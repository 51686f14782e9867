// The regular part of ECMA-262 patterns, as JSON Schema uses them: literals, classes, groups,
// alternatives, repetitions, anchors at the ends. Compiled to states that read the characters as a
// JSON string writes them, together with bounds on the string's length. Look-around, references back
// and word borders are refused by name. Pure function.
#pragma once

#include <string_view>

#include "inference/sample/grammar/grammar.h"

namespace portcullis::inference::grammar {

// A JSON string, quotes included, whose content the pattern finds something in and whose length in
// characters is within `length`; then `next`.
Result<StateId> PatternString(Grammar& grammar, std::string_view pattern, Counter length, StateId next);

}  // namespace portcullis::inference::grammar
