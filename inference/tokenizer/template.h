// Chat templates, rendered natively to tokens: messages in, the model's own prompt format out. The
// family is recognised by marks in the model's Jinja template, which is never executed; a template
// that matches none is refused. Message content is tokenised with specials off: control tokens come
// only from the template's own words. Immutable, thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/error.h"
#include "inference/tokenizer/tokenizer.h"

namespace portcullis::inference {

enum class Role { kSystem, kUser, kAssistant };

struct ChatMessage {
  Role role = Role::kUser;
  std::string content;
};

enum class TemplateFamily {
  kPlain,     // no template: the contents, one a line, to be continued
  kDeepSeek,  // V3, R1 and its distillates
  kLlama3,
  kChatMl,  // Qwen and many others
};

struct Prompt {
  std::vector<TokenId> tokens;
  bool thinking_open = false;  // the prompt ends inside <think>
};

class ChatTemplate {
 public:
  // Reads tokenizer.chat_template(); kBadTemplate names what was not recognised.
  static Result<ChatTemplate> Recognise(const Tokenizer& tokenizer);

  // Ends with the generation prompt. `thinking` off: a reasoning model is made to answer at once.
  Result<Prompt> Render(const Tokenizer& tokenizer, std::span<const ChatMessage> messages,
                        bool thinking) const;

  TemplateFamily family() const { return family_; }
  std::string_view family_name() const;
  bool opens_thinking() const { return opens_thinking_; }

 private:
  class Writer;
  void DeepSeek(std::span<const ChatMessage> messages, Writer& writer) const;
  void Llama3(std::span<const ChatMessage> messages, Writer& writer) const;
  void ChatMl(std::span<const ChatMessage> messages, Writer& writer) const;

  TemplateFamily family_ = TemplateFamily::kPlain;
  bool opens_thinking_ = false;   // the generation prompt holds <think>
  bool strips_thinking_ = false;  // reasoning in earlier answers is dropped
  bool closes_thinking_ = false;  // `thinking` off is written as an empty <think></think>
  bool adds_systems_ = false;  // DeepSeek: several system messages are joined; else the last stands
  std::string system_separator_;  // between them
  bool states_dates_ = false;     // Llama 3.1: a system header with two dates
  bool states_today_ = false;     // Llama 3.2: the second is today's
  std::string think_newline_;     // what follows <think> in the generation prompt
  std::string default_system_;    // ChatML: the system message when there is none
};

// Everything after the last </think>: an answer without its reasoning.
std::string_view WithoutThinking(std::string_view content);

}  // namespace portcullis::inference
