// Changes of many kinds of call, told in as few sentences as possible: calls with the same change
// are joined along every dimension, and what is the same everywhere is left out. Pure functions.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "policy/revise/effect.h"
#include "policy/revise/enumerate.h"

namespace portcullis::policy::revise {

struct Change {
  std::string words;
  std::string before, after;          // "allowed", "allowed after redaction", "refused" …
  std::vector<std::string> policies;  // what decides now, or what used to
  // Dimension → choices it holds for; a dimension that makes no difference is left out.
  std::map<std::string, std::vector<std::string>> where;
  size_t cells = 0;
};

// For each varied dimension of a space the choices, sorted.
using Box = std::vector<std::vector<uint16_t>>;

// Joins boxes that differ in one dimension only, until nothing can be joined.
void JoinBoxes(std::vector<Box>& boxes, size_t dimensions);

Change ChangeOf(const Plan& plan, const Space& space, const Side& after, const Effect& effect,
                const Box& box);

// What is so of nearly every call is not repeated in every sentence: "scan complete". Here are
// those that were left out.
std::vector<std::string> UsualCases(const std::vector<Change>& changes);

}  // namespace portcullis::policy::revise
