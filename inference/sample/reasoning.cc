#include "inference/sample/reasoning.h"

#include <algorithm>

#include "inference/sample/stops.h"

namespace portcullis::inference {
namespace {

constexpr std::string_view kOpen = "<think>";
constexpr std::string_view kClose = "</think>";
constexpr std::string_view kBlank = " \t\r\n";

void TrimFront(std::string& text) {
  text.erase(0, std::min(text.find_first_not_of(kBlank), text.size()));
}

// Length without the white space at the end.
size_t WithoutBlankEnd(std::string_view text) {
  const size_t last = text.find_last_not_of(kBlank);
  return last == std::string_view::npos ? 0 : last + 1;
}

}  // namespace

ReasoningSplit::ReasoningSplit(bool open, bool marks_as_text)
    : state_(open ? State::kThinking : State::kStart), marks_as_text_(marks_as_text) {}

ReasoningSplit::Parts ReasoningSplit::Push(std::string_view text) {
  held_.append(text);
  Parts parts;
  Step(false, parts);
  return parts;
}

ReasoningSplit::Parts ReasoningSplit::Open() {
  Parts parts;
  if (state_ == State::kThinking) return parts;
  Step(true, parts);
  held_.clear();
  state_ = State::kThinking;
  trim_ = true;
  return parts;
}

ReasoningSplit::Parts ReasoningSplit::Close() {
  Parts parts;
  if (state_ == State::kThinking) Step(true, parts);
  held_.clear();
  state_ = State::kContent;
  trim_ = true;
  return parts;
}

ReasoningSplit::Parts ReasoningSplit::Finish() {
  Parts parts;
  Step(true, parts);
  held_.clear();
  return parts;
}

void ReasoningSplit::Step(bool last, Parts& parts) {
  if (state_ == State::kStart) {
    const size_t begin = held_.find_first_not_of(kBlank);
    if (begin == std::string::npos) {
      if (last) parts.content += held_;
      return;
    }
    const std::string_view text = std::string_view(held_).substr(begin);
    if (marks_as_text_ && text.starts_with(kOpen)) {
      held_.erase(0, begin + kOpen.size());
      state_ = State::kThinking;
    } else if (marks_as_text_ && !last && kOpen.starts_with(text)) {
      return;
    } else {
      state_ = State::kContent;
      trim_ = false;
    }
  }
  if (state_ == State::kThinking) {
    if (trim_) TrimFront(held_);
    const size_t close = marks_as_text_ ? held_.find(kClose) : std::string::npos;
    if (close == std::string::npos) {
      size_t ready = held_.size();
      if (!last && marks_as_text_) ready -= OverlapAtEnd(held_, kClose);
      ready = WithoutBlankEnd(std::string_view(held_).substr(0, ready));
      if (ready > 0) trim_ = false;
      parts.reasoning += held_.substr(0, ready);
      held_.erase(0, ready);
      return;
    }
    parts.reasoning += held_.substr(0, WithoutBlankEnd(std::string_view(held_).substr(0, close)));
    held_.erase(0, close + kClose.size());
    state_ = State::kContent;
    trim_ = true;
  }
  if (trim_) TrimFront(held_);
  if (!held_.empty()) trim_ = false;
  parts.content += held_;
  held_.clear();
}

}  // namespace portcullis::inference
