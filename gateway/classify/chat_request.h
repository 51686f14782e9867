// POST /v1/chat/completions as the OpenAI and DeepSeek clients send it, checked field by field and
// rebuilt from an allow-list: what is not named here never reaches an engine. Part of the step
// "classify". Wrong types and values out of range are kInvalidParameter with `param`; unknown
// fields are ignored. Pure functions, any thread.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <string>

#include "gateway/error.h"

namespace portcullis::gateway {

struct ChatLimits {
  uint32_t max_tokens_default = 1024;
  uint32_t max_tokens_limit = 32768;
  uint32_t max_choices = 4;
  uint32_t max_messages = 2048;
};

// What a model is asked for; each kind has a route of its own in an engine.
enum class CallKind : uint8_t { kChat, kText, kEmbedding };

// A call of a model, of any kind.
struct ChatCall {
  CallKind kind = CallKind::kChat;
  boost::json::object body;  // for the engine: normalised, always streaming, always with usage
  std::string model;
  bool stream = false;         // the caller wants server-sent events
  bool include_usage = false;  // the caller wants the usage chunk
  bool logprobs = false;
  bool unreadable = false;     // it holds token ids, which no scanner can read
  uint32_t choices = 1;        // over all prompts
  uint32_t max_tokens = 0;
  uint64_t prompt_estimate = 0;  // tokens, from the bytes of all strings; settled later
  std::string purpose = "other";
};

Result<ChatCall> ParseChat(const boost::json::value& document, const ChatLimits& limits);

}  // namespace portcullis::gateway
