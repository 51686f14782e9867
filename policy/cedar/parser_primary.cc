// The tightest parts of an expression: literals, names, entities, calls, sets and records.
#include "policy/cedar/operators.h"
#include "policy/cedar/parser.h"
#include "policy/cedar/tree.h"

namespace portcullis::policy::cedar {
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
    case TokenKind::kSlot:
      return Fail("a slot can only stand in the head of a template");
    case TokenKind::kIdentifier:
      if (token_.Is("true") || token_.Is("false")) {
        const bool value = token_.Is("true");
        Advance();
        return Add(MakeLiteral(Value::Bool(value), offset));
      }
      if (token_.Is("if")) return Fail("put this `if` in parentheses");
      return ParseName();
    default:
      break;
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
  if (!var && path == "not") return FailAt(offset, "negation is written `!`");
  if (!var) {
    return FailAt(offset, "`" + path +
                              "` is no variable: expected principal, action, resource or context, "
                              "or a string in quotes");
  }
  Expr expr = MakeExpr(Op::kVar, offset, {});
  expr.var = *var;
  return Add(std::move(expr));
}

Parser::Node Parser::ParseFunctionCall(const std::string& name, uint32_t offset) {
  const std::optional<Function> function = FunctionNamed(name);
  if (MethodNamed(name) != nullptr || (function && InfoOf(*function).method)) {
    return FailAt(offset, "`" + name + "` is a method: write x." + name + "(…)");
  }
  if (!function) {
    return FailAt(
        offset, "there is no function `" + name + "`: expected ip, decimal, datetime or duration");
  }
  BOOST_OUTCOME_TRY(std::vector<const Expr*> args, ParseArguments(")"));
  Expr expr = MakeExpr(Op::kCall, offset, std::move(args));
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
  Expr expr = MakeExpr(method != nullptr ? method->op : Op::kCall,
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
  return Add(MakeExpr(Op::kSet, offset, std::move(args)));
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
  Expr expr = MakeExpr(Op::kRecord, offset, {});
  for (const auto& [name, value] : fields) {
    expr.names.push_back(name);
    expr.args.push_back(value);
  }
  return Add(std::move(expr));
}

}  // namespace portcullis::policy::cedar
