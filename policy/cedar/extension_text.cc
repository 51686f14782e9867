// The text forms of the extension types, read and written.
#include <array>
#include <cstdio>
#include <limits>

#include "policy/cedar/extension.h"
#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

Error Malformed(std::string_view what, std::string_view text, std::string_view expected) {
  constexpr size_t kShown = 60;
  return {Code::kValue, Quoted(Front(text, kShown)) + " is no " + std::string(what) +
                            ": expected " + std::string(expected)};
}

// Exactly `count` digits from the front of `text`.
bool TakeDigits(std::string_view& text, size_t count, int& out) {
  if (text.size() < count) return false;
  out = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!IsDigit(text[i])) return false;
    out = out * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return true;
}

bool Take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

// Days from 1970-01-01 in the proleptic Gregorian calendar; years count from March so that the
// leap day comes last, in eras of 400 years.
int64_t DaysFromCivil(int year, int month, int day) {
  const int64_t shifted = month <= 2 ? int64_t{year} - 1 : year;
  const int64_t era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const int64_t year_of_era = shifted - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

bool IsDate(int year, int month, int day) {
  constexpr std::array<int, 12> kLengths = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= kLengths[static_cast<size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

bool ParseV4(std::string_view text, IpRange& range) {
  for (size_t i = 0; i < 4; ++i) {
    if (i > 0 && !Take(text, '.')) return false;
    size_t length = 0;
    int octet = 0;
    while (length < text.size() && length < 4 && IsDigit(text[length])) {
      octet = octet * 10 + (text[length++] - '0');
    }
    if (length == 0 || length > 3 || octet > 255 || (length > 1 && text[0] == '0')) return false;
    range.address[i] = static_cast<uint8_t>(octet);
    text.remove_prefix(length);
  }
  return text.empty();
}

bool TakeGroup(std::string_view& text, int& group) {
  size_t length = 0;
  group = 0;
  while (length < text.size() && length < 5) {
    const char c = text[length];
    int digit = 0;
    if (IsDigit(c)) {
      digit = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = c - 'A' + 10;
    } else {
      break;
    }
    group = group * 16 + digit;
    ++length;
  }
  if (length == 0 || length > 4) return false;
  text.remove_prefix(length);
  return true;
}

bool ParseV6(std::string_view text, IpRange& range) {
  std::array<int, 8> groups{};
  size_t count = 0;
  size_t gap = 8;  // index of the group that `::` stands before; 8 without
  if (text.substr(0, 2) == "::") {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    if (count == 8 || !TakeGroup(text, groups[count])) return false;
    ++count;
    if (text.empty()) break;
    if (!Take(text, ':')) return false;
    if (Take(text, ':')) {
      if (gap != 8) return false;
      gap = count;
    } else if (text.empty()) {
      return false;
    }
  }
  if (gap == 8 ? count != 8 : count > 7) return false;
  const size_t shift = 8 - count;
  for (size_t i = 0; i < count; ++i) {
    const size_t at = i < gap ? i : i + shift;
    range.address[2 * at] = static_cast<uint8_t>(groups[i] >> 8);
    range.address[2 * at + 1] = static_cast<uint8_t>(groups[i] & 0xFF);
  }
  return true;
}

}  // namespace

Result<IpRange> ParseIpRange(std::string_view text) {
  constexpr std::string_view kExpected = "an IPv4 or IPv6 address, optionally with /prefix";
  IpRange range;
  const size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  range.v6 = address.find(':') != std::string_view::npos;
  const int limit = range.v6 ? 128 : 32;
  if (!(range.v6 ? ParseV6(address, range) : ParseV4(address, range))) {
    return Malformed("ip address", text, kExpected);
  }
  int prefix = limit;
  if (slash != std::string_view::npos) {
    std::string_view rest = text.substr(slash + 1);
    const bool padded = rest.size() > 1 && rest[0] == '0';
    if (rest.size() > 3 || padded || !TakeDigits(rest, rest.size(), prefix) ||
        text.size() == slash + 1 || prefix > limit) {
      return Malformed("ip address", text, kExpected);
    }
  }
  range.prefix = static_cast<uint8_t>(prefix);
  return range;
}

Result<int64_t> ParseDecimalText(std::string_view text) {
  constexpr std::string_view kExpected =
      "digits, a point and one to four digits, between -922337203685477.5808 and "
      "922337203685477.5807";
  std::string_view rest = text;
  const bool negative = Take(rest, '-');
  const size_t point = rest.find('.');
  if (point == std::string_view::npos || point == 0) return Malformed("decimal", text, kExpected);
  const size_t places = rest.size() - point - 1;
  if (places < 1 || places > 4) return Malformed("decimal", text, kExpected);
  int64_t value = 0;
  const auto push = [&](int digit) {
    return !__builtin_mul_overflow(value, int64_t{10}, &value) &&
           !__builtin_add_overflow(value, int64_t{negative ? -digit : digit}, &value);
  };
  for (size_t i = 0; i < rest.size(); ++i) {
    if (i == point) continue;
    if (!IsDigit(rest[i]) || !push(rest[i] - '0')) return Malformed("decimal", text, kExpected);
  }
  for (size_t i = places; i < 4; ++i) {
    if (!push(0)) return Malformed("decimal", text, kExpected);
  }
  return value;
}

Result<int64_t> ParseDatetimeText(std::string_view text) {
  const Error error =
      Malformed("datetime", text, "YYYY-MM-DD, optionally Thh:mm:ss, .SSS and Z or +hhmm");
  std::string_view rest = text;
  int year = 0, month = 0, day = 0;
  if (!TakeDigits(rest, 4, year) || !Take(rest, '-') || !TakeDigits(rest, 2, month) ||
      !Take(rest, '-') || !TakeDigits(rest, 2, day) || !IsDate(year, month, day)) {
    return error;
  }
  int64_t value = DaysFromCivil(year, month, day) * 86'400'000;
  if (rest.empty()) return value;
  int hour = 0, minute = 0, second = 0, millisecond = 0;
  if (!Take(rest, 'T') || !TakeDigits(rest, 2, hour) || !Take(rest, ':') ||
      !TakeDigits(rest, 2, minute) || !Take(rest, ':') || !TakeDigits(rest, 2, second) ||
      hour > 23 || minute > 59 || second > 59) {
    return error;
  }
  if (Take(rest, '.') && !TakeDigits(rest, 3, millisecond)) return error;
  value += ((hour * 60 + minute) * 60 + second) * int64_t{1000} + millisecond;
  if (rest == "Z") return value;
  const bool east = Take(rest, '+');
  if (!east && !Take(rest, '-')) return error;
  if (!TakeDigits(rest, 2, hour) || !TakeDigits(rest, 2, minute) || !rest.empty() || hour > 23 ||
      minute > 59) {
    return error;
  }
  const int64_t offset = (hour * 60 + minute) * int64_t{60'000};
  return east ? value - offset : value + offset;
}

Result<int64_t> ParseDurationText(std::string_view text) {
  struct Unit {
    std::string_view name;
    int64_t milliseconds;
  };
  constexpr std::array<Unit, 5> kUnits = {
      {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
  const Error error = Malformed("duration", text, "for example 1d2h3m4s5ms, within 64 bits of ms");
  std::string_view rest = text;
  const bool negative = Take(rest, '-');
  if (rest.empty()) return error;
  int64_t total = 0;
  size_t next = 0;  // units come in order, each once
  while (!rest.empty()) {
    int64_t number = 0;
    size_t length = 0;
    for (; length < rest.size() && IsDigit(rest[length]); ++length) {
      const int64_t digit = rest[length] - '0';
      if (__builtin_mul_overflow(number, int64_t{10}, &number) ||
          __builtin_add_overflow(number, negative ? -digit : digit, &number)) {
        return error;
      }
    }
    if (length == 0) return error;
    rest.remove_prefix(length);
    size_t letters = 0;
    while (letters < rest.size() && !IsDigit(rest[letters])) ++letters;
    const std::string_view name = rest.substr(0, letters);
    rest.remove_prefix(letters);
    while (next < kUnits.size() && kUnits[next].name != name) ++next;
    if (next == kUnits.size()) return error;
    if (__builtin_mul_overflow(number, kUnits[next].milliseconds, &number) ||
        __builtin_add_overflow(total, number, &total)) {
      return error;
    }
    ++next;
  }
  return total;
}

std::string IpText(const IpRange& range) {
  std::string text;
  if (range.v6) {
    std::array<char, 8> group{};
    for (size_t i = 0; i < 16; i += 2) {
      const unsigned value = (unsigned{range.address[i]} << 8) | range.address[i + 1];
      std::snprintf(group.data(), group.size(), i == 0 ? "%x" : ":%x", value);
      text += group.data();
    }
  } else {
    for (size_t i = 0; i < 4; ++i) {
      text += (i == 0 ? "" : ".") + std::to_string(range.address[i]);
    }
  }
  if (range.prefix != (range.v6 ? 128 : 32)) text += "/" + std::to_string(range.prefix);
  return text;
}

std::string DecimalText(int64_t ten_thousandths) {
  const bool negative = ten_thousandths < 0;
  const uint64_t magnitude = negative ? 0 - static_cast<uint64_t>(ten_thousandths)
                                      : static_cast<uint64_t>(ten_thousandths);
  std::string places = std::to_string(magnitude % 10000);
  places.insert(0, 4 - places.size(), '0');
  while (places.size() > 1 && places.back() == '0') places.pop_back();
  return (negative ? "-" : "") + std::to_string(magnitude / 10000) + "." + places;
}

std::string DatetimeText(int64_t milliseconds) {
  return "datetime(\"1970-01-01\").offset(duration(\"" + std::to_string(milliseconds) + "ms\"))";
}

}  // namespace portcullis::policy::cedar
