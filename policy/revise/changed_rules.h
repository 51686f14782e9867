// Rules and entities that two policy sets do not share. Rules are compared as parsed: comments,
// layout and order make no difference. Two sets without any difference decide every call alike;
// that is the only case in which it can be said of every call. Pure functions, any thread.
#pragma once

#include <string>
#include <vector>

#include "policy/revise/places.h"

namespace portcullis::policy::revise {

struct RuleChange {
  enum class Kind : uint8_t { kAdded, kRemoved, kChanged };
  Kind kind = Kind::kAdded;
  std::string label;
  std::string where;  // "policy.cedar:12", on the side that has it, the new one first
  const cedar::Policy* before = nullptr;  // of the sides, which must outlive this
  const cedar::Policy* after = nullptr;
  bool transfers = false;  // it can speak about the transfer of a text

  std::string InWords() const;  // "added: `gdpr-ch5` (policy.cedar:12)"
};

struct ChangedRules {
  std::vector<RuleChange> rules;
  std::vector<std::string> entities;  // Gw::Jurisdiction::"FR": in one set only, or different

  bool none() const { return rules.empty() && entities.empty(); }
};

ChangedRules ChangesBetween(const Side& before, const Side& after);

}  // namespace portcullis::policy::revise
