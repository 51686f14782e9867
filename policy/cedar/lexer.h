// Splits policy, template and schema text into tokens, one at a time. Comments and white space
// (Unicode's) are skipped. The text must be valid UTF-8 and outlive the lexer. Tokens keep byte
// offsets; a character that starts no token gives kInvalid, and the parser reports it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/error.h"

namespace portcullis::policy::cedar {

enum class TokenKind : uint8_t {
  kEnd,
  kInvalid,
  kIdentifier,
  kNumber,
  kString,  // with its quotes, still escaped
  kSlot,    // ?principal
  kPunctuation,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  size_t offset = 0;
  std::string_view text;

  bool Is(std::string_view symbol) const {
    return (kind == TokenKind::kPunctuation || kind == TokenKind::kIdentifier) && text == symbol;
  }
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Token Next();
  // Where the last token ended; with the offset of the next one it spans comments.
  size_t position() const { return position_; }

 private:
  void SkipBlank();

  std::string_view text_;
  size_t position_ = 0;
};

// A pattern of `like`: literal pieces between wildcards. "a*b" is {"a", "b"}, "*" is {"", ""}.
struct Pattern {
  std::vector<std::string> pieces{std::string()};

  bool Matches(std::string_view text) const;
};

// The content of a string token. In a pattern `\*` is a literal star and `*` a wildcard. The error
// message names the escape; `bad_offset` is its place inside the token.
Result<std::string> Unescape(std::string_view token, size_t* bad_offset);
Result<Pattern> UnescapePattern(std::string_view token, size_t* bad_offset);

}  // namespace portcullis::policy::cedar
