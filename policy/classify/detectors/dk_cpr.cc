// Denmark: CPR number, ddmmyy-ssss. The modulus-11 check holds only for numbers given out before
// October 2007, so it raises confidence and does not decide.
#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/national_id.h"

namespace portcullis::policy {
namespace {

constexpr std::string_view kContextWordList[] = {"cpr", "personnummer", "cprnr", "cprnummer"};
constexpr ContextWords kContext = kContextWordList;

bool ProbeCpr(const Window& window, size_t at, size_t, Match& match) {
  if (!StandsFree(window, at)) return false;
  const Number number = ReadNumber(window, at, "-");
  const bool dashed = number.Grouped({6, 4});
  if ((!dashed && !number.Grouped({10})) || !EndsFree(window, number.end())) return false;
  if (!IsDate(number.Value(0, 2), number.Value(2, 2), number.Value(4, 2))) return false;
  const bool context = Near(window, at, 32, kContext);
  if (!dashed && !context) return false;
  const bool check = Weighted(number, {4, 3, 2, 7, 6, 5, 4, 3, 2, 1}) % 11 == 0;
  match = {.start = at, .end = number.end(), .confidence = context ? 0.95f : check ? 0.85f : 0.5f};
  return true;
}

}  // namespace

constinit const Detector kDkCpr = {.label = {"GovernmentId", "dk_cpr", 3, "DK"},
                                   .triggers = kOnNumber,
                                   .min_digits = 10,
                                   .probe = ProbeCpr};

}  // namespace portcullis::policy
