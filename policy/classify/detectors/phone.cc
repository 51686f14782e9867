// Telephone numbers: international (ITU-T E.164, '+' and an assigned country code), North American
// in its printed forms, and other national ones where a word such as "tel" stands before.
#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/text.h"

namespace portcullis::policy {
namespace {

constexpr size_t kMaxDigits = 15;

struct CallingCode {
  int code;
  std::string_view jurisdiction;
};
// Countries whose code is theirs alone, for the jurisdiction of the subscriber.
constexpr CallingCode kCodes[] = {
    {20, "EG"},  {27, "ZA"},  {30, "GR"},  {31, "NL"},  {32, "BE"},  {33, "FR"},  {34, "ES"},
    {36, "HU"},  {39, "IT"},  {40, "RO"},  {41, "CH"},  {43, "AT"},  {44, "GB"},  {45, "DK"},
    {46, "SE"},  {47, "NO"},  {48, "PL"},  {49, "DE"},  {51, "PE"},  {52, "MX"},  {53, "CU"},
    {54, "AR"},  {55, "BR"},  {56, "CL"},  {57, "CO"},  {58, "VE"},  {60, "MY"},  {61, "AU"},
    {62, "ID"},  {63, "PH"},  {64, "NZ"},  {65, "SG"},  {66, "TH"},  {81, "JP"},  {82, "KR"},
    {84, "VN"},  {86, "CN"},  {90, "TR"},  {91, "IN"},  {92, "PK"},  {93, "AF"},  {94, "LK"},
    {95, "MM"},  {98, "IR"},  {351, "PT"}, {352, "LU"}, {353, "IE"}, {354, "IS"}, {355, "AL"},
    {356, "MT"}, {357, "CY"}, {358, "FI"}, {359, "BG"}, {370, "LT"}, {371, "LV"}, {372, "EE"},
    {380, "UA"}, {381, "RS"}, {385, "HR"}, {386, "SI"}, {420, "CZ"}, {421, "SK"}, {423, "LI"},
    {852, "HK"}, {886, "TW"}, {971, "AE"}, {972, "IL"}, {966, "SA"}};

constexpr std::string_view kContextWordList[] = {
    "tel",           "telefon",  "telephone", "telephones", "phone", "phones",    "mobile",
    "mobil",         "cell",     "cellphone", "fax",        "handy", "call",      "telefono",
    "movil",         "celular",  "telefone",  "whatsapp",   "sms",   "rufnummer", "mobilnummer",
    "telefonnummer", "telefoon", "hotline",   "msisdn"};
constexpr ContextWords kContext = kContextWordList;

struct Digits {
  std::array<uint8_t, kMaxDigits> values{};
  size_t count = 0;
  size_t groups = 1;
  size_t end = 0;
  bool too_many = false;

  int Value(size_t from, size_t n) const {
    int value = 0;
    for (size_t i = from; i < from + n; ++i) value = value * 10 + values[i];
    return value;
  }
};

// Digits with up to three of " -./()" between groups; a trunk prefix "(0)" is passed over.
Digits ReadDigits(const Window& window, size_t at, size_t wanted) {
  Digits digits;
  for (size_t i = at; digits.count < wanted;) {
    if (IsDigit(window[i])) {
      digits.values[digits.count++] = static_cast<uint8_t>(window[i] - '0');
      digits.end = ++i;
      continue;
    }
    const auto is_separator = [](unsigned char unit) {
      return unit == ' ' || unit == '-' || unit == '.' || unit == '/' || unit == '(' || unit == ')';
    };
    size_t next = RunEnd(window, i, 3, is_separator);
    if (next > i && window[next - 1] == '(' && StartsWith(window, next, "0)")) {
      next = RunEnd(window, next + 2, 1, is_separator);
    }
    if (next == i || !IsDigit(window[next])) break;
    ++digits.groups;
    i = next;
  }
  digits.too_many = digits.count == wanted && IsDigit(window[digits.end]);
  return digits;
}

// Area code and exchange of the North American plan, from the digit `from` on.
bool IsNorthAmerican(const Digits& digits, size_t from) {
  const auto starts_well = [&](size_t i) { return digits.values[i] >= 2; };
  return starts_well(from) && starts_well(from + 3) &&
         !(digits.values[from + 1] == 1 && digits.values[from + 2] == 1);
}

bool IsAssigned(int two, int three) {
  if (two == 20 || two == 27 || (two >= 30 && two <= 34) || two == 36 || two == 39) return true;
  if ((two >= 40 && two <= 49 && two != 42) || (two >= 51 && two <= 58)) return true;
  if ((two >= 60 && two <= 66) || two == 81 || two == 82 || two == 84 || two == 86) return true;
  if ((two >= 90 && two <= 95) || two == 98) return true;
  return (three >= 211 && three <= 299) || (three >= 350 && three <= 359) ||
         (three >= 370 && three <= 389) || (three >= 420 && three <= 423) ||
         (three >= 500 && three <= 509) || (three >= 590 && three <= 599) ||
         (three >= 670 && three <= 692) || (three >= 850 && three <= 886) ||
         (three >= 960 && three <= 979) || (three >= 992 && three <= 998);
}

std::string_view JurisdictionOf(const Digits& digits) {
  for (const CallingCode& entry : kCodes) {
    const size_t length = entry.code < 100 ? 2 : 3;
    if (digits.Value(0, length) == entry.code) return entry.jurisdiction;
  }
  return "";
}

bool ProbeInternational(const Window& window, size_t at, Match& match) {
  const unsigned char before = window[at - 1];
  if (IsWord(before) || before == '+') return false;
  const bool north_american = window[at + 1] == '1';
  const Digits digits = ReadDigits(window, at + 1, north_american ? 11 : kMaxDigits);
  if (digits.too_many || !WordEnds(window, digits.end)) return false;
  if (north_american) {
    if (digits.count != 11 || !IsNorthAmerican(digits, 1)) return false;
  } else if (digits.values[0] == 7) {
    if (digits.count != 11) return false;
  } else if (digits.count < 8 || !IsAssigned(digits.Value(0, 2), digits.Value(0, 3))) {
    return false;
  }
  match = {.start = at,
           .end = digits.end,
           .confidence = digits.groups > 1 ? 0.95f : 0.9f,
           .jurisdiction = JurisdictionOf(digits)};
  return true;
}

// (415) 555-2671, 415-555-2671, 415.555.2671, 1-415-555-2671; spaces alone say too little.
bool ProbeNorthAmerican(const Window& window, size_t at, Match& match) {
  size_t i = at;
  if (window[i] == '1' && (window[i + 1] == '-' || window[i + 1] == '.')) i += 2;
  const bool parens = window[i] == '(';
  const Digits digits = ReadDigits(window, i + (parens ? 1 : 0), 10);
  if (digits.count != 10 || digits.too_many || digits.groups != 3 ||
      !WordEnds(window, digits.end) || !IsNorthAmerican(digits, 0) ||
      (window[digits.end] == '-' && IsDigit(window[digits.end + 1]))) {
    return false;
  }
  const unsigned char before_last = window[digits.end - 5];
  if (before_last != '-' && before_last != '.' && !(parens && before_last == ' ')) return false;
  const size_t exchange_end = digits.end - 5;
  if (!IsDigit(window[exchange_end - 1]) || !IsDigit(window[exchange_end - 3]) ||
      IsDigit(window[exchange_end - 4])) {
    return false;
  }
  if (parens ? window[i + 4] != ')' : window[exchange_end - 4] != before_last) return false;
  match = {.start = at, .end = digits.end, .confidence = 0.8f};
  return true;
}

bool LooksLikeDate(const Window& window, size_t at) {
  const Number number = ReadNumber(window, at, "-./");
  if (number.count != 8) return false;
  const auto is_year = [](int year) { return year >= 1900 && year < 2100; };
  return (number.Grouped({4, 2, 2}) && is_year(number.Value(0, 4))) ||
         (number.Grouped({2, 2, 4}) && is_year(number.Value(4, 4)));
}

bool ProbeWithContext(const Window& window, size_t at, Match& match) {
  const Digits digits = ReadDigits(window, at, kMaxDigits);
  if (digits.count < 7 || digits.too_many || !WordEnds(window, digits.end)) return false;
  size_t back = at;
  while (at - back < 20 && window[back - 1] != 0 && !IsDigit(window[back - 1]) &&
         window[back - 1] != '\n') {
    --back;
  }
  if (!Near(window, at, at - back, kContext) || LooksLikeDate(window, at)) return false;
  match = {.start = at, .end = digits.end, .confidence = 0.75f};
  return true;
}

bool ProbePhone(const Window& window, size_t at, size_t, Match& match) {
  if (window[at] == '+') return ProbeInternational(window, at, match);
  if (!NumberMayStart(window, at)) return false;
  if (window[at - 1] == '+' || window[at - 1] == '(') return false;
  if (window[at - 1] == '-' && IsWord(window[at - 2])) return false;
  return ProbeNorthAmerican(window, at, match) || ProbeWithContext(window, at, match);
}

}  // namespace

constinit const Detector kPhone = {.label = {"Contact", "phone", 2},
                                   .triggers = kOnNumber | kOnPlus | kOnParen,
                                   .min_digits = 7,
                                   .probe = ProbePhone};

}  // namespace portcullis::policy
