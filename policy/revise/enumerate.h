// The space of calls over which two policy sets are compared: jurisdiction of the people concerned
// × data class × site × home of the caller, and whatever else the policies of either set speak of
// (purpose, department, role, device, numbers of people, clearance). Places that neither set can
// tell apart stand as one choice, named by their group, so that the space stays small and the
// answer speaks in groups. Pure functions, any thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "policy/revise/compiled.h"

namespace portcullis::policy::revise {

struct Choice {
  std::string label;                 // "EEA (27 places)", "Contact"
  std::vector<std::string> members;  // ids that it stands for; empty when it stands for itself
  std::function<void(DecisionFacts&)> apply;
};

struct Dimension {
  std::string name;  // "subject", "class", "site", "home", "purpose" …
  std::vector<Choice> choices;
};

struct Space {
  std::vector<Dimension> dimensions;
  std::vector<std::string>
      left_out;  // mentioned by policies but too many to vary: kept at one value
  size_t cells = 1;

  DecisionFacts At(const std::vector<uint16_t>& position) const;
};

struct Side {
  const Content& content;
  const Compiled& compiled;
};

inline constexpr size_t kMaxCells = 300'000;

// `now_ms`: the time of all calls in the space.
Space SpaceOf(const Side& before, const Side& after, int64_t now_ms);

}  // namespace portcullis::policy::revise
