#include "gateway/infer/embedding_answer.h"

#include <algorithm>
#include <boost/json/array.hpp>

#include "gateway/http/json_reader.h"

namespace portcullis::gateway {
namespace {

namespace json = boost::json;

constexpr size_t kMaxVectorText = 1u << 20;

Error Broken() { return Error{Code::kUpstreamError, "the inference engine sent no embeddings"}; }

bool IsVector(const json::value& value) {
  if (const auto* text = value.if_string()) {
    return !text->empty() && text->size() <= kMaxVectorText &&
           std::ranges::all_of(*text, [](char c) {
             return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                    c == '+' || c == '/' || c == '=';
           });
  }
  const auto* list = value.if_array();
  return list && !list->empty() &&
         std::ranges::all_of(*list, [](const json::value& item) { return item.is_number(); });
}

}  // namespace

Result<Answer> ReadEmbeddings(std::string_view body, const ChatCall& call) {
  http::JsonLimits limits;
  limits.bytes = static_cast<decltype(limits.bytes)>(body.size());
  const auto document = http::ReadJson(body, limits);
  const auto* whole = document ? document.value().if_object() : nullptr;
  const auto* data = whole ? whole->if_contains("data") : nullptr;
  const auto* list = data ? data->if_array() : nullptr;
  if (!list || list->size() != call.choices) return Broken();
  json::array vectors;
  for (size_t i = 0; i < list->size(); ++i) {
    const auto* item = (*list)[i].if_object();
    const auto* vector = item ? item->if_contains("embedding") : nullptr;
    if (!vector || !IsVector(*vector)) return Broken();
    vectors.push_back({{"object", "embedding"}, {"index", i}, {"embedding", *vector}});
  }
  const auto* usage = whole->if_contains("usage");
  const auto* counts = usage ? usage->if_object() : nullptr;
  const auto* prompt = counts ? counts->if_contains("prompt_tokens") : nullptr;
  if (!prompt || !prompt->is_int64() || prompt->get_int64() < 0) return Broken();
  Answer answer;
  answer.prompt_tokens = static_cast<uint64_t>(prompt->get_int64());
  answer.document = {{"object", "list"},
                     {"data", std::move(vectors)},
                     {"model", call.model},
                     {"usage", {{"prompt_tokens", *prompt}, {"total_tokens", *prompt}}}};
  return answer;
}

}  // namespace portcullis::gateway
