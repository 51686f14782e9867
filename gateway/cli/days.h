// Days of the calendar, as people write them: "2026-11-22", from 1970 on, UTC. A day that does not exist, like 31
// February, is none; nothing is rounded to the next one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace portcullis::cli {

inline constexpr uint64_t kDayUs = uint64_t{24} * 3600 * 1'000'000;

// Its first moment, in microseconds.
std::optional<uint64_t> DayOf(std::string_view text);
// What to say of a text that is no day: "--from: `2026-02-31` is no day of the calendar; write a day as 2026-11-22".
std::string NoDay(std::string_view option, std::string_view text);

// A year of four digits, from 1970 on.
std::optional<uint32_t> YearOf(std::string_view text);

}  // namespace portcullis::cli
