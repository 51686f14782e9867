// The schema as written: declarations with names still unresolved. Made by SchemaParser
// (schema_parser.cc) from Cedar's schema syntax or by schema_json.cc from JSON, resolved by
// SchemaBuilder (schema_build.cc), and written again in either syntax (schema_write.h).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cedar/lexer.h"

namespace portcullis::policy::cedar {

using WrittenAnnotations = std::map<std::string, std::string>;  // without a value: ""

struct WrittenPath {
  std::string path;   // A::B
  size_t offset = 0;  // in the text; of JSON: a place that the reader keeps
};

struct WrittenAttribute;
struct WrittenType {
  enum class Form : uint8_t {
    kPath,     // an entity type or a common type
    kEntity,   // an entity type only; JSON can say so
    kCommon,   // a common type only; likewise
    kBuiltIn,  // Long, ipaddr …, whatever else is called that
    kSet,
    kRecord,
  };
  Form form = Form::kPath;
  WrittenPath path;
  std::vector<WrittenType> element;  // kSet: exactly one
  std::vector<WrittenAttribute> attributes;
};
struct WrittenAttribute {
  std::string name;
  bool required = true;
  WrittenType type;
  WrittenAnnotations annotations;
};

struct WrittenEntity {
  WrittenPath name;
  std::vector<WrittenPath> parents;
  std::optional<WrittenType> shape;  // nothing: no attributes
  std::optional<WrittenType> tags;
  std::vector<std::string> members;  // of an enumerated type
  WrittenAnnotations annotations;
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
  WrittenAnnotations annotations;
};

struct WrittenCommonType {
  WrittenPath name;
  WrittenType type;
  WrittenAnnotations annotations;
};

struct WrittenNamespace {
  WrittenPath name;  // empty for declarations outside of any namespace
  std::vector<WrittenEntity> entities;
  std::vector<WrittenAction> actions;
  std::vector<WrittenCommonType> types;
  WrittenAnnotations annotations;
};
using WrittenSchema = std::vector<WrittenNamespace>;  // the nameless one first

// Words that no common type may be called.
bool IsReservedTypeName(std::string_view name);

Result<WrittenSchema> ReadSchemaText(std::string_view text, std::string_view file_name);

class SchemaParser {
 public:
  // `text` must be valid UTF-8 and outlive the parser.
  SchemaParser(std::string_view text, std::string_view file_name);
  Result<WrittenSchema> Parse();

 private:
  Result<void> ParseNamespace(WrittenSchema& out, WrittenAnnotations annotations);
  Result<void> ParseDeclaration(WrittenNamespace& out, WrittenAnnotations annotations);
  Result<void> ParseEntity(WrittenNamespace& out, WrittenAnnotations annotations);
  Result<void> ParseAction(WrittenNamespace& out, WrittenAnnotations annotations);
  Result<void> ParseAppliesTo(WrittenAction& action);
  Result<void> ParseCommonType(WrittenNamespace& out, WrittenAnnotations annotations);
  Result<WrittenAnnotations> ParseAnnotations();
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
