#include "inference/tokenizer/jinja/expression.h"

namespace portcullis::inference::jinja {
namespace {

class Parser : private ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Result<NodePtr> Run() {
    BOOST_OUTCOME_TRY(auto block, Block({}));
    if (Now().kind != Token::Kind::kEnd) return Bad("`" + Now().text + "` closes nothing");
    return block;
  }

 private:
  // Statements up to a tag that begins with one of `ends`, which is left in place.
  Result<NodePtr> Block(Names ends) {
    return Deeper([&]() -> Result<NodePtr> {
      BOOST_OUTCOME_TRY(auto block, Make(Kind::kBlock));
      while (Now().kind != Token::Kind::kEnd) {
        if (Now().kind == Token::Kind::kText) {
          BOOST_OUTCOME_TRY(auto literal, Make(Kind::kLiteral));
          literal->value = Value::Of(Text(Now().text, false));
          ++at_;
          block->children.push_back(std::move(literal));
          continue;
        }
        if (Now().text == "{%") {
          const Token& word = Ahead(1);
          for (const std::string_view end : ends) {
            if (word.kind == Token::Kind::kName && word.text == end) return block;
          }
          BOOST_OUTCOME_TRY(auto statement, Statement());
          if (statement) block->children.push_back(std::move(statement));
          continue;
        }
        ++at_;
        BOOST_OUTCOME_TRY(auto expression, Expression());
        BOOST_OUTCOME_TRY(Close());
        BOOST_OUTCOME_TRY(auto output, Make2(Kind::kOutput, "", std::move(expression)));
        block->children.push_back(std::move(output));
      }
      if (ends.size() > 0) return Bad("`" + std::string(*ends.begin()) + "` is missing");
      return block;
    });
  }

  Result<NodePtr> BlockTo(std::string_view end) {
    BOOST_OUTCOME_TRY(auto block, Block({end}));
    BOOST_OUTCOME_TRY(End(end));
    return block;
  }
  // {% end %}
  Result<void> End(std::string_view end) {
    ++at_;
    BOOST_OUTCOME_TRY(Need(end));
    return Close();
  }

  Result<NodePtr> Statement() {
    ++at_;
    BOOST_OUTCOME_TRY(const std::string word, NeedName());
    if (word == "set") return Set();
    if (word == "if") return If();
    if (word == "for") return For();
    if (word == "macro") return Macro();
    if (word == "break" || word == "continue") {
      BOOST_OUTCOME_TRY(Close());
      return Make(word == "break" ? Kind::kBreak : Kind::kContinue);
    }
    if (word == "generation") {
      BOOST_OUTCOME_TRY(Close());
      return BlockTo("endgeneration");
    }
    return Bad("the statement `" + word.substr(0, 40) + "` is not supported");
  }

  Result<NodePtr> Set() {
    BOOST_OUTCOME_TRY(auto target, Targets());
    NodePtr value;
    if (Take("=")) {
      BOOST_OUTCOME_TRY(value, TupleOr());
      BOOST_OUTCOME_TRY(Close());
    } else {
      BOOST_OUTCOME_TRY(Close());
      BOOST_OUTCOME_TRY(value, BlockTo("endset"));
    }
    return Make2(Kind::kSet, "", std::move(target), std::move(value));
  }

  // A name, a member of a namespace, or several with commas.
  Result<NodePtr> Targets() {
    const auto one = [&]() -> Result<NodePtr> {
      BOOST_OUTCOME_TRY(const std::string name, NeedName());
      BOOST_OUTCOME_TRY(auto node, Make(Kind::kName, name));
      if (Take(".")) {
        BOOST_OUTCOME_TRY(const std::string member, NeedName());
        return Make2(Kind::kMember, member, std::move(node));
      }
      return node;
    };
    const bool bracket = Take("(");
    BOOST_OUTCOME_TRY(auto first, one());
    if (IsSymbol(",")) {
      BOOST_OUTCOME_TRY(first, Make2(Kind::kTuple, "", std::move(first)));
      while (Take(",")) {
        BOOST_OUTCOME_TRY(auto next, one());
        first->children.push_back(std::move(next));
      }
    }
    if (bracket) {
      BOOST_OUTCOME_TRY(Need(")"));
    }
    return first;
  }

  Result<NodePtr> If() {
    return Deeper([&]() -> Result<NodePtr> {
      BOOST_OUTCOME_TRY(auto condition, Expression());
      BOOST_OUTCOME_TRY(Close());
      BOOST_OUTCOME_TRY(auto then, Block({"endif", "else", "elif"}));
      ++at_;
      BOOST_OUTCOME_TRY(const std::string word, NeedName());
      BOOST_OUTCOME_TRY(auto node, Make2(Kind::kIf, "", std::move(condition), std::move(then)));
      if (word == "elif") {
        BOOST_OUTCOME_TRY(auto rest, If());
        node->children.push_back(std::move(rest));
        return node;
      }
      BOOST_OUTCOME_TRY(Close());
      if (word == "else") {
        BOOST_OUTCOME_TRY(auto rest, BlockTo("endif"));
        node->children.push_back(std::move(rest));
      }
      return node;
    });
  }

  Result<NodePtr> For() {
    BOOST_OUTCOME_TRY(auto target, Targets());
    BOOST_OUTCOME_TRY(Need("in"));
    BOOST_OUTCOME_TRY(auto iterable, Or());
    NodePtr condition;
    if (Take("if")) {
      BOOST_OUTCOME_TRY(condition, Expression());
    }
    BOOST_OUTCOME_TRY(Close());
    BOOST_OUTCOME_TRY(auto body, Block({"endfor", "else"}));
    BOOST_OUTCOME_TRY(auto node, Make2(Kind::kFor, "", std::move(target), std::move(iterable),
                                       std::move(condition), std::move(body)));
    ++at_;
    BOOST_OUTCOME_TRY(const std::string word, NeedName());
    BOOST_OUTCOME_TRY(Close());
    if (word == "else") {
      BOOST_OUTCOME_TRY(auto rest, BlockTo("endfor"));
      node->children.push_back(std::move(rest));
    }
    return node;
  }

  Result<NodePtr> Macro() {
    BOOST_OUTCOME_TRY(const std::string name, NeedName());
    BOOST_OUTCOME_TRY(auto node, Make(Kind::kMacro, name));
    BOOST_OUTCOME_TRY(Need("("));
    while (!Take(")")) {
      BOOST_OUTCOME_TRY(const std::string parameter, NeedName());
      BOOST_OUTCOME_TRY(auto child, Make(Kind::kParameter, parameter));
      if (Take("=")) {
        BOOST_OUTCOME_TRY(auto value, Expression());
        child->children.push_back(std::move(value));
      }
      node->children.push_back(std::move(child));
      if (!IsSymbol(")")) {
        BOOST_OUTCOME_TRY(Need(","));
      }
    }
    BOOST_OUTCOME_TRY(Close());
    BOOST_OUTCOME_TRY(auto body, BlockTo("endmacro"));
    node->children.push_back(std::move(body));
    return node;
  }
};

}  // namespace

Result<NodePtr> Parse(std::string_view source) {
  BOOST_OUTCOME_TRY(auto tokens, Scan(source));
  return Parser(std::move(tokens)).Run();
}

}  // namespace portcullis::inference::jinja
