// The variables that a chat template sees: messages, tools, marks, switches. Every string of them is
// the caller's, but for what this file writes itself: a description of the tools, for models whose
// template has no words for it. One use, not thread-safe.
#pragma once

#include <span>

#include "inference/tokenizer/jinja/meter.h"
#include "inference/tokenizer/jinja/value.h"
#include "inference/tokenizer/message.h"
#include "inference/tokenizer/tokenizer.h"

namespace portcullis::inference {

class Conversation {
 public:
  Conversation(std::span<const ChatMessage> messages, const ChatOptions& options);

  // For templates that know no calls: they become text in the answers, results become the user's.
  Result<void> WriteCallsAsText();
  // Puts the tools and the format of a call into the system message.
  Result<void> DescribeTools(ToolFormat format);
  bool has_calls() const;

  // `empty_content`: an answer of calls alone has the content "" instead of none.
  jinja::Dict Variables(const Tokenizer& tokenizer, bool empty_content) const;

 private:
  struct Message {
    ChatMessage from;
    jinja::Text content;
  };
  std::vector<Message> messages_;
  const ChatOptions& options_;
  jinja::Meter meter_;
  bool tools_told_ = false;
};

}  // namespace portcullis::inference
