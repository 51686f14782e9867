// Typed, range-checked access to the members of a request's JSON object. A member that is missing
// or null gives nothing; one of the wrong type or out of range is a 400 that names it.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "inference/serve/api_error.h"

namespace portcullis::inference {

class Fields {
 public:
  explicit Fields(const boost::json::object& object) : object_(object) {}  // must outlive this

  const boost::json::value* Find(std::string_view name) const;  // null where missing or null
  ApiResult<std::optional<bool>> Bool(std::string_view name) const;
  ApiResult<std::optional<int64_t>> Int(std::string_view name, int64_t low, int64_t high) const;
  ApiResult<std::optional<double>> Number(std::string_view name, double low, double high) const;
  ApiResult<std::optional<std::string_view>> String(std::string_view name) const;
  ApiResult<const boost::json::object*> Object(std::string_view name) const;  // null where missing

 private:
  const boost::json::object& object_;
};

}  // namespace portcullis::inference
