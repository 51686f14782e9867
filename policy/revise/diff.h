// What a new policy set changes, in words: every call of the space (enumerate.h) is decided by both
// sets, and the calls whose outcome differs are told in as few sentences as possible:
//   personal data of people in EEA (27 places) to cloud-us: allowed → refused, by gdpr-ch5
// Equal changes are joined along every dimension; what is the same everywhere is left out of the
// sentence. Pure functions, any thread; seconds of work for the largest spaces.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <string>
#include <vector>

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

struct DiffReport {
  size_t cells = 0;                   // calls compared
  size_t changed = 0;                 // with another outcome
  std::vector<Change> changes;        // most calls first
  std::vector<std::string> left_out;  // dimensions that were too many to vary
};

DiffReport Compare(const Side& before, const Side& after, int64_t now_ms);

std::string ToText(const DiffReport& report);
boost::json::object ToJson(const DiffReport& report);

// "allowed", "allowed under pseudonyms", "allowed after redaction", "refused".
std::string_view InWords(Treatment treatment);

}  // namespace portcullis::policy::revise
