// Errors as the OpenAI dialect says them: {"error":{"message","type","param","code"}} with an HTTP
// status. One table maps the island's codes. Messages never hold a prompt or generated text.
#pragma once

#include <boost/json/object.hpp>
#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/all_narrow.hpp>
#include <string>

#include "inference/error.h"

namespace portcullis::inference {

struct ApiError {
  unsigned status = 500;
  std::string message;
  std::string param;  // empty: null
  std::string code;
};

template <class T>
using ApiResult =
    boost::outcome_v2::basic_result<T, ApiError, boost::outcome_v2::policy::all_narrow>;

ApiError ToApiError(const Error& error);
// 400 with the field at fault.
ApiError BadField(std::string param, std::string message, std::string code = "invalid_value");
boost::json::object ErrorBody(const ApiError& error);

}  // namespace portcullis::inference
