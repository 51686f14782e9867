// What the standards ask of a log, clause by clause, and what this period holds of it. The wording is
// "supports", never "certifies": a clause asks for people and procedures that no log can show.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "audit/report/period.h"
#include "audit/verify.h"

namespace portcullis::audit {

enum class Support { kSupports, kInPart, kNothingHere };
std::string_view SupportText(Support support);

struct Clause {
  std::string standard;  // "GDPR"
  std::string number;    // "Art. 5(2)"
  std::string asks;      // in plain words
  Support support = Support::kNothingHere;
  std::string evidence;  // what this period shows, with figures
  std::string remains;   // what it does not show and somebody must add
};

std::vector<Clause> JudgeClauses(const PeriodFacts& facts, const Report& verified);

}  // namespace portcullis::audit
