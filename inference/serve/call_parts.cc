#include "inference/serve/call_parts.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <set>
#include <utility>

namespace portcullis::inference {
namespace {

namespace json = boost::json;

constexpr size_t kMaxMessages = 4096;
constexpr size_t kMaxTools = 128;
constexpr size_t kMaxName = 64;
constexpr size_t kMaxInputs = 256;
constexpr int64_t kMaxBudget = 1'000'000;

ApiResult<std::string> ReadContent(const json::value* content, const std::string& where) {
  std::string text;
  if (content == nullptr) return text;
  if (content->is_string()) {
    text = std::string_view(content->get_string());
    return text;
  }
  if (!content->is_array()) {
    return BadField(where, "`" + where + "` must be a string or a list of parts", "invalid_type");
  }
  for (const json::value& item : content->get_array()) {
    if (!item.is_object()) return BadField(where, "a part of `" + where + "` is not an object");
    const Fields part(item.get_object());
    BOOST_OUTCOME_TRY(const auto type, part.String("type"));
    if (type != "text") {
      return BadField(where, "this engine reads parts of type `text` only", "unsupported_value");
    }
    BOOST_OUTCOME_TRY(const auto piece, part.String("text"));
    if (!piece) return BadField(where, "a text part of `" + where + "` lacks its `text`");
    text += *piece;
  }
  return text;
}

// OpenAI's rule, with the dot that some clients use.
bool IsToolName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-' || c == '.';
  });
}

ApiResult<std::vector<ToolCall>> ReadCalls(const json::value* value, const std::string& where) {
  std::vector<ToolCall> calls;
  if (value == nullptr) return calls;
  if (!value->is_array() || value->get_array().size() > kMaxTools) {
    return BadField(where, "`" + where + "` must be a list of at most 128 calls", "invalid_type");
  }
  for (size_t i = 0; i < value->get_array().size(); ++i) {
    const std::string here = where + "[" + std::to_string(i) + "]";
    const json::object* object = value->get_array()[i].if_object();
    if (object == nullptr) return BadField(here, "`" + here + "` must be an object", "invalid_type");
    const Fields call(*object);
    BOOST_OUTCOME_TRY(const json::object* function, call.Object("function"));
    if (function == nullptr) return BadField(here, "`" + here + "` lacks its `function`");
    const auto id = call.String("id");
    const auto name = Fields(*function).String("name");
    const auto arguments = Fields(*function).String("arguments");
    if (!id || !name || !arguments || !name.value() || !IsToolName(*name.value())) {
      return BadField(here, "`" + here + "` must be {id, type, function: {name, arguments}} of strings");
    }
    calls.push_back({std::string(id.value().value_or("")), std::string(*name.value()),
                     std::string(arguments.value().value_or("{}"))});
  }
  return calls;
}

ApiResult<ChatMessage> ReadMessage(const json::value& value, const std::string& where) {
  const json::object* object = value.if_object();
  if (object == nullptr) return BadField(where, "`" + where + "` must be an object");
  const Fields message(*object);
  const auto role = message.String("role");
  if (!role) return BadField(where + ".role", "`" + where + ".role` must be a string");
  ChatMessage out;
  if (role.value() == "system" || role.value() == "developer") {
    out.role = MessageRole::kSystem;
  } else if (role.value() == "assistant") {
    out.role = MessageRole::kAssistant;
  } else if (role.value() == "tool") {
    out.role = MessageRole::kTool;
  } else if (role.value() != "user") {
    return BadField(where + ".role", "`" + where + ".role` must be system, developer, user, assistant or tool");
  }
  const json::value* content = message.Find("content");
  if (content == nullptr && out.role != MessageRole::kAssistant) {
    return BadField(where + ".content", "`" + where + ".content` is missing");
  }
  BOOST_OUTCOME_TRY(out.content, ReadContent(content, where + ".content"));
  const auto text = [&](const char* name, std::string& to) -> ApiResult<void> {
    const auto field = message.String(name);
    if (!field) {
      return BadField(where + "." + name, "`" + where + "." + name + "` must be a string", "invalid_type");
    }
    to = field.value().value_or("");
    return boost::outcome_v2::success();
  };
  BOOST_OUTCOME_TRY(text("name", out.name));
  BOOST_OUTCOME_TRY(text("tool_call_id", out.tool_call_id));
  if (out.role == MessageRole::kTool && out.tool_call_id.empty()) {
    return BadField(where + ".tool_call_id", "a tool's result names the call it belongs to");
  }
  if (out.role == MessageRole::kAssistant) {
    BOOST_OUTCOME_TRY(text("reasoning_content", out.reasoning));
    BOOST_OUTCOME_TRY(out.tool_calls, ReadCalls(message.Find("tool_calls"), where + ".tool_calls"));
  }
  return out;
}

ApiResult<std::vector<TokenId>> ReadTokens(const json::array& list, const char* name) {
  std::vector<TokenId> tokens;
  for (const json::value& item : list) {
    json::error_code error;
    const auto id = item.is_number() ? item.to_number<int32_t>(error) : -1;
    if (error || id < 0) return BadField(name, "token ids must be whole numbers from 0", "invalid_type");
    tokens.push_back(id);
  }
  return tokens;
}

}  // namespace

ApiResult<void> ReadMessages(const Fields& fields, Call& call) {
  const json::value* value = fields.Find("messages");
  if (value == nullptr || !value->is_array() || value->get_array().empty() ||
      value->get_array().size() > kMaxMessages) {
    return BadField("messages", "`messages` must be a list of 1 to 4096 messages");
  }
  for (size_t i = 0; i < value->get_array().size(); ++i) {
    BOOST_OUTCOME_TRY(auto message,
                      ReadMessage(value->get_array()[i], "messages[" + std::to_string(i) + "]"));
    call.messages.push_back(std::move(message));
  }
  return boost::outcome_v2::success();
}

ApiResult<void> ReadTools(const Fields& fields, Call& call) {
  if (const json::value* old = fields.Find("functions"); old != nullptr) {
    return BadField("functions", "`functions` is long replaced by `tools`", "unsupported_value");
  }
  const json::value* list = fields.Find("tools");
  if (list != nullptr && (!list->is_array() || list->get_array().size() > kMaxTools)) {
    return BadField("tools", "`tools` must be a list of at most 128 tools", "invalid_type");
  }
  std::set<std::string_view> names;
  for (size_t i = 0; list != nullptr && i < list->get_array().size(); ++i) {
    const std::string here = "tools[" + std::to_string(i) + "]";
    const json::object* tool = list->get_array()[i].if_object();
    const json::value* type = tool == nullptr ? nullptr : Fields(*tool).Find("type");
    const json::value* function = tool == nullptr ? nullptr : Fields(*tool).Find("function");
    if (type == nullptr || *type != "function" || function == nullptr || !function->is_object()) {
      return BadField("tools", "`" + here + "` must be {type: \"function\", function: {name, …}}");
    }
    const Fields body(function->get_object());
    const json::value* name = body.Find("name");
    if (name == nullptr || !name->is_string() || !IsToolName(name->get_string()) ||
        !names.emplace(name->get_string()).second) {
      return BadField("tools", "`" + here + ".function.name` must be a name of its own, of 1 to 64 letters, "
                               "digits, `_`, `-` or `.`");
    }
    const json::value* parameters = body.Find("parameters");
    if (parameters != nullptr && !parameters->is_object()) {
      return BadField("tools", "`" + here + ".function.parameters` must be a JSON Schema", "invalid_type");
    }
  }
  if (list != nullptr) call.chat_options.tools = list->get_array();
  BOOST_OUTCOME_TRY(const auto parallel, fields.Bool("parallel_tool_calls"));
  call.parallel_tool_calls = parallel.value_or(true);

  const json::value* choice = fields.Find("tool_choice");
  if (choice == nullptr || *choice == "auto") return boost::outcome_v2::success();
  if (*choice == "none") {
    call.tool_choice = ToolChoice::kNone;
    call.chat_options.tools.clear();
    return boost::outcome_v2::success();
  }
  if (call.chat_options.tools.empty()) return BadField("tool_choice", "`tool_choice` needs `tools`");
  if (*choice == "required") {
    call.tool_choice = ToolChoice::kRequired;
    return boost::outcome_v2::success();
  }
  const json::object* object = choice->if_object();
  const json::value* function = object == nullptr ? nullptr : Fields(*object).Find("function");
  const json::value* name =
      function == nullptr || !function->is_object() ? nullptr : Fields(function->get_object()).Find("name");
  if (name == nullptr || !name->is_string() || !names.contains(name->get_string())) {
    return BadField("tool_choice", "`tool_choice` must be none, auto, required, or name one of the tools");
  }
  call.tool_choice = ToolChoice::kNamed;
  call.tool_name = std::string_view(name->get_string());
  return boost::outcome_v2::success();
}

ApiResult<void> ReadFormat(const Fields& fields, Call& call) {
  BOOST_OUTCOME_TRY(const json::object* format, fields.Object("response_format"));
  if (format == nullptr) return boost::outcome_v2::success();
  BOOST_OUTCOME_TRY(const auto type, Fields(*format).String("type"));
  if (type == "text") return boost::outcome_v2::success();
  if (type == "json_object") {
    call.format = AnswerFormat::kJsonObject;
    return boost::outcome_v2::success();
  }
  if (type != "json_schema") {
    return BadField("response_format", "`response_format.type` must be text, json_object or json_schema");
  }
  BOOST_OUTCOME_TRY(const json::object* named, Fields(*format).Object("json_schema"));
  const json::value* schema = named == nullptr ? nullptr : Fields(*named).Find("schema");
  if (schema == nullptr || !schema->is_object()) {
    return BadField("response_format", "`response_format.json_schema` must hold a `schema`");
  }
  call.format = AnswerFormat::kJsonSchema;
  call.schema = *schema;
  return boost::outcome_v2::success();
}

// `reasoning_effort` (OpenAI), `thinking: {type, budget_tokens}` (DeepSeek and others) and
// `max_reasoning_tokens`; the smallest budget counts.
ApiResult<void> ReadThinking(const Fields& fields, Call& call) {
  constexpr std::pair<std::string_view, int64_t> kEfforts[] = {
      {"minimal", 256}, {"low", 1024}, {"medium", 4096}, {"high", -1}};
  const auto limit = [&](int64_t budget) {
    if (budget >= 0 && (call.thinking_budget < 0 || budget < call.thinking_budget)) {
      call.thinking_budget = budget;
    }
  };
  BOOST_OUTCOME_TRY(const auto effort, fields.String("reasoning_effort"));
  if (effort == "none") call.chat_options.thinking = false;
  if (effort && *effort != "none") {
    const auto known = std::find_if(std::begin(kEfforts), std::end(kEfforts),
                                    [&](const auto& row) { return row.first == *effort; });
    if (known == std::end(kEfforts)) {
      return BadField("reasoning_effort", "`reasoning_effort` must be none, minimal, low, medium or high");
    }
    call.chat_options.thinking = true;
    limit(known->second);
  }
  BOOST_OUTCOME_TRY(const auto most, fields.Int("max_reasoning_tokens", 0, kMaxBudget));
  if (most) limit(*most);
  BOOST_OUTCOME_TRY(const json::object* thinking, fields.Object("thinking"));
  if (thinking == nullptr) return boost::outcome_v2::success();
  BOOST_OUTCOME_TRY(const auto type, Fields(*thinking).String("type"));
  if (type != "enabled" && type != "disabled") {
    return BadField("thinking.type", "`thinking.type` must be `enabled` or `disabled`");
  }
  call.chat_options.thinking = type == "enabled";
  const auto budget = Fields(*thinking).Int("budget_tokens", 0, kMaxBudget);
  if (!budget) {
    return BadField("thinking.budget_tokens", "`thinking.budget_tokens` must be from 0 to 1000000");
  }
  if (budget.value()) limit(*budget.value());
  return boost::outcome_v2::success();
}

ApiResult<std::vector<TextInput>> ReadInputs(const Fields& fields, const char* name) {
  const ApiError wrong = BadField(
      name, "`" + std::string(name) + "` must be a string, a list of token ids, or a list of up to 256 of these",
      "invalid_type");
  const json::value* value = fields.Find(name);
  std::vector<TextInput> inputs;
  const auto add = [&](const json::value& item) -> ApiResult<void> {
    TextInput input;
    if (item.is_string()) {
      input.text = std::string_view(item.get_string());
    } else if (item.is_array() && !item.get_array().empty()) {
      input.is_tokens = true;
      BOOST_OUTCOME_TRY(input.tokens, ReadTokens(item.get_array(), name));
    } else {
      return wrong;
    }
    inputs.push_back(std::move(input));
    return boost::outcome_v2::success();
  };
  if (value == nullptr) return wrong;
  const json::array* list = value->if_array();
  const bool one = list == nullptr || (!list->empty() && list->front().is_number());
  if (one) {
    BOOST_OUTCOME_TRY(add(*value));
    return inputs;
  }
  if (list->empty() || list->size() > kMaxInputs) return wrong;
  for (const json::value& item : *list) {
    BOOST_OUTCOME_TRY(add(item));
  }
  return inputs;
}

}  // namespace portcullis::inference
