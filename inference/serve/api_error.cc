#include "inference/serve/api_error.h"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <utility>

namespace portcullis::inference {

namespace json = boost::json;

ApiError ToApiError(const Error& error) {
  switch (error.code) {
    case Code::kContextLength:
      return {400, error.message, "messages", "context_length_exceeded"};
    case Code::kInvalidArgument:
    case Code::kBadRequest:
      return {400, error.message, "", "invalid_value"};
    case Code::kBadTemplate:
    case Code::kUnsupported:
      return {400, error.message, "", "unsupported"};
    case Code::kNotFound:
      return {404, error.message, "model", "model_not_found"};
    case Code::kTimeout:
      return {408, error.message, "", "timeout"};
    case Code::kTooLarge:
      return {413, error.message, "", "request_too_large"};
    case Code::kQueueFull:
    case Code::kOutOfMemory:
      return {503, error.message, "", "overloaded"};
    case Code::kShuttingDown:
      return {503, error.message, "", "shutting_down"};
    default:
      return {500, "the engine failed: " + error.message, "", "internal_error"};
  }
}

ApiError BadField(std::string param, std::string message, std::string code) {
  return {400, std::move(message), std::move(param), std::move(code)};
}

json::object ErrorBody(const ApiError& error) {
  json::object inner;
  inner["message"] = error.message;
  inner["type"] = error.status >= 500 ? "server_error" : "invalid_request_error";
  inner["param"] = error.param.empty() ? json::value(nullptr) : json::value(error.param);
  inner["code"] = error.code;
  json::object body;
  body["error"] = std::move(inner);
  return body;
}

}  // namespace portcullis::inference
