// From sampled tokens to what the caller sees: detokenised, reasoning and tool calls split off, stop
// strings cut, end recognised. One Answer a generation; not thread-safe. Stop strings act on the content only,
// so that a word in the hidden reasoning cannot swallow the answer.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "inference/sample/reasoning.h"
#include "inference/sample/sampler.h"
#include "inference/sample/stops.h"
#include "inference/sample/tool_parser.h"
#include "inference/tokenizer/tokenizer.h"

namespace portcullis::inference {

enum class FinishReason { kStop, kLength };

// Text of one token with the alternatives that were reported.
struct ReportedToken {
  std::string text;  // raw bytes; not always whole characters
  float logprob = 0;
  std::vector<std::pair<std::string, float>> top;
};

struct Delta {
  std::string reasoning;
  std::string content;
  std::vector<CallDelta> calls;
  std::vector<ReportedToken> tokens;  // of the content, where log-probabilities were asked for
  bool empty() const {
    return reasoning.empty() && content.empty() && calls.empty() && tokens.empty();
  }
};

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;  // of the prompt, not computed again
  int64_t completion_tokens = 0;
  int64_t reasoning_tokens = 0;
};

struct AnswerOptions {
  bool split_reasoning = false;
  bool thinking_open = false;  // the prompt ended inside <think>
  bool at_start = false;       // nothing stands before the answer
  bool report_tokens = false;
  std::vector<std::string> stops;
  std::optional<ToolFormat> tools;  // look for calls in this format
  std::vector<std::string> tool_names;
};

class Answer {
 public:
  Answer(const Tokenizer& tokenizer, AnswerOptions options);  // `tokenizer` must outlive this

  Delta Push(const Sampled& sampled);
  Delta Finish();
  bool done() const { return done_; }  // an end token or a stop string was met
  int64_t reasoning_tokens() const { return reasoning_tokens_; }

 private:
  Delta Route(ReasoningSplit::Parts parts);
  std::string Text(TokenId id);
  ReportedToken Describe(const Sampled& sampled) const;

  const Tokenizer& tokenizer_;
  bool split_reasoning_;
  bool report_tokens_;
  TokenId think_open_ = kNoToken;
  TokenId think_close_ = kNoToken;
  Detokenizer detokenizer_;
  ReasoningSplit split_;
  StopStrings stops_;
  std::optional<ToolParser> tools_;
  std::vector<ReportedToken> reported_;
  int64_t reasoning_tokens_ = 0;
  bool done_ = false;
};

}  // namespace portcullis::inference
