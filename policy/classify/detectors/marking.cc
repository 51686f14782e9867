// Protective markings: NATO, European Union, Germany (VSA), United States (banner lines and
// controlled unclassified information). Written in capitals, as the marking rules demand; "NATO
// secret" in a sentence is no marking.
#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/text.h"

namespace portcullis::policy {
namespace {

struct Marking {
  std::string_view text;  // ' ' stands for one to four spaces, dashes or low lines
  Label label;
};
constexpr Label kNatoRestricted = {"Classified", "nato_marking", 2};
constexpr Label kNatoSecret = {"Classified", "nato_marking", 4};
constexpr Label kEuRestricted = {"Classified", "eu_marking", 2};
constexpr Label kEuSecret = {"Classified", "eu_marking", 4};
constexpr Label kGermanRestricted = {"Classified", "de_marking", 2};
constexpr Label kGermanSecret = {"Classified", "de_marking", 4};
constexpr Label kUsControlled = {"Classified", "us_marking", 2};
constexpr Label kUsSecret = {"Classified", "us_marking", 4};

// Of two that begin alike the longer one stands first.
constexpr Marking kMarkings[] = {
    {"COSMIC TOP SECRET ATOMAL", kNatoSecret},
    {"COSMIC TOP SECRET", kNatoSecret},
    {"FOCAL TOP SECRET", kNatoSecret},
    {"NATO SECRET ATOMAL", kNatoSecret},
    {"NATO SECRET", kNatoSecret},
    {"NATO CONFIDENTIAL ATOMAL", kNatoSecret},
    {"NATO CONFIDENTIAL", kNatoSecret},
    {"NATO RESTRICTED", kNatoRestricted},
    {"NATO DIFFUSION RESTREINTE", kNatoRestricted},
    {"NATO UNCLASSIFIED", {"Classified", "nato_marking", 1}},
    {"TRES SECRET UE/EU TOP SECRET", kEuSecret},
    {"TRES SECRET UE", kEuSecret},
    {"EU TOP SECRET", kEuSecret},
    {"SECRET UE/EU SECRET", kEuSecret},
    {"SECRET UE", kEuSecret},
    {"EU SECRET", kEuSecret},
    {"CONFIDENTIEL UE/EU CONFIDENTIAL", kEuSecret},
    {"CONFIDENTIEL UE", kEuSecret},
    {"EU CONFIDENTIAL", kEuSecret},
    {"RESTREINT UE/EU RESTRICTED", kEuRestricted},
    {"RESTREINT UE", kEuRestricted},
    {"EU RESTRICTED", kEuRestricted},
    {"VS NUR FUR DEN DIENSTGEBRAUCH", kGermanRestricted},
    {"VS NUR FUER DEN DIENSTGEBRAUCH", kGermanRestricted},
    {"VS Nur fur den Dienstgebrauch", kGermanRestricted},
    {"VS Nur fuer den Dienstgebrauch", kGermanRestricted},
    {"VS NfD", kGermanRestricted},
    {"VS NFD", kGermanRestricted},
    {"VS VERTRAULICH", kGermanSecret},
    {"VS Vertraulich", kGermanSecret},
    {"STRENG GEHEIM", kGermanSecret},
    {"GEHEIM amtlich geheim gehalten", kGermanSecret},
    {"TOP SECRET//", kUsSecret},
    {"SECRET//", kUsSecret},
    {"CONFIDENTIAL//", kUsSecret},
    {"CUI//", kUsControlled},
    {"CONTROLLED UNCLASSIFIED INFORMATION", kUsControlled},
    {"UNCLASSIFIED//FOR OFFICIAL USE ONLY", kUsControlled},
    {"UNCLASSIFIED//FOUO", kUsControlled},
};

// The first word of each marking.
constexpr auto kLiterals = [] {
  std::array<std::string_view, std::size(kMarkings)> literals{};
  for (size_t i = 0; i < literals.size(); ++i) {
    literals[i] = kMarkings[i].text.substr(0, kMarkings[i].text.find(' '));
    literals[i] = literals[i].substr(0, literals[i].find("//"));
  }
  return literals;
}();

bool IsGap(unsigned char unit) { return Is(unit, kSpace) || unit == '-' || unit == '_'; }

size_t EndOf(const Window& window, size_t at, std::string_view text) {
  constexpr size_t kMaxGap = 4;
  size_t i = at;
  for (const char wanted : text) {
    if (wanted == ' ') {
      const size_t gap = RunEnd(window, i, kMaxGap, IsGap);
      if (gap == i) return at;
      i = gap;
    } else if (window[i] == static_cast<unsigned char>(wanted)) {
      ++i;
    } else {
      return at;
    }
  }
  return i;
}

bool ProbeMarking(const Window& window, size_t at, size_t literal, Match& match) {
  const Marking& marking = kMarkings[literal];
  size_t end = EndOf(window, at, marking.text);
  if (end == at) return false;
  if (marking.text.ends_with("//")) {
    // A banner line goes on with controls: SI//NOFORN, REL TO USA, SP-PRVCY.
    const size_t controls = RunEnd(window, end, 64, [](unsigned char u) {
      return Is(u, kUpper | kDigit) || u == '/' || u == '-' || u == ',' || u == ' ';
    });
    if (!Is(window[end], kUpper)) return false;
    end = controls;
    while (!Is(window[end - 1], kUpper | kDigit)) --end;
  }
  if (!WordEnds(window, end)) return false;
  match = {.start = at, .end = end, .confidence = 0.9f, .label = &marking.label};
  return true;
}

}  // namespace

constinit const Detector kMarking = {.label = {"Classified", "marking", 4},
                                     .triggers = kOnLiteral,
                                     .literals = kLiterals,
                                     .probe = ProbeMarking};

}  // namespace portcullis::policy
