// A byte-level BPE vocabulary of a given size: the 256 bytes, then merges of letters to syllables
// of two, three and four, each with and without a space in front, then ChatML's control tokens.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/bench/random_shape.h"

namespace portcullis::bench {
namespace {

constexpr int32_t kNormal = 1;
constexpr int32_t kControl = 3;
constexpr std::string_view kLetters = "etaoinshrdlucmfwypvbgkjqxz";
constexpr std::string_view kSpace = "\xc4\xa0";  // how the byte alphabet writes a space
constexpr std::string_view kControls[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
constexpr std::string_view kChatTemplate =
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + "
    "'<|im_end|>' + '\\n' }}{%- endfor %}{%- if add_generation_prompt %}"
    "{{- '<|im_start|>assistant\\n' }}{%- endif %}";

std::string Utf8(uint32_t code) {
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xc0 | (code >> 6)), static_cast<char>(0x80 | (code & 63))};
}

// The printable stand-ins of the 256 bytes (GPT-2's byte alphabet).
std::vector<std::string> ByteAlphabet() {
  std::vector<std::string> alphabet;
  uint32_t next = 256;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    alphabet.push_back(Utf8(printable ? byte : next++));
  }
  return alphabet;
}

}  // namespace

void SetVocabulary(const Shape& shape, inference::gguf::Writer& writer) {
  std::vector<std::string> tokens = ByteAlphabet();
  std::vector<std::string> merges;
  const auto size = static_cast<size_t>(shape.vocab);
  const size_t ordinary = size - std::size(kControls);
  const auto add = [&](const std::string& left, const std::string& right) {
    if (tokens.size() == ordinary) return;
    tokens.push_back(left + right);
    merges.push_back(left + " " + right);
  };
  std::vector<std::string> last;
  for (const char letter : kLetters) last.emplace_back(1, letter);
  for (const auto& letter : last) add(std::string(kSpace), letter);
  while (tokens.size() < ordinary) {
    std::vector<std::string> longer;
    for (const auto& start : last) {
      for (const char letter : kLetters) longer.push_back(start + letter);
    }
    for (const auto& syllable : longer) {
      const std::string start = syllable.substr(0, syllable.size() - 1);
      add(start, syllable.substr(syllable.size() - 1));
      add(std::string(kSpace) + start, syllable.substr(syllable.size() - 1));
    }
    last = std::move(longer);
  }
  std::vector<int32_t> types(tokens.size(), kNormal);
  for (const auto control : kControls) {
    tokens.emplace_back(control);
    types.push_back(kControl);
  }
  writer.SetString("tokenizer.ggml.model", "gpt2");
  writer.SetString("tokenizer.ggml.pre", "qwen2");
  writer.SetStrings("tokenizer.ggml.tokens", tokens);
  writer.SetInts("tokenizer.ggml.token_type", types);
  writer.SetStrings("tokenizer.ggml.merges", merges);
  writer.SetInt("tokenizer.ggml.eos_token_id", static_cast<uint32_t>(size - 1));
  writer.SetInt("tokenizer.ggml.padding_token_id", static_cast<uint32_t>(size - 3));
  writer.SetBool("tokenizer.ggml.add_bos_token", false);
  writer.SetString("tokenizer.chat_template", kChatTemplate);
}

}  // namespace portcullis::bench
