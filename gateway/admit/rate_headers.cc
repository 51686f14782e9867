#include "gateway/admit/rate_headers.h"

#include <array>
#include <cstdio>

namespace portcullis::gateway {

std::string FormatDuration(int64_t ns) {
  if (ns <= 0) return "0s";
  const int64_t total_ms = ns / 1'000'000 + (ns % 1'000'000 != 0 ? 1 : 0);
  if (total_ms < 1000) return std::to_string(total_ms) + "ms";
  const int64_t hours = total_ms / 3'600'000;
  const int64_t minutes = total_ms / 60'000 % 60;
  const int64_t ms = total_ms % 60'000;
  std::string text;
  if (hours > 0) text += std::to_string(hours) + "h";
  if (hours > 0 || minutes > 0) text += std::to_string(minutes) + "m";
  text += std::to_string(ms / 1000);
  if (ms % 1000 != 0) {
    std::array<char, 8> fraction{};
    std::snprintf(fraction.data(), fraction.size(), ".%03d", static_cast<int>(ms % 1000));
    std::string digits = fraction.data();
    digits.erase(digits.find_last_not_of('0') + 1);
    text += digits;
  }
  return text + "s";
}

}  // namespace portcullis::gateway
