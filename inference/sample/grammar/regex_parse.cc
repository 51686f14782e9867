#include "inference/sample/grammar/regex_parse.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "inference/sample/grammar/regex_lookahead.h"
#include "inference/tokenizer/utf8.h"

namespace portcullis::inference::grammar {
namespace {

constexpr size_t kMaxPattern = 2000;
constexpr size_t kMaxNodes = 20'000;
constexpr int kMaxDepth = 50;
constexpr uint32_t kMaxRepeat = 1000;
constexpr char32_t kLast = 0x10FFFF;
constexpr int64_t kAtomSteps = 20, kClassSteps = 2, kNodeSteps = 4;

Error Bad(const std::string& what) { return Error{Code::kInvalidArgument, "pattern: " + what}; }

CharacterSet Tidy(CharacterSet set) {
  std::sort(set.begin(), set.end());
  CharacterSet out;
  for (const auto& [low, high] : set) {
    if (!out.empty() && low <= out.back().second + 1) {
      out.back().second = std::max(out.back().second, high);
    } else {
      out.emplace_back(low, high);
    }
  }
  return out;
}

CharacterSet WithoutSurrogates(const CharacterSet& set) {
  CharacterSet out;
  for (const auto& [low, high] : set) {
    if (low < 0xD800) out.emplace_back(low, std::min<char32_t>(high, 0xD7FF));
    if (high > 0xDFFF) out.emplace_back(std::max<char32_t>(low, 0xE000), high);
  }
  return out;
}

CharacterSet Negated(const CharacterSet& tidy) {
  CharacterSet out;
  char32_t next = 0;
  for (const auto& [low, high] : tidy) {
    if (low > next) out.emplace_back(next, low - 1);
    next = high + 1;
  }
  if (next <= kLast) out.emplace_back(next, kLast);
  return out;
}

CharacterSet Named(char name) {
  switch (name) {
    case 'd':
      return {{'0', '9'}};
    case 'w':
      return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    case 's':
      return {{9, 13},           {' ', ' '},       {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
              {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
    default:
      return Negated(Tidy(Named(static_cast<char>(name | 0x20))));
  }
}

struct Part {
  uint32_t start, end;
};

class Parser {
 public:
  // `at_start`: each alternative is as if it began with an anchor.
  Parser(std::string_view text, bool at_start, int64_t& effort)
      : rest_(text), at_start_(at_start), effort_(effort) {}

  Result<Automaton> Run() {
    const uint32_t start = Node();
    const uint32_t end = Node();
    do {  // alternatives at the top, each with anchors of its own
      const bool from_start = Take('^') || at_start_;
      BOOST_OUTCOME_TRY(const Part part, Sequence());
      const bool to_end = Take('$');
      // What an anchor does not forbid may stand before and after.
      if (from_start) {
        Silent(start, part.start);
      } else {
        const uint32_t any = AnyText();
        Silent(start, any);
        Silent(any, part.start);
      }
      if (to_end) {
        Silent(part.end, end);
      } else {
        const uint32_t any = AnyText();
        Silent(part.end, any);
        Silent(any, end);
      }
    } while (Take('|'));
    if (!rest_.empty()) return Bad("`" + std::string(rest_.substr(0, 1)) + "` is out of place");
    if (automaton_.nodes.size() > kMaxNodes) return Bad("it is too large");
    automaton_.start = start;
    automaton_.end = end;
    return std::move(automaton_);
  }

 private:
  uint32_t Node() {
    effort_ -= kNodeSteps;
    automaton_.nodes.emplace_back();
    return static_cast<uint32_t>(automaton_.nodes.size() - 1);
  }
  void Silent(uint32_t from, uint32_t to) { automaton_.nodes[from].silent.push_back(to); }
  // A node that may be left after any characters.
  uint32_t AnyText() {
    const uint32_t loop = Node();
    const uint32_t step = Node();
    automaton_.nodes[step].steps.push_back({AnyCharacter(), loop});
    Silent(loop, step);
    return loop;
  }
  bool Take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  Result<Part> Sequence() {
    Part all{Node(), 0};
    all.end = all.start;
    while (!rest_.empty() && rest_[0] != '|' && rest_[0] != ')' && rest_[0] != '$') {
      BOOST_OUTCOME_TRY(const Part part, Repeated());
      Silent(all.end, part.start);
      all.end = part.end;
      if (automaton_.nodes.size() > kMaxNodes) return Bad("it is too large");
    }
    return all;
  }

  Result<Part> Alternatives() {
    const Part all{Node(), Node()};
    do {
      BOOST_OUTCOME_TRY(const Part part, Sequence());
      Silent(all.start, part.start);
      Silent(part.end, all.end);
    } while (Take('|'));
    return all;
  }

  Result<Part> Repeated() {
    const std::string_view begin = rest_;
    BOOST_OUTCOME_TRY(Part part, Atom());
    const std::string_view atom = begin.substr(0, begin.size() - rest_.size());
    uint32_t low = 1, high = 1;
    BOOST_OUTCOME_TRY(const bool repeated, Quantifier(low, high));
    if (!repeated) return part;
    // Copies of the atom are made by reading it again.
    const std::string_view after = rest_;
    Part all{Node(), 0};
    all.end = all.start;
    const bool endless = high == UINT32_MAX;
    const uint32_t copies = endless ? std::max<uint32_t>(low, 1) : high;
    const uint32_t exit = Node();
    for (uint32_t i = 0; i < copies; ++i) {
      if (i > 0) {
        rest_ = atom;
        BOOST_OUTCOME_TRY(part, Atom());
      }
      if (automaton_.nodes.size() > kMaxNodes) return Bad("it is too large");
      if (i >= low) Silent(all.end, exit);
      Silent(all.end, part.start);
      if (endless && i + 1 == copies) Silent(part.end, part.start);
      all.end = part.end;
    }
    rest_ = after;
    Silent(all.end, exit);
    all.end = exit;
    return all;
  }

  Result<bool> Quantifier(uint32_t& low, uint32_t& high) {
    if (Take('*')) {
      low = 0, high = UINT32_MAX;
    } else if (Take('+')) {
      high = UINT32_MAX;
    } else if (Take('?')) {
      low = 0;
    } else if (rest_.starts_with('{')) {
      rest_.remove_prefix(1);
      BOOST_OUTCOME_TRY(low, Number());
      high = low;
      if (Take(',')) {
        high = UINT32_MAX;
        if (!rest_.starts_with('}')) {
          BOOST_OUTCOME_TRY(high, Number());
        }
      }
      if (!Take('}') || high < low) return Bad("a repetition is malformed");
    } else {
      return false;
    }
    Take('?');  // lazy or not, the same texts match
    return true;
  }

  Result<uint32_t> Number() {
    uint32_t number = 0;
    size_t digits = 0;
    for (; !rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9'; ++digits) {
      number = number * 10 + static_cast<uint32_t>(rest_[0] - '0');
      if (number > kMaxRepeat) return Bad("a repetition above 1000");
      rest_.remove_prefix(1);
    }
    if (digits == 0) return Bad("a repetition is malformed");
    return number;
  }

  Result<Part> Atom() {
    if ((effort_ -= kAtomSteps) < 0) return Bad("it takes too long to compile");
    if (Take('(')) {
      if (++depth_ > kMaxDepth) return Bad("it is nested too deeply");
      if (Take('?')) {
        const bool named = rest_.starts_with('<') && rest_.size() > 1 && rest_[1] != '=' && rest_[1] != '!';
        if (named) {
          rest_.remove_prefix(std::min(rest_.find('>'), rest_.size() - 1) + 1);
        } else if (!Take(':')) {
          return Bad("look-around other than look-aheads at the start cannot be enforced");
        }
      }
      BOOST_OUTCOME_TRY(const Part part, Alternatives());
      if (!Take(')')) return Bad(rest_.starts_with('$') ? "an anchor inside a group cannot be enforced"
                                                        : "a parenthesis is missing");
      --depth_;
      return part;
    }
    BOOST_OUTCOME_TRY(const CharacterSet set, OneOf());
    const Part part{Node(), Node()};
    automaton_.nodes[part.start].steps.push_back({WithoutSurrogates(set), part.end});
    return part;
  }

  Result<CharacterSet> OneOf() {
    if (Take('.')) return Negated({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}});
    if (Take('[')) return Class();
    if (rest_.starts_with('^')) return Bad("an anchor in the middle cannot be enforced");
    if (rest_.starts_with('*') || rest_.starts_with('+') || rest_.starts_with('?')) {
      return Bad("a repetition of nothing");
    }
    if (Take('\\')) return Escape(false);
    BOOST_OUTCOME_TRY(const char32_t c, Character());
    return CharacterSet{{c, c}};
  }

  Result<char32_t> Character() {
    const size_t length = CharacterLength(rest_);
    if (length == 0) return Bad("it ends too early");
    const char32_t c = FirstCodePoint(rest_);
    rest_.remove_prefix(length);
    return c;
  }

  Result<CharacterSet> Escape(bool in_class) {
    BOOST_OUTCOME_TRY(const char32_t c, Character());
    if (c == 'd' || c == 'w' || c == 's' || c == 'D' || c == 'W' || c == 'S') {
      return Named(static_cast<char>(c));
    }
    constexpr std::string_view kFrom = "ntrfv0", kTo = {"\n\t\r\f\v\0", 6};
    const size_t known = c < 128 ? kFrom.find(static_cast<char>(c)) : std::string_view::npos;
    if (known != std::string_view::npos) {
      const auto value = static_cast<char32_t>(kTo[known]);
      return CharacterSet{{value, value}};
    }
    if (c == 'b' && in_class) return CharacterSet{{8, 8}};
    if (c == 'x' || c == 'u') {
      BOOST_OUTCOME_TRY(const char32_t value, Hex(c == 'x' ? 2 : 4));
      return CharacterSet{{value, value}};
    }
    const bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (letter) {
      return Bad("`\\" + std::string(1, static_cast<char>(c)) + "` cannot be enforced");
    }
    return CharacterSet{{c, c}};
  }

  Result<char32_t> Hex(size_t digits) {
    char32_t value = 0;
    for (; digits > 0; --digits) {
      const char c = rest_.empty() ? 'x' : rest_[0];
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return Bad("an escape is malformed");
      value = value * 16 + static_cast<char32_t>(digit);
      rest_.remove_prefix(1);
    }
    if (value >= 0xD800 && value <= 0xDFFF) return Bad("a surrogate cannot be enforced");
    return value;
  }

  Result<CharacterSet> Class() {
    const bool negated = Take('^');
    CharacterSet set;
    while (!Take(']')) {
      if (rest_.empty()) return Bad("a bracket is missing");
      if ((effort_ -= kClassSteps) < 0) return Bad("it takes too long to compile");
      BOOST_OUTCOME_TRY(const CharacterSet low, ClassPart());
      const bool one = low.size() == 1 && low[0].first == low[0].second;
      if (one && rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']') {
        rest_.remove_prefix(1);
        BOOST_OUTCOME_TRY(const CharacterSet high, ClassPart());
        if (high.size() != 1 || high[0].first != high[0].second || high[0].first < low[0].first) {
          return Bad("a range in brackets is malformed");
        }
        set.emplace_back(low[0].first, high[0].first);
      } else {
        set.insert(set.end(), low.begin(), low.end());
      }
    }
    set = Tidy(std::move(set));
    return negated ? Negated(set) : set;
  }

  Result<CharacterSet> ClassPart() {
    if (Take('\\')) return Escape(true);
    BOOST_OUTCOME_TRY(const char32_t c, Character());
    return CharacterSet{{c, c}};
  }

  std::string_view rest_;
  const bool at_start_;
  int64_t& effort_;
  Automaton automaton_;
  int depth_ = 0;
};

}  // namespace

Result<Automaton> ParsePattern(std::string_view pattern, int64_t& effort) {
  if (pattern.size() > kMaxPattern || !IsValidUtf8(pattern)) {
    return Bad("it is longer than 2000 bytes or not UTF-8");
  }
  const LookAheads ahead = CutLookAheads(pattern);
  if (ahead.wanted.empty() && ahead.unwanted.empty()) return Parser(pattern, false, effort).Run();
  std::vector<Automaton> all, none;
  BOOST_OUTCOME_TRY(Automaton rest, Parser(ahead.rest, true, effort).Run());
  all.push_back(std::move(rest));
  for (const std::string_view wanted : ahead.wanted) {
    BOOST_OUTCOME_TRY(Automaton part, Parser(wanted, true, effort).Run());
    all.push_back(std::move(part));
  }
  for (const std::string_view unwanted : ahead.unwanted) {
    BOOST_OUTCOME_TRY(Automaton part, Parser(unwanted, true, effort).Run());
    none.push_back(std::move(part));
  }
  return Combine(all, none, effort);
}

}  // namespace portcullis::inference::grammar
