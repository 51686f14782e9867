#include "inference/serve/reply.h"

#include <sys/random.h>

#include <algorithm>
#include <boost/json.hpp>
#include <ctime>
#include <utility>

#include "inference/tokenizer/utf8.h"

namespace portcullis::inference {
namespace {

namespace json = boost::json;

std::string RandomId(const char* prefix) {
  unsigned char bytes[12] = {};
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) bytes[0] = 1;
  std::string id = prefix;
  for (const unsigned char byte : bytes) {
    id += "0123456789abcdef"[byte >> 4];
    id += "0123456789abcdef"[byte & 15];
  }
  return id;
}

const char* ReasonName(const Choice& choice) {
  if (choice.reason == FinishReason::kLength) return "length";
  return choice.calls.empty() ? "stop" : "tool_calls";
}

json::object UsageBody(const std::vector<Choice>& choices, size_t per_prompt) {
  Usage sum;
  for (size_t begin = 0; begin < choices.size(); begin += per_prompt) {
    // The choices of a prompt share it. What was there before the call: a later choice may also
    // take from the first one.
    int64_t cached = choices[begin].usage.cached_tokens;
    for (size_t i = begin; i < std::min(begin + per_prompt, choices.size()); ++i) {
      cached = std::min(cached, choices[i].usage.cached_tokens);
      sum.completion_tokens += choices[i].usage.completion_tokens;
      sum.reasoning_tokens += choices[i].usage.reasoning_tokens;
    }
    sum.prompt_tokens += choices[begin].usage.prompt_tokens;
    sum.cached_tokens += cached;
  }
  json::object body;
  body["prompt_tokens"] = sum.prompt_tokens;
  body["completion_tokens"] = sum.completion_tokens;
  body["total_tokens"] = sum.prompt_tokens + sum.completion_tokens;
  body["prompt_tokens_details"] = json::object{{"cached_tokens", sum.cached_tokens}};
  body["completion_tokens_details"] = json::object{{"reasoning_tokens", sum.reasoning_tokens}};
  body["prompt_cache_hit_tokens"] = sum.cached_tokens;
  body["prompt_cache_miss_tokens"] = sum.prompt_tokens - sum.cached_tokens;
  return body;
}

json::object TokenBody(const std::string& text, float logprob) {
  json::array bytes;
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  json::object body;
  body["token"] = Scrub(text);
  body["logprob"] = logprob;
  body["bytes"] = std::move(bytes);
  return body;
}

}  // namespace

void Choice::Add(const CallDelta& delta) {
  if (!delta.name.empty()) calls.push_back({RandomId("call_"), delta.name, {}});
  if (!calls.empty()) calls.back().arguments += delta.arguments;
}

Reply::Reply(const Engine& engine, const Call& call)
    : chat_(call.chat),
      choices_per_prompt_(call.choices),
      include_usage_(call.include_usage),
      logprobs_(call.sampling.logprobs),
      id_(RandomId(call.chat ? "chatcmpl-" : "cmpl-")),
      model_(engine.name()),
      fingerprint_("fp_" + engine.info().sha256.substr(0, 12)),
      created_(std::time(nullptr)) {}

json::object Reply::Head(bool chunk) const {
  json::object body;
  body["id"] = id_;
  body["object"] = !chat_ ? "text_completion" : chunk ? "chat.completion.chunk" : "chat.completion";
  body["created"] = created_;
  body["model"] = model_;
  body["system_fingerprint"] = fingerprint_;
  return body;
}

json::object Reply::Chunk(json::object choice) const {
  json::object body = Head(true);
  json::array choices;
  choices.push_back(std::move(choice));
  body["choices"] = std::move(choices);
  if (include_usage_) body["usage"] = nullptr;
  return body;
}

json::value Reply::Logprobs(const std::vector<ReportedToken>& tokens) const {
  if (!logprobs_) return nullptr;
  json::object body;
  if (chat_) {
    json::array content;
    for (const ReportedToken& token : tokens) {
      json::object item = TokenBody(token.text, token.logprob);
      json::array top;
      for (const auto& [text, logprob] : token.top) top.push_back(TokenBody(text, logprob));
      item["top_logprobs"] = std::move(top);
      content.push_back(std::move(item));
    }
    body["content"] = std::move(content);
    body["refusal"] = nullptr;
    return body;
  }
  json::array texts, logprobs, tops;
  for (const ReportedToken& token : tokens) {
    texts.push_back(json::string(Scrub(token.text)));
    logprobs.push_back(token.logprob);
    json::object top;
    for (const auto& [text, logprob] : token.top) top[Scrub(text)] = logprob;
    tops.push_back(std::move(top));
  }
  body["tokens"] = std::move(texts);
  body["token_logprobs"] = std::move(logprobs);
  body["top_logprobs"] = std::move(tops);
  return body;
}

json::object Reply::Whole(const std::vector<Choice>& choices) const {
  json::object body = Head(false);
  json::array list;
  for (size_t i = 0; i < choices.size(); ++i) {
    const Choice& choice = choices[i];
    json::object item;
    item["index"] = i;
    if (chat_) {
      json::object message;
      message["role"] = "assistant";
      message["content"] = choice.content;
      if (!choice.calls.empty()) {
        if (choice.content.empty()) message["content"] = nullptr;
        json::array calls;
        for (const Choice::Called& made : choice.calls) {
          calls.push_back({{"id", made.id},
                           {"type", "function"},
                           {"function", {{"name", made.name}, {"arguments", made.arguments}}}});
        }
        message["tool_calls"] = std::move(calls);
      }
      if (!choice.reasoning.empty()) message["reasoning_content"] = choice.reasoning;
      message["refusal"] = nullptr;
      item["message"] = std::move(message);
    } else {
      item["text"] = choice.content;
    }
    item["logprobs"] = Logprobs(choice.tokens);
    item["finish_reason"] = ReasonName(choice);
    list.push_back(std::move(item));
  }
  body["choices"] = std::move(list);
  body["usage"] = UsageBody(choices, static_cast<size_t>(choices_per_prompt_));
  return body;
}

json::object Reply::First(int index) const {
  json::object choice;
  choice["index"] = index;
  choice["delta"] = json::object{{"role", "assistant"}, {"content", ""}};
  choice["logprobs"] = nullptr;
  choice["finish_reason"] = nullptr;
  return Chunk(std::move(choice));
}

json::object Reply::Middle(int index, const Delta& delta) const {
  json::object choice;
  choice["index"] = index;
  if (chat_) {
    json::object inner;
    if (!delta.reasoning.empty()) inner["reasoning_content"] = delta.reasoning;
    if (!delta.content.empty() || delta.reasoning.empty()) inner["content"] = delta.content;
    choice["delta"] = std::move(inner);
  } else {
    choice["text"] = delta.content;
  }
  choice["logprobs"] = delta.tokens.empty() ? json::value(nullptr) : Logprobs(delta.tokens);
  choice["finish_reason"] = nullptr;
  return Chunk(std::move(choice));
}

json::object Reply::CallChunk(int index, const Choice& choice, const CallDelta& delta) const {
  json::object part{{"index", delta.index}};
  json::object function{{"arguments", delta.arguments}};
  if (!delta.name.empty()) {
    part["id"] = choice.calls.back().id;
    part["type"] = "function";
    function = json::object{{"name", delta.name}, {"arguments", delta.arguments}};
  }
  part["function"] = std::move(function);
  json::object out{{"index", index}};
  out["delta"] = json::object{{"tool_calls", json::array{std::move(part)}}};
  out["logprobs"] = nullptr;
  out["finish_reason"] = nullptr;
  return Chunk(std::move(out));
}

json::object Reply::Last(int index, const Choice& answer) const {
  json::object choice;
  choice["index"] = index;
  if (chat_) {
    choice["delta"] = json::object{};
  } else {
    choice["text"] = "";
  }
  choice["logprobs"] = nullptr;
  choice["finish_reason"] = ReasonName(answer);
  return Chunk(std::move(choice));
}

json::object Reply::UsageChunk(const std::vector<Choice>& choices) const {
  json::object body = Head(true);
  body["choices"] = json::array{};
  body["usage"] = UsageBody(choices, static_cast<size_t>(choices_per_prompt_));
  return body;
}

json::object ModelList(const Engine& engine, int64_t created) {
  const ModelInfo& info = engine.info();
  json::object own;
  own["sha256"] = info.sha256;
  own["context_length"] = engine.context_length();
  own["architecture"] = info.architecture;
  own["weight_type"] = info.weight_type;
  own["parameters"] = info.parameters;
  own["chat_template"] = engine.chat_template().family_name();
  json::object model;
  model["id"] = engine.name();
  model["object"] = "model";
  model["created"] = created;
  model["owned_by"] = "portcullis";
  model["portcullis"] = std::move(own);
  json::object body;
  body["object"] = "list";
  json::array data;
  data.push_back(std::move(model));
  body["data"] = std::move(data);
  return body;
}

}  // namespace portcullis::inference
