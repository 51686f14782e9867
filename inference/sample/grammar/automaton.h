// Languages of texts as automata over code points: what patterns, names and excluded values have in
// common. Built from a pattern (regex_parse.h) or from listed texts; combined here. A combination is
// deterministic, one place at a time, and may be exponentially larger than its parts, so its size is bounded, and what is
// done for it taken from the caller's `effort` (steps; below zero: spent). Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/error.h"

namespace portcullis::inference::grammar {

// Ranges of code points, ascending, apart from each other, without surrogates.
using CharacterSet = std::vector<std::pair<char32_t, char32_t>>;

struct Automaton {
  struct Step {
    CharacterSet set;  // by a character of it
    uint32_t to = 0;
  };
  struct Node {
    std::vector<uint32_t> silent;  // steps without a character
    std::vector<Step> steps;
  };
  std::vector<Node> nodes;
  uint32_t start = 0;
  uint32_t end = 0;
};

CharacterSet AnyCharacter();

// Exactly these texts, which are well-formed UTF-8. kTooLarge.
Result<Automaton> TextsOf(std::span<const std::string> texts, int64_t& effort);
// The texts that all of `all` and none of `none` take: deterministic, with silent steps to the end
// only. kTooLarge.
Result<Automaton> Combine(std::span<const Automaton> all, std::span<const Automaton> none, int64_t& effort);

// No answer where the effort is spent.
std::optional<bool> Takes(const Automaton& automaton, std::string_view text, int64_t& effort);
bool TakesNothing(const Automaton& automaton);

// Of the texts that it takes, in characters. None is longest where they have no end, or none is taken.
struct Lengths {
  size_t shortest = 0;
  std::optional<size_t> longest;
};
// `automaton` is one that Combine gave. Linear in its steps.
Lengths LengthsOf(const Automaton& automaton);

}  // namespace portcullis::inference::grammar
