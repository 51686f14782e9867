// Expressions. The grammar binds, from loose to tight: if, ||, &&, one relation, + -, *, up to four
// of one unary operator, member access. Two relations in a row need parentheses.
#include <algorithm>
#include <array>

#include "policy/cedar/parser.h"
#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {
namespace {

constexpr int kMaxUnary = 4;

struct Relation {
  std::string_view symbol;
  Op op;
};
constexpr std::array<Relation, 7> kRelations = {{{"==", Op::kEqual},
                                                 {"!=", Op::kNotEqual},
                                                 {"<", Op::kLess},
                                                 {"<=", Op::kLessEqual},
                                                 {">", Op::kGreater},
                                                 {">=", Op::kGreaterEqual},
                                                 {"in", Op::kIn}}};

struct Method {
  std::string_view name;
  Op op;
  size_t arguments;
};
constexpr std::array<Method, 6> kMethods = {{{"contains", Op::kContains, 1},
                                             {"containsAll", Op::kContainsAll, 1},
                                             {"containsAny", Op::kContainsAny, 1},
                                             {"isEmpty", Op::kIsEmpty, 0},
                                             {"getTag", Op::kGetTag, 1},
                                             {"hasTag", Op::kHasTag, 1}}};

const Method* MethodNamed(std::string_view name) {
  const auto* found = std::find_if(kMethods.begin(), kMethods.end(),
                                   [&](const Method& method) { return method.name == name; });
  return found == kMethods.end() ? nullptr : found;
}

std::optional<Var> VarNamed(std::string_view name) {
  for (const Var var : {Var::kPrincipal, Var::kAction, Var::kResource, Var::kContext}) {
    if (name == NameOf(var)) return var;
  }
  return std::nullopt;
}

Expr Make(Op op, uint32_t offset, std::vector<const Expr*> args) {
  Expr expr;
  expr.op = op;
  expr.offset = offset;
  expr.args = std::move(args);
  return expr;
}

Expr MakeLiteral(Value value, uint32_t offset) {
  Expr expr;
  expr.constant = true;
  expr.literal = std::move(value);
  expr.offset = offset;
  return expr;
}

}  // namespace

Parser::Node Parser::Add(Expr expr) {
  for (const Expr* arg : expr.args) expr.depth = std::max(expr.depth, arg->depth + 1);
  if (expr.depth > kMaxDepth) {
    return FailAt(expr.offset,
                  "this expression is nested deeper than " + std::to_string(kMaxDepth) + " levels",
                  Code::kTooDeep);
  }
  Fold(expr);
  files_.arena.push_back(std::move(expr));
  return &files_.arena.back();
}

// Sets, records and extension constructors of constants become values once, here. A constructor
// that fails stays a call: its error belongs to the evaluation.
void Parser::Fold(Expr& expr) const {
  if (expr.op != Op::kSet && expr.op != Op::kRecord && expr.op != Op::kCall) return;
  if (!std::all_of(expr.args.begin(), expr.args.end(),
                   [](const Expr* arg) { return arg->constant; })) {
    return;
  }
  if (expr.op == Op::kRecord) {
    std::vector<Value::Field> fields;
    for (size_t i = 0; i < expr.args.size(); ++i) {
      fields.emplace_back(expr.names[i], expr.args[i]->literal);
    }
    expr.literal = Value::Record(std::move(fields));
  } else {
    std::vector<Value> values;
    for (const Expr* arg : expr.args) values.push_back(arg->literal);
    if (expr.op == Op::kSet) {
      expr.literal = Value::Set(std::move(values));
    } else {
      Result<Value> value = Call(expr.function, values);
      if (!value) return;
      expr.literal = std::move(value.value());
    }
  }
  expr.constant = true;
}

Parser::Node Parser::ParseExpression() {
  const auto offset = static_cast<uint32_t>(token_.offset);
  if (++nesting_ > kMaxDepth) {
    return FailAt(offset, "nested deeper than " + std::to_string(kMaxDepth) + " levels",
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
  return Add(Make(Op::kIf, offset, {condition, yes, no}));
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
  return Add(Make(Op::kOr, offset, std::move(args)));
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
  return Add(Make(Op::kAnd, offset, std::move(args)));
}

Parser::Node Parser::ParseRelation() {
  const auto offset = static_cast<uint32_t>(token_.offset);
  BOOST_OUTCOME_TRY(const Expr* left, ParseSum());
  const auto relation_here = [this] {
    return std::find_if(kRelations.begin(), kRelations.end(),
                        [this](const Relation& entry) { return token_.Is(entry.symbol); });
  };
  if (Accept("has")) {
    BOOST_OUTCOME_TRY(left, ParseHas(left, offset));
  } else if (Accept("like")) {
    BOOST_OUTCOME_TRY(left, ParseLike(left, offset));
  } else if (Accept("is")) {
    BOOST_OUTCOME_TRY(left, ParseIs(left, offset));
  } else if (const auto* entry = relation_here(); entry != kRelations.end()) {
    Advance();
    BOOST_OUTCOME_TRY(const Expr* right, ParseSum());
    BOOST_OUTCOME_TRY(left, Add(Make(entry->op, offset, {left, right})));
  } else {
    return left;
  }
  if (relation_here() != kRelations.end() || token_.Is("has") || token_.Is("like") ||
      token_.Is("is")) {
    return Fail("a second relation (`" + std::string(token_.text) +
                "`) needs parentheses to say what belongs together");
  }
  return left;
}

Parser::Node Parser::ParseHas(const Expr* left, uint32_t offset) {
  Expr expr = Make(Op::kHasAttr, offset, {left});
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
  Expr expr = Make(Op::kLike, offset, {left});
  expr.pattern = std::move(pattern.value());
  return Add(std::move(expr));
}

Parser::Node Parser::ParseIs(const Expr* left, uint32_t offset) {
  BOOST_OUTCOME_TRY(std::string type, ParsePath("an entity type"));
  Expr expr = Make(Op::kIs, offset, {left});
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
  Expr sum = Make(Op::kSum, offset, {first});
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
  Expr product = Make(Op::kProduct, offset, {first});
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
    BOOST_OUTCOME_TRY(node, Add(Make(negation ? Op::kNot : Op::kNegate, offset, {node})));
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
  Expr expr = Make(Op::kGetAttr, offset, {object});
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

Parser::Node Parser::ParsePrimary() {
  const auto offset = static_cast<uint32_t>(token_.offset);
  switch (token_.kind) {
    case TokenKind::kNumber: {
      const Token number = token_;
      Advance();
      return NumberLiteral(number, false);
    }
    case TokenKind::kString: {
      BOOST_OUTCOME_TRY(std::string content, StringContent());
      return Add(MakeLiteral(Value::String(std::move(content)), offset));
    }
    case TokenKind::kSlot: return Fail("a slot can only stand in the head of a template");
    case TokenKind::kIdentifier:
      if (token_.Is("true") || token_.Is("false")) {
        const bool value = token_.Is("true");
        Advance();
        return Add(MakeLiteral(Value::Bool(value), offset));
      }
      if (token_.Is("if")) return Fail("put this `if` in parentheses");
      return ParseName();
    default: break;
  }
  if (Accept("(")) {
    BOOST_OUTCOME_TRY(const Expr* inner, ParseExpression());
    BOOST_OUTCOME_TRY(Expect(")", "to close the parenthesis"));
    return inner;
  }
  if (Accept("[")) return ParseSet(offset);
  if (Accept("{")) return ParseRecord(offset);
  return Expected("an expression");
}

Parser::Node Parser::ParseName() {
  const auto offset = static_cast<uint32_t>(token_.offset);
  BOOST_OUTCOME_TRY(std::string path, ExpectName("a name"));
  bool simple = true;
  while (Accept("::")) {
    if (token_.kind == TokenKind::kString) {
      BOOST_OUTCOME_TRY(std::string id, StringContent());
      return Add(MakeLiteral(Value::Entity(std::move(path), std::move(id)), offset));
    }
    if (token_.Is("{")) return Fail("an entity is written " + path + "::\"its id\"");
    BOOST_OUTCOME_TRY(const std::string part, ExpectName("a name or an id in quotes"));
    path += "::" + part;
    simple = false;
  }
  const std::optional<Var> var = simple ? VarNamed(path) : std::nullopt;
  if (token_.Is("(")) {
    if (var) return FailAt(offset, "`" + path + "` is a variable and cannot be called");
    Advance();
    return ParseFunctionCall(path, offset);
  }
  if (!var) {
    return FailAt(offset, "`" + path +
                              "` is no variable: expected principal, action, resource or context, "
                              "or a string in quotes");
  }
  Expr expr = Make(Op::kVar, offset, {});
  expr.var = *var;
  return Add(std::move(expr));
}

Parser::Node Parser::ParseFunctionCall(const std::string& name, uint32_t offset) {
  const std::optional<Function> function = FunctionNamed(name);
  if (MethodNamed(name) != nullptr || (function && InfoOf(*function).method)) {
    return FailAt(offset, "`" + name + "` is a method: write x." + name + "(…)");
  }
  if (!function) {
    return FailAt(offset, "there is no function `" + name +
                              "`: expected ip, decimal, datetime or duration");
  }
  BOOST_OUTCOME_TRY(std::vector<const Expr*> args, ParseArguments(")"));
  Expr expr = Make(Op::kCall, offset, std::move(args));
  expr.function = *function;
  return Add(std::move(expr));
}

Parser::Node Parser::ParseMethodCall(const Expr* object, const Token& name) {
  const Method* method = MethodNamed(name.text);
  const std::optional<Function> function = FunctionNamed(name.text);
  if (method == nullptr && (!function || !InfoOf(*function).method)) {
    const std::string text(name.text);
    return FailAt(name.offset, function ? "`" + text + "` is a function: write " + text + "(…)"
                                        : "there is no method `" + text + "`");
  }
  BOOST_OUTCOME_TRY(const std::vector<const Expr*> rest, ParseArguments(")"));
  if (method != nullptr && rest.size() != method->arguments) {
    return FailAt(name.offset, "`" + std::string(name.text) + "` takes " +
                                   std::to_string(method->arguments) + " arguments, got " +
                                   std::to_string(rest.size()));
  }
  std::vector<const Expr*> args{object};
  args.insert(args.end(), rest.begin(), rest.end());
  Expr expr = Make(method != nullptr ? method->op : Op::kCall,
                   static_cast<uint32_t>(name.offset), std::move(args));
  if (method == nullptr) expr.function = *function;
  return Add(std::move(expr));
}

Result<std::vector<const Expr*>> Parser::ParseArguments(std::string_view close) {
  std::vector<const Expr*> args;
  while (!Accept(close)) {
    BOOST_OUTCOME_TRY(const Expr* arg, ParseExpression());
    args.push_back(arg);
    if (!Accept(",") && !token_.Is(close)) {
      return Expected("`,` or `" + std::string(close) + "`");
    }
  }
  return args;
}

Parser::Node Parser::ParseSet(uint32_t offset) {
  BOOST_OUTCOME_TRY(std::vector<const Expr*> args, ParseArguments("]"));
  return Add(Make(Op::kSet, offset, std::move(args)));
}

Parser::Node Parser::ParseRecord(uint32_t offset) {
  std::map<std::string, const Expr*> fields;
  while (!Accept("}")) {
    const size_t at = token_.offset;
    std::string name;
    if (token_.kind == TokenKind::kString) {
      BOOST_OUTCOME_TRY(name, StringContent());
    } else {
      BOOST_OUTCOME_TRY(name, ExpectName("an attribute name or `}`"));
    }
    BOOST_OUTCOME_TRY(Expect(":", "after the attribute name"));
    BOOST_OUTCOME_TRY(const Expr* value, ParseExpression());
    if (!fields.emplace(name, value).second) {
      return FailAt(at, "attribute `" + name + "` appears twice in this record");
    }
    if (!Accept(",") && !token_.Is("}")) return Expected("`,` or `}`");
  }
  Expr expr = Make(Op::kRecord, offset, {});
  for (const auto& [name, value] : fields) {
    expr.names.push_back(name);
    expr.args.push_back(value);
  }
  return Add(std::move(expr));
}

}  // namespace portcullis::policy::cedar
