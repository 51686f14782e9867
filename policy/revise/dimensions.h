// Everything that a decision about data is made from (DecisionFacts), as dimensions with choices:
// people's places × class of data × site always, and every other input that the policies of either
// set ask for, over the values that they compare it with, those just beside, and one that they do
// not name. The first choice of a dimension is the usual case. Pure functions, any thread.
#pragma once

#include <string>
#include <vector>

#include "policy/revise/choices.h"
#include "policy/revise/places.h"

namespace portcullis::policy::revise {

struct Dimension {
  std::string name;                 // "subject", "class", "site", "home", "purpose" …
  std::vector<std::string> inputs;  // as in Speech: what it varies
  std::vector<Choice> choices;
};

struct Dimensions {
  // In the order in which their choices are to be applied: later ones know what earlier ones set.
  std::vector<Dimension> all;
  std::vector<std::string> too_many;  // names of dimensions with more choices than can be varied
};

// `now_ms`: the usual time of a call.
Dimensions DimensionsOf(const Side& before, const Side& after, const Speech& speech,
                        int64_t now_ms);

}  // namespace portcullis::policy::revise
