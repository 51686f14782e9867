// Choices for inputs that have no fixed list of values: numbers, addresses, times and words, made
// from what the policies compare them with. The first choice is the usual case. Pure functions.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "policy/revise/ladder.h"
#include "policy/revise/speech.h"

namespace portcullis::policy::revise {

struct Choice {
  std::string label;                 // "EEA (27 places)", "Contact"
  std::vector<std::string> members;  // ids that it stands for; empty when it stands for itself
  std::function<void(DecisionFacts&)> apply;
};

inline constexpr size_t kMaxChoices = 20'000;  // of a dimension
inline constexpr size_t kMaxNetworks = 64;     // whose combinations can be worked out

// The usual number leaves the facts as they are; `of_findings`: a text without findings has none.
std::vector<Choice> NumberChoices(const Beside& beside, int64_t DecisionFacts::*member,
                                  int64_t lowest, int64_t usual, bool of_findings);
std::vector<Choice> AddressChoices(const Beside& beside);  // at most kMaxNetworks ranges
// Around every point named, before and after it by every span named.
std::vector<Choice> TimeChoices(const Beside& beside, int64_t now_ms);
std::vector<Choice> WordChoices(const Beside& beside,
                                std::optional<std::string> DecisionFacts::*member);

}  // namespace portcullis::policy::revise
