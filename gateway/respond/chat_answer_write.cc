// The JSON of an answer: chunks of a stream, and the whole.
#include <algorithm>
#include <boost/json/serialize.hpp>

#include "gateway/respond/chat_answer_choice.h"

namespace portcullis::gateway {

namespace json = boost::json;

json::object ChatAnswer::Envelope(const char* object) const {
  return {{"id", options_.id},
          {"object", object},
          {"created", options_.created},
          {"model", options_.model}};
}

std::string ChatAnswer::Chunk(uint32_t index, json::object delta, const std::string* finish_reason,
                              const json::value* logprobs) const {
  json::object choice{{"index", index}};
  if (options_.text) {
    const auto* text = delta.if_contains("content");
    choice["text"] = text ? *text : json::value("");
  } else {
    choice["delta"] = std::move(delta);
  }
  choice["logprobs"] = logprobs ? *logprobs : json::value(nullptr);
  choice["finish_reason"] = finish_reason ? json::value(*finish_reason) : json::value(nullptr);
  json::object chunk = Envelope(options_.text ? "text_completion" : "chat.completion.chunk");
  chunk["choices"] = json::array{std::move(choice)};
  if (options_.include_usage) chunk["usage"] = nullptr;
  return json::serialize(chunk);
}

// Token texts would carry what the filter masked, so they leave only with a clean answer, and
// then all at once.
std::vector<std::string> ChatAnswer::Tail() const {
  std::vector<std::string> out;
  for (const auto& choice : choices_) {
    const json::value logprobs = Logprobs(*choice);
    out.push_back(Chunk(choice->index, {}, &choice->finish_reason, &logprobs));
  }
  if (options_.include_usage) {
    json::object chunk = Envelope(options_.text ? "text_completion" : "chat.completion.chunk");
    chunk["choices"] = json::array{};
    chunk["usage"] = UsageJson();
    out.push_back(json::serialize(chunk));
  }
  out.push_back("[DONE]");
  return out;
}

json::object ChatAnswer::Whole() const {
  json::array list;
  for (const auto& choice : choices_) {
    json::object entry{{"index", choice->index}};
    if (options_.text) {
      entry["text"] = choice->content_text;
    } else {
      entry["message"] = Message(*choice);
    }
    entry["logprobs"] = Logprobs(*choice);
    entry["finish_reason"] = choice->finish_reason;
    list.push_back(std::move(entry));
  }
  json::object whole = Envelope(options_.text ? "text_completion" : "chat.completion");
  whole["choices"] = std::move(list);
  whole["usage"] = UsageJson();
  return whole;
}

json::object ChatAnswer::Message(const Choice& choice) {
  json::object message{{"role", "assistant"}, {"content", choice.content_text}};
  if (!choice.reasoning_text.empty()) message["reasoning_content"] = choice.reasoning_text;
  if (!choice.tools.empty()) {
    json::array calls;
    for (const auto& [index, tool] : choice.tools) {
      calls.push_back({{"id", tool.id},
                       {"type", "function"},
                       {"function", {{"name", tool.name}, {"arguments", tool.arguments}}}});
    }
    message["tool_calls"] = std::move(calls);
    if (choice.content_text.empty()) message["content"] = nullptr;
  }
  return message;
}

json::value ChatAnswer::Logprobs(const Choice& choice) const {
  if (!options_.logprobs || !choice.Clean()) return nullptr;
  if (options_.text) {
    return choice.text_logprobs.empty() ? json::value(nullptr) : json::value(choice.text_logprobs);
  }
  if (choice.logprobs.empty()) return nullptr;
  return json::object{{"content", choice.logprobs}};
}

json::object ChatAnswer::UsageJson() const {
  const uint64_t missed = usage_.prompt - std::min(usage_.cached, usage_.prompt);
  return {{"prompt_tokens", usage_.prompt},
          {"completion_tokens", usage_.completion},
          {"total_tokens", usage_.prompt + usage_.completion},
          {"prompt_tokens_details", {{"cached_tokens", usage_.cached}}},
          {"completion_tokens_details", {{"reasoning_tokens", usage_.reasoning}}},
          {"prompt_cache_hit_tokens", usage_.cached},
          {"prompt_cache_miss_tokens", missed}};
}

}  // namespace portcullis::gateway
