#include "policy/classify/detectors/text.h"

#include <algorithm>
#include <bitset>

namespace portcullis::policy {

bool Number::Grouped(std::initializer_list<uint8_t> sizes) const {
  return std::equal(sizes.begin(), sizes.end(), groups.begin(), groups.begin() + group_count);
}

bool Number::SeparatedBy(unsigned char separator) const {
  return std::all_of(separators.begin() + 1, separators.begin() + std::max<size_t>(group_count, 1),
                     [&](uint8_t unit) { return unit == separator; });
}

int Number::Value(size_t from, size_t n) const {
  int value = 0;
  for (size_t i = from; i < from + n; ++i) value = value * 10 + digits[i];
  return value;
}

Number ReadNumber(const Window& window, size_t at, std::string_view separators) {
  Number number;
  number.group_count = 1;
  for (size_t i = at; number.count < Number::kMaxDigits; ++i) {
    const unsigned char unit = window[i];
    if (IsDigit(unit)) {
      number.digits[number.count] = static_cast<uint8_t>(unit - '0');
      number.ends[number.count++] = i + 1;
      ++number.groups[number.group_count - 1];
    } else if (unit != 0 && separators.find(static_cast<char>(unit)) != std::string_view::npos &&
               IsDigit(window[i + 1])) {
      number.separators[number.group_count++] = unit;
    } else {
      break;
    }
  }
  return number;
}

bool NumberMayStart(const Window& window, size_t at) {
  const unsigned char before = window[at - 1];
  if (IsWord(before)) return false;
  return !((before == '.' || before == ',') && IsDigit(window[at - 2]));
}

bool Near(const Window& window, size_t at, size_t distance, const ContextWords& context) {
  const size_t first = at - window.low() > distance ? at - distance : window.low();
  for (size_t i = first; i < at; ++i) {
    const unsigned char unit = window[i];
    if (!Is(unit, kUpper | kLower) || !(context.initials >> (Lower(unit) - 'a') & 1)) continue;
    const unsigned char before = window[i - 1];
    if (IsLetter(before) && !(Is(before, kLower) && Is(unit, kUpper))) continue;
    for (const std::string_view word : context.words) {
      if (word.size() > at - i) continue;
      size_t n = 0;
      while (n < word.size() && Lower(window[i + n]) == static_cast<unsigned char>(word[n])) ++n;
      if (n < word.size()) continue;
      const unsigned char after = window[i + n];
      if (!IsLetter(after) || (Is(window[i + n - 1], kLower) && Is(after, kUpper))) return true;
    }
  }
  return false;
}

bool StartsWith(const Window& window, size_t at, std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (window[at + i] != static_cast<unsigned char>(text[i])) return false;
  }
  return true;
}

bool IsVaried(const Window& window, size_t start, size_t end, size_t wanted) {
  std::bitset<256> seen;
  for (size_t i = start; i < end; ++i) seen.set(window[i]);
  return seen.count() >= wanted;
}

}  // namespace portcullis::policy
