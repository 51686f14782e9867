// Strings that keep to an automaton, as states that read the characters as a JSON string writes them,
// together with bounds on the string's length. Of ECMA-262 patterns the regular part is understood:
// literals, classes, groups, alternatives, repetitions, anchors at the ends, look-aheads at the start;
// other look-around, references back and word borders are refused by name. Pure function.
#pragma once

#include "inference/sample/grammar/automaton.h"
#include "inference/sample/grammar/grammar.h"

namespace portcullis::inference::grammar {

// A JSON string, quotes included, whose content `automaton` takes, which is one that Combine gave, and
// whose length in characters is within `length`; then `next`. Bounds that the automaton keeps by itself
// cost nothing.
Result<StateId> PatternString(Grammar& grammar, const Automaton& automaton, Counter length, StateId next);

}  // namespace portcullis::inference::grammar
