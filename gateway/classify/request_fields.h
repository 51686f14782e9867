// Fields that calls of models share, checked and copied to the body that goes upstream. Absent and
// null are the same. Wrong types and values out of range are kInvalidParameter with `param`. Pure
// functions, any thread.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/classify/chat_request.h"
#include "gateway/error.h"

namespace portcullis::gateway {

Error Wrong(std::string param, const std::string& expected);
const boost::json::value* Given(const boost::json::object& object, std::string_view key);
Result<std::optional<double>> Number(const boost::json::object& from, const char* key, double low,
                                     double high);
Result<std::optional<int64_t>> Integer(const boost::json::object& from, const char* key, int64_t low,
                                       int64_t high);
Result<std::optional<bool>> Boolean(const boost::json::object& from, const char* key);

Result<std::string> ReadModel(const boost::json::object& from);
// Temperature and its like, seed, stop, logit_bias.
Result<void> Sampling(const boost::json::object& from, boost::json::object& to);
Result<void> MaxTokens(const boost::json::object& from, const ChatLimits& limits, ChatCall& call);
Result<void> StreamOptions(const boost::json::object& from, ChatCall& call);
// What holds where the texts of tokens are asked for: they are held until the end, and must not be
// steered. After MaxTokens and Sampling.
Result<void> LimitLogprobs(const ChatCall& call);
// `user` and `metadata`.
Result<void> CallerFacts(const boost::json::object& from, ChatCall& call);
uint64_t StringBytes(const boost::json::value& value);

}  // namespace portcullis::gateway
