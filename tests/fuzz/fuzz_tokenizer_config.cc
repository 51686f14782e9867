// tokenizer_config.json, generation_config.json and config.json beside a sound tokenizer.json: the
// first byte says which of them the rest is. What is accepted has its begin and end tokens in the
// vocabulary, and a chat template that is recognised renders a message or refuses it.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "inference/tokenizer/template.h"
#include "inference/tokenizer/tokenizer.h"

namespace {
constexpr std::string_view kTokenizer = R"({"added_tokens":[
  {"id":4,"content":"<s>","special":true},{"id":5,"content":"</s>","special":true},
  {"id":6,"content":"<think>","special":false},{"id":7,"content":"</think>","special":false},
  {"id":8,"content":"<|im_start|>","special":true},{"id":9,"content":"<|im_end|>","special":true}],
  "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":false},
  "decoder":{"type":"ByteLevel"},
  "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"u":3},"merges":["a b"]}})";
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace portcullis::inference;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Tokenizer::JsonFiles files{kTokenizer, {}, {}, {}};
  switch (data[0]) {
    case 'g': files.generation = text; break;
    case 'm': files.model_config = text; break;
    default: files.config = text;
  }
  const auto tokenizer = Tokenizer::FromJson(files);
  if (!tokenizer) return 0;
  const auto known = [&](TokenId id) {
    return id >= 0 && static_cast<size_t>(id) < tokenizer.value()->size();
  };
  if (tokenizer.value()->bos() != kNoToken && !known(tokenizer.value()->bos())) std::abort();
  for (const TokenId id : tokenizer.value()->ends()) {
    if (!known(id)) std::abort();
  }
  const auto chat = ChatTemplate::Recognise(*tokenizer.value());
  if (!chat) return 0;
  const ChatMessage message{MessageRole::kUser, "ab <s> ba"};
  const auto prompt = chat.value().Render(*tokenizer.value(), {&message, 1}, {});
  if (!prompt) return 0;
  for (const TokenId id : prompt.value().tokens) {
    if (!known(id)) std::abort();
  }
  return 0;
}
