// The text has been parsed before, so this walks its tokens along the grammar without asking
// whether they are right. Every token is printed exactly once and brings its comments along: those
// on the lines before it, and the one on its own line.
#include "policy/cedar/format.h"

#include <algorithm>
#include <array>

#include "policy/cedar/ast.h"
#include "policy/cedar/layout.h"
#include "policy/cedar/lexer.h"
#include "policy/cedar/policy_json.h"
#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

using Doc = Layout::Doc;
using Docs = std::vector<Doc>;

struct Word {
  Token token;
  std::vector<std::string_view> before;  // comments on lines of their own
  std::string_view after;                // a comment on the same line
};

// The comments in a stretch without tokens; the first is on the line that the stretch begins in.
std::vector<std::string_view> CommentsIn(std::string_view gap, bool* first_on_line) {
  std::vector<std::string_view> comments;
  size_t at = 0;
  *first_on_line = false;
  while ((at = gap.find("//", at)) != std::string_view::npos) {
    const size_t end = std::min(gap.find_first_of("\n\r", at), gap.size());
    if (comments.empty()) {
      *first_on_line = gap.substr(0, at).find_first_of("\n\r") == std::string_view::npos;
    }
    std::string_view comment = gap.substr(at, end - at);
    comment = comment.substr(0, comment.find_last_not_of(" \t") + 1);
    comments.push_back(comment);
    at = end;
  }
  return comments;
}

std::vector<Word> WordsOf(std::string_view text) {
  std::vector<Word> words;
  Lexer lexer(text);
  size_t end = 0;
  do {
    Word word;
    word.token = lexer.Next();
    bool same_line = false;
    word.before = CommentsIn(text.substr(end, word.token.offset - end), &same_line);
    if (same_line && !words.empty()) {
      words.back().after = word.before.front();
      word.before.erase(word.before.begin());
    }
    end = lexer.position();
    words.push_back(std::move(word));
  } while (words.back().token.kind != TokenKind::kEnd);
  return words;
}

class Formatter {
 public:
  Formatter(std::vector<Word> words, int indent) : words_(std::move(words)), indent_(indent) {}

  Doc Policies() {
    Docs all;
    while (words_[at_].token.kind != TokenKind::kEnd) {
      if (!all.empty()) all.push_back(layout_.BlankLine());
      all.push_back(Policy());
    }
    Comments(words_[at_], all);
    return layout_.Concat(std::move(all));
  }
  const Layout& layout() const { return layout_; }

 private:
  bool Is(std::string_view symbol) const { return words_[at_].token.Is(symbol); }
  bool IsAny(std::initializer_list<std::string_view> symbols) const {
    return std::any_of(symbols.begin(), symbols.end(),
                       [this](std::string_view symbol) { return Is(symbol); });
  }

  void Comments(const Word& word, Docs& out) {
    for (const std::string_view comment : word.before) {
      out.push_back(layout_.FreshLine());
      out.push_back(layout_.Text(comment));
      out.push_back(layout_.FreshLine());
    }
  }

  // The comments before a closing bracket belong to what it closes.
  void TakeComments(Docs& out) {
    Comments(words_[at_], out);
    words_[at_].before.clear();
  }

  // The current token with its comments.
  Doc Take() {
    const Word& word = words_[at_];
    if (word.token.kind != TokenKind::kEnd) ++at_;
    Docs parts;
    Comments(word, parts);
    parts.push_back(layout_.Text(word.token.text));
    if (!word.after.empty()) {
      parts.push_back(layout_.Blank());
      parts.push_back(layout_.Text(word.after));
      parts.push_back(layout_.FreshLine());
    }
    return layout_.Concat(std::move(parts));
  }

  Doc Policy() {
    Docs parts;
    while (Is("@")) {
      parts.push_back(Take());
      parts.push_back(Take());
      if (Is("(")) {
        for (int i = 0; i < 3; ++i) parts.push_back(Take());
      }
      parts.push_back(layout_.FreshLine());
    }
    parts.push_back(Take());
    parts.push_back(layout_.Blank());
    parts.push_back(Head());
    while (!Is(";")) {
      parts.push_back(layout_.FreshLine());
      parts.push_back(Condition());
    }
    parts.push_back(Take());
    return layout_.Concat(std::move(parts));
  }

  // On one line only where it constrains nothing.
  Doc Head() {
    size_t end = at_;
    bool plain = true;
    for (; !words_[end].token.Is(")") && plain; ++end) {
      plain =
          !words_[end].token.Is("==") && !words_[end].token.Is("in") && !words_[end].token.Is("is");
    }
    const auto line = [&](bool first) {
      return !plain ? layout_.FreshLine() : first ? layout_.Soft() : layout_.Space();
    };
    Docs inside;
    Doc open = Take();
    while (!Is(")")) {
      inside.push_back(line(inside.empty()));
      inside.push_back(Variable());
    }
    TakeComments(inside);
    return layout_.Group({open, layout_.Nest(indent_, std::move(inside)), line(true), Take()});
  }

  // With the comma behind it; the last one is dropped.
  Doc Variable() {
    Docs parts{Take()};
    if (Is("is")) {
      parts.push_back(layout_.Blank());
      parts.push_back(Take());
      parts.push_back(layout_.Blank());
      parts.push_back(Member());
    }
    if (IsAny({"==", "in"})) {
      parts.push_back(layout_.Blank());
      parts.push_back(Take());
      Doc operand = Expression();
      parts.push_back(layout_.Nest(indent_, {layout_.Space(), operand}));
    }
    AddComma(parts, ")");
    return layout_.Group(std::move(parts));
  }

  // The comma here, unless `close` follows it: then only its comments are kept.
  void AddComma(Docs& parts, std::string_view close) {
    if (!Is(",")) return;
    if (!words_[at_ + 1].token.Is(close)) {
      parts.push_back(Take());
      return;
    }
    const Word& comma = words_[at_++];
    Comments(comma, parts);
    if (comma.after.empty()) return;
    parts.push_back(layout_.Blank());
    parts.push_back(layout_.Text(comma.after));
    parts.push_back(layout_.FreshLine());
  }

  Doc Condition() {
    Doc word = Take();
    Doc open = Take();
    Docs inside{layout_.Space(), Expression()};
    TakeComments(inside);
    Doc braces =
        layout_.Group({open, layout_.Nest(indent_, std::move(inside)), layout_.Space(), Take()});
    return layout_.Group({word, layout_.Space(), braces});
  }

  Doc Expression() {
    if (!Is("if")) return Chain();
    Docs parts;
    for (int i = 0; i < 3; ++i) {
      if (i > 0) parts.push_back(layout_.Space());
      parts.push_back(Take());
      Doc part = Expression();
      parts.push_back(layout_.Nest(indent_, {layout_.Space(), part}));
    }
    return layout_.Group(std::move(parts));
  }

  // || and && alike: every operand on a line of its own when they do not fit on one.
  Doc Chain() {
    Docs parts{Relation()};
    while (IsAny({"||", "&&"})) {
      parts.push_back(layout_.Blank());
      parts.push_back(Take());
      parts.push_back(layout_.Space());
      parts.push_back(Relation());
    }
    return layout_.Concat(std::move(parts));
  }

  Doc Relation() {
    Doc left = Sum();
    if (IsAny({"==", "!=", "<", "<=", ">", ">=", "in"})) {
      Doc op = Take();
      return layout_.Concat({left, layout_.Blank(), op, layout_.Blank(), Sum()});
    }
    if (IsAny({"has", "like"})) {
      Doc op = Take();
      Doc right = Sum();
      return layout_.Group({left, layout_.Space(), op, layout_.Blank(), right});
    }
    if (!Is("is")) return left;
    Doc op = Take();
    Docs parts{left, layout_.Blank(), op, layout_.Blank(), Sum()};
    if (Is("in")) {
      parts.push_back(layout_.Space());
      parts.push_back(Take());
      parts.push_back(layout_.Blank());
      parts.push_back(Sum());
    }
    return layout_.Group(std::move(parts));
  }

  Doc Sum() {
    Docs parts{Unary()};
    while (IsAny({"+", "-", "*"})) {
      parts.push_back(layout_.Blank());
      parts.push_back(Take());
      parts.push_back(layout_.Space());
      parts.push_back(Unary());
    }
    return parts.size() == 1 ? parts[0] : layout_.Group(std::move(parts));
  }

  Doc Unary() {
    Docs parts;
    while (IsAny({"!", "-"})) parts.push_back(Take());
    parts.push_back(Member());
    return layout_.Concat(std::move(parts));
  }

  // A break may stand before each access but the first; a call keeps to its name.
  Doc Member() {
    Doc object = Primary();
    Docs accesses;
    bool first = true;
    while (IsAny({".", "[", "("})) {
      const bool call = Is("(");
      if (!call && !first) accesses.push_back(layout_.Soft());
      if (call) {
        accesses.push_back(List(indent_, true, ")"));
      } else if (Is(".")) {
        Doc dot = Take();
        accesses.push_back(layout_.Concat({dot, Take()}));
        first = false;
      } else {
        Doc open = Take();
        Doc name = Take();
        accesses.push_back(layout_.Concat({open, name, Take()}));
        first = false;
      }
    }
    if (accesses.empty()) return object;
    return layout_.Group({object, layout_.Nest(indent_, std::move(accesses))});
  }

  Doc Primary() {
    if (Is("[")) return List(1, false, "]");
    if (Is("{")) return Record();
    if (Is("(")) {
      Doc open = Take();
      Docs inside{Expression()};
      TakeComments(inside);
      return layout_.Group({open, layout_.Nest(1, std::move(inside)), Take()});
    }
    Docs parts{Take()};
    while (Is("::")) {
      parts.push_back(Take());
      parts.push_back(Take());
    }
    return layout_.Concat(std::move(parts));
  }

  // Brackets around expressions; with `airy` they may stand on lines of their own.
  Doc List(int indent, bool airy, std::string_view close) {
    Doc open = Take();
    Docs inside;
    while (!Is(close)) {
      if (!inside.empty()) inside.push_back(layout_.Space());
      Docs item{Expression()};
      AddComma(item, close);
      inside.push_back(layout_.Concat(std::move(item)));
    }
    if (inside.empty()) return layout_.Concat({open, Take()});
    TakeComments(inside);
    if (airy) inside.insert(inside.begin(), layout_.Soft());
    Docs parts{open, layout_.Nest(indent, std::move(inside))};
    if (airy) parts.push_back(layout_.Soft());
    parts.push_back(Take());
    return layout_.Group(std::move(parts));
  }

  Doc Record() {
    Doc open = Take();
    Docs inside;
    while (!Is("}")) {
      inside.push_back(layout_.Space());
      Doc name = Take();
      Doc colon = Take();
      Docs field{name, colon, layout_.Blank(), Expression()};
      AddComma(field, "}");
      inside.push_back(layout_.Concat(std::move(field)));
    }
    if (inside.empty()) return layout_.Concat({open, Take()});
    TakeComments(inside);
    return layout_.Group({open, layout_.Nest(indent_, std::move(inside)), layout_.Space(), Take()});
  }

  std::vector<Word> words_;
  size_t at_ = 0;
  const int indent_;
  Layout layout_;
};

// The policies' meaning in a form that two texts can be compared by.
Result<std::string> MeaningOf(std::string_view text, std::string_view file_name) {
  BOOST_OUTCOME_TRY(const PolicySet policies, PolicySet::Parse(text, file_name, Templates::kKeep));
  return ToJson(policies);
}

}  // namespace

Result<std::string> FormatPolicies(std::string_view text, std::string_view file_name,
                                   const FormatStyle& style) {
  BOOST_OUTCOME_TRY(const std::string before, MeaningOf(text, file_name));
  Formatter formatter(WordsOf(text), style.indent);
  Doc document = formatter.Policies();
  std::string formatted = formatter.layout().Render(document, style.width);
  const Result<std::string> after = MeaningOf(formatted, file_name);
  if (!after || after.value() != before) {
    return Error{Code::kUnsupported, std::string(file_name) +
                                         ": the formatted text would mean something else; the "
                                         "text is left as it is"};
  }
  return formatted;
}

}  // namespace portcullis::policy::cedar
