// The body of a completion request, read and range-checked: JSON of at most 64 levels in, a Call
// out. Unknown fields are ignored, wrong types and ranges are a 400 that names the field. What this
// engine cannot do (tools, JSON modes, pictures, token ids as a prompt) is refused, never ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inference/sample/sampler.h"
#include "inference/serve/api_error.h"
#include "inference/tokenizer/template.h"

namespace portcullis::inference {

struct Call {
  bool chat = true;
  std::string model;
  std::vector<ChatMessage> messages;  // chat
  std::string prompt;                 // plain completion
  bool stream = false;
  bool include_usage = false;
  bool thinking = true;
  int choices = 1;
  int64_t max_tokens = 0;  // 0: not said
  std::vector<std::string> stops;
  SamplingOptions sampling;
};

// `defaults`: what the model's makers recommend, for fields that are not said.
ApiResult<Call> ReadChatCall(std::string_view body, const SamplingOptions& defaults);
ApiResult<Call> ReadTextCall(std::string_view body, const SamplingOptions& defaults);

}  // namespace portcullis::inference
