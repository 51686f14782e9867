// International bank account numbers (ISO 13616): country, its length, MOD 97-10. In one piece, in
// groups of four, or in any grouping where the word IBAN stands before.
#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/checksum.h"
#include "policy/classify/detectors/text.h"

namespace portcullis::policy {
namespace {

struct Country {
  std::string_view code;
  uint8_t length;
};
constexpr Country kCountries[] = {
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22},
    {"BH", 22}, {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24},
    {"DE", 22}, {"DJ", 27}, {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18},
    {"FK", 18}, {"FO", 18}, {"FR", 27}, {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27},
    {"GT", 28}, {"HN", 28}, {"HR", 21}, {"HU", 28}, {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26},
    {"IT", 27}, {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20},
    {"LU", 20}, {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19}, {"MN", 20},
    {"MR", 27}, {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23}, {"PK", 24},
    {"PL", 28}, {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33}, {"SA", 24},
    {"SC", 31}, {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25},
    {"SV", 28}, {"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20},
    {"YE", 30}};
constexpr size_t kCountryCount = std::size(kCountries);

constexpr auto kSmallCodes = [] {
  std::array<char, kCountryCount * 2> small{};
  for (size_t i = 0; i < small.size(); ++i) {
    small[i] = static_cast<char>(kCountries[i / 2].code[i % 2] | 0x20);
  }
  return small;
}();
constexpr auto kLiterals = [] {
  std::array<std::string_view, kCountryCount * 2> literals{};
  for (size_t i = 0; i < kCountryCount; ++i) {
    literals[i] = kCountries[i].code;
    literals[kCountryCount + i] = std::string_view(kSmallCodes.data() + 2 * i, 2);
  }
  return literals;
}();

constexpr std::string_view kContextWordList[] = {"iban"};
constexpr ContextWords kContext = kContextWordList;

bool ProbeIban(const Window& window, size_t at, size_t literal, Match& match) {
  if (!IsDigit(window[at + 3]) && !Is(window[at + 3], kSpace)) return false;
  const Country& country = kCountries[literal % kCountryCount];
  std::array<unsigned char, 34> text{};
  size_t count = 0;
  size_t group = 0;
  bool fours = true;
  bool grouped = false;
  size_t i = at;
  for (; count < country.length; ++i) {
    const unsigned char unit = window[i];
    if (IsAlnum(unit)) {
      text[count++] = unit;
      ++group;
    } else if ((unit == ' ' || unit == '-') && IsAlnum(window[i + 1])) {
      fours = fours && group == 4;
      grouped = true;
      group = 0;
    } else {
      return false;
    }
  }
  if (!WordEnds(window, i)) return false;
  if (grouped && !(fours && group <= 4) && !Near(window, at, 24, kContext)) return false;
  Mod97 sum;
  for (size_t k = 4; k < count; ++k) sum.Put(text[k]);
  for (size_t k = 0; k < 4; ++k) sum.Put(text[k]);
  if (sum.value() != 1) return false;
  match = {.start = at, .end = i, .confidence = 0.98f, .jurisdiction = country.code};
  return true;
}

}  // namespace

constinit const Detector kIban = {.label = {"Financial", "iban", 3},
                                  .triggers = kOnLiteral,
                                  .literals = kLiterals,
                                  .follow = kDigit,
                                  .probe = ProbeIban};

}  // namespace portcullis::policy
