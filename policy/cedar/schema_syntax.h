// The schema as written: declarations with names still unresolved. Made by SchemaParser
// (schema_parser.cc) from Cedar's schema syntax, resolved by SchemaBuilder (schema_build.cc).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cedar/lexer.h"

namespace portcullis::policy::cedar {

struct WrittenPath {
  std::string path;  // A::B
  size_t offset = 0;
};

struct WrittenAttribute;
struct WrittenType {
  enum class Form : uint8_t { kPath, kSet, kRecord };
  Form form = Form::kPath;
  WrittenPath path;
  std::vector<WrittenType> element;  // kSet: exactly one
  std::vector<WrittenAttribute> attributes;
};
struct WrittenAttribute {
  std::string name;
  bool required = true;
  WrittenType type;
};

struct WrittenEntity {
  WrittenPath name;
  std::vector<WrittenPath> parents;
  std::vector<WrittenAttribute> attributes;
  std::optional<WrittenType> tags;
  std::vector<std::string> members;  // of an enumerated type
};

struct WrittenAction {
  WrittenPath name;
  struct Parent {
    WrittenPath type;  // empty path: an action of this namespace
    std::string id;
  };
  std::vector<Parent> parents;
  std::vector<WrittenPath> principals;
  std::vector<WrittenPath> resources;
  std::optional<WrittenType> context;
};

struct WrittenCommonType {
  WrittenPath name;
  WrittenType type;
};

struct WrittenNamespace {
  WrittenPath name;  // empty for declarations outside of any namespace
  std::vector<WrittenEntity> entities;
  std::vector<WrittenAction> actions;
  std::vector<WrittenCommonType> types;
};

class SchemaParser {
 public:
  // `text` must be valid UTF-8 and outlive the parser.
  SchemaParser(std::string_view text, std::string_view file_name);
  Result<std::vector<WrittenNamespace>> Parse();

 private:
  Result<void> ParseNamespace(std::vector<WrittenNamespace>& out);
  Result<void> ParseDeclaration(WrittenNamespace& out);
  Result<void> ParseEntity(WrittenNamespace& out);
  Result<void> ParseAction(WrittenNamespace& out);
  Result<void> ParseAppliesTo(WrittenAction& action);
  Result<void> ParseCommonType(WrittenNamespace& out);
  Result<void> SkipAnnotations();
  Result<WrittenType> ParseType(int depth);
  Result<std::vector<WrittenAttribute>> ParseAttributes(int depth);
  Result<std::vector<WrittenPath>> ParsePaths();  // A or [A, B]
  Result<WrittenPath> ParsePath(std::string_view what);
  Result<WrittenPath> ParseIdentifier(std::string_view what);
  Result<std::string> ParseString();
  Result<WrittenPath> ParseNameOrString(std::string_view what);
  Result<WrittenAction::Parent> ParseActionParent();

  void Advance() { token_ = lexer_.Next(); }
  bool Accept(std::string_view symbol);
  Result<void> Expect(std::string_view symbol);
  Error Expected(std::string_view what) const;
  Error FailAt(size_t offset, std::string_view message) const;

  std::string_view text_;
  std::string file_;
  Lexer lexer_;
  Token token_;
};

}  // namespace portcullis::policy::cedar
