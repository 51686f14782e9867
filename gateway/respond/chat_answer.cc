#include "gateway/respond/chat_answer.h"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "gateway/http/json_reader.h"
#include "gateway/respond/chat_answer_choice.h"

namespace portcullis::gateway {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 5> kFinishReasons = {
    "stop", "length", "tool_calls", "content_filter", "insufficient_system_resource"};

constexpr size_t kMaxWords = 1024;         // of an engine's error, a tool's name or id
constexpr uint64_t kMaxAnswer = 32u << 20;  // bytes of text; one audit record must hold it
// Bytes of events whose token texts are held: 16384 tokens with 20 candidates each need half.
constexpr uint64_t kMaxHeld = 64u << 20;

Error Broken(const std::string& what) {
  return Error{Code::kUpstreamError, "the inference engine sent " + what};
}

const json::value* Field(const json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value && !value->is_null() ? value : nullptr;
}

std::string StringField(const json::object& object, std::string_view key) {
  const auto* value = Field(object, key);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

uint64_t Count(const json::object& object, std::string_view key) {
  const auto* value = Field(object, key);
  return value && value->is_int64() && value->get_int64() >= 0
             ? static_cast<uint64_t>(value->get_int64())
             : 0;
}

}  // namespace

ChatAnswer::ChatAnswer(AnswerOptions options, const policy::DetectorSet& detectors,
                       policy::RedactionPolicy policy)
    : options_(std::move(options)), detectors_(detectors), policy_(std::move(policy)) {
  for (uint32_t i = 0; i < options_.choices; ++i) {
    choices_.push_back(std::make_unique<Choice>(i, detectors_, policy_));
  }
}

ChatAnswer::ChatAnswer(ChatAnswer&&) noexcept = default;
ChatAnswer::~ChatAnswer() = default;

std::vector<std::string> ChatAnswer::Head() {
  std::vector<std::string> out;
  if (options_.text) return out;
  for (const auto& choice : choices_) {
    out.push_back(Chunk(choice->index, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr));
  }
  return out;
}

Result<std::vector<std::string>> ChatAnswer::Feed(std::string_view event) {
  if (options_.logprobs) held_ += event.size();
  if (held_ > kMaxHeld) return Broken("more token texts than an answer may have");
  http::JsonLimits limits;
  limits.bytes = 1u << 20;
  auto document = http::ReadJson(event, limits);
  if (!document) return Broken("an event that is not JSON");
  const auto* chunk = document.value().if_object();
  if (!chunk) return Broken("an event that is not an object");
  if (const auto* error = Field(*chunk, "error")) {
    const auto* object = error->if_object();
    const std::string message = object ? StringField(*object, "message") : "";
    if (message.empty() || message.size() > kMaxWords) {
      return Error{Code::kUpstreamError, "the inference engine failed"};
    }
    BOOST_OUTCOME_TRY(auto words, Masked(message));
    return Error{Code::kUpstreamError, words};
  }
  std::vector<std::string> out;
  if (const auto* choices = Field(*chunk, "choices")) {
    const auto* list = choices->if_array();
    if (!list) return Broken("choices that are not a list");
    for (const auto& item : *list) {
      const auto* choice = item.if_object();
      if (!choice) return Broken("a choice that is not an object");
      BOOST_OUTCOME_TRY(FeedChoice(*choice, out));
    }
  }
  if (const auto* usage = Field(*chunk, "usage"); usage && usage->is_object()) {
    ReadUsage(usage->get_object());
  }
  return out;
}

Result<void> ChatAnswer::FeedChoice(const json::object& from, std::vector<std::string>& out) {
  const uint64_t index = Count(from, "index");
  if (index >= choices_.size()) return Broken("a choice that nobody asked for");
  Choice& choice = *choices_[index];
  if (const auto* delta = Field(from, "delta"); delta && delta->is_object()) {
    BOOST_OUTCOME_TRY(FeedDelta(choice, delta->get_object(), Field(from, "logprobs"), out));
  }
  if (options_.text) {
    const json::object delta{{"content", StringField(from, "text")}};
    BOOST_OUTCOME_TRY(FeedDelta(choice, delta, Field(from, "logprobs"), out));
  }
  const std::string reason = StringField(from, "finish_reason");
  if (!reason.empty()) {
    if (std::find(kFinishReasons.begin(), kFinishReasons.end(), reason) == kFinishReasons.end()) {
      return Broken("an unknown finish_reason");
    }
    choice.finish_reason = reason;
  }
  return boost::outcome_v2::success();
}

Result<void> ChatAnswer::FeedDelta(Choice& choice, const json::object& delta,
                                   const json::value* logprobs, std::vector<std::string>& out) {
  if (logprobs && options_.logprobs && logprobs->is_object()) {
    TakeTextLogprobs(choice, logprobs->get_object());
    if (const auto* content = Field(logprobs->get_object(), "content"); content && content->is_array()) {
      for (const auto& entry : content->get_array()) {
        if (entry.is_object()) choice.logprobs.push_back(entry);
      }
    }
  }
  const std::string reasoning = StringField(delta, "reasoning_content");
  received_ += reasoning.size() + StringField(delta, "content").size();
  if (received_ > kMaxAnswer) return Broken("more text than an answer may have");
  if (!reasoning.empty()) {
    if (choice.answering) return Broken("reasoning after the answer had begun");
    ++pieces_;
    BOOST_OUTCOME_TRY(auto text, choice.reasoning.Feed(reasoning));
    BOOST_OUTCOME_TRY(Emit(choice, "reasoning_content", std::move(text), out));
  }
  const std::string content = StringField(delta, "content");
  if (!content.empty()) {
    ++pieces_;
    BOOST_OUTCOME_TRY(EndReasoning(choice, out));
    BOOST_OUTCOME_TRY(auto text, choice.content.Feed(content));
    BOOST_OUTCOME_TRY(Emit(choice, "content", std::move(text), out));
  }
  if (const auto* calls = Field(delta, "tool_calls")) {
    ++pieces_;
    BOOST_OUTCOME_TRY(EndReasoning(choice, out));
    BOOST_OUTCOME_TRY(FeedTools(choice, *calls, out));
  }
  return boost::outcome_v2::success();
}

void ChatAnswer::TakeTextLogprobs(Choice& choice, const json::object& from) const {
  if (!options_.text) return;
  for (const char* key : {"tokens", "token_logprobs", "top_logprobs"}) {
    const auto* more = Field(from, key);
    if (!more || !more->is_array()) continue;
    json::value& all = choice.text_logprobs[key];
    if (!all.is_array()) all = json::array{};
    for (const auto& item : more->get_array()) all.get_array().push_back(item);
  }
}

Result<void> ChatAnswer::FeedTools(Choice& choice, const json::value& calls,
                                   std::vector<std::string>& out) {
  const auto* list = calls.if_array();
  if (!list) return Broken("tool calls that are not a list");
  for (const auto& item : *list) {
    const auto* call = item.if_object();
    const auto* function = call ? Field(*call, "function") : nullptr;
    const auto* body = function ? function->if_object() : nullptr;
    const uint64_t index = call ? Count(*call, "index") : 0;
    if (!body || index >= 128) return Broken("a malformed tool call");
    const auto place = static_cast<uint32_t>(index);
    auto found = choice.tools.find(place);
    if (found == choice.tools.end()) {
      const std::string given_id = StringField(*call, "id");
      const std::string given_name = StringField(*body, "name");
      if (given_id.size() > kMaxWords || given_name.size() > kMaxWords) {
        return Broken("a malformed tool call");
      }
      BOOST_OUTCOME_TRY(auto id, Masked(given_id));
      BOOST_OUTCOME_TRY(auto name, Masked(given_name));
      Choice::Tool tool{id, name, "", OutputFilter(detectors_, policy_)};
      json::object first{{"index", place},
                         {"id", tool.id},
                         {"type", "function"},
                         {"function", {{"name", tool.name}, {"arguments", ""}}}};
      found = choice.tools.emplace(place, std::move(tool)).first;
      out.push_back(
          Chunk(choice.index, {{"tool_calls", json::array{std::move(first)}}}, nullptr, nullptr));
    }
    const std::string arguments = StringField(*body, "arguments");
    received_ += arguments.size();
    if (received_ > kMaxAnswer) return Broken("more text than an answer may have");
    BOOST_OUTCOME_TRY(auto text, found->second.filter.Feed(arguments));
    if (text.empty()) continue;
    found->second.arguments += text;
    json::object more{{"index", place}, {"function", {{"arguments", text}}}};
    out.push_back(
        Chunk(choice.index, {{"tool_calls", json::array{std::move(more)}}}, nullptr, nullptr));
  }
  return boost::outcome_v2::success();
}

// What the filter still holds of the reasoning goes out before the answer begins.
Result<void> ChatAnswer::EndReasoning(Choice& choice, std::vector<std::string>& out) {
  if (choice.answering) return boost::outcome_v2::success();
  choice.answering = true;
  BOOST_OUTCOME_TRY(auto rest, choice.reasoning.Finish());
  return Emit(choice, "reasoning_content", std::move(rest), out);
}

Result<std::string> ChatAnswer::Masked(const std::string& text) const {
  auto masked = policy::Redact(detectors_, policy_, text);
  if (!masked) return Error{Code::kFilterFailed, "the content filter failed; the answer is withheld"};
  return std::move(masked.value());
}

Result<void> ChatAnswer::Emit(Choice& choice, const char* field, std::string text,
                              std::vector<std::string>& out) {
  if (text.empty()) return boost::outcome_v2::success();
  (std::string_view(field) == "content" ? choice.content_text : choice.reasoning_text) += text;
  out.push_back(Chunk(choice.index, {{field, text}}, nullptr, nullptr));
  return boost::outcome_v2::success();
}

Result<std::vector<std::string>> ChatAnswer::Finish() {
  std::vector<std::string> out;
  if (!usage_.known) return Broken("no usage");
  for (const auto& choice : choices_) {
    if (choice->finish_reason.empty()) return Broken("an answer without an end");
    BOOST_OUTCOME_TRY(EndReasoning(*choice, out));
    BOOST_OUTCOME_TRY(auto content, choice->content.Finish());
    BOOST_OUTCOME_TRY(Emit(*choice, "content", std::move(content), out));
    for (auto& [index, tool] : choice->tools) {
      BOOST_OUTCOME_TRY(auto text, tool.filter.Finish());
      if (text.empty()) continue;
      tool.arguments += text;
      json::object more{{"index", index}, {"function", {{"arguments", text}}}};
      out.push_back(
          Chunk(choice->index, {{"tool_calls", json::array{std::move(more)}}}, nullptr, nullptr));
    }
  }
  return out;
}

void ChatAnswer::ReadUsage(const json::object& usage) {
  usage_.prompt = Count(usage, "prompt_tokens");
  usage_.completion = Count(usage, "completion_tokens");
  usage_.cached = Count(usage, "prompt_cache_hit_tokens");
  if (const auto* details = Field(usage, "completion_tokens_details"); details && details->is_object()) {
    usage_.reasoning = Count(details->get_object(), "reasoning_tokens");
  }
  usage_.known = true;
}

ScanResult ChatAnswer::findings() const {
  ScanResult result;
  for (const auto& choice : choices_) {
    choice->content.AddTo(result);
    choice->reasoning.AddTo(result);
    for (const auto& [index, tool] : choice->tools) tool.filter.AddTo(result);
  }
  return result;
}

std::string ChatAnswer::Text() const {
  std::string all;
  for (const auto& choice : choices_) all += choice->content_text;
  return all;
}

std::string ChatAnswer::Reasoning() const {
  std::string all;
  for (const auto& choice : choices_) all += choice->reasoning_text;
  return all;
}

std::string ChatAnswer::Tools() const {
  json::array all;
  for (const auto& choice : choices_) {
    for (const auto& [index, tool] : choice->tools) {
      all.push_back({{"name", tool.name}, {"arguments", tool.arguments}});
    }
  }
  return all.empty() ? std::string() : json::serialize(all);
}

std::string ChatAnswer::FinishReason() const { return choices_.front()->finish_reason; }

}  // namespace portcullis::gateway
