// What a new policy set changes, in words: every call of the plan (enumerate.h) is decided by both
// sets, and the calls whose outcome differs are told in as few sentences as possible:
//   personal data of people in EEA (27 places) to cloud-us: allowed → refused, by gdpr-ch5
// Equal changes are joined along every dimension; what is the same everywhere is left out of the
// sentence. Somebody signs after reading this, so it says what it did and no more: which rules and
// entities differ, and which calls were not compared (coverage.h). Pure functions, any thread;
// seconds of work for the largest plans.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "policy/revise/sentences.h"

namespace portcullis::policy::revise {

struct DiffReport {
  bool same = false;                      // no rule and no entity differs: nothing was compared
  size_t cells = 0;                       // calls compared
  size_t changed = 0;                     // with another outcome
  std::vector<std::string> sites;         // to which calls were compared; others are not known
  std::vector<Change> changes;            // most calls first
  std::vector<std::string> rules;         // "added: `gdpr-ch5` (policy.cedar:12)"
  std::vector<std::string> entities;      // what differs besides rules
  std::vector<std::string> not_compared;  // in words; what matters most comes first
};

DiffReport Compare(const Side& before, const Side& after, int64_t now_ms);

std::string ToText(const DiffReport& report);
boost::json::object ToJson(const DiffReport& report);

}  // namespace portcullis::policy::revise
