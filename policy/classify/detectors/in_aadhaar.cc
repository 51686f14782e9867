// India: Aadhaar, twelve digits that begin with 2..9 and end in a Verhoeff check digit. In groups
// of four as printed, or in one piece with a word nearby.
#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/national_id.h"

namespace portcullis::policy {
namespace {

constexpr std::string_view kContextWordList[] = {"aadhaar", "aadhar", "adhaar",
                                                 "uidai",   "uid",    "vid"};
constexpr ContextWords kContext = kContextWordList;

bool ProbeAadhaar(const Window& window, size_t at, size_t, Match& match) {
  if (!StandsFree(window, at)) return false;
  const Number number = ReadNumber(window, at, " -");
  const bool printed = number.Grouped({4, 4, 4});
  if ((!printed && !number.Grouped({12})) || !EndsFree(window, number.end())) return false;
  if (number.digits[0] < 2 || !VerhoeffHolds(number.First(12))) return false;
  const bool context = Near(window, at, 40, kContext);
  if (!printed && !context) return false;
  match = {.start = at, .end = number.end(), .confidence = context ? 0.97f : 0.7f};
  return true;
}

}  // namespace

constinit const Detector kInAadhaar = {.label = {"GovernmentId", "in_aadhaar", 3, "IN"},
                                       .triggers = kOnNumber,
                                       .min_digits = 12,
                                       .probe = ProbeAadhaar};

}  // namespace portcullis::policy
