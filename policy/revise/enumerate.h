// The calls over which two policy sets are compared. All combinations of all choices would be too
// many, so that the product is cut: first come people's places × class of data × site, then what
// the rules that differ ask for, then everything else, as long as the product stays within its
// bound. What does not fit is varied in a space of its own, beside the usual case of the others.
// Whatever is not tried in combination is said. Pure functions, any thread.
#pragma once

#include <string>
#include <vector>

#include "policy/revise/dimensions.h"

namespace portcullis::policy::revise {

// A product over some of the dimensions; the others stay at their first choice.
struct Space {
  std::vector<size_t> varied;  // ascending positions in Plan::dimensions
  size_t own = SIZE_MAX;       // the dimension that this space is for: its first choice is skipped
  size_t cells = 1;
};

struct Plan {
  std::vector<Dimension> dimensions;
  std::vector<Space> spaces;
  std::vector<std::string> not_compared;  // in words

  size_t ChoicesAt(const Space& space, size_t place) const {
    return dimensions[space.varied[place]].choices.size();
  }
  // `position`: for each varied dimension of the space the choice.
  DecisionFacts At(const Space& space, const std::vector<uint16_t>& position) const;
};

inline constexpr size_t kMaxCells = 80'000;     // of the first space
inline constexpr size_t kMaxOwnCells = 20'000;  // of a space for one dimension
inline constexpr size_t kMaxOwnSpaces = 6;

// `speech`: what all rules ask for; `differing`: what those rules ask for that differ.
Plan PlanOf(const Side& before, const Side& after, const Speech& speech, const Speech& differing,
            int64_t now_ms);

}  // namespace portcullis::policy::revise
