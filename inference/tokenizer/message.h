// A conversation as the engine takes it: what a chat template is given to write. Plain values.
#pragma once

#include <boost/json/array.hpp>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

namespace portcullis::inference {

enum class MessageRole { kSystem, kUser, kAssistant, kTool };

struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON, as the model wrote it
};

struct ChatMessage {
  MessageRole role = MessageRole::kUser;
  std::string content{};
  std::string reasoning{};              // of an earlier answer
  std::vector<ToolCall> tool_calls{};   // of an earlier answer
  std::string tool_call_id{};           // which call a tool's result belongs to
  std::string name{};
};

struct ChatOptions {
  std::optional<bool> thinking{};    // none: as the model's makers would
  boost::json::array tools{};        // OpenAI's {"type":"function","function":{…}}
  bool generation_prompt = true;     // end with the head of the answer
  std::optional<std::time_t> now{};  // for templates that state the date; none: today
};

// How a model writes a call of a tool.
enum class ToolFormat {
  kTagged,         // <tool_call>{"name": …, "arguments": …}</tool_call>: Qwen, Hermes, and any other
  kDeepSeek,       // tool▁calls▁begin … function, tool▁sep, name, a fenced JSON block: V3, R1
  kDeepSeekPlain,  // the same with the name before tool▁sep and bare JSON after: V3.1
  kBareJson,       // {"name": …, "parameters": …} as the whole answer: Llama 3.1 and later
};

}  // namespace portcullis::inference
