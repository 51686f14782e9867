// Splits an answer into its reasoning (between <think> and </think>) and its content. Works on the
// marks as text, which may arrive in any number of parts, and on the marks as tokens of their own.
// White space around the reasoning and before the content belongs to neither. Not thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace portcullis::inference {

class ReasoningSplit {
 public:
  struct Parts {
    std::string reasoning;
    std::string content;
  };

  // `open`: the prompt ended inside <think>. `marks_as_text`: look for the marks in the text; off
  // where the vocabulary has tokens for them.
  ReasoningSplit(bool open, bool marks_as_text);

  Parts Push(std::string_view text);
  Parts Open();   // the token <think>
  Parts Close();  // the token </think>
  Parts Finish();
  bool thinking() const { return state_ == State::kThinking; }

 private:
  enum class State {
    kStart,  // only white space so far: <think> may come
    kThinking,
    kContent,
  };
  void Step(bool last, Parts& parts);

  State state_;
  bool marks_as_text_;
  bool trim_ = true;  // nothing of this part was shown yet
  std::string held_;
};

}  // namespace portcullis::inference
