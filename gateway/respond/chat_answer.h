// The answer to one chat call, as a state machine without I/O: the engine's chunks in, the chunks
// for the caller out, filtered; or the whole answer as one document. The closing chunks are held
// until Tail(), because they may go out only when the RESP record is durable.
// Rebuilt from an allow-list: nothing an engine adds reaches a caller unseen. Wire format: OpenAI
// chat completions with DeepSeek's reasoning_content, or plain completions. Not thread-safe.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/classify/prompt_scan.h"
#include "gateway/error.h"
#include "gateway/respond/output_filter.h"

namespace portcullis::gateway {

struct AnswerOptions {
  std::string id;     // chatcmpl-…
  std::string model;
  int64_t created = 0;  // seconds since 1970
  uint32_t choices = 1;
  bool include_usage = false;
  bool logprobs = false;
  bool text = false;  // a plain completion instead of chat
};

struct TokenUsage {
  uint64_t prompt = 0;
  uint64_t completion = 0;
  uint64_t reasoning = 0;
  uint64_t cached = 0;  // of the prompt
  bool known = false;   // the engine has said
};

class ChatAnswer {
 public:
  ChatAnswer(AnswerOptions options, const policy::DetectorSet& detectors,
             policy::RedactionPolicy policy);
  ChatAnswer(ChatAnswer&&) noexcept;
  ~ChatAnswer();

  // The first chunks: the role of each choice.
  std::vector<std::string> Head();
  // One event of the engine. Returns the chunks that may go out now.
  Result<std::vector<std::string>> Feed(std::string_view event);
  // The engine's [DONE]. Returns the last of the text. An answer without a finish_reason, or
  // without usage, is the engine's error: a `stop` is never invented.
  Result<std::vector<std::string>> Finish();
  // finish_reason of each choice, usage if asked for, [DONE].
  std::vector<std::string> Tail() const;
  // The answer of a call that did not ask for a stream. After Finish().
  boost::json::object Whole() const;

  const TokenUsage& usage() const { return usage_; }
  // Tokens of output so far, by count of chunks until the engine has said.
  uint64_t completion_so_far() const { return usage_.known ? usage_.completion : pieces_; }
  ScanResult findings() const;
  // As delivered, all choices one after the other; for the audit record.
  std::string Text() const;
  std::string Reasoning() const;
  std::string Tools() const;
  std::string FinishReason() const;  // of choice 0; empty while unfinished

 private:
  struct Choice;

  std::string Chunk(uint32_t index, boost::json::object delta, const std::string* finish_reason,
                    const boost::json::value* logprobs) const;
  Result<void> FeedChoice(const boost::json::object& choice, std::vector<std::string>& out);
  Result<void> FeedDelta(Choice& choice, const boost::json::object& delta,
                         const boost::json::value* logprobs, std::vector<std::string>& out);
  Result<void> FeedTools(Choice& choice, const boost::json::value& calls,
                         std::vector<std::string>& out);
  Result<void> EndReasoning(Choice& choice, std::vector<std::string>& out);
  Result<void> Emit(Choice& choice, const char* field, std::string text,
                    std::vector<std::string>& out);
  // A short text of the engine's at once: an error's words, a tool's name.
  Result<std::string> Masked(const std::string& text) const;
  void TakeTextLogprobs(Choice& choice, const boost::json::object& from) const;
  boost::json::value Logprobs(const Choice& choice) const;
  static boost::json::object Message(const Choice& choice);
  void ReadUsage(const boost::json::object& usage);
  boost::json::object UsageJson() const;
  boost::json::object Envelope(const char* object) const;

  AnswerOptions options_;
  const policy::DetectorSet& detectors_;  // outlives the answer
  policy::RedactionPolicy policy_;
  std::vector<std::unique_ptr<Choice>> choices_;
  TokenUsage usage_;
  uint64_t pieces_ = 0;
  uint64_t received_ = 0;  // bytes of text, over all choices
  uint64_t held_ = 0;      // bytes of events, where token texts are held until the end
};

}  // namespace portcullis::gateway
