// Reading of JSON configuration files with limits: depth, size, and typed fields with ranges.
// Every error names the file, the field, what it holds and what was expected.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "inference/error.h"

namespace portcullis::inference {

// Parses one JSON object. `where` names the text in messages.
Result<boost::json::object> ParseJsonObject(std::string_view text, std::string_view where);

// Typed access to the fields of an object that must outlive it. A field that is null counts as
// absent; an absent field gives the fallback, or kBadConfig where there is none.
class JsonFields {
 public:
  JsonFields(const boost::json::object& object, std::string where)
      : object_(object), where_(std::move(where)) {}

  bool Has(std::string_view key) const { return Find(key) != nullptr; }
  Result<int64_t> Int(std::string_view key, int64_t least, int64_t most,
                      std::optional<int64_t> fallback = std::nullopt) const;
  Result<double> Float(std::string_view key, double least, double most,
                       std::optional<double> fallback = std::nullopt) const;
  Result<bool> Bool(std::string_view key, std::optional<bool> fallback = std::nullopt) const;
  Result<std::string> String(std::string_view key,
                             std::optional<std::string> fallback = std::nullopt) const;
  // Null where the field is absent.
  Result<const boost::json::object*> Object(std::string_view key) const;

  const std::string& where() const { return where_; }

 private:
  const boost::json::value* Find(std::string_view key) const;
  Error Bad(std::string_view key, const std::string& problem) const;

  const boost::json::object& object_;
  std::string where_;
};

}  // namespace portcullis::inference
