// Sorts of units, for the prefilter and the detectors: one table look-up each.
#pragma once

#include <array>
#include <cstdint>

#include "policy/classify/normalize.h"

namespace portcullis::policy {

enum UnitSort : uint8_t {
  kDigit = 1,
  kUpper = 2,
  kLower = 4,
  kForeign = 8,    // a letter that is not ASCII
  kToken = 16,     // alphanumeric, '-', '_': base64url
  kBackward = 32,  // may stand in a match before its trigger: mail addresses, schemes, hex groups
  kSpace = 64,
  kPunct = 128,  // punctuation that is a trigger, or begins a literal
};

constexpr std::array<uint8_t, 256> MakeUnitSorts() {
  std::array<uint8_t, 256> sorts{};
  const auto add = [&](const char* units, int sort) {
    for (; *units; ++units) {
      auto& entry = sorts[static_cast<unsigned char>(*units)];
      entry = static_cast<uint8_t>(entry | sort);
    }
  };
  add("0123456789", kDigit | kToken | kBackward);
  add("ABCDEFGHIJKLMNOPQRSTUVWXYZ", kUpper | kToken | kBackward);
  add("abcdefghijklmnopqrstuvwxyz", kLower | kToken | kBackward);
  add("-_", kToken);
  add("._%+-'", kBackward);
  add(" \t\r\n\v\f", kSpace);
  add("@:+(-", kPunct);
  sorts[static_cast<unsigned char>(Normalizer::kLetter)] = kForeign | kBackward;
  return sorts;
}
inline constexpr std::array<uint8_t, 256> kUnitSorts = MakeUnitSorts();

constexpr bool Is(unsigned char unit, int sorts) { return (kUnitSorts[unit] & sorts) != 0; }
constexpr bool IsDigit(unsigned char unit) { return static_cast<unsigned char>(unit - '0') < 10; }
constexpr bool IsLetter(unsigned char unit) { return Is(unit, kUpper | kLower | kForeign); }
constexpr bool IsAlnum(unsigned char unit) { return Is(unit, kDigit | kUpper | kLower); }
// A unit that a number or a key cannot touch without being part of a longer word.
constexpr bool IsWord(unsigned char unit) { return Is(unit, kDigit | kUpper | kLower | kForeign); }
constexpr bool IsBackward(unsigned char unit) { return Is(unit, kBackward); }
constexpr unsigned char Lower(unsigned char unit) {
  return Is(unit, kUpper) ? static_cast<unsigned char>(unit | 0x20) : unit;
}
constexpr unsigned char Upper(unsigned char unit) {
  return Is(unit, kLower) ? static_cast<unsigned char>(unit & ~0x20) : unit;
}
// -1 when not a hexadecimal digit.
constexpr int HexValue(unsigned char unit) {
  if (IsDigit(unit)) return unit - '0';
  const unsigned char lower = Lower(unit);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace portcullis::policy
