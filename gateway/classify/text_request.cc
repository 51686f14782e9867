#include "gateway/classify/text_request.h"

#include <algorithm>
#include <boost/json/array.hpp>

#include "gateway/classify/request_fields.h"

namespace portcullis::gateway {
namespace {

namespace json = boost::json;

constexpr size_t kMaxInputs = 256;
constexpr uint32_t kMaxAnswers = 64;
constexpr int64_t kMaxToken = 4'000'000;

bool IsTokens(const json::value& value) {
  const auto* list = value.if_array();
  return list && !list->empty() && std::ranges::all_of(*list, [](const json::value& id) {
    return id.is_int64() && id.get_int64() >= 0 && id.get_int64() < kMaxToken;
  });
}

// A string, token ids, or a list of these. Returns how many there are.
Result<uint32_t> Inputs(const json::object& from, const char* key, ChatCall& call) {
  const Error wrong = Wrong(key, "a string, a list of token ids, or a list of 1 to 256 of these");
  const auto* value = Given(from, key);
  if (!value) return wrong;
  call.body[key] = *value;
  if (value->is_string()) {
    call.prompt_estimate = 8 + value->get_string().size() / 3;
    return 1u;
  }
  if (IsTokens(*value)) {
    call.unreadable = true;
    call.prompt_estimate = value->get_array().size();
    return 1u;
  }
  const auto* list = value->if_array();
  if (!list || list->empty() || list->size() > kMaxInputs) return wrong;
  for (const json::value& item : *list) {
    if (IsTokens(item)) {
      call.unreadable = true;
      call.prompt_estimate += item.get_array().size();
    } else if (item.is_string()) {
      call.prompt_estimate += 8 + item.get_string().size() / 3;
    } else {
      return wrong;
    }
  }
  return static_cast<uint32_t>(list->size());
}

Result<ChatCall> Begin(const json::value& document, CallKind kind) {
  const auto* from = document.if_object();
  if (!from) return Error{Code::kBadRequest, "the body must be a JSON object"};
  ChatCall call;
  call.kind = kind;
  BOOST_OUTCOME_TRY(call.model, ReadModel(*from));
  call.body["model"] = call.model;
  BOOST_OUTCOME_TRY(CallerFacts(*from, call));
  return call;
}

Result<void> TextLogprobs(const json::object& from, ChatCall& call) {
  BOOST_OUTCOME_TRY(auto wanted, Integer(from, "logprobs", 0, 20));
  if (!wanted) return boost::outcome_v2::success();
  call.logprobs = true;
  call.body["logprobs"] = *wanted;
  return LimitLogprobs(call);
}

}  // namespace

Result<ChatCall> ParseText(const json::value& document, const ChatLimits& limits) {
  BOOST_OUTCOME_TRY(auto call, Begin(document, CallKind::kText));
  const json::object& from = document.get_object();
  BOOST_OUTCOME_TRY(const uint32_t prompts, Inputs(from, "prompt", call));
  BOOST_OUTCOME_TRY(StreamOptions(from, call));
  BOOST_OUTCOME_TRY(MaxTokens(from, limits, call));
  call.choices *= prompts;
  if (call.choices > kMaxAnswers) return Wrong("n", "such that prompts times `n` make at most 64 answers");
  BOOST_OUTCOME_TRY(Sampling(from, call.body));
  BOOST_OUTCOME_TRY(TextLogprobs(from, call));
  BOOST_OUTCOME_TRY(auto echo, Boolean(from, "echo"));
  if (echo.value_or(false)) call.body["echo"] = true;
  for (const char* key : {"suffix", "best_of"}) {
    const auto* value = Given(from, key);
    const bool harmless = value && std::string_view(key) == "best_of" && *value == 1;
    if (value && !harmless) return Wrong(key, "absent: it is not supported");
  }
  return call;
}

Result<ChatCall> ParseEmbedding(const json::value& document, const ChatLimits&) {
  BOOST_OUTCOME_TRY(auto call, Begin(document, CallKind::kEmbedding));
  const json::object& from = document.get_object();
  BOOST_OUTCOME_TRY(call.choices, Inputs(from, "input", call));
  for (const char* key : {"encoding_format", "pooling"}) {
    if (const auto* value = Given(from, key)) {
      if (!value->is_string()) return Wrong(key, "a string");
      call.body[key] = *value;
    }
  }
  BOOST_OUTCOME_TRY(auto dimensions, Integer(from, "dimensions", 1, 1'000'000));
  if (dimensions) call.body["dimensions"] = *dimensions;
  return call;
}

}  // namespace portcullis::gateway
