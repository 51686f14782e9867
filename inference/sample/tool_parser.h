// Finds the calls of tools in an answer's text while it is written, in the family's own format, and
// gives them as OpenAI's deltas: first the name, then the arguments in pieces. What looked like a
// call and is none becomes content again. White space around calls belongs to neither. Pieces may
// break anywhere. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "inference/sample/call_scanner.h"
#include "inference/sample/tool_grammar.h"

namespace portcullis::inference {

struct CallDelta {
  int index = 0;
  std::string name;       // of the first delta of a call
  std::string arguments;  // more of them
};

class ToolParser {
 public:
  // `names`: of the tools there are. Bare JSON is a call only if it names one of them.
  ToolParser(ToolFormat format, std::vector<std::string> names);

  struct Parts {
    std::string content;
    std::vector<CallDelta> calls;
  };
  Parts Push(std::string_view text);
  Parts Finish();
  // Whether `text` is one of the marks around calls. Where the vocabulary hides it, Push wants it
  // all the same.
  bool IsMark(std::string_view text) const;

 private:
  enum class State {
    kContent,
    kScan,    // inside {"name": …}
    kHead,    // DeepSeek: up to the arguments
    kBody,    // DeepSeek: inside the arguments
    kBehind,  // up to the mark that ends the call
    kBetween,  // DeepSeek: up to the next call or the last mark
  };
  void Step(bool last, Parts& parts);
  bool StepContent(bool last, Parts& parts);
  bool StepScan(bool last, Parts& parts);
  bool StepHead(bool last, Parts& parts);
  bool StepBody(Parts& parts);
  bool StepBehind(bool last);
  void BeginCall(std::string name, Parts& parts);
  void Arguments(std::string text, Parts& parts);
  void GiveUp(Parts& parts);
  bool Known(const std::string& name) const;

  const ToolFormat format_;
  const ToolMarks marks_;
  const std::vector<std::string> names_;
  State state_ = State::kContent;
  std::string held_;     // not yet read
  std::string attempt_;  // read since the call began, in case it is none
  CallScanner scanner_;
  JsonExtent extent_;
  int calls_ = 0;
  bool told_ = false;   // this call's name went out
  bool began_ = false;  // content or a call stands already
};

}  // namespace portcullis::inference
