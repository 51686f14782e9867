// Payment card numbers (ISO/IEC 7812): issuer ranges with their lengths, Luhn. Digits may be
// separated; each group is tried as a beginning, each group's end as an end, the longest first.
#include <algorithm>

#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/checksum.h"
#include "policy/classify/detectors/text.h"

namespace portcullis::policy {
namespace {

constexpr uint32_t Lengths(std::initializer_list<int> lengths) {
  uint32_t mask = 0;
  for (const int length : lengths) mask |= 1u << length;
  return mask;
}
constexpr uint32_t k16To19 = Lengths({16, 17, 18, 19});
constexpr uint32_t k12To19 = Lengths({12, 13, 14, 15}) | k16To19;

struct IssuerRange {
  int first, last;  // of the first six digits
  uint32_t lengths;
  uint32_t usual;  // lengths that nearly all cards have
};
// The first range that holds decides.
constexpr IssuerRange kIssuers[] = {
    {400000, 499999, Lengths({13, 16, 19}), Lengths({16})},        // Visa
    {510000, 559999, Lengths({16}), Lengths({16})},                // Mastercard
    {222100, 272099, Lengths({16}), Lengths({16})},                // Mastercard
    {340000, 349999, Lengths({15}), Lengths({15})},                // American Express
    {370000, 379999, Lengths({15}), Lengths({15})},                // American Express
    {300000, 305999, Lengths({14}) | k16To19, Lengths({14, 16})},  // Diners Club
    {309500, 309599, Lengths({14}) | k16To19, Lengths({14, 16})},  // Diners Club
    {360000, 369999, Lengths({14}) | k16To19, Lengths({14, 16})},  // Diners Club
    {380000, 399999, Lengths({14}) | k16To19, Lengths({14, 16})},  // Diners Club
    {352800, 358999, k16To19, Lengths({16})},                      // JCB
    {220000, 220499, k16To19, Lengths({16})},                      // Mir
    {601100, 601199, k16To19, Lengths({16})},                      // Discover
    {644000, 659999, k16To19, Lengths({16})},                      // Discover
    {620000, 629999, k16To19, Lengths({16, 19})},                  // UnionPay
    {810000, 829999, k16To19, Lengths({16})},                      // UnionPay, RuPay
    {979200, 979289, Lengths({16}), Lengths({16})},                // Troy
    {500000, 509999, k12To19, Lengths({16})},                      // Maestro and others
    {560000, 589999, k12To19, Lengths({16})},                      // Maestro
    {600000, 699999, k12To19, Lengths({16})},                      // Maestro and others
};

constexpr std::string_view kContextWordList[] = {
    "card",         "cards",   "credit",  "debit",   "visa",     "mastercard",
    "amex",         "maestro", "pan",     "cc",      "karte",    "kreditkarte",
    "kartennummer", "carte",   "tarjeta", "payment", "discover", "diners",
    "unionpay",     "jcb",     "kaart",   "carta"};
constexpr ContextWords kContext = kContextWordList;

const IssuerRange* IssuerOf(int first_six) {
  const auto* found = std::find_if(std::begin(kIssuers), std::end(kIssuers), [&](const auto& r) {
    return r.first <= first_six && first_six <= r.last;
  });
  return found == std::end(kIssuers) ? nullptr : found;
}

// In one piece, in fours, or as American Express and Diners Club print theirs.
bool IsPrintedForm(const Number& number, size_t count) {
  std::array<uint8_t, Number::kMaxDigits> groups{};
  size_t used = 0;
  for (size_t digits = 0; digits < count; ++used) {
    groups[used] = number.groups[used];
    digits += groups[used];
  }
  if (used == 1) return true;
  if (used == 3 && groups[0] == 4 && groups[1] == 6) return groups[2] == 5 || groups[2] == 4;
  return std::all_of(groups.begin(), groups.begin() + used - 1, [](int n) { return n == 4; }) &&
         groups[used - 1] <= 4;
}

// Small groups of one size with one separator: digits spread out, rather than a row of numbers.
bool IsSpreadOut(const Number& number) {
  if (!number.SeparatedBy(' ') && !number.SeparatedBy('-')) return false;
  return number.groups[0] < 4 &&
         std::all_of(number.groups.begin(), number.groups.begin() + number.group_count - 1,
                     [&](int n) { return n == number.groups[0]; });
}

bool EndsGroup(const Window& window, const Number& number, size_t count) {
  return WordEnds(window, number.ends[count - 1]);
}

bool ProbePan(const Window& window, size_t at, size_t, Match& match) {
  if (!NumberMayStart(window, at)) return false;
  const Number number = ReadNumber(window, at, " -.");
  if (number.count < 12) return false;
  if (window[at - 1] == '+' && number.count < 16) return false;  // a telephone number
  const IssuerRange* issuer = IssuerOf(number.Value(0, 6));
  if (issuer == nullptr) return false;
  for (size_t count = std::min<size_t>(number.count, 19); count >= 12; --count) {
    if ((issuer->lengths >> count & 1) == 0 || !EndsGroup(window, number, count) ||
        !LuhnHolds(number.First(count))) {
      continue;
    }
    const bool context = Near(window, at, 48, kContext);
    const bool printed = IsPrintedForm(number, count);
    const bool usual = (issuer->usual >> count & 1) != 0;
    if (!printed && !context && !(usual && IsSpreadOut(number))) continue;
    match = {.start = at,
             .end = number.ends[count - 1],
             .confidence = printed && (usual || context) ? (context ? 0.98f : 0.95f)
                           : printed || context          ? 0.6f
                                                         : 0.4f};
    return true;
  }
  return false;
}

}  // namespace

constinit const Detector kPan = {
    .label = {"Financial", "pan", 3}, .triggers = kOnNumber, .min_digits = 12, .probe = ProbePan};

}  // namespace portcullis::policy
