#include "gateway/classify/chat_request.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <sstream>

namespace portcullis::gateway {
namespace {

namespace json = boost::json;

constexpr uint32_t kMaxLogprobTokens = 16384;  // some kilobytes of memory each, over all choices

Error Wrong(std::string param, const std::string& expected) {
  Error error{Code::kInvalidParameter, "`" + param + "` must be " + expected};
  error.param = std::move(param);
  return error;
}

// Absent and null are the same: "not given".
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

// A string or a list of text parts; parts are joined, so that nothing hides between two of them.
Result<std::string> Content(const json::value& content, const std::string& param) {
  if (const auto* text = content.if_string()) return std::string(*text);
  const auto* parts = content.if_array();
  if (!parts) return Wrong(param, "a string or a list of parts");
  std::string joined;
  for (size_t i = 0; i < parts->size(); ++i) {
    const std::string here = param + "[" + std::to_string(i) + "]";
    const auto* part = (*parts)[i].if_object();
    if (!part) return Wrong(here, "an object with `type` and `text`");
    const auto* type = Given(*part, "type");
    if (!type || !type->is_string()) return Wrong(here + ".type", "a string");
    if (type->get_string() != "text") {
      return Wrong(here + ".type", "`text`: the models here read text only");
    }
    const auto* text = Given(*part, "text");
    if (!text || !text->is_string()) return Wrong(here + ".text", "a string");
    joined += std::string_view(text->get_string());
  }
  return joined;
}

Result<json::array> ToolCalls(const json::value& value, const std::string& param) {
  const auto* calls = value.if_array();
  if (!calls || calls->size() > 128) return Wrong(param, "a list of at most 128 tool calls");
  json::array out;
  for (size_t i = 0; i < calls->size(); ++i) {
    const std::string here = param + "[" + std::to_string(i) + "]";
    const auto* call = (*calls)[i].if_object();
    const auto* function = call ? Given(*call, "function") : nullptr;
    const auto* body = function ? function->if_object() : nullptr;
    const auto* name = body ? Given(*body, "name") : nullptr;
    const auto* arguments = body ? Given(*body, "arguments") : nullptr;
    const auto* id = call ? Given(*call, "id") : nullptr;
    if (!name || !name->is_string() || !arguments || !arguments->is_string() || !id ||
        !id->is_string()) {
      return Wrong(here, "{id, type: \"function\", function: {name, arguments}} with strings");
    }
    out.push_back({{"id", *id},
                   {"type", "function"},
                   {"function", {{"name", *name}, {"arguments", *arguments}}}});
  }
  return out;
}

Result<json::object> Message(const json::value& value, const std::string& param) {
  const auto* message = value.if_object();
  if (!message) return Wrong(param, "an object with `role` and `content`");
  const auto* role_value = Given(*message, "role");
  if (!role_value || !role_value->is_string()) return Wrong(param + ".role", "a string");
  std::string role(role_value->get_string());
  if (role == "developer") role = "system";
  if (role != "system" && role != "user" && role != "assistant" && role != "tool") {
    return Wrong(param + ".role", "system, developer, user, assistant or tool");
  }
  json::object out{{"role", role}};
  const auto* content = Given(*message, "content");
  if (content) {
    BOOST_OUTCOME_TRY(auto text, Content(*content, param + ".content"));
    out["content"] = text;
  } else if (role == "assistant") {
    out["content"] = nullptr;
  } else {
    return Wrong(param + ".content", "a string or a list of text parts");
  }
  for (const char* key : {"name", "tool_call_id", "reasoning_content"}) {
    if (const auto* field = Given(*message, key)) {
      if (!field->is_string()) return Wrong(param + "." + key, "a string");
      out[key] = *field;
    }
  }
  if (role == "tool" && !out.contains("tool_call_id")) {
    return Wrong(param + ".tool_call_id", "a string: a tool's answer names the call it answers");
  }
  if (const auto* calls = Given(*message, "tool_calls")) {
    if (role != "assistant") return Wrong(param + ".tool_calls", "absent: only assistants call tools");
    BOOST_OUTCOME_TRY(auto list, ToolCalls(*calls, param + ".tool_calls"));
    out["tool_calls"] = std::move(list);
  }
  return out;
}

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

Result<void> Tools(const json::object& from, json::object& to) {
  if (const auto* tools = Given(from, "tools")) {
    const auto* list = tools->if_array();
    if (!list || list->size() > 128) return Wrong("tools", "a list of at most 128 tools");
    for (size_t i = 0; i < list->size(); ++i) {
      const auto* tool = (*list)[i].if_object();
      const auto* function = tool ? Given(*tool, "function") : nullptr;
      const auto* body = function ? function->if_object() : nullptr;
      const auto* name = body ? Given(*body, "name") : nullptr;
      if (!name || !name->is_string()) {
        return Wrong("tools[" + std::to_string(i) + "]", "{type: \"function\", function: {name, …}}");
      }
    }
    if (!list->empty()) to["tools"] = *list;
  }
  if (const auto* choice = Given(from, "tool_choice")) {
    if (!choice->is_string() && !choice->is_object()) {
      return Wrong("tool_choice", "none, auto, required or an object that names a function");
    }
    to["tool_choice"] = *choice;
  }
  BOOST_OUTCOME_TRY(auto parallel, Boolean(from, "parallel_tool_calls"));
  if (parallel) to["parallel_tool_calls"] = *parallel;
  return boost::outcome_v2::success();
}

Result<void> Sampling(const json::object& from, json::object& to) {
  struct Range {
    const char* key;
    double low, high;
  };
  constexpr std::array kRanges = {Range{"temperature", 0, 2}, Range{"top_p", 0, 1},
                                  Range{"min_p", 0, 1}, Range{"presence_penalty", -2, 2},
                                  Range{"frequency_penalty", -2, 2}};
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

Result<void> Logprobs(const json::object& from, ChatCall& call) {
  BOOST_OUTCOME_TRY(auto wanted, Boolean(from, "logprobs"));
  BOOST_OUTCOME_TRY(auto top, Integer(from, "top_logprobs", 0, 20));
  call.logprobs = wanted.value_or(false);
  if (top && !call.logprobs) return Wrong("top_logprobs", "absent unless `logprobs` is true");
  if (call.logprobs && call.body.contains("logit_bias")) {
    return Wrong("logit_bias", "absent when `logprobs` is true: together they read out the model");
  }
  if (call.logprobs && uint64_t{call.max_tokens} * call.choices > kMaxLogprobTokens) {
    return Wrong("max_tokens", "at most " + std::to_string(kMaxLogprobTokens / call.choices) +
                                   " when `logprobs` is true: they are held until the end");
  }
  if (call.logprobs) call.body["logprobs"] = true;
  if (top) call.body["top_logprobs"] = *top;
  return boost::outcome_v2::success();
}

Result<void> Reasoning(const json::object& from, json::object& to) {
  if (const auto* effort = Given(from, "reasoning_effort")) {
    if (!effort->is_string()) return Wrong("reasoning_effort", "a string");
    const std::string_view word = effort->get_string();
    if (word != "none" && word != "minimal" && word != "low" && word != "medium" && word != "high") {
      return Wrong("reasoning_effort", "none, minimal, low, medium or high");
    }
    to["reasoning_effort"] = word;
  }
  if (const auto* thinking = Given(from, "thinking")) {
    const auto* object = thinking->if_object();
    const auto* type = object ? Given(*object, "type") : nullptr;
    if (!type || !type->is_string() ||
        (type->get_string() != "enabled" && type->get_string() != "disabled")) {
      return Wrong("thinking.type", "enabled or disabled");
    }
    to["thinking"] = {{"type", *type}};
  }
  if (const auto* format = Given(from, "response_format")) {
    const auto* object = format->if_object();
    const auto* type = object ? Given(*object, "type") : nullptr;
    if (!type || !type->is_string() ||
        (type->get_string() != "text" && type->get_string() != "json_object" &&
         type->get_string() != "json_schema")) {
      return Wrong("response_format.type", "text, json_object or json_schema");
    }
    if (type->get_string() != "text") to["response_format"] = *format;
  }
  return boost::outcome_v2::success();
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

}  // namespace

Result<ChatCall> ParseChat(const json::value& document, const ChatLimits& limits) {
  const auto* from = document.if_object();
  if (!from) return Error{Code::kBadRequest, "the body must be a JSON object"};
  ChatCall call;
  const auto* model = Given(*from, "model");
  if (!model || !model->is_string() || model->get_string().empty() ||
      model->get_string().size() > 256) {
    return Wrong("model", "the name of a model; see GET /v1/models");
  }
  call.model = std::string(model->get_string());
  call.body["model"] = call.model;

  const auto* messages = Given(*from, "messages");
  const auto* list = messages ? messages->if_array() : nullptr;
  if (!list || list->empty() || list->size() > limits.max_messages) {
    return Wrong("messages", "a list of 1 to " + std::to_string(limits.max_messages) + " messages");
  }
  json::array out;
  for (size_t i = 0; i < list->size(); ++i) {
    BOOST_OUTCOME_TRY(auto message, Message((*list)[i], "messages[" + std::to_string(i) + "]"));
    out.push_back(std::move(message));
  }
  call.body["messages"] = std::move(out);

  BOOST_OUTCOME_TRY(StreamOptions(*from, call));
  BOOST_OUTCOME_TRY(MaxTokens(*from, limits, call));
  BOOST_OUTCOME_TRY(Sampling(*from, call.body));
  BOOST_OUTCOME_TRY(Logprobs(*from, call));
  BOOST_OUTCOME_TRY(Tools(*from, call.body));
  BOOST_OUTCOME_TRY(Reasoning(*from, call.body));
  BOOST_OUTCOME_TRY(CallerFacts(*from, call));
  call.prompt_estimate = 8 + StringBytes(call.body.at("messages")) / 3 + 4 * list->size() +
                         (call.body.contains("tools") ? StringBytes(call.body.at("tools")) / 3 : 0);
  return call;
}

}  // namespace portcullis::gateway
