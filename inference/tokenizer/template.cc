#include "inference/tokenizer/template.h"

#include <algorithm>
#include <ctime>
#include <optional>
#include <utility>

namespace portcullis::inference {
namespace {

constexpr std::string_view kThinkOpen = "<think>";
constexpr std::string_view kThinkClose = "</think>";

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Jinja's `trim`.
std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\n\r\f\v";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::string_view TrimNewlines(std::string_view text) {
  const size_t begin = text.find_first_not_of('\n');
  return begin == std::string_view::npos ? std::string_view{} : text.substr(begin);
}

// The system message that a ChatML template writes when the conversation has none: a literal
// between its markers, without any expression.
std::string DefaultSystem(std::string_view source) {
  constexpr std::string_view kOpen = "<|im_start|>system";
  for (size_t at = source.find(kOpen); at != std::string_view::npos; at = source.find(kOpen, at)) {
    at += kOpen.size();
    std::string_view rest = source.substr(at);
    if (rest.starts_with("\\n")) {
      rest.remove_prefix(2);
    } else if (rest.starts_with("\n")) {
      rest.remove_prefix(1);
    } else {
      continue;
    }
    const std::string_view text = rest.substr(0, rest.find("<|im_end|>"));
    if (!text.empty() && text.find_first_of("'\"{}") == std::string_view::npos) {
      return std::string(text);
    }
  }
  return {};
}

std::string Today() {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  gmtime_r(&now, &parts);
  char text[32] = {};
  std::strftime(text, sizeof text, "%d %b %Y", &parts);
  return text;
}

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
  }
  return "user";
}

// The first words of a template, fit for an error message.
std::string FirstWords(std::string_view source) {
  std::string out;
  for (const char c : source.substr(0, 80)) out += c >= 0x20 && c < 0x7F && c != '`' ? c : ' ';
  return out;
}

}  // namespace

// Collects tokens. Literal text of the template may hold control tokens; content never does. Text
// on either side of the seam between them is tokenised as one run, as the model was trained on it.
class ChatTemplate::Writer {
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
  void Bos() {
    if (tokenizer_.bos() != kNoToken) Control(tokenizer_.bos());
  }
  Result<std::vector<TokenId>> Finish() {
    Flush();
    if (error_) return std::move(*error_);
    return std::move(tokens_);
  }

 private:
  void Control(TokenId id) {
    Flush();
    tokens_.push_back(id);
  }
  void Flush() {
    if (pending_.empty()) return;
    auto result = tokenizer_.Encode(pending_, Specials::kAsText, tokens_);
    if (!result && !error_) error_ = result.error();
    pending_.clear();
  }

  const Tokenizer& tokenizer_;
  std::vector<TokenId> tokens_;
  std::string pending_;
  std::optional<Error> error_;
};

std::string_view WithoutThinking(std::string_view content) {
  const size_t at = content.rfind(kThinkClose);
  return at == std::string_view::npos ? content : content.substr(at + kThinkClose.size());
}

Result<ChatTemplate> ChatTemplate::Recognise(const Tokenizer& tokenizer) {
  ChatTemplate result;
  const std::string_view source = tokenizer.chat_template();
  if (Trim(source).empty()) return result;

  std::vector<std::string_view> marks;
  if (Contains(source, "<｜User｜>") && Contains(source, "<｜Assistant｜>") &&
      !Contains(source, "thinking is defined")) {
    result.family_ = TemplateFamily::kDeepSeek;
    marks = {"<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"};
    const std::string opening = "<｜Assistant｜>" + std::string(kThinkOpen);
    const size_t at = source.find(opening);
    result.opens_thinking_ = result.closes_thinking_ = at != std::string_view::npos;
    if (result.opens_thinking_) {
      const std::string_view rest = source.substr(at + opening.size());
      if (rest.starts_with("\\n") || rest.starts_with("\n")) result.think_newline_ = "\n";
    }
    result.strips_thinking_ = Contains(source, kThinkClose);
    result.adds_systems_ = Contains(source, "ns.system_prompt + ");
    if (Contains(source, "is_first_sp")) result.system_separator_ = "\n\n";
  } else if (Contains(source, "<|start_header_id|>") && Contains(source, "<|eot_id|>")) {
    result.family_ = TemplateFamily::kLlama3;
    marks = {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"};
    result.states_dates_ = Contains(source, "Cutting Knowledge Date");
    result.states_today_ = Contains(source, "strftime_now");
  } else if (Contains(source, "<|im_start|>") && Contains(source, "<|im_end|>")) {
    result.family_ = TemplateFamily::kChatMl;
    marks = {"<|im_start|>", "<|im_end|>"};
    result.default_system_ = DefaultSystem(source);
    result.strips_thinking_ = Contains(source, kThinkClose);
    result.closes_thinking_ = Contains(source, "enable_thinking");
  } else {
    return Error{Code::kBadTemplate,
                 "the model's chat template is of no known family (DeepSeek, Llama 3, ChatML); it "
                 "begins `" +
                     FirstWords(source) + "`"};
  }
  for (const std::string_view mark : marks) {
    if (tokenizer.Control(mark) == kNoToken) {
      return Error{Code::kBadTemplate, "the model's chat template uses `" + std::string(mark) +
                                           "`, which its vocabulary lacks"};
    }
  }
  return result;
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
  }
  return "plain";
}

void ChatTemplate::DeepSeek(std::span<const ChatMessage> messages, Writer& writer) const {
  writer.Bos();
  std::string system;
  for (const ChatMessage& message : messages) {
    if (message.role != Role::kSystem) continue;
    if (adds_systems_ && !system.empty()) {
      system += system_separator_ + message.content;
    } else {
      system = message.content;
    }
  }
  writer.Content(system);
  for (const ChatMessage& message : messages) {
    if (message.role == Role::kUser) {
      writer.Literal("<｜User｜>");
      writer.Content(message.content);
    } else if (message.role == Role::kAssistant) {
      writer.Literal("<｜Assistant｜>");
      writer.Content(strips_thinking_ ? WithoutThinking(message.content) : message.content);
      writer.Literal("<｜end▁of▁sentence｜>");
    }
  }
  writer.Literal("<｜Assistant｜>");
}

void ChatTemplate::Llama3(std::span<const ChatMessage> messages, Writer& writer) const {
  writer.Bos();
  const auto header = [&](std::string_view role) {
    writer.Literal("<|start_header_id|>");
    writer.Content(role);
    writer.Literal("<|end_header_id|>");
    writer.Content("\n\n");
  };
  if (states_dates_) {
    header("system");
    writer.Content("Cutting Knowledge Date: December 2023\nToday Date: " +
                   (states_today_ ? Today() : std::string("26 Jul 2024")) + "\n\n");
    if (!messages.empty() && messages.front().role == Role::kSystem) {
      writer.Content(Trim(messages.front().content));
      messages = messages.subspan(1);
    }
    writer.Literal("<|eot_id|>");
  }
  for (const ChatMessage& message : messages) {
    header(RoleName(message.role));
    writer.Content(Trim(message.content));
    writer.Literal("<|eot_id|>");
  }
  header("assistant");
}

void ChatTemplate::ChatMl(std::span<const ChatMessage> messages, Writer& writer) const {
  const auto turn = [&](std::string_view role, std::string_view content) {
    writer.Literal("<|im_start|>");
    writer.Content(role);
    writer.Content("\n");
    writer.Content(content);
    writer.Literal("<|im_end|>");
    writer.Content("\n");
  };
  if (!default_system_.empty() && (messages.empty() || messages.front().role != Role::kSystem)) {
    turn("system", default_system_);
  }
  for (const ChatMessage& message : messages) {
    const bool strip = strips_thinking_ && message.role == Role::kAssistant &&
                       Contains(message.content, kThinkClose);
    turn(RoleName(message.role),
         strip ? TrimNewlines(WithoutThinking(message.content)) : message.content);
  }
  writer.Literal("<|im_start|>");
  writer.Content("assistant\n");
}

Result<Prompt> ChatTemplate::Render(const Tokenizer& tokenizer,
                                    std::span<const ChatMessage> messages, bool thinking) const {
  Writer writer(tokenizer);
  switch (family_) {
    case TemplateFamily::kDeepSeek:
      DeepSeek(messages, writer);
      break;
    case TemplateFamily::kLlama3:
      Llama3(messages, writer);
      break;
    case TemplateFamily::kChatMl:
      ChatMl(messages, writer);
      break;
    case TemplateFamily::kPlain:
      if (tokenizer.add_bos()) writer.Bos();
      for (size_t i = 0; i < messages.size(); ++i) {
        if (i > 0) writer.Content("\n");
        writer.Content(messages[i].content);
      }
      break;
  }
  Prompt prompt;
  if (thinking && opens_thinking_) {
    writer.Literal(kThinkOpen);
    writer.Content(think_newline_);
    prompt.thinking_open = true;
  } else if (!thinking && closes_thinking_) {
    writer.Literal(kThinkOpen);
    writer.Content("\n\n");
    writer.Literal(kThinkClose);
    writer.Content("\n\n");
  }
  BOOST_OUTCOME_TRY(prompt.tokens, writer.Finish());
  return prompt;
}

}  // namespace portcullis::inference
