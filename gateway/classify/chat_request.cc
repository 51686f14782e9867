#include "gateway/classify/chat_request.h"

#include "gateway/classify/request_fields.h"

namespace portcullis::gateway {
namespace {

namespace json = boost::json;

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

Result<void> Logprobs(const json::object& from, ChatCall& call) {
  BOOST_OUTCOME_TRY(auto wanted, Boolean(from, "logprobs"));
  BOOST_OUTCOME_TRY(auto top, Integer(from, "top_logprobs", 0, 20));
  call.logprobs = wanted.value_or(false);
  if (top && !call.logprobs) return Wrong("top_logprobs", "absent unless `logprobs` is true");
  if (!call.logprobs) return boost::outcome_v2::success();
  call.body["logprobs"] = true;
  if (top) call.body["top_logprobs"] = *top;
  return LimitLogprobs(call);
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
    json::object out{{"type", *type}};
    BOOST_OUTCOME_TRY(auto budget, Integer(*object, "budget_tokens", 0, 1'000'000));
    if (budget) out["budget_tokens"] = *budget;
    to["thinking"] = std::move(out);
  }
  BOOST_OUTCOME_TRY(auto most, Integer(from, "max_reasoning_tokens", 0, 1'000'000));
  if (most) to["max_reasoning_tokens"] = *most;
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

}  // namespace

Result<ChatCall> ParseChat(const json::value& document, const ChatLimits& limits) {
  const auto* from = document.if_object();
  if (!from) return Error{Code::kBadRequest, "the body must be a JSON object"};
  ChatCall call;
  BOOST_OUTCOME_TRY(call.model, ReadModel(*from));
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
  call.prompt_estimate = 8 + StringBytes(call.body.at("messages")) / 3 + 4 * list->size();
  if (const auto* tools = Given(call.body, "tools")) call.prompt_estimate += StringBytes(*tools) / 3;
  return call;
}

}  // namespace portcullis::gateway
