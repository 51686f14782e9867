#include "inference/model/json.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

namespace portcullis::inference {
namespace {
constexpr size_t kMaxDepth = 32;
constexpr size_t kMaxShown = 80;

std::string Shown(const boost::json::value& value) {
  std::string text = boost::json::serialize(value);
  if (text.size() > kMaxShown) text = text.substr(0, kMaxShown) + "…";
  return "`" + text + "`";
}

template <class T>
std::string Text(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    return boost::json::serialize(boost::json::value(value));
  } else {
    return std::to_string(value);
  }
}
}  // namespace

Result<boost::json::object> ParseJsonObject(std::string_view text, std::string_view where) {
  boost::json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(boost::json::string_view(text.data(), text.size()),
                                                error, {}, options);
  if (error) {
    return Error{Code::kBadFile, std::string(where) + " is not valid JSON: " + error.message()};
  }
  if (!value.is_object()) {
    return Error{Code::kBadFile, std::string(where) + " does not hold a JSON object"};
  }
  return std::move(value.get_object());
}

const boost::json::value* JsonFields::Find(std::string_view key) const {
  const auto* value = object_.if_contains(boost::json::string_view(key.data(), key.size()));
  return value == nullptr || value->is_null() ? nullptr : value;
}

Error JsonFields::Bad(std::string_view key, const std::string& problem) const {
  return {Code::kBadConfig, where_ + ": `" + std::string(key) + "` " + problem};
}

Result<int64_t> JsonFields::Int(std::string_view key, int64_t least, int64_t most,
                                std::optional<int64_t> fallback) const {
  const auto* value = Find(key);
  if (value == nullptr) {
    if (fallback) return *fallback;
    return Bad(key, "is missing");
  }
  boost::system::error_code error;
  const int64_t number = value->is_number() ? value->to_number<int64_t>(error) : 0;
  if (!value->is_number() || error || number < least || number > most) {
    return Bad(key, "is " + Shown(*value) + "; an integer from " + Text(least) + " to " +
                        Text(most) + " is expected");
  }
  return number;
}

Result<double> JsonFields::Float(std::string_view key, double least, double most,
                                 std::optional<double> fallback) const {
  const auto* value = Find(key);
  if (value == nullptr) {
    if (fallback) return *fallback;
    return Bad(key, "is missing");
  }
  boost::system::error_code error;
  const double number = value->is_number() ? value->to_number<double>(error) : 0;
  if (!value->is_number() || error || !(number >= least) || !(number <= most)) {
    return Bad(key, "is " + Shown(*value) + "; a number from " + Text(least) + " to " + Text(most) +
                        " is expected");
  }
  return number;
}

Result<bool> JsonFields::Bool(std::string_view key, std::optional<bool> fallback) const {
  const auto* value = Find(key);
  if (value == nullptr) {
    if (fallback) return *fallback;
    return Bad(key, "is missing");
  }
  if (!value->is_bool()) return Bad(key, "is " + Shown(*value) + ", not true or false");
  return value->get_bool();
}

Result<std::string> JsonFields::String(std::string_view key,
                                       std::optional<std::string> fallback) const {
  const auto* value = Find(key);
  if (value == nullptr) {
    if (fallback) return *fallback;
    return Bad(key, "is missing");
  }
  if (!value->is_string()) return Bad(key, "is " + Shown(*value) + ", not a string");
  return std::string(value->get_string().data(), value->get_string().size());
}

Result<const boost::json::object*> JsonFields::Object(std::string_view key) const {
  const auto* value = Find(key);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) return Bad(key, "is " + Shown(*value) + ", not an object");
  return &value->get_object();
}

}  // namespace portcullis::inference
