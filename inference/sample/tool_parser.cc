#include "inference/sample/tool_parser.h"

#include <algorithm>
#include <utility>

#include "inference/sample/stops.h"

namespace portcullis::inference {
namespace {

constexpr std::string_view kBlank = " \t\r\n";
constexpr std::string_view kPythonTag = "<|python_tag|>";

std::string Trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(kBlank) - begin + 1));
}

}  // namespace

ToolParser::ToolParser(ToolFormat format, std::vector<std::string> names)
    : format_(format), marks_(MarksOf(format)), names_(std::move(names)) {}

bool ToolParser::Known(const std::string& name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

bool ToolParser::IsMark(std::string_view text) const {
  if (format_ == ToolFormat::kBareJson) return text == kPythonTag;
  return text == marks_.open || text == marks_.call_open || text == marks_.separator ||
         text == marks_.call_close || text == marks_.close;
}

ToolParser::Parts ToolParser::Push(std::string_view text) {
  held_ += text;
  Parts parts;
  Step(false, parts);
  return parts;
}

ToolParser::Parts ToolParser::Finish() {
  Parts parts;
  Step(true, parts);
  if (state_ == State::kScan || state_ == State::kHead) GiveUp(parts);
  if (state_ == State::kContent) parts.content += std::exchange(held_, {});
  return parts;
}

void ToolParser::BeginCall(std::string name, Parts& parts) {
  parts.calls.push_back({calls_, std::move(name), {}});
  told_ = true;
}

void ToolParser::Arguments(std::string text, Parts& parts) {
  if (!text.empty()) parts.calls.push_back({calls_, {}, std::move(text)});
}

// It was no call: all of it is content.
void ToolParser::GiveUp(Parts& parts) {
  if (!told_) {
    parts.content += attempt_;
    began_ = true;
  } else {
    ++calls_;
  }
  attempt_.clear();
  told_ = false;
  state_ = State::kContent;
}

void ToolParser::Step(bool last, Parts& parts) {
  for (bool more = true; more;) {
    switch (state_) {
      case State::kContent:
      case State::kBetween:
        more = StepContent(last, parts);
        break;
      case State::kScan:
        more = StepScan(last, parts);
        break;
      case State::kHead:
        more = StepHead(last, parts);
        break;
      case State::kBody:
        more = StepBody(parts);
        break;
      case State::kBehind:
        more = StepBehind(last);
        break;
    }
  }
}

bool ToolParser::StepContent(bool last, Parts& parts) {
  const size_t first = held_.find_first_not_of(kBlank);
  if (format_ == ToolFormat::kBareJson) {
    if (first == std::string::npos) return false;
    const std::string_view text = std::string_view(held_).substr(first);
    const bool tag = !began_ && text.starts_with(kPythonTag);
    if (!began_ && !last && !tag && kPythonTag.starts_with(text)) return false;
    if (tag || (!began_ && text[0] == '{')) {
      attempt_ = held_.substr(0, first + (tag ? kPythonTag.size() : 0));
      held_.erase(0, attempt_.size());
      scanner_ = {};
      state_ = State::kScan;
      return true;
    }
    began_ = true;
    parts.content += std::exchange(held_, {});
    return false;
  }
  // The mark that opens a call, with or without the one that opens them all.
  const std::string& inner = marks_.call_open;
  const size_t at = held_.find(inner);
  const size_t outer = marks_.open.empty() ? std::string::npos : held_.find(marks_.open);
  const size_t begin = std::min(at, outer);
  if (begin != std::string::npos) {
    std::string before = held_.substr(0, begin);
    before.erase(before.find_last_not_of(kBlank) + 1);
    if (state_ == State::kContent) parts.content += before;
    if (at == std::string::npos) {  // only the outer one so far
      held_.erase(0, begin);
      return false;
    }
    attempt_ = held_.substr(begin, at + inner.size() - begin);
    held_.erase(0, at + inner.size());
    scanner_ = {};
    state_ = format_ == ToolFormat::kTagged ? State::kScan : State::kHead;
    return true;
  }
  if (state_ == State::kBetween) {
    const size_t close = held_.find(marks_.close);
    if (close == std::string::npos) return false;
    held_.erase(0, close + marks_.close.size());
    state_ = State::kContent;
    return true;
  }
  // What may become a mark is held back, and so is the white space before it.
  size_t keep = std::max(OverlapAtEnd(held_, inner), OverlapAtEnd(held_, marks_.open));
  const size_t solid = held_.find_last_not_of(kBlank, held_.size() - keep - 1);
  keep = held_.size() == keep || solid == std::string::npos ? held_.size() : held_.size() - solid - 1;
  if (last) return false;
  std::string ready = held_.substr(0, held_.size() - keep);
  held_.erase(0, ready.size());
  if (calls_ > 0 && !began_) ready.erase(0, std::min(ready.find_first_not_of(kBlank), ready.size()));
  if (!ready.empty()) began_ = true;
  parts.content += ready;
  return false;
}

bool ToolParser::StepScan(bool last, Parts& parts) {
  const size_t taken = scanner_.Push(held_);
  attempt_ += held_.substr(0, taken);
  held_.erase(0, taken);
  const bool bare = format_ == ToolFormat::kBareJson;
  const bool certain = scanner_.has_name() && !scanner_.name().empty() &&
                       (bare ? Known(scanner_.name()) && scanner_.has_arguments()
                             : scanner_.has_arguments() || scanner_.done());
  if (certain && !scanner_.failed()) {
    if (!told_) BeginCall(scanner_.name(), parts);
    Arguments(scanner_.TakeArguments(), parts);
  }
  if (scanner_.failed() || (scanner_.done() && !told_)) {
    GiveUp(parts);
    return true;
  }
  if (!scanner_.done()) {
    if (last && told_) state_ = State::kBehind;
    return false;
  }
  if (!scanner_.has_arguments()) Arguments("{}", parts);
  ++calls_;
  told_ = false;
  began_ = bare;
  attempt_.clear();
  state_ = bare ? State::kContent : State::kBehind;
  return true;
}

bool ToolParser::StepHead(bool, Parts& parts) {
  const size_t separator = held_.find(marks_.separator);
  if (separator == std::string::npos) return false;
  const size_t after = separator + marks_.separator.size();
  const size_t brace = held_.find('{', after);
  if (brace == std::string::npos) return false;
  std::string name = Trimmed(std::string_view(held_).substr(0, separator));
  if (format_ == ToolFormat::kDeepSeek) {
    const std::string_view rest = std::string_view(held_).substr(after, brace - after);
    name = Trimmed(rest.substr(0, rest.find('\n')));
  }
  held_.erase(0, brace);
  BeginCall(std::move(name), parts);
  extent_ = {};
  state_ = State::kBody;
  return true;
}

bool ToolParser::StepBody(Parts& parts) {
  const size_t taken = extent_.Push(held_);
  Arguments(held_.substr(0, taken), parts);
  held_.erase(0, taken);
  if (!extent_.done()) return false;
  ++calls_;
  told_ = false;
  attempt_.clear();
  state_ = State::kBehind;
  return true;
}

bool ToolParser::StepBehind(bool last) {
  const size_t close = held_.find(marks_.call_close);
  if (close == std::string::npos) {
    if (last) held_.clear();
    return false;
  }
  held_.erase(0, close + marks_.call_close.size());
  began_ = false;
  state_ = format_ == ToolFormat::kTagged ? State::kContent : State::kBetween;
  return true;
}

}  // namespace portcullis::inference
