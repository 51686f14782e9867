// Chat templates, rendered to tokens: messages in, the model's own prompt format out. The family is
// recognised by marks in the model's Jinja template; one that matches none is refused with its
// digest. The template is run by the bounded interpreter in jinja/, which knows of every byte
// whether the template or the caller wrote it: control tokens come only from the template's own
// words, the caller's text is tokenised with specials off. Immutable, thread-safe.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/error.h"
#include "inference/tokenizer/message.h"
#include "inference/tokenizer/tokenizer.h"

namespace portcullis::inference {

namespace jinja {
struct Node;
struct Text;
}  // namespace jinja

enum class TemplateFamily {
  kPlain,     // no template: the contents, one a line, to be continued
  kDeepSeek,  // V3, V3.1, R1 and its distillates
  kLlama3,
  kChatMl,  // Qwen and many others
  kLlama2,  // [INST]; Mistral too
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
                        const ChatOptions& options) const;
  // The prompt as text, the caller's words marked. Not for kPlain.
  Result<jinja::Text> RenderText(const Tokenizer& tokenizer, std::span<const ChatMessage> messages,
                                 const ChatOptions& options) const;

  TemplateFamily family() const { return family_; }
  std::string_view family_name() const;
  ToolFormat tool_format() const { return tool_format_; }
  bool opens_thinking() const { return opens_thinking_; }
  bool reasons() const { return reasons_; }

 private:
  void CloseThinking(jinja::Text& text) const;
  void TakeFeatures(std::string_view source);

  TemplateFamily family_ = TemplateFamily::kPlain;
  ToolFormat tool_format_ = ToolFormat::kTagged;
  std::shared_ptr<const jinja::Node> program_;
  bool opens_thinking_ = false;     // the generation prompt holds <think>
  bool reasons_ = false;            // knows </think>
  bool switches_thinking_ = false;  // has a variable for it
  bool takes_tools_ = false;        // describes `tools` itself
  bool takes_calls_ = false;        // writes `tool_calls` and results itself
};

}  // namespace portcullis::inference
