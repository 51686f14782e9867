#include "inference/sample/grammar/regex_lookahead.h"

namespace portcullis::inference::grammar {
namespace {

constexpr size_t kMaxLookAheads = 8;  // each is one more part of a combination

// Where the first parenthesis closes that opens outside `text`, or where the first choice stands that
// is in no group, whichever comes first; npos where there is neither.
size_t EndOfSequence(std::string_view text) {
  size_t depth = 0;
  bool in_class = false;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\\') {
      ++at;
    } else if (in_class) {
      in_class = c != ']';
    } else if (c == '[') {
      in_class = true;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')') {
      if (depth == 0) return at;
      --depth;
    } else if (c == '|' && depth == 0) {
      return at;
    }
  }
  return std::string_view::npos;
}

// As above, past choices.
size_t EndOfGroup(std::string_view text) {
  size_t at = 0;
  for (;;) {
    const size_t end = EndOfSequence(text.substr(at));
    if (end == std::string_view::npos) return end;
    at += end;
    if (text[at] == ')') return at;
    ++at;
  }
}

}  // namespace

LookAheads CutLookAheads(std::string_view pattern) {
  LookAheads out;
  out.rest = pattern;
  std::string_view rest = pattern.substr(pattern.starts_with('^') ? 1 : 0);
  const bool at_start = rest.size() < pattern.size();
  while (at_start && (rest.starts_with("(?!") || rest.starts_with("(?="))) {
    const std::string_view inner = rest.substr(3);
    const size_t end = EndOfGroup(inner);
    if (end == std::string_view::npos) return {{}, {}, pattern};
    (rest[2] == '=' ? out.wanted : out.unwanted).push_back(inner.substr(0, end));
    rest = inner.substr(end + 1);
    const bool repeated = !rest.empty() && std::string_view("*+?{").find(rest[0]) != std::string_view::npos;
    if (repeated || out.wanted.size() + out.unwanted.size() > kMaxLookAheads) return {{}, {}, pattern};
  }
  if (out.wanted.empty() && out.unwanted.empty()) return out;
  if (EndOfSequence(rest) != std::string_view::npos) return {{}, {}, pattern};  // or they rule one choice only
  out.rest = rest;
  return out;
}

}  // namespace portcullis::inference::grammar
