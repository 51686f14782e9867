#include "inference/sample/grammar/schema.h"

#include <boost/json/serialize.hpp>
#include <algorithm>
#include <cmath>

#include "inference/sample/grammar/formats.h"
#include "inference/sample/grammar/number_range.h"
#include "inference/sample/grammar/pattern.h"
#include "inference/sample/grammar/regex_parse.h"
#include "inference/sample/grammar/schema_compiler.h"

namespace portcullis::inference::grammar {
namespace {

namespace json = boost::json;

constexpr int kMaxDepth = 64;
constexpr size_t kMaxSchemas = 5000;

bool HasType(const json::value& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_bool();
  if (type == "null") return value.is_null();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "number") return value.is_number();
  return value.is_int64() || value.is_uint64() ||
         (value.is_double() && std::trunc(value.get_double()) == value.get_double());
}

}  // namespace

Result<StateId> SchemaCompiler::Value(const json::value& schema, const std::string& path, StateId next) {
  if (const bool* any = schema.if_bool()) {
    if (*any) return g_.Call(g_.value_rule, next);
    return At(path, "`false` allows no value");
  }
  if (!schema.is_object()) return At(path, "a schema must be an object or true");
  if (++schemas_ > kMaxSchemas || g_.too_large()) return At(path, "the schema is too large");
  if (depth_ >= kMaxDepth) return At(path, "schemas are nested too deeply");
  ++depth_;
  auto result = Schema(schema.get_object(), path, next);
  --depth_;
  return result;
}

Result<StateId> SchemaCompiler::Schema(const Object& schema, const std::string& path, StateId next) {
  BOOST_OUTCOME_TRY(CheckKeywords(schema, path));
  if (Find(schema, "$ref") != nullptr) return Reference(schema, path, next);
  const std::vector<std::string_view> types = TypesOf(schema);
  const json::value* constant = Find(schema, "const");
  const json::value* list = Find(schema, "enum");
  if (constant != nullptr || list != nullptr) {
    if (list != nullptr && !list->is_array()) return At(path + "/enum", "`enum` must be a list");
    const json::array one = constant != nullptr ? json::array{*constant} : json::array{};
    std::vector<StateId> options;
    for (const json::value& value : constant != nullptr ? one : list->get_array()) {
      bool typed = types.empty();
      for (const std::string_view type : types) typed = typed || HasType(value, type);
      if (typed) options.push_back(g_.Literal(json::serialize(value), next));
    }
    if (options.empty()) return At(path, "no value is allowed");
    return g_.Split(std::move(options));
  }
  for (const char* keyword : {"anyOf", "oneOf", "allOf"}) {
    if (Find(schema, keyword) != nullptr) return Choice(schema, path, next);
  }
  if (types.empty()) return g_.Call(g_.value_rule, next);
  std::vector<StateId> options;
  for (const std::string_view type : types) {
    BOOST_OUTCOME_TRY(const StateId option, OfType(type, schema, path, next));
    options.push_back(option);
  }
  return g_.Split(std::move(options));
}

Result<StateId> SchemaCompiler::Reference(const Object& schema, const std::string& path, StateId next) {
  for (const auto& [key, value] : schema) {
    if (key != "$ref" && key != "$defs" && key != "definitions" && !IsAnnotation(key)) {
      return At(path, "`" + std::string(key) + "` beside `$ref` cannot be enforced");
    }
  }
  BOOST_OUTCOME_TRY(const json::value* target, Resolve(schema, path));
  const auto [it, fresh] = rules_.try_emplace(target, 0);
  if (fresh) {
    const StateId rule = it->second = g_.Forward();
    const std::string name(Find(schema, "$ref")->get_string());
    BOOST_OUTCOME_TRY(const StateId body, Value(*target, name, Grammar::kReturn));
    g_.FillSplit(rule, {body});
    return g_.Call(rule, next);
  }
  return g_.Call(it->second, next);
}

Result<StateId> SchemaCompiler::Choice(const Object& schema, const std::string& path, StateId next) {
  std::string_view keyword;
  for (const auto& [key, value] : schema) {
    const bool chooses = key == "anyOf" || key == "oneOf" || key == "allOf";
    if (chooses && keyword.empty()) {
      keyword = key;
    } else if (key != "$defs" && key != "definitions" && key != "discriminator" && key != "type" &&
               !IsAnnotation(key)) {
      return At(path, "`" + std::string(key) + "` beside other alternatives cannot be enforced");
    }
  }
  const std::string here = path + "/" + std::string(keyword);
  const json::value& branches = *Find(schema, keyword);
  if (!branches.is_array() || branches.get_array().empty()) {
    return At(here, "it must be a list with at least one schema");
  }
  const json::array& list = branches.get_array();
  if (keyword == "allOf" && list.size() > 1) {
    return At(here, "`allOf` of several schemas cannot be enforced");
  }
  const std::vector<std::string_view> types = TypesOf(schema);
  std::vector<StateId> options;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string branch = here + "/" + std::to_string(i);
    for (size_t other = 0; keyword == "oneOf" && other < i; ++other) {
      if (!Exclusive(list[i], list[other])) {
        return At(branch, "this branch of `oneOf` and branch " + std::to_string(other) +
                              " may both fit; give them different types or constants, or use `anyOf`");
      }
    }
    if (!types.empty()) {
      const auto own = TypesOf(Followed(list[i]));
      bool within = !own.empty();
      for (const std::string_view type : own) {
        within = within && std::find(types.begin(), types.end(), type) != types.end();
      }
      if (!within) return At(branch, "it does not say a type that the `type` beside it allows");
    }
    BOOST_OUTCOME_TRY(const StateId option, Value(list[i], branch, next));
    options.push_back(option);
  }
  return g_.Split(std::move(options));
}

Result<StateId> SchemaCompiler::OfType(std::string_view type, const Object& schema,
                                       const std::string& path, StateId next) {
  if (type == "string") return Text(schema, path, next);
  if (type == "integer" || type == "number") return Number(schema, type == "integer", path, next);
  if (type == "boolean") return g_.Split({g_.Literal("true", next), g_.Literal("false", next)});
  if (type == "null") return g_.Literal("null", next);
  if (type == "array") {
    return Find(schema, "prefixItems") != nullptr ? Tuple(schema, path, next) : Array(schema, path, next);
  }
  if (type == "object") {
    const json::value* properties = Find(schema, "properties");
    if (properties != nullptr && !properties->is_object()) {
      return At(path + "/properties", "it must be an object");
    }
    const bool none = properties == nullptr || properties->get_object().empty();
    const json::value* extra = Find(schema, "additionalProperties");
    const bool closed = extra != nullptr && extra->is_bool() && !extra->get_bool();
    return none && !closed ? Map(schema, path, next) : Properties(schema, path, next);
  }
  return At(path + "/type", "there is no type `" + std::string(type.substr(0, 40)) + "`");
}

Result<StateId> SchemaCompiler::Text(const Object& schema, const std::string& path, StateId next) {
  BOOST_OUTCOME_TRY(const Counter length, Limits(schema, "minLength", "maxLength", path));
  const json::value* pattern = Find(schema, "pattern");
  const json::value* format = Find(schema, "format");
  std::string_view text;
  std::string where = path + "/pattern";
  if (pattern != nullptr) {
    if (!pattern->is_string()) return At(where, "it must be a string");
    text = pattern->get_string();
  }
  if (format != nullptr && format->is_string() && !IsIgnoredFormat(format->get_string())) {
    where = path + "/format";
    if (pattern != nullptr) return At(where, "`format` and `pattern` cannot be enforced together");
    text = FormatPattern(format->get_string());
    if (text.empty()) return At(where, "this format cannot be enforced");
  }
  if (pattern == nullptr && text.empty()) return g_.Call(g_.string_rule, next, length);
  auto automaton = ParsePattern(text);
  if (!automaton) return At(where, automaton.error().message);
  auto state = PatternString(g_, automaton.value(), length, next);
  if (!state) return At(where, state.error().message);
  return state;
}

Result<StateId> SchemaCompiler::Number(const Object& schema, bool whole, const std::string& path,
                                       StateId next) {
  NumberRange range;
  range.whole = whole;
  const auto bound = [&](const char* keyword, bool exclusive, bool lower,
                         std::optional<Bound>& out) -> Result<void> {
    const json::value* value = Find(schema, keyword);
    if (value == nullptr) return boost::outcome_v2::success();
    json::error_code error;
    const double number = value->is_number() ? value->to_number<double>(error) : NAN;
    if (!std::isfinite(number)) return At(path + "/" + keyword, "it must be a number");
    const bool tighter = !out || (lower ? number > out->value : number < out->value) ||
                         (number == out->value && exclusive);
    if (tighter) out = Bound{number, exclusive};
    return boost::outcome_v2::success();
  };
  BOOST_OUTCOME_TRY(bound("minimum", false, true, range.low));
  BOOST_OUTCOME_TRY(bound("exclusiveMinimum", true, true, range.low));
  BOOST_OUTCOME_TRY(bound("maximum", false, false, range.high));
  BOOST_OUTCOME_TRY(bound("exclusiveMaximum", true, false, range.high));
  if (const json::value* multiple = Find(schema, "multipleOf")) {
    json::error_code error;
    const double number = multiple->is_number() ? multiple->to_number<double>(error) : 0;
    if (!(number >= 1 && number <= 1000 && std::trunc(number) == number)) {
      return At(path + "/multipleOf", "only whole numbers from 1 to 1000 can be enforced");
    }
    range.multiple_of = static_cast<int64_t>(number);
    range.whole = true;
  }
  if (!range.low && !range.high && range.multiple_of == 0) {
    return g_.Call(range.whole ? g_.integer_rule : g_.number_rule, next);
  }
  auto state = NumberIn(g_, range, next);
  if (!state) return At(path, state.error().message);
  return state;
}

Result<StateId> CompileSchema(Grammar& grammar, const json::value& schema, StateId next) {
  return SchemaCompiler(grammar, schema).Value(schema, "#", next);
}

}  // namespace portcullis::inference::grammar
