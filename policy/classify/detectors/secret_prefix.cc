// Keys known by their prefix: the prefix, then a run of the key's alphabet of the right length,
// with enough different units that it is no placeholder.
#include "policy/classify/detectors/secret_prefix.h"

#include "policy/classify/detectors/all.h"
#include "policy/classify/detectors/text.h"

namespace portcullis::policy {
namespace {

bool Takes(KeyAlphabet alphabet, unsigned char unit) {
  switch (alphabet) {
    case KeyAlphabet::kAlnum:
      return IsAlnum(unit);
    case KeyAlphabet::kUpperDigit:
      return Is(unit, kUpper | kDigit);
    case KeyAlphabet::kHex:
      return HexValue(unit) >= 0;
    case KeyAlphabet::kBase64Url:
      return Is(unit, kToken);
    case KeyAlphabet::kDotted:
      return Is(unit, kToken) || unit == '.';
    case KeyAlphabet::kBase64:
      return Is(unit, kToken) || unit == '+' || unit == '/' || unit == '=';
  }
  return false;
}

bool ProbePrefix(const Window& window, size_t at, size_t literal, Match& match) {
  const SecretPrefix& entry = kSecretPrefixTable[literal];
  const size_t body = at + entry.prefix.size();
  const size_t end = RunEnd(window, body, entry.max + 1u,
                            [&](unsigned char u) { return Takes(entry.alphabet, u); });
  if (end - body < entry.min || end - body > entry.max || !WordEnds(window, end)) return false;
  if (!IsVaried(window, body, end, 8)) return false;
  match = {.start = at, .end = end, .confidence = 0.95f, .label = &entry.label};
  return true;
}

}  // namespace

// Its literals live in another file, so they are bound when the set is built.
const Detector& SecretPrefixDetector() {
  static const Detector detector = {.label = {"Secret", "api_key", 4},
                                    .triggers = kOnLiteral,
                                    .literals = kSecretPrefixLiterals,
                                    .probe = ProbePrefix};
  return detector;
}

}  // namespace portcullis::policy
