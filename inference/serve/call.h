// The body of a request, read and range-checked: JSON of at most 64 levels in, a Call out. Unknown
// fields are ignored, wrong types and ranges are a 400 that names the field. What this engine cannot
// do (pictures, several kinds of tools) is refused, never ignored. Prompts given as token ids may
// not hold control tokens: no caller writes those.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inference/sample/sampler.h"
#include "inference/serve/api_error.h"
#include "inference/tokenizer/template.h"

namespace portcullis::inference {

// A prompt of a plain completion, or a text to embed.
struct TextInput {
  std::string text;
  std::vector<TokenId> tokens;
  bool is_tokens = false;
};

enum class ToolChoice { kNone, kAuto, kRequired, kNamed };
enum class AnswerFormat { kText, kJsonObject, kJsonSchema };

struct Call {
  bool chat = true;
  std::string model;
  std::vector<ChatMessage> messages;  // chat
  ChatOptions chat_options;           // chat; with the tools
  std::vector<TextInput> prompts;     // plain completion
  bool echo = false;                  // plain completion: the prompt again before its answer
  bool stream = false;
  bool include_usage = false;
  int choices = 1;         // of each prompt
  int64_t max_tokens = 0;  // 0: not said
  std::vector<std::string> stops;
  SamplingOptions sampling;

  ToolChoice tool_choice = ToolChoice::kAuto;
  std::string tool_name;  // kNamed
  bool parallel_tool_calls = true;
  AnswerFormat format = AnswerFormat::kText;
  boost::json::value schema;     // kJsonSchema
  int64_t thinking_budget = -1;  // tokens; below 0: none

  // Answers in the reply.
  int answers() const { return chat ? choices : choices * static_cast<int>(prompts.size()); }
};

struct EmbedCall {
  std::string model;
  std::vector<TextInput> inputs;
  bool base64 = false;
  bool mean = true;
  int64_t dimensions = 0;  // 0: not said
};

// `defaults`: what the model's makers recommend, for fields that are not said.
ApiResult<Call> ReadChatCall(std::string_view body, const SamplingOptions& defaults);
ApiResult<Call> ReadTextCall(std::string_view body, const SamplingOptions& defaults);
ApiResult<EmbedCall> ReadEmbedCall(std::string_view body);

}  // namespace portcullis::inference
