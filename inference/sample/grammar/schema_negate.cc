// What must not hold, as alternatives of what holds instead: a schema fails where one of its keywords
// does. A keyword whose failure cannot be written is left out of the alternatives, which makes them
// narrower; where nothing is left the schema is refused.
#include <algorithm>
#include <boost/json/array.hpp>

#include "inference/sample/grammar/schema_compiler.h"

namespace portcullis::inference::grammar {

namespace json = boost::json;

namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxMade = 2000;
constexpr size_t kNegateSteps = 200;

struct Opposite {
  std::string_view keyword, instead;
  Types types;
  int shift;  // of a count
};

// A count or a bound fails where the opposite one holds.
constexpr Opposite kOpposites[] = {
    {"minLength", "maxLength", kStringType, -1},        {"maxLength", "minLength", kStringType, 1},
    {"minItems", "maxItems", kArrayType, -1},           {"maxItems", "minItems", kArrayType, 1},
    {"minProperties", "maxProperties", kObjectType, -1}, {"maxProperties", "minProperties", kObjectType, 1},
    {"minimum", "exclusiveMaximum", kNumberType, 0},    {"exclusiveMinimum", "maximum", kNumberType, 0},
    {"maximum", "exclusiveMinimum", kNumberType, 0},    {"exclusiveMaximum", "minimum", kNumberType, 0}};

json::value Not(const json::value& schema) {
  if (const bool* any = schema.if_bool()) return !*any;
  return json::object{{"not", schema}};
}

}  // namespace

Result<Alternatives> SchemaCompiler::Negate(const json::value& schema, const std::string& path) {
  BOOST_OUTCOME_TRY(Spend(1 + path.size() / kPathBytes, path));
  if (const bool* any = schema.if_bool()) return *any ? Alternatives{} : Alternatives{{}};
  if (!schema.is_object()) return At(path, "a schema must be an object, true or false");
  if (depth_ >= kMaxDepth) return At(path, "schemas are nested too deeply");
  if (made_.size() > kMaxMade) return At(path, "the schema is too large");
  const Object& object = schema.get_object();
  BOOST_OUTCOME_TRY(Spend(kNegateSteps + WeightOf(schema), path));  // parts of it are copied
  BOOST_OUTCOME_TRY(CheckKeywords(object, path));
  Alternatives all;
  bool complete = true;
  ++depth_;
  for (const auto& [keyword, value] : object) {
    if (IsAnnotation(keyword)) continue;
    const auto done = NegateKeyword(object, keyword, path, all);
    if (!done) {
      --depth_;
      return done.error();
    }
    complete = complete && done.value();
  }
  --depth_;
  if (all.empty() && !complete) return At(path, "that this does not hold cannot be enforced");
  return all;
}

// False where the keyword's failure cannot be written.
Result<bool> SchemaCompiler::NegateKeyword(const Object& schema, std::string_view keyword,
                                           const std::string& path, Alternatives& out) {
  const json::value& value = *Find(schema, keyword);
  const auto add = [&](Object instead, Types types) {
    out.push_back({Made(std::move(instead), path, types)});
  };
  const auto append = [&](const Alternatives& more) { out.insert(out.end(), more.begin(), more.end()); };
  if (keyword == "type") {
    const Types rest = static_cast<Types>(kAnyType & ~StatedTypes(schema));
    if (rest != 0) add({}, rest);
    return true;
  }
  if (keyword == "const" || keyword == "enum") {
    out.push_back({Leaf{&schema, path, kAnyType, keyword}});
    return true;
  }
  if (keyword == "pattern") {
    out.push_back({Leaf{&schema, path, kStringType, keyword}});
    return true;
  }
  for (const Opposite& opposite : kOpposites) {
    if (keyword != opposite.keyword) continue;
    if (opposite.shift == 0) {
      add({{opposite.instead, value}}, opposite.types);
      return true;
    }
    if (!value.is_int64() || value.get_int64() < 0) return false;
    const int64_t count = value.get_int64() + opposite.shift;
    if (count >= 0) add({{opposite.instead, count}}, opposite.types);
    return true;
  }
  if (keyword == "required" && value.is_array()) {
    for (const json::value& name : value.get_array()) {
      if (!name.is_string()) return false;
      add({{"properties", Object{{name.get_string(), false}}}}, kObjectType);
    }
    return true;
  }
  if (keyword == "properties" && value.is_object()) {
    for (const auto& [name, inner] : value.get_object()) {
      if (inner.is_bool() && inner.get_bool()) continue;
      add({{"required", Array{name}}, {"properties", Object{{name, Not(inner)}}}}, kObjectType);
    }
    return true;
  }
  if (keyword == "items" && !value.is_array() && Find(schema, "prefixItems") == nullptr) {
    add({{"contains", Not(value)}}, kArrayType);
    return true;
  }
  if (keyword == "contains") {
    if (Find(schema, "minContains") != nullptr) return false;
    add({{"items", Not(value)}}, kArrayType);
    return true;
  }
  if (keyword == "$ref") {
    BOOST_OUTCOME_TRY(const json::value* target, Resolve(schema, path));
    BOOST_OUTCOME_TRY(const Alternatives more, Negate(*target, path));
    append(more);
    return true;
  }
  if (keyword == "not") {
    BOOST_OUTCOME_TRY(const Alternatives more, Expand(value, path + "/not"));
    append(more);
    return true;
  }
  if (keyword == "allOf") {
    for (const json::value& inner : value.get_array()) {
      BOOST_OUTCOME_TRY(const Alternatives more, Negate(inner, path + "/allOf"));
      append(more);
    }
    return true;
  }
  if (keyword == "anyOf") {
    Alternatives none = {{}};
    for (const json::value& inner : value.get_array()) {
      BOOST_OUTCOME_TRY(const Alternatives more, Negate(inner, path + "/anyOf"));
      BOOST_OUTCOME_TRY(none, Cross(none, more, path + "/anyOf"));
    }
    append(none);
    return true;
  }
  return false;
}

}  // namespace portcullis::inference::grammar
