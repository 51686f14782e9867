// Netherlands: burgerservicenummer, nine digits with the "eleven test". One number in eleven passes
// it, so a word must stand nearby.
#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/national_id.h"

namespace portcullis::policy {
namespace {

constexpr std::string_view kContextWordList[] = {"bsn", "burgerservicenummer", "sofinummer", "sofi",
                                                 "citizen"};
constexpr ContextWords kContext = kContextWordList;

bool ProbeBsn(const Window& window, size_t at, size_t, Match& match) {
  if (!StandsFree(window, at)) return false;
  const Number number = ReadNumber(window, at, " .");
  if (number.count != 9 || !EndsFree(window, number.end())) return false;
  if (!number.Grouped({9}) && !number.Grouped({4, 2, 3}) && !number.Grouped({3, 3, 3}))
    return false;
  if (number.Value(0, 2) == 0) return false;
  if (Weighted(number, {9, 8, 7, 6, 5, 4, 3, 2, -1}) % 11 != 0) return false;
  if (!Near(window, at, 40, kContext)) return false;
  match = {.start = at, .end = number.end(), .confidence = 0.95f};
  return true;
}

}  // namespace

constinit const Detector kNlBsn = {.label = {"GovernmentId", "nl_bsn", 3, "NL"},
                                   .triggers = kOnNumber,
                                   .min_digits = 9,
                                   .probe = ProbeBsn};

}  // namespace portcullis::policy
