// Look-aheads where a pattern begins, as in ^(?!X)(?=Y)rest: what they say of the whole text can be
// said beside the rest of the pattern, by automata of their own (regex_parse.cc). Only there: one that
// stands deeper in a pattern, behind a choice, or repeated, is left where it is. Reads once from left
// to right; needs no more memory than the parts it names. Pure function.
#pragma once

#include <string_view>
#include <vector>

namespace portcullis::inference::grammar {

struct LookAheads {
  std::vector<std::string_view> wanted, unwanted;  // patterns that begin where the text begins
  std::string_view rest;                           // as they do, where there are any
};

// Both lists are empty, and `rest` is the pattern, where it does not begin with look-aheads only.
LookAheads CutLookAheads(std::string_view pattern);

}  // namespace portcullis::inference::grammar
