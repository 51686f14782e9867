#include "policy/cedar/extension.h"

#include <algorithm>
#include <array>

namespace portcullis::policy::cedar {
namespace {

constexpr int64_t kDayMilliseconds = 86'400'000;

constexpr std::array<FunctionInfo, 22> kFunctions = {{
    {Function::kIp, "ip", false, 1, {Kind::kString, Kind::kBool}, Kind::kIp},
    {Function::kDecimal, "decimal", false, 1, {Kind::kString, Kind::kBool}, Kind::kDecimal},
    {Function::kDatetime, "datetime", false, 1, {Kind::kString, Kind::kBool}, Kind::kDatetime},
    {Function::kDuration, "duration", false, 1, {Kind::kString, Kind::kBool}, Kind::kDuration},
    {Function::kLessThan, "lessThan", true, 2, {Kind::kDecimal, Kind::kDecimal}, Kind::kBool},
    {Function::kLessThanOrEqual,
     "lessThanOrEqual",
     true,
     2,
     {Kind::kDecimal, Kind::kDecimal},
     Kind::kBool},
    {Function::kGreaterThan, "greaterThan", true, 2, {Kind::kDecimal, Kind::kDecimal}, Kind::kBool},
    {Function::kGreaterThanOrEqual,
     "greaterThanOrEqual",
     true,
     2,
     {Kind::kDecimal, Kind::kDecimal},
     Kind::kBool},
    {Function::kIsIpv4, "isIpv4", true, 1, {Kind::kIp, Kind::kBool}, Kind::kBool},
    {Function::kIsIpv6, "isIpv6", true, 1, {Kind::kIp, Kind::kBool}, Kind::kBool},
    {Function::kIsLoopback, "isLoopback", true, 1, {Kind::kIp, Kind::kBool}, Kind::kBool},
    {Function::kIsMulticast, "isMulticast", true, 1, {Kind::kIp, Kind::kBool}, Kind::kBool},
    {Function::kIsInRange, "isInRange", true, 2, {Kind::kIp, Kind::kIp}, Kind::kBool},
    {Function::kOffset, "offset", true, 2, {Kind::kDatetime, Kind::kDuration}, Kind::kDatetime},
    {Function::kDurationSince,
     "durationSince",
     true,
     2,
     {Kind::kDatetime, Kind::kDatetime},
     Kind::kDuration},
    {Function::kToDate, "toDate", true, 1, {Kind::kDatetime, Kind::kBool}, Kind::kDatetime},
    {Function::kToTime, "toTime", true, 1, {Kind::kDatetime, Kind::kBool}, Kind::kDuration},
    {Function::kToMilliseconds,
     "toMilliseconds",
     true,
     1,
     {Kind::kDuration, Kind::kBool},
     Kind::kLong},
    {Function::kToSeconds, "toSeconds", true, 1, {Kind::kDuration, Kind::kBool}, Kind::kLong},
    {Function::kToMinutes, "toMinutes", true, 1, {Kind::kDuration, Kind::kBool}, Kind::kLong},
    {Function::kToHours, "toHours", true, 1, {Kind::kDuration, Kind::kBool}, Kind::kLong},
    {Function::kToDays, "toDays", true, 1, {Kind::kDuration, Kind::kBool}, Kind::kLong},
}};

bool Covers(const IpRange& range, const IpRange& inner) {
  if (range.v6 != inner.v6 || inner.prefix < range.prefix) return false;
  const size_t whole = range.prefix / 8;
  const int rest = range.prefix % 8;
  if (!std::equal(range.address.begin(), range.address.begin() + whole, inner.address.begin())) {
    return false;
  }
  if (rest == 0) return true;
  const int mask = 0xFF << (8 - rest);
  return ((range.address[whole] ^ inner.address[whole]) & mask & 0xFF) == 0;
}

bool IsLoopback(const IpRange& range) {
  if (!range.v6) return range.address[0] == 127 && range.prefix >= 8;
  return range.prefix == 128 && range.address[15] == 1 &&
         std::all_of(range.address.begin(), range.address.end() - 1,
                     [](uint8_t byte) { return byte == 0; });
}

bool IsMulticast(const IpRange& range) {
  if (!range.v6) return (range.address[0] & 0xF0) == 0xE0 && range.prefix >= 4;
  return range.address[0] == 0xFF && range.prefix >= 8;
}

int64_t TimeOfDay(int64_t milliseconds) {
  const int64_t rest = milliseconds % kDayMilliseconds;
  return rest < 0 ? rest + kDayMilliseconds : rest;
}

Error Overflow(std::string_view what) {
  return {Code::kValue, "`" + std::string(what) + "` leaves the range of 64 bits"};
}

}  // namespace

const FunctionInfo& InfoOf(Function function) { return kFunctions[static_cast<size_t>(function)]; }

std::optional<Function> FunctionNamed(std::string_view name) {
  for (const FunctionInfo& info : kFunctions) {
    if (info.name == name) return info.function;
  }
  return std::nullopt;
}

Result<Value> Call(Function function, std::span<const Value> arguments) {
  const FunctionInfo& info = InfoOf(function);
  if (arguments.size() != info.arity) {
    return Error{Code::kValidation, "`" + std::string(info.name) + "` takes " +
                                        std::to_string(info.arity) + " arguments, got " +
                                        std::to_string(arguments.size())};
  }
  for (size_t i = 0; i < info.arity; ++i) {
    if (arguments[i].kind() != info.arguments[i]) {
      return Error{Code::kValidation, "type error in `" + std::string(info.name) + "`: expected " +
                                          std::string(NameOf(info.arguments[i])) + ", got " +
                                          std::string(NameOf(arguments[i].kind()))};
    }
  }
  const Value& first = arguments[0];
  int64_t number = 0;
  switch (function) {
    case Function::kIp:
      return Value::ParseIp(first.string());
    case Function::kDecimal:
      return Value::ParseDecimal(first.string());
    case Function::kDatetime:
      return Value::ParseDatetime(first.string());
    case Function::kDuration:
      return Value::ParseDuration(first.string());
    case Function::kLessThan:
      return Value::Bool(first.long_value() < arguments[1].long_value());
    case Function::kLessThanOrEqual:
      return Value::Bool(first.long_value() <= arguments[1].long_value());
    case Function::kGreaterThan:
      return Value::Bool(first.long_value() > arguments[1].long_value());
    case Function::kGreaterThanOrEqual:
      return Value::Bool(first.long_value() >= arguments[1].long_value());
    case Function::kIsIpv4:
      return Value::Bool(!first.ip().v6);
    case Function::kIsIpv6:
      return Value::Bool(first.ip().v6);
    case Function::kIsLoopback:
      return Value::Bool(IsLoopback(first.ip()));
    case Function::kIsMulticast:
      return Value::Bool(IsMulticast(first.ip()));
    case Function::kIsInRange:
      return Value::Bool(Covers(arguments[1].ip(), first.ip()));
    case Function::kOffset:
      if (__builtin_add_overflow(first.long_value(), arguments[1].long_value(), &number)) {
        return Overflow(info.name);
      }
      return Value::Datetime(number);
    case Function::kDurationSince:
      if (__builtin_sub_overflow(first.long_value(), arguments[1].long_value(), &number)) {
        return Overflow(info.name);
      }
      return Value::Duration(number);
    case Function::kToDate:  // rounds towards the past, also before 1970
      if (__builtin_sub_overflow(first.long_value(), TimeOfDay(first.long_value()), &number)) {
        return Overflow(info.name);
      }
      return Value::Datetime(number);
    case Function::kToTime:
      return Value::Duration(TimeOfDay(first.long_value()));
    case Function::kToMilliseconds:
      return Value::Long(first.long_value());
    case Function::kToSeconds:
      return Value::Long(first.long_value() / 1000);
    case Function::kToMinutes:
      return Value::Long(first.long_value() / 60'000);
    case Function::kToHours:
      return Value::Long(first.long_value() / 3'600'000);
    case Function::kToDays:
      return Value::Long(first.long_value() / kDayMilliseconds);
  }
  return Error{Code::kValidation, "unknown function"};
}

}  // namespace portcullis::policy::cedar
