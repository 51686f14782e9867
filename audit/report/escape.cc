#include "audit/report/escape.h"

#include <algorithm>
#include <cstdint>

namespace portcullis::audit {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Length of the well-formed UTF-8 sequence at the start (Unicode 15, table 3-7); 0 where there is none.
size_t SequenceLength(std::string_view text, uint32_t& point) {
  const auto byte = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) {
    point = lead;
    return 1;
  }
  const size_t length = lead >= 0xF0 && lead <= 0xF4 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (length == 0 || lead > 0xF4 || text.size() < length) return 0;
  point = lead & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    point = (point << 6) | (byte(i) & 0x3F);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
  return point < kSmallest[length] || point > 0x10FFFF || surrogate ? 0 : length;
}

// U+2028 and U+2029 begin a new line, too.
bool TurnsDirectionOrLine(uint32_t point) {
  return point == 0x2028 || point == 0x2029 || (point >= 0x202A && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069) ||
         point == 0x200E || point == 0x200F || point == 0x061C;
}

// Length of "2026-11-22" or "2026-11-22 08:30:00 UTC" at the start, which no digit follows; 0 where there is none.
size_t TimeLength(std::string_view text) {
  const auto fits = [text](std::string_view form) {
    if (text.size() < form.size()) return false;
    for (size_t i = 0; i < form.size(); ++i) {
      if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i]) return false;
    }
    return text.size() == form.size() || text[form.size()] < '0' || text[form.size()] > '9';
  };
  constexpr std::string_view kTime = "0000-00-00 00:00:00 UTC", kDay = "0000-00-00";
  return fits(kTime) ? kTime.size() : fits(kDay) ? kDay.size() : 0;
}

// Whether it holds more than `limit` bytes without a hyphen.
bool IsUnbroken(std::string_view word, size_t limit) {
  for (size_t run = 0; const char c : word) {
    run = c == '-' ? 0 : run + 1;
    if (run > limit) return true;
  }
  return false;
}

}  // namespace

std::string CellHtml(std::string_view text) {
  constexpr size_t kUnbroken = 24;
  std::string out;
  while (!text.empty()) {
    size_t length = TimeLength(text);
    const char* tag = "time";
    if (length == 0) {
      length = std::min(text.find_first_of(" \n"), text.size());
      tag = IsUnbroken(text.substr(0, length), kUnbroken) ? "span" : nullptr;
    }
    const std::string word = EscapeHtml(text.substr(0, length));
    out += tag == nullptr ? word : "<" + std::string(tag) + ">" + word + "</" + tag + ">";
    text.remove_prefix(length);
    if (text.empty()) break;
    const size_t more = text.front() == ' ' || text.front() == '\n' ? 1 : 0;
    out += text.substr(0, more);
    text.remove_prefix(more);
  }
  return out;
}

std::string EscapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    uint32_t point = 0;
    const size_t length = SequenceLength(text, point);
    if (length == 0 || TurnsDirectionOrLine(point) || (point >= 0x7F && point < 0xA0)) {
      out += kReplacement;
    } else if (point == '&') {
      out += "&amp;";
    } else if (point == '<') {
      out += "&lt;";
    } else if (point == '>') {
      out += "&gt;";
    } else if (point == '"') {
      out += "&quot;";
    } else if (point == '\'') {
      out += "&#39;";
    } else if (point < 0x20 && point != '\n') {
      // The pictures of control characters begin at U+2400.
      out += "\xE2\x90";
      out += static_cast<char>(0x80 + point);
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

}  // namespace portcullis::audit
