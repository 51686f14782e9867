#include "inference/tokenizer/conversation.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <utility>

#include "inference/tokenizer/jinja/builtins.h"

namespace portcullis::inference {
namespace {

using jinja::Dict;
using jinja::List;
using jinja::Text;
using jinja::Value;

constexpr int64_t kOneLine = -1;

Text Own(std::string_view words) { return Text(words, false); }
Text Theirs(std::string_view words) { return Text(words, true); }

void Put(Dict& dict, std::string_view key, Value value) {
  dict.items.emplace_back(Own(key), std::move(value));
}

std::string_view RoleName(MessageRole role) {
  switch (role) {
    case MessageRole::kSystem:
      return "system";
    case MessageRole::kUser:
      return "user";
    case MessageRole::kAssistant:
      return "assistant";
    case MessageRole::kTool:
      return "tool";
  }
  return "user";
}

// A dictionary where the arguments are one, else the text.
Value ArgumentsValue(const std::string& text) {
  boost::json::error_code error;
  boost::json::parse_options limits;
  limits.max_depth = 64;
  const boost::json::value parsed = boost::json::parse(text, error, {}, limits);
  if (error || !parsed.is_object()) return Value::Of(Theirs(text));
  Dict dict = Value::DictFromJson(parsed.get_object());
  dict.source = text;
  return Value::Of(std::move(dict));
}

Value CallValue(const ToolCall& call) {
  Dict function;
  Put(function, "name", Value::Of(Theirs(call.name)));
  Put(function, "arguments", ArgumentsValue(call.arguments));
  Dict dict;
  Put(dict, "id", Value::Of(Theirs(call.id)));
  Put(dict, "type", Value::Of(Own("function")));
  Put(dict, "function", Value::Of(std::move(function)));
  return Value::Of(std::move(dict));
}

std::string_view Example(ToolFormat format) {
  switch (format) {
    case ToolFormat::kTagged:
      return "<tool_call>\n{\"name\": NAME, \"arguments\": {…}}\n</tool_call>";
    case ToolFormat::kDeepSeek:
      return "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME\n```json\n{…}\n```"
             "<｜tool▁call▁end｜><｜tool▁calls▁end｜>";
    case ToolFormat::kDeepSeekPlain:
      return "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{…}<｜tool▁call▁end｜>"
             "<｜tool▁calls▁end｜>";
    case ToolFormat::kBareJson:
      return "{\"name\": NAME, \"parameters\": {…}}";
  }
  return "";
}

}  // namespace

Conversation::Conversation(std::span<const ChatMessage> messages, const ChatOptions& options)
    : options_(options) {
  for (const ChatMessage& message : messages) {
    messages_.push_back({message, Theirs(message.content)});
  }
}

bool Conversation::has_calls() const {
  return std::any_of(messages_.begin(), messages_.end(),
                     [](const Message& message) { return !message.from.tool_calls.empty(); });
}

Result<void> Conversation::WriteCallsAsText() {
  for (Message& message : messages_) {
    for (const ToolCall& call : message.from.tool_calls) {
      if (!message.content.bytes.empty()) message.content.Append(Own("\n"));
      message.content.Append(Own("<tool_call>\n{\"name\": "));
      BOOST_OUTCOME_TRY(const Text name, jinja::ToJson(Value::Of(Theirs(call.name)), kOneLine, meter_));
      message.content.Append(name);
      message.content.Append(Own(", \"arguments\": "));
      message.content.Append(Theirs(call.arguments));
      message.content.Append(Own("}\n</tool_call>"));
    }
    message.from.tool_calls.clear();
    if (message.from.role != MessageRole::kTool) continue;
    message.from.role = MessageRole::kUser;
    Text result = Own("<tool_response>\n");
    result.Append(message.content);
    result.Append(Own("\n</tool_response>"));
    message.content = std::move(result);
  }
  return boost::outcome_v2::success();
}

Result<void> Conversation::DescribeTools(ToolFormat format) {
  if (options_.tools.empty()) return boost::outcome_v2::success();
  tools_told_ = true;
  Text words = Own("These functions can be called, one described on each line:\n");
  for (const boost::json::value& tool : options_.tools) {
    BOOST_OUTCOME_TRY(const Text json, jinja::ToJson(Value::FromJson(tool), kOneLine, meter_));
    words.Append(json);
    words.Append(Own("\n"));
  }
  words.Append(Own("To call one, answer with nothing but:\n"));
  words.Append(Own(Example(format)));
  if (!messages_.empty() && messages_.front().from.role == MessageRole::kSystem) {
    messages_.front().content.Append(Own("\n\n"));
    messages_.front().content.Append(words);
  } else {
    messages_.insert(messages_.begin(), Message{ChatMessage{MessageRole::kSystem}, words});
  }
  return boost::outcome_v2::success();
}

Dict Conversation::Variables(const Tokenizer& tokenizer, bool empty_content) const {
  List list;
  for (const Message& message : messages_) {
    Dict dict;
    Put(dict, "role", Value::Of(Own(RoleName(message.from.role))));
    const bool none =
        message.content.bytes.empty() && !message.from.tool_calls.empty() && !empty_content;
    Put(dict, "content", none ? Value::Null() : Value::Of(message.content));
    if (!message.from.reasoning.empty()) {
      Put(dict, "reasoning_content", Value::Of(Theirs(message.from.reasoning)));
    }
    if (!message.from.name.empty()) Put(dict, "name", Value::Of(Theirs(message.from.name)));
    if (!message.from.tool_call_id.empty()) {
      Put(dict, "tool_call_id", Value::Of(Theirs(message.from.tool_call_id)));
    }
    if (!message.from.tool_calls.empty()) {
      List calls;
      for (const ToolCall& call : message.from.tool_calls) calls.push_back(CallValue(call));
      Put(dict, "tool_calls", Value::Of(std::move(calls)));
    }
    list.push_back(Value::Of(std::move(dict)));
  }
  Dict variables;
  Put(variables, "messages", Value::Of(std::move(list)));
  if (!options_.tools.empty() && !tools_told_) {
    Put(variables, "tools", Value::FromJson(options_.tools));
  }
  Put(variables, "add_generation_prompt", Value::Of(options_.generation_prompt));
  if (tokenizer.bos() != kNoToken) {
    Put(variables, "bos_token", Value::Of(Own(tokenizer.vocab().Bytes(tokenizer.bos()))));
  }
  if (!tokenizer.ends().empty()) {
    Put(variables, "eos_token", Value::Of(Own(tokenizer.vocab().Bytes(tokenizer.ends().front()))));
  }
  if (options_.thinking) {
    Put(variables, "enable_thinking", Value::Of(*options_.thinking));
    Put(variables, "thinking", Value::Of(*options_.thinking));
  }
  return variables;
}

}  // namespace portcullis::inference
