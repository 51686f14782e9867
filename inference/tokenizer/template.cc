#include "inference/tokenizer/template.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "inference/tokenizer/conversation.h"
#include "inference/tokenizer/jinja/evaluate.h"

namespace portcullis::inference {
namespace {

constexpr std::string_view kThinkOpen = "<think>";
constexpr std::string_view kThinkClose = "</think>";

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// `word` as a name of its own, not as a part of another.
bool ContainsName(std::string_view text, std::string_view word) {
  const auto in_name = [&](size_t at) {
    const char c = at < text.size() ? text[at] : ' ';
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    if ((at == 0 || !in_name(at - 1)) && !in_name(at + word.size())) return true;
  }
  return false;
}

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

// The first words of a template and its digest, fit for an error message.
std::string Describe(std::string_view source) {
  std::string out = "it begins `";
  for (const char c : source.substr(0, 80)) out += c >= 0x20 && c < 0x7F && c != '`' ? c : ' ';
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_Digest(source.data(), source.size(), digest.data(), &size, EVP_sha256(), nullptr);
  out += "`, sha256 ";
  for (unsigned int i = 0; i < size; ++i) {
    out += "0123456789abcdef"[digest[i] >> 4];
    out += "0123456789abcdef"[digest[i] & 15];
  }
  return out;
}

// Collects tokens. The template's words may hold control tokens; the caller's never do. Text on
// either side of the seam between them is tokenised as one run, as the model was trained on it.
class Writer {
 public:
  explicit Writer(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void Literal(std::string_view text) {
    for (const auto& raw : tokenizer_.FindControls(text, false)) {
      if (raw.id != kNoToken) {
        Control(raw.id);
        continue;
      }
      for (const auto& section : tokenizer_.FindControls(raw.text, true)) {
        if (section.id != kNoToken) {
          Control(section.id);
        } else {
          Content(section.text);
        }
      }
    }
  }
  void Content(std::string_view text) { pending_.append(text); }
  void Control(TokenId id) {
    Flush();
    tokens_.push_back(id);
  }
  Result<std::vector<TokenId>> Finish() {
    Flush();
    if (error_) return std::move(*error_);
    return std::move(tokens_);
  }

 private:
  void Flush() {
    if (pending_.empty()) return;
    auto result = tokenizer_.Encode(pending_, Specials::kAsText, tokens_, tokens_.empty());
    if (!result && !error_) error_ = result.error();
    pending_.clear();
  }

  const Tokenizer& tokenizer_;
  std::vector<TokenId> tokens_;
  std::string pending_;
  std::optional<Error> error_;
};

Result<std::vector<TokenId>> ToTokens(const Tokenizer& tokenizer, const jinja::Text& text) {
  Writer writer(tokenizer);
  for (size_t at = 0; at < text.bytes.size();) {
    const char mark = text.marks[at];
    const size_t end = std::min(text.marks.find(mark == 0 ? '\1' : '\0', at), text.bytes.size());
    const std::string_view run = std::string_view(text.bytes).substr(at, end - at);
    if (mark == 0) {
      writer.Literal(run);
    } else {
      writer.Content(run);
    }
    at = end;
  }
  return writer.Finish();
}

// The template's own words end with <think>, blanks aside.
bool EndsInThinking(const jinja::Text& text) {
  const size_t last = text.bytes.find_last_not_of(" \t\r\n");
  if (last == std::string::npos || last + 1 < kThinkOpen.size()) return false;
  const size_t begin = last + 1 - kThinkOpen.size();
  return text.bytes.compare(begin, kThinkOpen.size(), kThinkOpen) == 0 &&
         text.marks.find('\1', begin) == std::string::npos;
}

}  // namespace

Result<ChatTemplate> ChatTemplate::Recognise(const Tokenizer& tokenizer) {
  ChatTemplate result;
  const std::string_view source = tokenizer.chat_template();
  if (IsBlank(source)) return result;

  std::vector<std::string_view> marks;
  if (Contains(source, "<｜User｜>") && Contains(source, "<｜Assistant｜>")) {
    result.family_ = TemplateFamily::kDeepSeek;
    marks = {"<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"};
  } else if (Contains(source, "<|start_header_id|>") && Contains(source, "<|eot_id|>")) {
    result.family_ = TemplateFamily::kLlama3;
    marks = {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"};
  } else if (Contains(source, "<|im_start|>")) {
    result.family_ = TemplateFamily::kChatMl;
    marks = {"<|im_start|>", "<|im_end|>"};
  } else if (Contains(source, "[INST]") && Contains(source, "[/INST]")) {
    result.family_ = TemplateFamily::kLlama2;
  } else {
    return Error{Code::kBadTemplate,
                 "the model's chat template is of no known family (DeepSeek-V3 and R1, Llama 2, "
                 "Llama 3, ChatML); " +
                     Describe(source)};
  }
  for (const std::string_view mark : marks) {
    if (tokenizer.Control(mark) == kNoToken) {
      return Error{Code::kBadTemplate, "the model's chat template uses `" + std::string(mark) +
                                           "`, which its vocabulary lacks"};
    }
  }
  auto program = jinja::Parse(source);
  if (!program) {
    return Error{Code::kBadTemplate, program.error().message + "; " + Describe(source)};
  }
  result.program_ = std::move(program).value();
  result.TakeFeatures(source);
  return result;
}

void ChatTemplate::TakeFeatures(std::string_view source) {
  reasons_ = Contains(source, kThinkClose);
  opens_thinking_ = family_ == TemplateFamily::kDeepSeek
                        ? Contains(source, "<｜Assistant｜><think>")
                        : Contains(source, "assistant\\n<think>\\n'");
  switches_thinking_ = ContainsName(source, "enable_thinking") ||
                       Contains(source, "thinking is defined") || Contains(source, "if thinking");
  takes_tools_ = ContainsName(source, "tools");
  takes_calls_ = ContainsName(source, "tool_calls");
  if (Contains(source, "<｜tool▁calls▁begin｜>")) {
    tool_format_ = Contains(source, "```json") ? ToolFormat::kDeepSeek : ToolFormat::kDeepSeekPlain;
  } else if (takes_tools_ && family_ == TemplateFamily::kLlama3 && !Contains(source, "<tool_call>")) {
    tool_format_ = ToolFormat::kBareJson;
  }
}

std::string_view ChatTemplate::family_name() const {
  switch (family_) {
    case TemplateFamily::kPlain:
      return "plain";
    case TemplateFamily::kDeepSeek:
      return "deepseek";
    case TemplateFamily::kLlama3:
      return "llama3";
    case TemplateFamily::kChatMl:
      return "chatml";
    case TemplateFamily::kLlama2:
      return "llama2";
  }
  return "plain";
}

void ChatTemplate::CloseThinking(jinja::Text& text) const {
  if (EndsInThinking(text)) {
    text.Append(jinja::Text(text.bytes.ends_with('\n') ? "\n</think>\n\n" : "\n\n</think>\n\n", false));
  } else if (reasons_ && !switches_thinking_) {
    text.Append(jinja::Text("<think>\n\n</think>\n\n", false));
  }
}

Result<jinja::Text> ChatTemplate::RenderText(const Tokenizer& tokenizer,
                                             std::span<const ChatMessage> messages,
                                             const ChatOptions& options) const {
  Conversation conversation(messages, options);
  if (!takes_calls_) {
    BOOST_OUTCOME_TRY(conversation.WriteCallsAsText());
  }
  if (!takes_tools_) {
    BOOST_OUTCOME_TRY(conversation.DescribeTools(tool_format_));
  }
  const std::time_t now = options.now.value_or(std::time(nullptr));
  auto text = jinja::Run(*program_, conversation.Variables(tokenizer, false), now);
  // Some templates cannot do without a content, others tell a call by its absence.
  if (!text && conversation.has_calls()) {
    text = jinja::Run(*program_, conversation.Variables(tokenizer, true), now);
  }
  if (text && options.generation_prompt && options.thinking == false) CloseThinking(text.value());
  return text;
}

Result<Prompt> ChatTemplate::Render(const Tokenizer& tokenizer,
                                    std::span<const ChatMessage> messages,
                                    const ChatOptions& options) const {
  Prompt prompt;
  if (family_ == TemplateFamily::kPlain) {
    Writer writer(tokenizer);
    if (tokenizer.add_bos()) writer.Control(tokenizer.bos());
    for (size_t i = 0; i < messages.size(); ++i) {
      if (i > 0) writer.Content("\n");
      writer.Content(messages[i].content);
    }
    BOOST_OUTCOME_TRY(prompt.tokens, writer.Finish());
    return prompt;
  }
  BOOST_OUTCOME_TRY(const jinja::Text text, RenderText(tokenizer, messages, options));
  prompt.thinking_open = options.generation_prompt && EndsInThinking(text);
  BOOST_OUTCOME_TRY(prompt.tokens, ToTokens(tokenizer, text));
  return prompt;
}

}  // namespace portcullis::inference
