#include "gateway/cli/days.h"

#include <charconv>
#include <chrono>

namespace portcullis::cli {
namespace {

std::optional<unsigned> Digits(std::string_view text) {
  if (text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<uint64_t> DayOf(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = YearOf(text.substr(0, 4)), month = Digits(text.substr(5, 2)), day = Digits(text.substr(8, 2));
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)), std::chrono::month(*month),
                                         std::chrono::day(*day));
  if (!date.ok()) return std::nullopt;
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return static_cast<uint64_t>(days) * kDayUs;
}

std::string NoDay(std::string_view option, std::string_view text) {
  return std::string(option) + ": `" + std::string(text) + "` is no day of the calendar; write a day as 2026-11-22";
}

std::optional<uint32_t> YearOf(std::string_view text) {
  const auto year = text.size() == 4 ? Digits(text) : std::nullopt;
  return year && *year >= 1970 ? year : std::nullopt;
}

}  // namespace portcullis::cli
