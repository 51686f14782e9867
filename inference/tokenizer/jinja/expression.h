// The expressions of a template: recursive descent, one function a level of precedence, weakest
// first: a if c else b · or · and · not · comparison, in · + - · ~ · * / // % · ** · unary - ·
// postfix, |, is. Base of the parser of statements in parse.cc; used once, then thrown away.
#pragma once

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <utility>

#include "inference/tokenizer/jinja/syntax.h"

namespace portcullis::inference::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

 protected:
  static constexpr size_t kMaxNodes = 100'000;
  static constexpr int kMaxDepth = 100;

  using Names = std::initializer_list<std::string_view>;

  const Token& Now() const { return tokens_[at_]; }
  const Token& Ahead(size_t n) const { return tokens_[std::min(at_ + n, tokens_.size() - 1)]; }
  Error Bad(const std::string& what) const { return BadTemplate(Now().line, what); }
  bool IsSymbol(std::string_view text) const {
    return Now().kind == Token::Kind::kSymbol && Now().text == text;
  }
  bool IsName(std::string_view text) const {
    return Now().kind == Token::Kind::kName && Now().text == text;
  }
  bool Take(std::string_view text) {
    if (!IsSymbol(text) && !IsName(text)) return false;
    ++at_;
    return true;
  }
  Result<void> Need(std::string_view text) {
    if (Take(text)) return boost::outcome_v2::success();
    return Bad("`" + std::string(text) + "` is missing before `" + Now().text.substr(0, 40) + "`");
  }
  Result<std::string> NeedName() {
    if (Now().kind != Token::Kind::kName) return Bad("a name is missing");
    return tokens_[at_++].text;
  }
  Result<void> Close() {
    if (Now().kind != Token::Kind::kClose) return Bad("`" + Now().text.substr(0, 40) + "` is unexpected");
    ++at_;
    return boost::outcome_v2::success();
  }
  Result<NodePtr> Make(Kind kind, std::string name = {}) {
    if (++nodes_ > kMaxNodes) return Bad("it has too many parts");
    auto node = std::make_unique<Node>();
    node->kind = kind;
    node->line = Now().line;
    node->name = std::move(name);
    return node;
  }
  template <class... Children>
  Result<NodePtr> Make2(Kind kind, std::string name, Children... children) {
    BOOST_OUTCOME_TRY(auto node, Make(kind, std::move(name)));
    (node->children.push_back(std::move(children)), ...);
    return node;
  }
  // Every recursion goes through here.
  template <class Function>
  Result<NodePtr> Deeper(const Function& function) {
    if (depth_ >= kMaxDepth) return Bad("it is nested too deeply");
    ++depth_;
    auto result = function();
    --depth_;
    return result;
  }

  Result<NodePtr> Expression() {
    return Deeper([&]() -> Result<NodePtr> {
      BOOST_OUTCOME_TRY(auto value, Or());
      while (Take("if")) {
        BOOST_OUTCOME_TRY(auto condition, Or());
        NodePtr other;
        if (Take("else")) {
          BOOST_OUTCOME_TRY(other, Expression());
        }
        BOOST_OUTCOME_TRY(value, Make2(Kind::kChoice, "", std::move(condition), std::move(value),
                                       std::move(other)));
      }
      return value;
    });
  }

  Result<NodePtr> TupleOr() {
    BOOST_OUTCOME_TRY(auto first, Expression());
    if (!IsSymbol(",")) return first;
    BOOST_OUTCOME_TRY(auto tuple, Make2(Kind::kTuple, "", std::move(first)));
    while (Take(",")) {
      BOOST_OUTCOME_TRY(auto next, Expression());
      tuple->children.push_back(std::move(next));
    }
    return tuple;
  }

  template <class Operand>
  Result<NodePtr> Chain(Names operators, const Operand& operand) {
    BOOST_OUTCOME_TRY(auto left, operand());
    for (;;) {
      std::string_view found;
      for (const std::string_view name : operators) {
        if (IsSymbol(name) || IsName(name)) found = name;
      }
      if (found.empty()) return left;
      ++at_;
      BOOST_OUTCOME_TRY(auto right, operand());
      BOOST_OUTCOME_TRY(left, Make2(Kind::kBinary, std::string(found), std::move(left), std::move(right)));
    }
  }

  Result<NodePtr> Or() {
    return Chain({"or"}, [&] { return Chain({"and"}, [&] { return Not(); }); });
  }

  Result<NodePtr> Not() {
    if (!Take("not")) return Comparison();
    return Deeper([&]() -> Result<NodePtr> {
      BOOST_OUTCOME_TRY(auto inner, Not());
      return Make2(Kind::kNot, "", std::move(inner));
    });
  }

  Result<NodePtr> Comparison() {
    BOOST_OUTCOME_TRY(auto left, Sum());
    for (;;) {
      const bool negated = IsName("not") && Ahead(1).text == "in";
      if (negated) ++at_;
      std::string_view found;
      for (const std::string_view name : {"==", "!=", "<=", ">=", "<", ">", "in"}) {
        if (IsSymbol(name) || IsName(name)) found = name;
      }
      if (found.empty()) return left;
      ++at_;
      BOOST_OUTCOME_TRY(auto right, Sum());
      BOOST_OUTCOME_TRY(left, Make2(Kind::kBinary, std::string(found), std::move(left), std::move(right)));
      if (negated) {
        BOOST_OUTCOME_TRY(left, Make2(Kind::kNot, "", std::move(left)));
      }
    }
  }

  Result<NodePtr> Sum() {
    return Chain({"+", "-"}, [&] {
      return Chain({"~"}, [&] { return Chain({"*", "/", "//", "%"}, [&] { return Power(); }); });
    });
  }

  Result<NodePtr> Power() { return Chain({"**"}, [&] { return Unary(true); }); }

  Result<NodePtr> Unary(bool with_filters) {
    if (Take("-") || Take("+")) {
      const bool minus = tokens_[at_ - 1].text == "-";
      return Deeper([&]() -> Result<NodePtr> {
        BOOST_OUTCOME_TRY(auto inner, Unary(false));
        if (minus) {
          BOOST_OUTCOME_TRY(inner, Make2(Kind::kNegate, "", std::move(inner)));
        }
        return with_filters ? Filters(std::move(inner)) : Result<NodePtr>(std::move(inner));
      });
    }
    BOOST_OUTCOME_TRY(auto value, Primary());
    BOOST_OUTCOME_TRY(value, Postfix(std::move(value)));
    if (!with_filters) return value;
    return Filters(std::move(value));
  }

  // `| filter(…)` and `is [not] test`.
  Result<NodePtr> Filters(NodePtr value) {
    for (;;) {
      if (Take("|")) {
        BOOST_OUTCOME_TRY(const std::string name, NeedName());
        BOOST_OUTCOME_TRY(value, Make2(Kind::kFilter, name, std::move(value)));
        if (Take("(")) {
          BOOST_OUTCOME_TRY(Arguments(*value));
        }
        BOOST_OUTCOME_TRY(value, Postfix(std::move(value)));
      } else if (Take("is")) {
        const bool negated = Take("not");
        BOOST_OUTCOME_TRY(const std::string name, NeedName());
        BOOST_OUTCOME_TRY(value, Make2(Kind::kTest, name, std::move(value)));
        if (Take("(")) {
          BOOST_OUTCOME_TRY(Arguments(*value));
        } else if (Now().kind == Token::Kind::kNumber || Now().kind == Token::Kind::kString) {
          BOOST_OUTCOME_TRY(auto argument, Primary());
          value->children.push_back(std::move(argument));
        }
        if (negated) {
          BOOST_OUTCOME_TRY(value, Make2(Kind::kNot, "", std::move(value)));
        }
      } else {
        return value;
      }
    }
  }

  Result<void> Arguments(Node& call) {
    while (!Take(")")) {
      const bool named = Now().kind == Token::Kind::kName && Ahead(1).kind == Token::Kind::kSymbol &&
                         Ahead(1).text == "=";
      std::string name;
      if (named) {
        name = Now().text;
        at_ += 2;
      }
      BOOST_OUTCOME_TRY(auto value, Expression());
      if (named) {
        BOOST_OUTCOME_TRY(value, Make2(Kind::kKeyword, name, std::move(value)));
      }
      call.children.push_back(std::move(value));
      if (!IsSymbol(")")) {
        BOOST_OUTCOME_TRY(Need(","));
      }
    }
    return boost::outcome_v2::success();
  }

  Result<NodePtr> Postfix(NodePtr value) {
    for (;;) {
      if (Take(".")) {
        BOOST_OUTCOME_TRY(const std::string name, NeedName());
        BOOST_OUTCOME_TRY(value, Make2(Kind::kMember, name, std::move(value)));
      } else if (Take("[")) {
        BOOST_OUTCOME_TRY(value, Subscript(std::move(value)));
      } else if (Take("(")) {
        BOOST_OUTCOME_TRY(value, Make2(Kind::kCall, "", std::move(value)));
        BOOST_OUTCOME_TRY(Arguments(*value));
      } else {
        return value;
      }
    }
  }

  Result<NodePtr> Subscript(NodePtr value) {
    NodePtr parts[3];
    size_t part = 0;
    for (;;) {
      if (IsSymbol("]")) break;
      if (Take(":")) {
        if (++part == 3) return Bad("a slice has at most three parts");
        continue;
      }
      BOOST_OUTCOME_TRY(parts[part], Expression());
    }
    ++at_;
    if (part == 0) {
      if (!parts[0]) return Bad("an index is missing");
      return Make2(Kind::kIndex, "", std::move(value), std::move(parts[0]));
    }
    return Make2(Kind::kSlice, "", std::move(value), std::move(parts[0]), std::move(parts[1]),
                 std::move(parts[2]));
  }

  Result<NodePtr> Primary() {
    const Token token = Now();
    if (token.kind == Token::Kind::kEnd || token.kind == Token::Kind::kClose) {
      return Bad("an expression is missing");
    }
    ++at_;
    switch (token.kind) {
      case Token::Kind::kString: {
        BOOST_OUTCOME_TRY(auto node, Make(Kind::kConstant));
        Text text(token.text, false);
        while (Now().kind == Token::Kind::kString) text.Append(Text(tokens_[at_++].text, false));
        node->value = Value::Of(std::move(text));
        return node;
      }
      case Token::Kind::kNumber:
        return Number(token.text);
      case Token::Kind::kName:
        return Name(token.text);
      default:
        break;
    }
    if (token.text == "(") {
      if (Take(")")) return Make(Kind::kTuple);
      BOOST_OUTCOME_TRY(auto inner, TupleOr());
      BOOST_OUTCOME_TRY(Need(")"));
      return inner;
    }
    if (token.text == "[" || token.text == "{") {
      const bool dict = token.text == "{";
      BOOST_OUTCOME_TRY(auto node, Make(dict ? Kind::kDict : Kind::kTuple));
      const std::string_view end = dict ? "}" : "]";
      while (!Take(end)) {
        BOOST_OUTCOME_TRY(auto item, Expression());
        node->children.push_back(std::move(item));
        if (dict) {
          BOOST_OUTCOME_TRY(Need(":"));
          BOOST_OUTCOME_TRY(auto value, Expression());
          node->children.push_back(std::move(value));
        }
        if (!IsSymbol(end)) {
          BOOST_OUTCOME_TRY(Need(","));
        }
      }
      return node;
    }
    return Bad("`" + token.text.substr(0, 40) + "` begins no expression");
  }

  Result<NodePtr> Number(const std::string& text) {
    BOOST_OUTCOME_TRY(auto node, Make(Kind::kConstant));
    const char* end = text.data() + text.size();
    int64_t whole = 0;
    double real = 0;
    if (text.find('.') == std::string::npos) {
      const auto [stop, error] = std::from_chars(text.data(), end, whole);
      if (stop != end || error != std::errc()) return Bad("a number is too large");
      node->value = Value::Of(whole);
    } else {
      const auto [stop, error] = std::from_chars(text.data(), end, real);
      if (stop != end || error != std::errc()) return Bad("a number is malformed");
      node->value = Value(Value::Data(real));
    }
    return node;
  }

  Result<NodePtr> Name(const std::string& text) {
    const bool yes = text == "true" || text == "True";
    if (!yes && text != "false" && text != "False" && text != "none" && text != "None") {
      return Make(Kind::kName, text);
    }
    BOOST_OUTCOME_TRY(auto node, Make(Kind::kConstant));
    node->value = text == "none" || text == "None" ? Value::Null() : Value::Of(yes);
    return node;
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  size_t nodes_ = 0;
  int depth_ = 0;
};

}  // namespace portcullis::inference::jinja
