// Recursive-descent parser of Cedar policy text: heads, scopes, conditions (parser.cc), operators
// (parser_expression.cc) and what they stand between (parser_primary.cc). One token of look-ahead;
// the first error ends it. Depth is bounded: hostile text cannot exhaust the stack.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cedar/ast.h"
#include "policy/cedar/lexer.h"

namespace portcullis::policy::cedar {

class Parser {
 public:
  // `files` receives the nodes; `file` is the index of the text's entry in files.files.
  Parser(ParsedFiles& files, uint32_t file);

  // Appends every policy of the text to files.policies, or to files.templates where it has a slot.
  // The id is "policyN", N counting from what files holds already.
  Result<void> ParsePolicies();
  // The text is one expression and nothing else.
  Result<const Expr*> ParseWholeExpression();

 private:
  using Node = Result<const Expr*>;

  // parser.cc
  Result<void> ParsePolicy();
  Result<void> ParseAnnotation(Policy& policy);
  Result<void> ParseScope(Policy& policy);
  Result<void> ParseConstraint(Var var, Scope& scope);
  Result<void> ParseScopeEntity(Var var, Scope& scope);
  Result<void> ParseActionList(Scope& scope);
  Result<void> ParseCondition(Policy& policy);
  Result<EntityUid> ParseEntity(int nesting = 0);

  // parser_expression.cc and parser_primary.cc, from the loosest binding to the tightest
  Node ParseExpression();
  Node ParseIf(uint32_t offset);
  Node ParseOr();
  Node ParseAnd();
  Node ParseRelation();
  Node ParseHas(const Expr* left, uint32_t offset);
  Node ParseLike(const Expr* left, uint32_t offset);
  Node ParseIs(const Expr* left, uint32_t offset);
  Node ParseSum();
  Node ParseProduct();
  Node ParseUnary();
  Node ParseMember(std::optional<Token> negative_number);
  Node ParseAccess(const Expr* object);
  Node ParsePrimary();
  Node ParseName();
  Node ParseFunctionCall(const std::string& name, uint32_t offset);
  Node ParseMethodCall(const Expr* object, const Token& name);
  Node ParseSet(uint32_t offset);
  Node ParseRecord(uint32_t offset);
  Result<std::vector<const Expr*>> ParseArguments(std::string_view close);
  Node NumberLiteral(const Token& token, bool negative);

  Node Add(Expr expr);  // refuses a node that would be too deep

  // Tokens
  void Advance();
  bool Accept(std::string_view symbol);
  Result<void> Expect(std::string_view symbol, std::string_view after);
  Result<std::string> ExpectName(std::string_view what);  // one identifier, not reserved
  Result<std::string> ParsePath(std::string_view what);   // A::B::C
  Result<std::string> StringContent();                    // of the current token; advances

  Error Fail(std::string message) const { return FailAt(token_.offset, std::move(message)); }
  Error FailAt(size_t offset, std::string message, Code code = Code::kSyntax) const;
  Error Expected(std::string_view what) const;  // "expected …, found …" at the current token

  ParsedFiles& files_;
  const uint32_t file_;
  std::string_view text_;
  Lexer lexer_;
  Token token_;
  int nesting_ = 0;
};

}  // namespace portcullis::policy::cedar
