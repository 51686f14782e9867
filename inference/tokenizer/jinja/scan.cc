// White space first: Jinja's environment for chat templates strips blanks before a tag that opens
// its line and the line break after a tag; a minus at a brace strips everything.
#include <algorithm>

#include "inference/tokenizer/jinja/syntax.h"

namespace portcullis::inference::jinja {
namespace {

constexpr size_t kMaxSource = 512 * 1024;
constexpr std::string_view kBlank = " \t\r\n\f\v";
constexpr std::string_view kSymbols[] = {"==", "!=", "<=", ">=", "//", "**", "+", "-", "*", "/", "%",
                                         "~",  "<",  ">",  "(",  ")",  "[",  "]", "{", "}", ",", ":",
                                         ".",  "|",  "="};

bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

class Scanner {
 public:
  explicit Scanner(std::string_view source) : rest_(source) {}

  Result<std::vector<Token>> Run() {
    while (!rest_.empty()) {
      const size_t brace = FindTag();
      std::string_view text = rest_.substr(0, brace);
      const std::string_view tag = brace == rest_.size() ? "" : rest_.substr(brace, 3);
      Text(TrimBefore(text, tag));
      if (tag.empty()) break;
      Skip(brace);
      if (tag.starts_with("{#")) {
        BOOST_OUTCOME_TRY(Comment());
      } else {
        BOOST_OUTCOME_TRY(Tag());
      }
    }
    tokens_.push_back({Token::Kind::kEnd, "", line_});
    return std::move(tokens_);
  }

 private:
  size_t FindTag() const {
    for (size_t at = rest_.find('{'); at != std::string_view::npos; at = rest_.find('{', at + 1)) {
      const char next = at + 1 < rest_.size() ? rest_[at + 1] : '\0';
      if (next == '{' || next == '%' || next == '#') return at;
    }
    return rest_.size();
  }

  std::string_view TrimBefore(std::string_view text, std::string_view tag) {
    if (strip_next_) {
      const size_t first = text.find_first_not_of(kBlank);
      text = first == std::string_view::npos ? std::string_view{} : text.substr(first);
    } else if (break_next_ && text.starts_with('\n')) {
      text.remove_prefix(1);
    }
    const bool opens_line = !strip_next_ || !text.empty();
    if (tag.size() == 3 && tag[2] == '-') {
      const size_t last = text.find_last_not_of(kBlank);
      text = last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
    } else if (!tag.empty() && tag[1] != '{' && opens_line && !(tag.size() == 3 && tag[2] == '+')) {
      const size_t last = text.find_last_not_of(" \t");
      const bool line_start = last == std::string_view::npos ? at_line_start_ : text[last] == '\n';
      if (line_start) text = text.substr(0, last == std::string_view::npos ? 0 : last + 1);
    }
    return text;
  }

  void Text(std::string_view text) {
    if (!text.empty()) tokens_.push_back({Token::Kind::kText, std::string(text), line_});
  }

  void Skip(size_t count) {
    line_ += static_cast<uint32_t>(std::count(rest_.begin(), rest_.begin() + static_cast<ptrdiff_t>(count), '\n'));
    rest_.remove_prefix(count);
  }

  void AfterTag(bool strip, bool trims_break) {
    strip_next_ = strip;
    break_next_ = trims_break;
    at_line_start_ = trims_break && rest_.starts_with('\n');
  }

  Result<void> Comment() {
    const size_t end = rest_.find("#}", 2);
    if (end == std::string_view::npos) return BadTemplate(line_, "a comment does not end");
    const bool strip = rest_[end - 1] == '-';
    Skip(end + 2);
    AfterTag(strip, true);
    return boost::outcome_v2::success();
  }

  Result<void> Tag() {
    const std::string open(rest_.substr(0, 2));
    const std::string close = open == "{{" ? "}}" : "%}";
    tokens_.push_back({Token::Kind::kOpen, open, line_});
    Skip(2);
    if (!rest_.empty() && (rest_[0] == '-' || rest_[0] == '+')) Skip(1);
    int braces = 0;
    for (;;) {
      while (!rest_.empty() && kBlank.find(rest_[0]) != std::string_view::npos) Skip(1);
      if (rest_.empty()) return BadTemplate(line_, "a tag does not end");
      const bool minus = rest_[0] == '-' || rest_[0] == '+';
      if (braces == 0 && rest_.substr(minus ? 1 : 0).starts_with(close)) {
        const bool strip = rest_[0] == '-';
        Skip(minus ? 3 : 2);
        tokens_.push_back({Token::Kind::kClose, close, line_});
        AfterTag(strip, close == "%}");
        return boost::outcome_v2::success();
      }
      BOOST_OUTCOME_TRY(Word());
      const std::string& word = tokens_.back().text;
      if (tokens_.back().kind == Token::Kind::kSymbol) braces += word == "{" ? 1 : word == "}" ? -1 : 0;
    }
  }

  Result<void> Word() {
    const char c = rest_[0];
    size_t n = 1;
    if (IsNameStart(c)) {
      while (n < rest_.size() && (IsNameStart(rest_[n]) || IsDigit(rest_[n]))) ++n;
      return Push(Token::Kind::kName, n);
    }
    if (IsDigit(c)) {
      while (n < rest_.size() && (IsDigit(rest_[n]) || rest_[n] == '_')) ++n;
      if (n + 1 < rest_.size() && rest_[n] == '.' && IsDigit(rest_[n + 1])) {
        for (++n; n < rest_.size() && IsDigit(rest_[n]);) ++n;
      }
      return Push(Token::Kind::kNumber, n);
    }
    if (c == '"' || c == '\'') return String(c);
    for (const std::string_view symbol : kSymbols) {
      if (rest_.starts_with(symbol)) return Push(Token::Kind::kSymbol, symbol.size());
    }
    return BadTemplate(line_, "a character that no expression has");
  }

  Result<void> Push(Token::Kind kind, size_t length) {
    tokens_.push_back({kind, std::string(rest_.substr(0, length)), line_});
    Skip(length);
    return boost::outcome_v2::success();
  }

  Result<void> String(char quote) {
    std::string text;
    size_t i = 1;
    for (; i < rest_.size() && rest_[i] != quote; ++i) {
      if (rest_[i] != '\\' || i + 1 == rest_.size()) {
        text += rest_[i];
        continue;
      }
      const char c = rest_[++i];
      constexpr std::string_view kFrom = "ntrbfv0", kTo = "\n\t\r\b\f\v\0";
      const size_t known = kFrom.find(c);
      if (known != std::string_view::npos && known < 6) {
        text += kTo[known];
      } else if (c == '\\' || c == '\'' || c == '"') {
        text += c;
      } else {
        text += '\\';
        text += c;
      }
    }
    if (i >= rest_.size()) return BadTemplate(line_, "a string does not end");
    tokens_.push_back({Token::Kind::kString, text, line_});
    Skip(i + 1);
    return boost::outcome_v2::success();
  }

  std::string_view rest_;
  std::vector<Token> tokens_;
  uint32_t line_ = 1;
  bool strip_next_ = false;    // the last tag ended with a minus
  bool break_next_ = false;    // the last tag swallows a line break
  bool at_line_start_ = true;  // of `rest_`
};

}  // namespace

Error BadTemplate(uint32_t line, const std::string& what) {
  return Error{Code::kBadTemplate, "chat template, line " + std::to_string(line) + ": " + what};
}

Result<std::vector<Token>> Scan(std::string_view source) {
  if (source.size() > kMaxSource) return BadTemplate(0, "it is longer than 512 KiB");
  if (source.ends_with('\n')) source.remove_suffix(1);
  return Scanner(source).Run();
}

}  // namespace portcullis::inference::jinja
