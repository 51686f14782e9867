#include "gateway/classify/request_fields.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <cmath>
#include <sstream>

namespace portcullis::gateway {

namespace json = boost::json;

Error Wrong(std::string param, const std::string& expected) {
  Error error{Code::kInvalidParameter, "`" + param + "` must be " + expected};
  error.param = std::move(param);
  return error;
}

const json::value* Given(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && !value->is_null() ? value : nullptr;
}

Result<std::optional<double>> Number(const json::object& from, const char* key, double low,
                                     double high) {
  const auto* value = Given(from, key);
  if (!value) return std::optional<double>();
  double number = 0;
  if (value->is_int64()) number = static_cast<double>(value->get_int64());
  else if (value->is_uint64()) number = static_cast<double>(value->get_uint64());
  else if (value->is_double()) number = value->get_double();
  else return Wrong(key, "a number");
  if (!std::isfinite(number) || number < low || number > high) {
    std::ostringstream range;
    range << "a number from " << low << " to " << high;
    return Wrong(key, range.str());
  }
  return std::optional<double>(number);
}

Result<std::optional<int64_t>> Integer(const json::object& from, const char* key, int64_t low,
                                       int64_t high) {
  const auto* value = Given(from, key);
  if (!value) return std::optional<int64_t>();
  int64_t number = 0;
  if (value->is_int64()) number = value->get_int64();
  else return Wrong(key, "an integer");
  if (number < low || number > high) {
    return Wrong(key, "an integer from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return std::optional<int64_t>(number);
}

Result<std::optional<bool>> Boolean(const json::object& from, const char* key) {
  const auto* value = Given(from, key);
  if (!value) return std::optional<bool>();
  if (!value->is_bool()) return Wrong(key, "true or false");
  return std::optional<bool>(value->get_bool());
}

namespace {

constexpr uint32_t kMaxLogprobTokens = 16384;  // some kilobytes of memory each, over all choices

Result<void> Stop(const json::object& from, json::object& to) {
  const auto* stop = Given(from, "stop");
  if (!stop) return boost::outcome_v2::success();
  json::array list;
  if (stop->is_string()) list.push_back(*stop);
  else if (stop->is_array()) list = stop->get_array();
  else return Wrong("stop", "a string or a list of at most 4 strings");
  if (list.size() > 4) return Wrong("stop", "a string or a list of at most 4 strings");
  for (const auto& item : list) {
    if (!item.is_string() || item.get_string().empty() || item.get_string().size() > 256) {
      return Wrong("stop", "made of strings of 1 to 256 bytes");
    }
  }
  if (!list.empty()) to["stop"] = std::move(list);
  return boost::outcome_v2::success();
}

Result<void> LogitBias(const json::object& from, json::object& to) {
  const auto* bias = Given(from, "logit_bias");
  if (!bias) return boost::outcome_v2::success();
  const auto* map = bias->if_object();
  if (!map || map->size() > 300) return Wrong("logit_bias", "an object of at most 300 token ids");
  for (const auto& [token, value] : *map) {
    if (token.empty() || token.size() > 7 || token.find_first_not_of("0123456789") != token.npos) {
      return Wrong("logit_bias", "an object whose names are token ids");
    }
    if (!Number(*map, std::string(token).c_str(), -100, 100).has_value()) {
      return Wrong("logit_bias", "an object whose values are numbers from -100 to 100");
    }
  }
  if (!map->empty()) to["logit_bias"] = *map;
  return boost::outcome_v2::success();
}

}  // namespace

Result<void> Sampling(const json::object& from, json::object& to) {
  struct Range {
    const char* key;
    double low, high;
  };
  constexpr std::array kRanges = {Range{"temperature", 0, 2}, Range{"top_p", 0, 1},
                                  Range{"min_p", 0, 1}, Range{"presence_penalty", -2, 2},
                                  Range{"frequency_penalty", -2, 2},
                                  Range{"repetition_penalty", 0.1, 10}};
  for (const Range& range : kRanges) {
    BOOST_OUTCOME_TRY(auto number, Number(from, range.key, range.low, range.high));
    if (number) to[range.key] = *number;
  }
  BOOST_OUTCOME_TRY(auto seed, Integer(from, "seed", INT64_MIN, INT64_MAX));
  if (seed) to["seed"] = *seed;
  BOOST_OUTCOME_TRY(auto top_k, Integer(from, "top_k", 0, 100000));
  if (top_k) to["top_k"] = *top_k;
  BOOST_OUTCOME_TRY(Stop(from, to));
  return LogitBias(from, to);
}

Result<void> MaxTokens(const json::object& from, const ChatLimits& limits, ChatCall& call) {
  const char* key = Given(from, "max_completion_tokens") ? "max_completion_tokens" : "max_tokens";
  BOOST_OUTCOME_TRY(auto tokens, Integer(from, key, 1, limits.max_tokens_limit));
  call.max_tokens = tokens ? static_cast<uint32_t>(*tokens) : limits.max_tokens_default;
  call.body["max_tokens"] = call.max_tokens;
  BOOST_OUTCOME_TRY(auto choices, Integer(from, "n", 1, limits.max_choices));
  call.choices = static_cast<uint32_t>(choices.value_or(1));
  if (call.choices > 1) call.body["n"] = call.choices;
  return boost::outcome_v2::success();
}

Result<void> StreamOptions(const json::object& from, ChatCall& call) {
  BOOST_OUTCOME_TRY(auto stream, Boolean(from, "stream"));
  call.stream = stream.value_or(false);
  if (const auto* options = Given(from, "stream_options")) {
    const auto* object = options->if_object();
    if (!object) return Wrong("stream_options", "an object");
    if (!call.stream) return Wrong("stream_options", "absent unless `stream` is true");
    BOOST_OUTCOME_TRY(auto usage, Boolean(*object, "include_usage"));
    call.include_usage = usage.value_or(false);
  }
  call.body["stream"] = true;
  call.body["stream_options"] = {{"include_usage", true}};
  return boost::outcome_v2::success();
}

Result<void> LimitLogprobs(const ChatCall& call) {
  if (call.body.contains("logit_bias")) {
    return Wrong("logit_bias", "absent beside `logprobs`: together they read out the model");
  }
  if (uint64_t{call.max_tokens} * call.choices > kMaxLogprobTokens) {
    return Wrong("max_tokens", "at most " + std::to_string(kMaxLogprobTokens / call.choices) +
                                   " with `logprobs`: they are held until the end");
  }
  return boost::outcome_v2::success();
}

Result<void> CallerFacts(const json::object& from, ChatCall& call) {
  if (const auto* user = Given(from, "user"); user && !user->is_string()) {
    return Wrong("user", "a string");
  }
  const auto* metadata = Given(from, "metadata");
  if (!metadata) return boost::outcome_v2::success();
  const auto* map = metadata->if_object();
  if (!map || map->size() > 16) return Wrong("metadata", "an object of at most 16 strings");
  for (const auto& [key, value] : *map) {
    if (!value.is_string() || value.get_string().size() > 512 || key.size() > 64) {
      return Wrong("metadata", "an object of strings (names ≤ 64 bytes, values ≤ 512 bytes)");
    }
  }
  if (const auto* purpose = map->if_contains("purpose")) {
    constexpr std::array<std::string_view, 6> kPurposes = {"support", "coding", "hr",
                                                           "clinical", "legal", "other"};
    const std::string_view word = purpose->get_string();
    if (std::find(kPurposes.begin(), kPurposes.end(), word) == kPurposes.end()) {
      return Wrong("metadata.purpose", "support, coding, hr, clinical, legal or other");
    }
    call.purpose = word;
  }
  return boost::outcome_v2::success();
}

Result<std::string> ReadModel(const json::object& from) {
  const auto* model = Given(from, "model");
  if (!model || !model->is_string() || model->get_string().empty() ||
      model->get_string().size() > 256) {
    return Wrong("model", "the name of a model; see GET /v1/models");
  }
  return std::string(model->get_string());
}

uint64_t StringBytes(const json::value& value) {
  uint64_t total = 0;
  if (const auto* text = value.if_string()) return text->size();
  if (const auto* list = value.if_array()) {
    for (const auto& item : *list) total += StringBytes(item);
  } else if (const auto* map = value.if_object()) {
    for (const auto& [key, item] : *map) total += key.size() + StringBytes(item);
  }
  return total;
}

}  // namespace portcullis::gateway
