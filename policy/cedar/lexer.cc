#include "policy/cedar/lexer.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

constexpr std::array<std::string_view, 6> kTwoByteSymbols = {"==", "!=", "<=", ">=", "&&", "||"};
constexpr std::string_view kOneByteSymbols = "()[]{},;:.@=<>+-*/%!?";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Length in bytes of the white space at the front of `text`; 0 when there is none.
size_t BlankLength(std::string_view text) {
  const char c = text[0];
  if (c == ' ' || (c >= '\t' && c <= '\r')) return 1;
  if (text.substr(0, 2) == "\u0085" || text.substr(0, 2) == "\u00A0") return 2;
  const std::string_view three = text.substr(0, 3);
  if (three == "\u1680" || three == "\u202F" || three == "\u205F" || three == "\u3000" ||
      three == "\u2028" || three == "\u2029" || (three >= "\u2000" && three <= "\u200A")) {
    return 3;
  }
  return 0;
}

int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Reads the escape after a backslash at `at` in `body`, appends its meaning and moves past it.
// The forms are those of Rust's string literals, without line continuation.
bool TakeEscape(std::string_view body, size_t& at, std::string& out) {
  if (at + 1 >= body.size()) return false;
  const char c = body[at + 1];
  constexpr std::string_view kFrom = "nrt0\\\"'";
  constexpr std::string_view kTo{"\n\r\t\0\\\"'", 7};
  if (const size_t simple = kFrom.find(c); simple != std::string_view::npos) {
    out += kTo[simple];
    at += 2;
    return true;
  }
  if (c == 'x') {
    if (at + 3 >= body.size()) return false;
    const int high = HexDigit(body[at + 2]);
    const int low = HexDigit(body[at + 3]);
    if (high < 0 || high > 7 || low < 0) return false;
    out += static_cast<char>(high * 16 + low);
    at += 4;
    return true;
  }
  if (c != 'u' || at + 2 >= body.size() || body[at + 2] != '{') return false;
  uint32_t point = 0;
  int digits = 0;
  size_t i = at + 3;
  for (; i < body.size() && body[i] != '}'; ++i) {
    if (body[i] == '_' && digits > 0) continue;
    const int digit = HexDigit(body[i]);
    if (digit < 0 || ++digits > 6) return false;
    point = point * 16 + static_cast<uint32_t>(digit);
  }
  if (i == body.size() || digits == 0 || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
    return false;
  }
  AppendUtf8(out, point);
  at = i + 1;
  return true;
}

Error BadEscape(std::string_view body, size_t at) {
  if (body[at] == '\r') {
    return {Code::kSyntax, "a carriage return inside a string must be written `\\r`"};
  }
  constexpr size_t kShown = 5;  // a backslash and any code point
  return {Code::kSyntax, "`" + std::string(Front(body.substr(at), kShown)) +
                             "` starts no valid escape: expected \\n \\r \\t \\\\ \\0 \\' \\\" "
                             "\\x00-\\x7F or \\u{…}"};
}

}  // namespace

void Lexer::SkipBlank() {
  while (position_ < text_.size()) {
    const std::string_view rest = text_.substr(position_);
    if (rest.substr(0, 2) == "//") {
      position_ = std::min(text_.find_first_of("\n\r", position_), text_.size());
    } else if (const size_t length = BlankLength(rest); length > 0) {
      position_ += length;
    } else {
      return;
    }
  }
}

Token Lexer::Next() {
  SkipBlank();
  const size_t start = position_;
  const auto make = [&](TokenKind kind, size_t length) {
    position_ = start + length;
    return Token{kind, start, text_.substr(start, length)};
  };
  if (start >= text_.size()) return make(TokenKind::kEnd, 0);
  const char c = text_[start];
  const auto run = [&](size_t from, auto&& belongs) {
    size_t end = from;
    while (end < text_.size() && belongs(text_[end])) ++end;
    return end - start;
  };
  if (IsLetter(c)) {
    return make(TokenKind::kIdentifier,
                run(start, [](char x) { return IsLetter(x) || IsDigit(x); }));
  }
  if (IsDigit(c)) return make(TokenKind::kNumber, run(start, IsDigit));
  if (c == '"') {
    size_t end = start + 1;
    while (end < text_.size() && text_[end] != '"') {
      if (text_[end] == '\\' && (++end == text_.size() || text_[end] == '\n')) {
        return make(TokenKind::kInvalid, 1);
      }
      ++end;
    }
    if (end >= text_.size()) return make(TokenKind::kInvalid, 1);
    return make(TokenKind::kString, end + 1 - start);
  }
  if (c == '?' && start + 1 < text_.size() && IsLetter(text_[start + 1])) {
    return make(TokenKind::kSlot, run(start + 1, [](char x) { return IsLetter(x) || IsDigit(x); }));
  }
  const std::string_view two = text_.substr(start, 2);
  if (two == "::" ||
      std::find(kTwoByteSymbols.begin(), kTwoByteSymbols.end(), two) != kTwoByteSymbols.end()) {
    return make(TokenKind::kPunctuation, 2);
  }
  if (kOneByteSymbols.find(c) != std::string_view::npos) {
    return make(TokenKind::kPunctuation, 1);
  }
  return make(TokenKind::kInvalid,
              run(start + 1, [](char x) { return (static_cast<unsigned char>(x) & 0xC0) == 0x80; }));
}

// Two-way search (memmem): time grows with the text, not with text times pattern.
bool Pattern::Matches(std::string_view text) const {
  const std::string& first = pieces.front();
  if (pieces.size() == 1) return text == first;
  const std::string& last = pieces.back();
  if (text.size() < first.size() + last.size() || !text.starts_with(first) ||
      !text.ends_with(last)) {
    return false;
  }
  text.remove_prefix(first.size());
  text.remove_suffix(last.size());
  for (size_t i = 1; i + 1 < pieces.size(); ++i) {
    const std::string& piece = pieces[i];
    const void* const found = ::memmem(text.data(), text.size(), piece.data(), piece.size());
    if (found == nullptr) return false;
    const auto at = static_cast<size_t>(static_cast<const char*>(found) - text.data());
    text.remove_prefix(at + piece.size());
  }
  return true;
}

Result<std::string> Unescape(std::string_view token, size_t* bad_offset) {
  const std::string_view body = token.substr(1, token.size() - 2);
  std::string out;
  out.reserve(body.size());
  for (size_t at = 0; at < body.size();) {
    if (body[at] != '\\' && body[at] != '\r') {
      out += body[at++];
    } else if (body[at] == '\r' || !TakeEscape(body, at, out)) {
      *bad_offset = at + 1;
      return BadEscape(body, at);
    }
  }
  return out;
}

Result<Pattern> UnescapePattern(std::string_view token, size_t* bad_offset) {
  const std::string_view body = token.substr(1, token.size() - 2);
  Pattern pattern;
  for (size_t at = 0; at < body.size();) {
    if (body[at] == '*') {
      pattern.pieces.emplace_back();
      ++at;
    } else if (body.substr(at, 2) == "\\*") {
      pattern.pieces.back() += '*';
      at += 2;
    } else if (body[at] != '\\' && body[at] != '\r') {
      pattern.pieces.back() += body[at++];
    } else if (body[at] == '\r' || !TakeEscape(body, at, pattern.pieces.back())) {
      *bad_offset = at + 1;
      return BadEscape(body, at);
    }
  }
  return pattern;
}

}  // namespace portcullis::policy::cedar
