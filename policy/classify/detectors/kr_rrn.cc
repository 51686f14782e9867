// South Korea: resident registration number, yymmdd-sxxxxxx. The check digit holds for numbers
// given out before October 2020, so it raises confidence and does not decide.
#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/national_id.h"

namespace portcullis::policy {
namespace {

constexpr std::string_view kContextWordList[] = {"rrn", "resident", "registration", "jumin"};
constexpr ContextWords kContext = kContextWordList;

bool ProbeRrn(const Window& window, size_t at, size_t, Match& match) {
  if (!StandsFree(window, at)) return false;
  const Number number = ReadNumber(window, at, "-");
  const bool dashed = number.Grouped({6, 7});
  if ((!dashed && !number.Grouped({13})) || !EndsFree(window, number.end())) return false;
  if (!IsDate(number.Value(4, 2), number.Value(2, 2), number.Value(0, 2))) return false;
  if (number.digits[6] < 1 || number.digits[6] > 8) return false;
  const int sum = Weighted(number, {2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5});
  // Foreigners' numbers (5..8) count two more.
  const int offset = number.digits[6] >= 5 ? 13 : 11;
  const bool check = (offset - sum % 11) % 10 == number.digits[12];
  const bool context = Near(window, at, 40, kContext);
  if (!dashed && !(context && check)) return false;
  match = {.start = at,
           .end = number.end(),
           .confidence = check ? (context ? 0.98f : 0.95f) : (context ? 0.85f : 0.6f)};
  return true;
}

}  // namespace

constinit const Detector kKrRrn = {.label = {"GovernmentId", "kr_rrn", 3, "KR"},
                                   .triggers = kOnNumber,
                                   .min_digits = 12,  // as far as the scanner counts
                                   .probe = ProbeRrn};

}  // namespace portcullis::policy
