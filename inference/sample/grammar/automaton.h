// Languages of texts as automata over code points: what patterns, names and excluded values have in
// common. Built from a pattern (regex_parse.h) or from listed texts; combined here. A combination is
// deterministic and may be exponentially larger than its parts, so its size is bounded. Pure functions.
#pragma once

#include <cstdint>
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
  struct Node {
    std::vector<uint32_t> silent;  // steps without a character
    CharacterSet set;              // a step to `to` by a character of it
    uint32_t to = 0;
  };
  std::vector<Node> nodes;
  uint32_t start = 0;
  uint32_t end = 0;
};

CharacterSet AnyCharacter();

// Exactly these texts, which are well-formed UTF-8.
Automaton TextsOf(std::span<const std::string> texts);
// The texts that all of `all` and none of `none` take. kTooLarge.
Result<Automaton> Combine(std::span<const Automaton> all, std::span<const Automaton> none);

bool Takes(const Automaton& automaton, std::string_view text);
bool TakesNothing(const Automaton& automaton);

}  // namespace portcullis::inference::grammar
