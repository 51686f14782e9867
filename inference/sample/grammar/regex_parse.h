// Patterns parsed into an automaton over code points (Thompson's construction); see pattern.h for
// what is understood. Patterns are the caller's: length, nesting and size are bounded.
#pragma once

#include <cstdint>
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
Result<Automaton> ParsePattern(std::string_view pattern);

}  // namespace portcullis::inference::grammar
