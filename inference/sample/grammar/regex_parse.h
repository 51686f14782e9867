// Patterns parsed into an automaton over code points (Thompson's construction); see pattern.h for
// what is understood. Patterns are the caller's: length, nesting and size are bounded.
#pragma once

#include <string_view>

#include "inference/sample/grammar/automaton.h"

namespace portcullis::inference::grammar {

// Takes the texts in which the pattern finds something.
// What that takes is taken from `effort`, which is below zero where it was too much.
Result<Automaton> ParsePattern(std::string_view pattern, int64_t& effort);

}  // namespace portcullis::inference::grammar
