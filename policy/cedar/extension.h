// Cedar's extension types: ipaddr, decimal, datetime and duration. Their text forms, and the table
// of extension functions with arity, argument kinds and result. Pure functions; errors are kValue
// (malformed text, overflow), kValidation (wrong argument).
#pragma once

#include <optional>
#include <span>

#include "policy/cedar/value.h"

namespace portcullis::policy::cedar {

enum class Function : uint8_t {
  kIp,
  kDecimal,
  kDatetime,
  kDuration,
  kLessThan,
  kLessThanOrEqual,
  kGreaterThan,
  kGreaterThanOrEqual,
  kIsIpv4,
  kIsIpv6,
  kIsLoopback,
  kIsMulticast,
  kIsInRange,
  kOffset,
  kDurationSince,
  kToDate,
  kToTime,
  kToMilliseconds,
  kToSeconds,
  kToMinutes,
  kToHours,
  kToDays,
};

struct FunctionInfo {
  Function function;
  std::string_view name;
  bool method;  // called as x.name(…), otherwise name(…)
  uint8_t arity;
  Kind arguments[2];
  Kind result;
};

const FunctionInfo& InfoOf(Function function);
std::optional<Function> FunctionNamed(std::string_view name);
// A constructor takes one string literal: ip, decimal, datetime, duration.
inline bool IsConstructor(Function function) { return function <= Function::kDuration; }

Result<Value> Call(Function function, std::span<const Value> arguments);

Result<IpRange> ParseIpRange(std::string_view text);
Result<int64_t> ParseDecimalText(std::string_view text);
Result<int64_t> ParseDatetimeText(std::string_view text);
Result<int64_t> ParseDurationText(std::string_view text);

std::string IpText(const IpRange& range);
std::string DecimalText(int64_t ten_thousandths);
// An expression: datetime("…"), with .offset(…) for times that the literal cannot carry.
std::string DatetimeText(int64_t milliseconds);

}  // namespace portcullis::policy::cedar
