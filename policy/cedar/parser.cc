#include "policy/cedar/parser.h"

#include <array>

#include "policy/cedar/text.h"

namespace portcullis::policy::cedar {

std::string_view NameOf(Var var) {
  switch (var) {
    case Var::kPrincipal:
      return "principal";
    case Var::kAction:
      return "action";
    case Var::kResource:
      return "resource";
    case Var::kContext:
      return "context";
  }
  return "unknown";
}

Parser::Parser(ParsedFiles& files, uint32_t file)
    : files_(files), file_(file), text_(files.files[file].text), lexer_(text_) {
  Advance();
}

void Parser::Advance() { token_ = lexer_.Next(); }

bool Parser::Accept(std::string_view symbol) {
  if (!token_.Is(symbol)) return false;
  Advance();
  return true;
}

Error Parser::FailAt(size_t offset, std::string message, Code code) const {
  return {code, Located(files_.files[file_].name, text_, offset, message)};
}

Error Parser::Expected(std::string_view what) const {
  std::string found;
  switch (token_.kind) {
    case TokenKind::kEnd:
      found = "the end of the text";
      break;
    case TokenKind::kInvalid:
      if (token_.text == "\"") return Fail("this string is not closed, or a line ends in `\\`");
      if (token_.text == "'") return Fail("strings are written with double quotes");
      if (static_cast<unsigned char>(token_.text[0]) >= 0x80) {
        return Fail("unexpected character outside of a string");
      }
      [[fallthrough]];
    default:
      constexpr size_t kShown = 40;
      found = "`" + std::string(Front(token_.text, kShown)) + "`";
  }
  struct Habit {
    std::string_view word;
    std::string_view hint;
  };
  constexpr std::array<Habit, 7> kHabits = {{{"=", "equality is written `==`"},
                                             {"and", "written `&&`"},
                                             {"or", "written `||`"},
                                             {"&", "written `&&`"},
                                             {"|", "written `||`"},
                                             {"AND", "written `&&`"},
                                             {"OR", "written `||`"}}};
  for (const Habit& habit : kHabits) {
    if (token_.text == habit.word) found += " (" + std::string(habit.hint) + ")";
  }
  return Fail("expected " + std::string(what) + ", found " + found);
}

Result<void> Parser::Expect(std::string_view symbol, std::string_view after) {
  if (Accept(symbol)) return boost::outcome_v2::success();
  return Expected("`" + std::string(symbol) + "` " + std::string(after));
}

Result<std::string> Parser::ExpectName(std::string_view what) {
  if (token_.kind != TokenKind::kIdentifier) return Expected(what);
  if (IsReserved(token_.text)) {
    return Fail("`" + std::string(token_.text) + "` is reserved and cannot be used as " +
                std::string(what));
  }
  std::string name(token_.text);
  Advance();
  return name;
}

Result<std::string> Parser::ParsePath(std::string_view what) {
  BOOST_OUTCOME_TRY(std::string path, ExpectName(what));
  while (token_.Is("::")) {
    Advance();
    BOOST_OUTCOME_TRY(const std::string part, ExpectName(what));
    path += "::" + part;
  }
  return path;
}

Result<std::string> Parser::StringContent() {
  size_t bad = 0;
  Result<std::string> content = Unescape(token_.text, &bad);
  if (!content) return FailAt(token_.offset + bad, content.error().message);
  Advance();
  return content;
}

Result<void> Parser::ParsePolicies() {
  while (token_.kind != TokenKind::kEnd) {
    BOOST_OUTCOME_TRY(ParsePolicy());
    if (files_.policies.size() + files_.templates.size() > kMaxPolicies) {
      return FailAt(token_.offset, "more than " + std::to_string(kMaxPolicies) + " policies",
                    Code::kTooLarge);
    }
  }
  return boost::outcome_v2::success();
}

Result<const Expr*> Parser::ParseWholeExpression() {
  BOOST_OUTCOME_TRY(const Expr* expr, ParseExpression());
  if (token_.kind != TokenKind::kEnd) return Expected("the end of the expression");
  return expr;
}

Result<void> Parser::ParsePolicy() {
  Policy policy;
  policy.file = file_;
  while (Accept("@")) {
    BOOST_OUTCOME_TRY(ParseAnnotation(policy));
  }
  policy.offset = static_cast<uint32_t>(token_.offset);
  if (Accept("permit")) {
    policy.effect = Effect::kPermit;
  } else if (Accept("forbid")) {
    policy.effect = Effect::kForbid;
  } else {
    return Expected("`permit` or `forbid`");
  }
  BOOST_OUTCOME_TRY(Expect("(", "after the effect"));
  BOOST_OUTCOME_TRY(ParseScope(policy));
  while (!token_.Is(";")) {
    BOOST_OUTCOME_TRY(ParseCondition(policy));
  }
  Advance();
  policy.id = "policy" + std::to_string(files_.policies.size() + files_.templates.size());
  (policy.IsTemplate() ? files_.templates : files_.policies).push_back(std::move(policy));
  return boost::outcome_v2::success();
}

Result<void> Parser::ParseAnnotation(Policy& policy) {
  if (token_.kind != TokenKind::kIdentifier) return Expected("the name of an annotation");
  const Token key = token_;
  Advance();
  std::string value;
  if (Accept("(")) {
    if (token_.kind != TokenKind::kString) return Expected("a string");
    BOOST_OUTCOME_TRY(value, StringContent());
    BOOST_OUTCOME_TRY(Expect(")", "after the annotation's value"));
  } else {
    policy.bare_annotations.emplace(key.text);
  }
  if (!policy.annotations.emplace(key.text, std::move(value)).second) {
    return FailAt(key.offset, "annotation `@" + std::string(key.text) + "` appears twice");
  }
  return boost::outcome_v2::success();
}

Result<void> Parser::ParseScope(Policy& policy) {
  const auto variable = [this](Var var, Scope& scope) -> Result<void> {
    const std::string_view name = NameOf(var);
    if (!Accept(name)) {
      if (var == Var::kResource && token_.Is("Action")) {
        return Fail("several actions stand in brackets: action in [Action::\"a\", Action::\"b\"]");
      }
      return Expected("`" + std::string(name) +
                      "`; a head names `principal`, `action` and `resource` in that order");
    }
    return ParseConstraint(var, scope);
  };
  BOOST_OUTCOME_TRY(variable(Var::kPrincipal, policy.principal));
  BOOST_OUTCOME_TRY(Expect(",", "after the principal"));
  BOOST_OUTCOME_TRY(variable(Var::kAction, policy.action));
  BOOST_OUTCOME_TRY(Expect(",", "after the action"));
  BOOST_OUTCOME_TRY(variable(Var::kResource, policy.resource));
  Accept(",");
  return Expect(")", "after the resource");
}

Result<void> Parser::ParseConstraint(Var var, Scope& scope) {
  scope.offset = static_cast<uint32_t>(token_.offset);
  if (Accept("==")) {
    scope.op = ScopeOp::kEqual;
    return ParseScopeEntity(var, scope);
  }
  if (Accept("in")) {
    scope.op = ScopeOp::kIn;
    if (var == Var::kAction && token_.Is("[")) return ParseActionList(scope);
    return ParseScopeEntity(var, scope);
  }
  if (token_.Is("is")) {
    if (var == Var::kAction) {
      return Fail("`is` cannot constrain the action here; use it in a `when` condition");
    }
    Advance();
    scope.op = ScopeOp::kIs;
    BOOST_OUTCOME_TRY(scope.type, ParsePath("an entity type, without quotes"));
    if (!Accept("in")) return boost::outcome_v2::success();
    scope.op = ScopeOp::kIsIn;
    return ParseScopeEntity(var, scope);
  }
  if (token_.Is(",") || token_.Is(")")) return boost::outcome_v2::success();
  return Expected("`==`, `in`, `is` or `,`");
}

Result<void> Parser::ParseScopeEntity(Var var, Scope& scope) {
  if (token_.kind == TokenKind::kSlot) {
    if (var == Var::kAction || token_.text.substr(1) != NameOf(var)) {
      return Expected(var == Var::kAction ? std::string("an action")
                                          : "an entity or `?" + std::string(NameOf(var)) + "`");
    }
    scope.slot = true;
    Advance();
    return boost::outcome_v2::success();
  }
  const size_t offset = token_.offset;
  BOOST_OUTCOME_TRY(EntityUid uid, ParseEntity());
  if (var == Var::kAction && uid.type != "Action" && !uid.type.ends_with("::Action")) {
    return FailAt(offset, "expected an action such as Action::\"read\", found " + ToText(uid));
  }
  scope.entity = Value::Entity(std::move(uid));
  return boost::outcome_v2::success();
}

Result<void> Parser::ParseActionList(Scope& scope) {
  scope.op = ScopeOp::kInList;
  Advance();
  while (!Accept("]")) {
    Scope element;
    BOOST_OUTCOME_TRY(ParseScopeEntity(Var::kAction, element));
    scope.list.push_back(std::move(element.entity));
    if (!Accept(",") && !token_.Is("]")) return Expected("`,` or `]`");
  }
  return boost::outcome_v2::success();
}

Result<EntityUid> Parser::ParseEntity(int nesting) {
  if (token_.Is("(") && nesting < kMaxNesting) {
    Advance();
    BOOST_OUTCOME_TRY(EntityUid inner, ParseEntity(nesting + 1));
    BOOST_OUTCOME_TRY(Expect(")", "after the entity"));
    return inner;
  }
  constexpr std::string_view kWhat = "an entity such as User::\"alice\"";
  EntityUid uid;
  BOOST_OUTCOME_TRY(uid.type, ExpectName(kWhat));
  for (;;) {
    if (!Accept("::")) return Expected("`::` and the entity's id in quotes");
    if (token_.kind == TokenKind::kString) break;
    BOOST_OUTCOME_TRY(const std::string part, ExpectName(kWhat));
    uid.type += "::" + part;
  }
  BOOST_OUTCOME_TRY(uid.id, StringContent());
  return uid;
}

Result<void> Parser::ParseCondition(Policy& policy) {
  Condition condition;
  if (token_.Is("unless")) {
    condition.unless = true;
  } else if (!token_.Is("when")) {
    return Expected("`when`, `unless` or `;`");
  }
  Advance();
  BOOST_OUTCOME_TRY(Expect("{", "to open the condition"));
  if (token_.Is("}")) return Fail("a condition cannot be empty");
  BOOST_OUTCOME_TRY(condition.body, ParseExpression());
  BOOST_OUTCOME_TRY(Expect("}", "to close the condition"));
  policy.conditions.push_back(condition);
  return boost::outcome_v2::success();
}

}  // namespace portcullis::policy::cedar
