// What two policy sets say of one call, where they do not say the same. Pure functions, any thread.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/revise/compiled.h"

namespace portcullis::policy::revise {

// What changed, without where.
struct Effect {
  std::string before, after;          // "allowed", "refused", "allowed, recorded: none"
  std::vector<std::string> policies;  // what decides now, or what used to; sorted

  auto operator<=>(const Effect&) const = default;
};

// Nothing when the treatment and what is owed for it are the same; what refused calls leave in the
// log and whom they alert is owed too.
std::optional<Effect> EffectOf(const Compiled& before, const Compiled& after,
                               const DecisionFacts& facts);

// "allowed", "allowed under pseudonyms", "allowed after redaction", "refused".
std::string_view InWords(Treatment treatment);

}  // namespace portcullis::policy::revise
