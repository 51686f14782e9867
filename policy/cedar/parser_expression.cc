// Expressions. The grammar binds, from loose to tight: if, ||, &&, one relation, + -, *, up to four
// of one unary operator, member access. Two relations in a row need parentheses.
#include "policy/cedar/operators.h"
#include "policy/cedar/parser.h"
#include "policy/cedar/tree.h"

namespace portcullis::policy::cedar {
namespace {

constexpr int kMaxUnary = 4;

}  // namespace

Parser::Node Parser::Add(Expr expr) {
  const uint32_t offset = expr.offset;
  if (const Expr* added = AddExpr(files_, std::move(expr))) return added;
  return FailAt(offset,
                "this expression is nested deeper than " + std::to_string(kMaxDepth) + " levels",
                Code::kTooDeep);
}

Parser::Node Parser::ParseExpression() {
  const auto offset = static_cast<uint32_t>(token_.offset);
  if (++nesting_ > kMaxNesting) {
    return FailAt(offset, "nested deeper than " + std::to_string(kMaxNesting) + " levels",
                  Code::kTooDeep);
  }
  Node node = Accept("if") ? ParseIf(offset) : ParseOr();
  --nesting_;
  return node;
}

Parser::Node Parser::ParseIf(uint32_t offset) {
  BOOST_OUTCOME_TRY(const Expr* condition, ParseExpression());
  BOOST_OUTCOME_TRY(Expect("then", "after the condition of `if`"));
  BOOST_OUTCOME_TRY(const Expr* yes, ParseExpression());
  BOOST_OUTCOME_TRY(Expect("else", "after `then`; every `if` needs one"));
  BOOST_OUTCOME_TRY(const Expr* no, ParseExpression());
  return Add(MakeExpr(Op::kIf, offset, {condition, yes, no}));
}

Parser::Node Parser::ParseOr() {
  const auto offset = static_cast<uint32_t>(token_.offset);
  BOOST_OUTCOME_TRY(const Expr* first, ParseAnd());
  if (!token_.Is("||")) return first;
  std::vector<const Expr*> args{first};
  while (Accept("||")) {
    BOOST_OUTCOME_TRY(const Expr* next, ParseAnd());
    args.push_back(next);
  }
  return Add(MakeExpr(Op::kOr, offset, std::move(args)));
}

Parser::Node Parser::ParseAnd() {
  const auto offset = static_cast<uint32_t>(token_.offset);
  BOOST_OUTCOME_TRY(const Expr* first, ParseRelation());
  if (!token_.Is("&&")) return first;
  std::vector<const Expr*> args{first};
  while (Accept("&&")) {
    BOOST_OUTCOME_TRY(const Expr* next, ParseRelation());
    args.push_back(next);
  }
  return Add(MakeExpr(Op::kAnd, offset, std::move(args)));
}

Parser::Node Parser::ParseRelation() {
  const auto offset = static_cast<uint32_t>(token_.offset);
  BOOST_OUTCOME_TRY(const Expr* left, ParseSum());
  const auto relation_here = [this]() -> std::optional<Op> {
    const bool word = token_.kind == TokenKind::kPunctuation || token_.Is("in");
    return word ? RelationNamed(token_.text) : std::nullopt;
  };
  if (Accept("has")) {
    BOOST_OUTCOME_TRY(left, ParseHas(left, offset));
  } else if (Accept("like")) {
    BOOST_OUTCOME_TRY(left, ParseLike(left, offset));
  } else if (Accept("is")) {
    BOOST_OUTCOME_TRY(left, ParseIs(left, offset));
  } else if (const std::optional<Op> op = relation_here()) {
    Advance();
    BOOST_OUTCOME_TRY(const Expr* right, ParseSum());
    BOOST_OUTCOME_TRY(left, Add(MakeExpr(*op, offset, {left, right})));
  } else {
    return left;
  }
  if (relation_here() || token_.Is("has") || token_.Is("like") || token_.Is("is")) {
    return Fail("a second relation (`" + std::string(token_.text) +
                "`) needs parentheses to say what belongs together");
  }
  return left;
}

Parser::Node Parser::ParseHas(const Expr* left, uint32_t offset) {
  Expr expr = MakeExpr(Op::kHasAttr, offset, {left});
  if (token_.kind == TokenKind::kString) {
    BOOST_OUTCOME_TRY(std::string name, StringContent());
    expr.names.push_back(std::move(name));
    return Add(std::move(expr));
  }
  do {
    BOOST_OUTCOME_TRY(std::string name, ExpectName("an attribute name"));
    expr.names.push_back(std::move(name));
  } while (Accept("."));
  return Add(std::move(expr));
}

Parser::Node Parser::ParseLike(const Expr* left, uint32_t offset) {
  if (token_.kind != TokenKind::kString) return Expected("a pattern in quotes");
  size_t bad = 0;
  Result<Pattern> pattern = UnescapePattern(token_.text, &bad);
  if (!pattern) return FailAt(token_.offset + bad, pattern.error().message);
  Advance();
  Expr expr = MakeExpr(Op::kLike, offset, {left});
  expr.pattern = std::move(pattern.value());
  return Add(std::move(expr));
}

Parser::Node Parser::ParseIs(const Expr* left, uint32_t offset) {
  BOOST_OUTCOME_TRY(std::string type, ParsePath("an entity type"));
  Expr expr = MakeExpr(Op::kIs, offset, {left});
  expr.name = std::move(type);
  if (Accept("in")) {
    BOOST_OUTCOME_TRY(const Expr* ancestor, ParseSum());
    expr.op = Op::kIsIn;
    expr.args.push_back(ancestor);
  }
  return Add(std::move(expr));
}

Parser::Node Parser::ParseSum() {
  const auto offset = static_cast<uint32_t>(token_.offset);
  BOOST_OUTCOME_TRY(const Expr* first, ParseProduct());
  if (!token_.Is("+") && !token_.Is("-")) return first;
  Expr sum = MakeExpr(Op::kSum, offset, {first});
  while (token_.Is("+") || token_.Is("-")) {
    sum.name += token_.text[0];
    Advance();
    BOOST_OUTCOME_TRY(const Expr* next, ParseProduct());
    sum.args.push_back(next);
  }
  return Add(std::move(sum));
}

Parser::Node Parser::ParseProduct() {
  const auto offset = static_cast<uint32_t>(token_.offset);
  BOOST_OUTCOME_TRY(const Expr* first, ParseUnary());
  if (token_.Is("/") || token_.Is("%")) {
    return Fail("Cedar has no division and no remainder");
  }
  if (!token_.Is("*")) return first;
  Expr product = MakeExpr(Op::kProduct, offset, {first});
  while (Accept("*")) {
    BOOST_OUTCOME_TRY(const Expr* next, ParseUnary());
    product.args.push_back(next);
  }
  if (token_.Is("/") || token_.Is("%")) {
    return Fail("Cedar has no division and no remainder");
  }
  return Add(std::move(product));
}

Parser::Node Parser::ParseUnary() {
  const auto offset = static_cast<uint32_t>(token_.offset);
  const bool negation = token_.Is("!");
  const std::string_view symbol = negation ? "!" : "-";
  int count = 0;
  while (Accept(symbol)) {
    if (++count > kMaxUnary) {
      return FailAt(offset, "more than four `" + std::string(symbol) + "` in a row");
    }
  }
  std::optional<Token> number;
  if (count > 0 && !negation && token_.kind == TokenKind::kNumber) {
    number = token_;
    Advance();
  }
  const bool plain = number && !token_.Is(".") && !token_.Is("[") && !token_.Is("(");
  const Expr* node = nullptr;
  if (plain) {  // the minus belongs to the literal: -9223372036854775808 is a number
    BOOST_OUTCOME_TRY(node, NumberLiteral(*number, true));
    --count;
  } else {
    BOOST_OUTCOME_TRY(node, ParseMember(number));
  }
  for (; count > 0; --count) {
    BOOST_OUTCOME_TRY(node, Add(MakeExpr(negation ? Op::kNot : Op::kNegate, offset, {node})));
  }
  return node;
}

Parser::Node Parser::NumberLiteral(const Token& token, bool negative) {
  int64_t value = 0;
  for (const char c : token.text) {
    const int digit = negative ? '0' - c : c - '0';
    if (__builtin_mul_overflow(value, int64_t{10}, &value) ||
        __builtin_add_overflow(value, int64_t{digit}, &value)) {
      return FailAt(token.offset,
                    "this number leaves the range -9223372036854775808 to 9223372036854775807");
    }
  }
  return Add(MakeLiteral(Value::Long(value), static_cast<uint32_t>(token.offset)));
}

Parser::Node Parser::ParseMember(std::optional<Token> negative_number) {
  Node node = negative_number ? NumberLiteral(*negative_number, false) : ParsePrimary();
  while (node && (token_.Is(".") || token_.Is("[") || token_.Is("("))) {
    node = ParseAccess(node.value());
  }
  return node;
}

Parser::Node Parser::ParseAccess(const Expr* object) {
  const auto offset = static_cast<uint32_t>(token_.offset);
  if (token_.Is("(")) return Fail("only a function or method name can be called");
  Expr expr = MakeExpr(Op::kGetAttr, offset, {object});
  if (Accept(".")) {
    const Token name = token_;
    BOOST_OUTCOME_TRY(expr.name, ExpectName("an attribute or method name"));
    if (Accept("(")) return ParseMethodCall(object, name);
    return Add(std::move(expr));
  }
  Advance();
  if (token_.kind != TokenKind::kString) return Expected("an attribute name in quotes");
  BOOST_OUTCOME_TRY(expr.name, StringContent());
  BOOST_OUTCOME_TRY(Expect("]", "after the attribute name"));
  return Add(std::move(expr));
}

}  // namespace portcullis::policy::cedar
