// Time as the gateway's steps see it. Production code uses SystemClock; tests inject a clock that
// they move by hand, so no test sleeps. Both readings are thread-safe and never fail.
#pragma once

#include <chrono>
#include <cstdint>

namespace portcullis::gateway {

class Clock {
 public:
  virtual ~Clock() = default;

  // Nanoseconds of a clock that never goes back; the origin is arbitrary. For rates and delays.
  virtual int64_t MonotonicNs() const = 0;

  // Seconds since 1970 (UTC). For expiry dates, days and months of budgets.
  virtual int64_t UnixSeconds() const = 0;
};

class SystemClock final : public Clock {
 public:
  int64_t MonotonicNs() const override {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
  int64_t UnixSeconds() const override {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

// Days since 1970 and months since January 1970 (UTC) of a reading of UnixSeconds().
inline int32_t DayOf(int64_t unix_seconds) {
  const auto seconds = std::chrono::sys_seconds{std::chrono::seconds{unix_seconds}};
  return static_cast<int32_t>(
      std::chrono::floor<std::chrono::days>(seconds).time_since_epoch().count());
}

inline int32_t MonthOf(int64_t unix_seconds) {
  const std::chrono::year_month_day date{std::chrono::floor<std::chrono::days>(
      std::chrono::sys_seconds{std::chrono::seconds{unix_seconds}})};
  return (static_cast<int>(date.year()) - 1970) * 12 +
         static_cast<int>(static_cast<unsigned>(date.month())) - 1;
}

// Seconds since 1970 at which the given day or month begins.
inline int64_t StartOfDay(int32_t day) { return int64_t{day} * 86400; }

inline int64_t StartOfMonth(int32_t month) {
  const std::chrono::year_month_day date{std::chrono::year{1970 + month / 12},
                                         std::chrono::month{static_cast<unsigned>(month % 12 + 1)},
                                         std::chrono::day{1}};
  return int64_t{std::chrono::sys_days{date}.time_since_epoch().count()} * 86400;
}

}  // namespace portcullis::gateway
