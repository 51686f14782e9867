#include <algorithm>
#include <array>
#include <map>

#include "policy/cedar/schema_syntax.h"
#include "policy/cedar/text.h"
#include "policy/cedar/value.h"

namespace portcullis::policy::cedar {

SchemaParser::SchemaParser(std::string_view text, std::string_view file_name)
    : text_(text), file_(file_name), lexer_(text) {
  Advance();
}

bool SchemaParser::Accept(std::string_view symbol) {
  if (!token_.Is(symbol)) return false;
  Advance();
  return true;
}

Result<void> SchemaParser::Expect(std::string_view symbol) {
  if (Accept(symbol)) return boost::outcome_v2::success();
  return Expected("`" + std::string(symbol) + "`");
}

Error SchemaParser::FailAt(size_t offset, std::string_view message) const {
  return {Code::kSyntax, Located(file_, text_, offset, message)};
}

Error SchemaParser::Expected(std::string_view what) const {
  constexpr size_t kShown = 40;
  const std::string found = token_.kind == TokenKind::kEnd
                                ? "the end of the text"
                                : "`" + std::string(Front(token_.text, kShown)) + "`";
  return FailAt(token_.offset, "expected " + std::string(what) + ", found " + found);
}

Result<WrittenPath> SchemaParser::ParseIdentifier(std::string_view what) {
  if (token_.kind != TokenKind::kIdentifier) return Expected(what);
  if (IsReserved(token_.text)) {
    return FailAt(token_.offset, "`" + std::string(token_.text) + "` is reserved");
  }
  WrittenPath name{std::string(token_.text), token_.offset};
  Advance();
  return name;
}

Result<std::string> SchemaParser::ParseString() {
  if (token_.kind != TokenKind::kString) return Expected("a string");
  size_t bad = 0;
  Result<std::string> content = Unescape(token_.text, &bad);
  if (!content) return FailAt(token_.offset + bad, content.error().message);
  Advance();
  return content;
}

Result<WrittenPath> SchemaParser::ParseNameOrString(std::string_view what) {
  if (token_.kind != TokenKind::kString) return ParseIdentifier(what);
  const size_t offset = token_.offset;
  BOOST_OUTCOME_TRY(std::string name, ParseString());
  return WrittenPath{std::move(name), offset};
}

Result<WrittenPath> SchemaParser::ParsePath(std::string_view what) {
  // __cedar::Long names a built-in type; the prefix is legal nowhere else.
  WrittenPath path{std::string(token_.text), token_.offset};
  if (token_.Is("__cedar")) {
    Advance();
  } else {
    BOOST_OUTCOME_TRY(path, ParseIdentifier(what));
  }
  while (Accept("::")) {
    BOOST_OUTCOME_TRY(const WrittenPath part, ParseIdentifier(what));
    path.path += "::" + part.path;
  }
  return path;
}

Result<std::vector<WrittenPath>> SchemaParser::ParsePaths() {
  std::vector<WrittenPath> paths;
  if (!Accept("[")) {
    BOOST_OUTCOME_TRY(WrittenPath path, ParsePath("an entity type"));
    paths.push_back(std::move(path));
    return paths;
  }
  while (!Accept("]")) {
    BOOST_OUTCOME_TRY(WrittenPath path, ParsePath("an entity type or `]`"));
    paths.push_back(std::move(path));
    if (!Accept(",") && !token_.Is("]")) return Expected("`,` or `]`");
  }
  return paths;
}

Result<WrittenAnnotations> SchemaParser::ParseAnnotations() {
  WrittenAnnotations annotations;
  while (Accept("@")) {
    if (token_.kind != TokenKind::kIdentifier) return Expected("the name of an annotation");
    const Token name = token_;
    Advance();
    std::string value;
    if (Accept("(")) {
      BOOST_OUTCOME_TRY(value, ParseString());
      BOOST_OUTCOME_TRY(Expect(")"));
    }
    if (!annotations.emplace(name.text, std::move(value)).second) {
      return FailAt(name.offset, "this annotation appears twice");
    }
  }
  return annotations;
}

Result<WrittenSchema> SchemaParser::Parse() {
  WrittenSchema out(1);
  while (token_.kind != TokenKind::kEnd) {
    BOOST_OUTCOME_TRY(WrittenAnnotations annotations, ParseAnnotations());
    if (token_.Is("namespace")) {
      BOOST_OUTCOME_TRY(ParseNamespace(out, std::move(annotations)));
    } else {
      BOOST_OUTCOME_TRY(ParseDeclaration(out[0], std::move(annotations)));
    }
  }
  return out;
}

Result<void> SchemaParser::ParseNamespace(WrittenSchema& out, WrittenAnnotations annotations) {
  Advance();
  WrittenNamespace space;
  space.annotations = std::move(annotations);
  if (token_.Is("__cedar")) return FailAt(token_.offset, "`__cedar` is reserved");
  BOOST_OUTCOME_TRY(space.name, ParsePath("the name of the namespace"));
  for (const WrittenNamespace& other : out) {
    if (other.name.path == space.name.path) {
      return FailAt(space.name.offset, "namespace `" + space.name.path + "` is declared twice");
    }
  }
  BOOST_OUTCOME_TRY(Expect("{"));
  while (!Accept("}")) {
    BOOST_OUTCOME_TRY(WrittenAnnotations inner, ParseAnnotations());
    BOOST_OUTCOME_TRY(ParseDeclaration(space, std::move(inner)));
  }
  out.push_back(std::move(space));
  return boost::outcome_v2::success();
}

Result<void> SchemaParser::ParseDeclaration(WrittenNamespace& out, WrittenAnnotations annotations) {
  if (Accept("entity")) return ParseEntity(out, std::move(annotations));
  if (Accept("action")) return ParseAction(out, std::move(annotations));
  if (Accept("type")) return ParseCommonType(out, std::move(annotations));
  return Expected(out.name.path.empty() ? "`namespace`, `entity`, `action` or `type`"
                                        : "`entity`, `action`, `type` or `}`");
}

Result<void> SchemaParser::ParseEntity(WrittenNamespace& out, WrittenAnnotations annotations) {
  std::vector<WrittenPath> names;
  do {
    BOOST_OUTCOME_TRY(WrittenPath name, ParseIdentifier("the name of an entity type"));
    names.push_back(std::move(name));
  } while (Accept(","));
  WrittenEntity entity;
  entity.annotations = std::move(annotations);
  if (Accept("enum")) {
    BOOST_OUTCOME_TRY(Expect("["));
    do {
      BOOST_OUTCOME_TRY(std::string member, ParseString());
      entity.members.push_back(std::move(member));
    } while (Accept(","));
    BOOST_OUTCOME_TRY(Expect("]"));
  } else {
    if (Accept("in")) {
      BOOST_OUTCOME_TRY(entity.parents, ParsePaths());
    }
    const bool assigned = Accept("=");
    if (assigned && !token_.Is("{")) return Expected("`{`");
    if (Accept("{")) {
      entity.shape = WrittenType{WrittenType::Form::kRecord, {}, {}, {}};
      BOOST_OUTCOME_TRY(entity.shape->attributes, ParseAttributes(0));
    }
    if (Accept("tags")) {
      BOOST_OUTCOME_TRY(entity.tags, ParseType(0));
    }
  }
  BOOST_OUTCOME_TRY(Expect(";"));
  for (WrittenPath& name : names) {
    entity.name = std::move(name);
    out.entities.push_back(entity);
  }
  return boost::outcome_v2::success();
}

Result<WrittenAction::Parent> SchemaParser::ParseActionParent() {
  WrittenAction::Parent parent;
  if (token_.kind == TokenKind::kString) {
    parent.type.offset = token_.offset;
    BOOST_OUTCOME_TRY(parent.id, ParseString());
    return parent;
  }
  BOOST_OUTCOME_TRY(WrittenPath name, ParseIdentifier("an action"));
  if (!token_.Is("::")) {
    parent.type.offset = name.offset;
    parent.id = std::move(name.path);
    return parent;
  }
  parent.type = std::move(name);
  for (;;) {
    BOOST_OUTCOME_TRY(Expect("::"));
    if (token_.kind == TokenKind::kString) break;
    BOOST_OUTCOME_TRY(const WrittenPath part, ParseIdentifier("an action"));
    parent.type.path += "::" + part.path;
  }
  BOOST_OUTCOME_TRY(parent.id, ParseString());
  return parent;
}

Result<void> SchemaParser::ParseAction(WrittenNamespace& out, WrittenAnnotations annotations) {
  std::vector<WrittenPath> names;
  do {
    BOOST_OUTCOME_TRY(WrittenPath name, ParseNameOrString("the name of an action"));
    names.push_back(std::move(name));
  } while (Accept(","));
  WrittenAction action;
  action.annotations = std::move(annotations);
  if (Accept("in")) {
    if (Accept("[")) {
      while (!Accept("]")) {
        BOOST_OUTCOME_TRY(WrittenAction::Parent parent, ParseActionParent());
        action.parents.push_back(std::move(parent));
        if (!Accept(",") && !token_.Is("]")) return Expected("`,` or `]`");
      }
    } else {
      BOOST_OUTCOME_TRY(WrittenAction::Parent parent, ParseActionParent());
      action.parents.push_back(std::move(parent));
    }
  }
  if (Accept("appliesTo")) {
    BOOST_OUTCOME_TRY(ParseAppliesTo(action));
  }
  if (Accept("attributes")) {
    BOOST_OUTCOME_TRY(Expect("{"));
    BOOST_OUTCOME_TRY(Expect("}"));
  }
  BOOST_OUTCOME_TRY(Expect(";"));
  for (WrittenPath& name : names) {
    action.name = std::move(name);
    out.actions.push_back(action);
  }
  return boost::outcome_v2::success();
}

Result<void> SchemaParser::ParseAppliesTo(WrittenAction& action) {
  const size_t start = token_.offset;
  BOOST_OUTCOME_TRY(Expect("{"));
  do {
    if (token_.Is("}")) break;
    const Token key = token_;
    Advance();
    BOOST_OUTCOME_TRY(Expect(":"));
    if (key.Is("context")) {
      if (action.context) return FailAt(key.offset, "`context` appears twice");
      BOOST_OUTCOME_TRY(action.context, ParseType(0));
      if (action.context->form == WrittenType::Form::kSet) {
        return FailAt(key.offset, "the context must be a record");
      }
    } else if (key.Is("principal") || key.Is("resource")) {
      std::vector<WrittenPath>& types = key.Is("principal") ? action.principals : action.resources;
      if (!types.empty()) {
        return FailAt(key.offset, "`" + std::string(key.text) + "` appears twice");
      }
      BOOST_OUTCOME_TRY(types, ParsePaths());
      if (types.empty()) return FailAt(key.offset, "at least one entity type is needed here");
    } else {
      return FailAt(key.offset, "expected `principal`, `resource` or `context`");
    }
  } while (Accept(","));
  BOOST_OUTCOME_TRY(Expect("}"));
  if (action.principals.empty() || action.resources.empty()) {
    return FailAt(start,
                  "an action that applies to anything names both `principal` and `resource`");
  }
  return boost::outcome_v2::success();
}

Result<void> SchemaParser::ParseCommonType(WrittenNamespace& out, WrittenAnnotations annotations) {
  WrittenCommonType common;
  common.annotations = std::move(annotations);
  BOOST_OUTCOME_TRY(common.name, ParseIdentifier("the name of a type"));
  if (IsReservedTypeName(common.name.path)) {
    return FailAt(common.name.offset, "`" + common.name.path + "` cannot name a common type");
  }
  BOOST_OUTCOME_TRY(Expect("="));
  BOOST_OUTCOME_TRY(common.type, ParseType(0));
  BOOST_OUTCOME_TRY(Expect(";"));
  out.types.push_back(std::move(common));
  return boost::outcome_v2::success();
}

Result<WrittenType> SchemaParser::ParseType(int depth) {
  constexpr int kMaxTypeDepth = 64;
  if (depth > kMaxTypeDepth) {
    return Error{Code::kTooDeep,
                 Located(file_, text_, token_.offset, "this type is nested too deep")};
  }
  WrittenType type;
  if (Accept("{")) {
    type.form = WrittenType::Form::kRecord;
    BOOST_OUTCOME_TRY(type.attributes, ParseAttributes(depth + 1));
    return type;
  }
  BOOST_OUTCOME_TRY(type.path, ParsePath("a type"));
  if (type.path.path == "Set" && Accept("<")) {
    type.form = WrittenType::Form::kSet;
    BOOST_OUTCOME_TRY(WrittenType element, ParseType(depth + 1));
    type.element.push_back(std::move(element));
    BOOST_OUTCOME_TRY(Expect(">"));
  }
  return type;
}

namespace {

// As in Cedar, the last of several declarations of one attribute counts; its JSON form has no others.
std::vector<WrittenAttribute> LastOfEachName(std::vector<WrittenAttribute> attributes) {
  std::map<std::string_view, size_t> last;
  for (size_t i = 0; i < attributes.size(); ++i) last[attributes[i].name] = i;
  if (last.size() == attributes.size()) return attributes;
  std::vector<size_t> kept;
  for (const auto& [name, index] : last) kept.push_back(index);
  std::sort(kept.begin(), kept.end());
  std::vector<WrittenAttribute> unique;
  for (const size_t index : kept) unique.push_back(std::move(attributes[index]));
  return unique;
}

}  // namespace

Result<std::vector<WrittenAttribute>> SchemaParser::ParseAttributes(int depth) {
  std::vector<WrittenAttribute> attributes;
  while (!Accept("}")) {
    WrittenAttribute attribute;
    BOOST_OUTCOME_TRY(attribute.annotations, ParseAnnotations());
    BOOST_OUTCOME_TRY(WrittenPath name, ParseNameOrString("the name of an attribute or `}`"));
    attribute.name = std::move(name.path);
    attribute.required = !Accept("?");
    BOOST_OUTCOME_TRY(Expect(":"));
    BOOST_OUTCOME_TRY(attribute.type, ParseType(depth));
    attributes.push_back(std::move(attribute));
    if (!Accept(",") && !token_.Is("}")) return Expected("`,` or `}`");
  }
  return LastOfEachName(std::move(attributes));
}

bool IsReservedTypeName(std::string_view name) {
  constexpr std::array<std::string_view, 8> kWords = {"Bool", "Boolean", "Entity", "Extension",
                                                      "Long", "Record",  "Set",    "String"};
  return std::find(kWords.begin(), kWords.end(), name) != kWords.end();
}

Result<WrittenSchema> ReadSchemaText(std::string_view text, std::string_view file_name) {
  constexpr size_t kMaxSchemaText = 4u << 20;  // bytes
  if (text.size() > kMaxSchemaText) {
    return Error{Code::kTooLarge, std::string(file_name) + ": more than " +
                                      std::to_string(kMaxSchemaText) + " bytes of schema"};
  }
  if (!IsValidUtf8(text)) {
    return Error{Code::kSyntax, std::string(file_name) + ": the text is not valid UTF-8"};
  }
  return SchemaParser(text, file_name).Parse();
}

}  // namespace portcullis::policy::cedar
