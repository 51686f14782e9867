// What detectors read from a window: numbers in groups, runs of units, words nearby.
#pragma once

#include <array>
#include <initializer_list>
#include <span>
#include <string_view>

#include "policy/classify/detector.h"
#include "policy/classify/units.h"

namespace portcullis::policy {

// Digits in groups with single separators between them.
struct Number {
  static constexpr size_t kMaxDigits = 20;
  std::array<uint8_t, kMaxDigits> digits{};      // values
  std::array<size_t, kMaxDigits> ends{};         // position after each digit
  std::array<uint8_t, kMaxDigits> groups{};      // digits in each group
  std::array<uint8_t, kMaxDigits> separators{};  // unit before each group; 0 for the first
  size_t count = 0;
  size_t group_count = 0;

  std::span<const uint8_t> First(size_t n) const { return {digits.data(), n}; }
  // All groups as listed, nothing more.
  bool Grouped(std::initializer_list<uint8_t> sizes) const;
  bool SeparatedBy(unsigned char separator) const;  // by nothing else
  int Value(size_t from, size_t n) const;           // of n digits
  size_t end() const { return ends[count - 1]; }
};

// At most kMaxDigits; `separators` are the units allowed between groups.
Number ReadNumber(const Window& window, size_t at, std::string_view separators);

// No word, and no decimal point with a digit before it, ends right before `at`.
bool NumberMayStart(const Window& window, size_t at);
// `end` is not inside a word.
inline bool WordEnds(const Window& window, size_t end) { return !IsWord(window[end]); }

// Words that lend weight to a number, in lower case, and the set of their initials.
struct ContextWords {
  template <size_t n>
  constexpr explicit(false) ContextWords(const std::string_view (&list)[n]) : words(list) {
    for (const std::string_view word : list) initials |= 1u << (word[0] - 'a');
  }
  std::span<const std::string_view> words;
  uint32_t initials = 0;
};

// One of the words stands as a whole word within `distance` units before `at`; it may be a part of
// a camelCase or snake_case name.
bool Near(const Window& window, size_t at, size_t distance, const ContextWords& context);

// The units from `at` on are `text`.
bool StartsWith(const Window& window, size_t at, std::string_view text);

// A run of units that `accept` takes, at most `limit` of them; returns its end.
template <class Accept>
size_t RunEnd(const Window& window, size_t at, size_t limit, Accept accept) {
  size_t i = at;
  while (i - at < limit && accept(window[i])) ++i;
  return i;
}

// At least `wanted` different units in [start, end): what a placeholder like "xxxx" has not.
bool IsVaried(const Window& window, size_t start, size_t end, size_t wanted);

}  // namespace portcullis::policy
