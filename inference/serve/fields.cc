#include "inference/serve/fields.h"

#include <boost/json/value.hpp>
#include <cmath>

namespace portcullis::inference {
namespace {

namespace json = boost::json;

ApiError WrongType(std::string_view name, const char* wanted) {
  return BadField(std::string(name), "`" + std::string(name) + "` must be " + wanted,
                  "invalid_type");
}

std::string Plain(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

ApiError OutOfRange(std::string_view name, const std::string& low, const std::string& high) {
  return BadField(std::string(name),
                  "`" + std::string(name) + "` must be between " + low + " and " + high);
}

}  // namespace

const json::value* Fields::Find(std::string_view name) const {
  const json::value* value = object_.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

ApiResult<std::optional<bool>> Fields::Bool(std::string_view name) const {
  const json::value* value = Find(name);
  if (value == nullptr) return std::optional<bool>{};
  if (!value->is_bool()) return WrongType(name, "true or false");
  return std::optional<bool>{value->get_bool()};
}

ApiResult<std::optional<int64_t>> Fields::Int(std::string_view name, int64_t low,
                                              int64_t high) const {
  const json::value* value = Find(name);
  if (value == nullptr) return std::optional<int64_t>{};
  json::error_code error;
  const auto number = value->to_number<int64_t>(error);
  if (!value->is_number() || (error && value->is_double()))
    return WrongType(name, "a whole number");
  if (error || number < low || number > high) {
    return OutOfRange(name, std::to_string(low), std::to_string(high));
  }
  return std::optional<int64_t>{number};
}

ApiResult<std::optional<double>> Fields::Number(std::string_view name, double low,
                                                double high) const {
  const json::value* value = Find(name);
  if (value == nullptr) return std::optional<double>{};
  if (!value->is_number()) return WrongType(name, "a number");
  json::error_code error;
  const auto number = value->to_number<double>(error);
  if (error || !std::isfinite(number) || number < low || number > high) {
    return OutOfRange(name, Plain(low), Plain(high));
  }
  return std::optional<double>{number};
}

ApiResult<std::optional<std::string_view>> Fields::String(std::string_view name) const {
  const json::value* value = Find(name);
  if (value == nullptr) return std::optional<std::string_view>{};
  if (!value->is_string()) return WrongType(name, "a string");
  return std::optional<std::string_view>{value->get_string()};
}

ApiResult<const json::object*> Fields::Object(std::string_view name) const {
  const json::value* value = Find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) return WrongType(name, "an object");
  return value->if_object();
}

}  // namespace portcullis::inference
