// United States: social security numbers (area, group and serial rules of the SSA) and individual
// taxpayer numbers, which share their form. Dashes, or a word nearby.
#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/text.h"

namespace portcullis::policy {
namespace {

constexpr Label kItin = {"GovernmentId", "us_itin", 3, "US"};

constexpr std::string_view kContextWordList[] = {"ssn",      "ssns", "social",
                                                 "security", "itin", "taxpayer"};
constexpr ContextWords kContext = kContextWordList;

// Printed in advertisements; never anybody's number any more.
constexpr int kVoid[][3] = {{78, 5, 1120}, {219, 9, 9999}, {457, 55, 5462}};

bool IsSsn(int area, int group, int serial) {
  if (area == 0 || area == 666 || area >= 900 || group == 0 || serial == 0) return false;
  for (const auto& entry : kVoid) {
    if (entry[0] == area && entry[1] == group && entry[2] == serial) return false;
  }
  return true;
}

bool IsItin(int area, int group, int serial) {
  const bool assigned = (group >= 50 && group <= 65) || (group >= 70 && group <= 88) ||
                        (group >= 90 && group <= 92) || (group >= 94 && group <= 99);
  return area >= 900 && assigned && serial != 0;
}

bool ProbeSsn(const Window& window, size_t at, size_t, Match& match) {
  if (!NumberMayStart(window, at) || (window[at - 1] == '-' && IsWord(window[at - 2])))
    return false;
  const Number number = ReadNumber(window, at, " -");
  const bool dashes = number.SeparatedBy('-') && number.Grouped({3, 2, 4});
  const bool spaces = number.SeparatedBy(' ') && number.Grouped({3, 2, 4});
  const bool solid = number.Grouped({9});
  if ((!dashes && !spaces && !solid) || !WordEnds(window, number.end())) return false;
  if (window[number.end()] == '-' && IsAlnum(window[number.end() + 1])) return false;
  const int area = number.Value(0, 3);
  const int group = number.Value(3, 2);
  const int serial = number.Value(5, 4);
  const bool itin = IsItin(area, group, serial);
  if (!itin && !IsSsn(area, group, serial)) return false;
  const bool context = Near(window, at, 40, kContext);
  if (!dashes && !context) return false;
  match = {.start = at,
           .end = number.end(),
           .confidence = context ? 0.97f : 0.85f,
           .label = itin ? &kItin : nullptr};
  return true;
}

}  // namespace

constinit const Detector kUsSsn = {.label = {"GovernmentId", "us_ssn", 3, "US"},
                                   .triggers = kOnNumber,
                                   .min_digits = 9,
                                   .probe = ProbeSsn};

}  // namespace portcullis::policy
