#include "audit/report/fields.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace portcullis::audit::fields {

namespace json = boost::json;

json::object Document(const std::vector<Part>* parts, PartType type, uint64_t& unreadable) {
  if (parts == nullptr) return {};
  const auto part = std::ranges::find(*parts, type, &Part::type);
  if (part == parts->end()) return {};
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 32;
  json::value value = json::parse(part->bytes, error, {}, options);
  if (error || !value.is_object()) {
    ++unreadable;
    return {};
  }
  return std::move(value.get_object());
}

std::string Text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::string Line(const json::object& object, std::string_view name) {
  std::string text = Text(object, name);
  std::ranges::replace(text, '\n', ' ');
  return text;
}

uint64_t Number(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr) return 0;
  boost::system::error_code error;
  const auto number = value->to_number<uint64_t>(error);
  return error ? 0 : number;
}

std::vector<std::string> Texts(const json::object& object, std::string_view name) {
  std::vector<std::string> out;
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_array()) return out;
  for (const json::value& item : value->get_array()) {
    if (item.is_string()) out.emplace_back(item.get_string());
  }
  return out;
}

const json::object* Object(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr ? value->if_object() : nullptr;
}

}  // namespace portcullis::audit::fields
