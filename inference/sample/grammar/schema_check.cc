// What a schema says, before it is compiled: keywords that are refused, references, and whether two
// schemas exclude each other.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <iterator>
#include <set>

#include "inference/sample/grammar/schema_compiler.h"

namespace portcullis::inference::grammar {
namespace {

namespace json = boost::json;

constexpr std::string_view kRefused[] = {
    "not",          "if",          "then",          "else",
    "contains",     "minContains", "maxContains",   "uniqueItems",
    "dependencies", "dependentRequired", "dependentSchemas", "patternProperties",
    "propertyNames", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef",
    "$recursiveRef", "additionalItems"};
constexpr std::string_view kAnnotations[] = {
    "title",   "description", "default",   "examples",  "example",  "deprecated", "readOnly", "writeOnly",
    "$schema", "$id",         "$comment",  "id",        "nullable", "strict",     "name"};

// Values of which none equals one of the other's.
bool Apart(const json::array& a, const json::array& b) {
  return std::none_of(a.begin(), a.end(), [&](const json::value& value) {
    return std::find(b.begin(), b.end(), value) != b.end();
  });
}

// The only values that a schema allows, where it lists them.
json::array Listed(const json::object& schema) {
  if (const json::value* constant = Find(schema, "const")) return {*constant};
  const json::value* list = Find(schema, "enum");
  return list != nullptr && list->is_array() ? list->get_array() : json::array{};
}

bool Requires(const json::object& schema, std::string_view name) {
  const json::value* required = Find(schema, "required");
  if (required == nullptr || !required->is_array()) return false;
  return std::any_of(required->get_array().begin(), required->get_array().end(),
                     [&](const json::value& item) { return item.is_string() && item.get_string() == name; });
}

}  // namespace

const json::value* Find(const json::object& schema, std::string_view keyword) {
  return schema.if_contains(keyword);
}

bool IsAnnotation(std::string_view keyword) {
  return std::find(std::begin(kAnnotations), std::end(kAnnotations), keyword) != std::end(kAnnotations) ||
         keyword.starts_with("x-");
}

std::vector<std::string_view> TypesOf(const json::object& schema) {
  std::vector<std::string_view> types;
  const json::value* type = Find(schema, "type");
  if (type != nullptr && type->is_string()) {
    types.emplace_back(type->get_string());
  } else if (type != nullptr && type->is_array()) {
    for (const json::value& item : type->get_array()) {
      if (item.is_string()) types.emplace_back(item.get_string());
    }
  }
  if (type != nullptr) return types;
  const auto implied = [&](std::string_view name, std::initializer_list<const char*> keywords) {
    if (!types.empty()) return;
    for (const char* keyword : keywords) {
      if (Find(schema, keyword) != nullptr) {
        types.push_back(name);
        return;
      }
    }
  };
  implied("object", {"properties", "required", "additionalProperties", "minProperties", "maxProperties"});
  implied("array", {"items", "prefixItems", "minItems", "maxItems"});
  implied("string", {"pattern", "format", "minLength", "maxLength"});
  implied("number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"});
  return types;
}

Error SchemaCompiler::At(const std::string& path, const std::string& what) {
  return Error{Code::kInvalidArgument, "the schema cannot be enforced at `" + path + "`: " + what};
}

Result<void> SchemaCompiler::CheckKeywords(const Object& schema, const std::string& path) const {
  for (const std::string_view keyword : kRefused) {
    const json::value* value = Find(schema, keyword);
    if (value == nullptr || (value->is_bool() && !value->get_bool())) continue;
    return At(path + "/" + std::string(keyword), "`" + std::string(keyword) + "` is not supported");
  }
  const json::value* type = Find(schema, "type");
  if (type != nullptr && TypesOf(schema).empty()) {
    return At(path + "/type", "it must be a name or a list of names");
  }
  return boost::outcome_v2::success();
}

Result<Counter> SchemaCompiler::Limits(const Object& schema, const char* least, const char* most,
                                       const std::string& path) const {
  Counter counter;
  const auto read = [&](const char* keyword, uint16_t& out) -> Result<void> {
    const json::value* value = Find(schema, keyword);
    if (value == nullptr) return boost::outcome_v2::success();
    json::error_code error;
    const auto number = value->is_number() ? value->to_number<int64_t>(error) : int64_t{-1};
    if (error || number < 0 || number > 60'000) {
      return At(path + "/" + keyword, "it must be a whole number from 0 to 60000");
    }
    out = static_cast<uint16_t>(number);
    return boost::outcome_v2::success();
  };
  BOOST_OUTCOME_TRY(read(least, counter.need));
  BOOST_OUTCOME_TRY(read(most, counter.left));
  if (counter.left < counter.need) {
    return At(path + "/" + most, std::string("`") + most + "` is below `" + least + "`");
  }
  return counter;
}

Result<const json::value*> SchemaCompiler::Resolve(const Object& schema, const std::string& path) const {
  const json::value& reference = *Find(schema, "$ref");
  if (!reference.is_string() || !reference.get_string().starts_with('#')) {
    return At(path + "/$ref", "only references within the schema, such as `#/$defs/name`, are supported");
  }
  std::string_view rest = std::string_view(reference.get_string()).substr(1);
  json::error_code error;
  const json::value* target = rest.empty() ? &root_ : root_.find_pointer(rest, error);
  if (target == nullptr || error) return At(path + "/$ref", "it points to nothing");
  return target;
}

// The schema behind references.
const json::object& SchemaCompiler::Followed(const json::value& schema, int depth) const {
  static const json::object kNone;
  if (!schema.is_object()) return kNone;
  const json::object& object = schema.get_object();
  if (Find(object, "$ref") == nullptr || depth > 16) return object;
  const auto target = Resolve(object, "#");
  return target ? Followed(*target.value(), depth + 1) : kNone;
}

bool SchemaCompiler::Exclusive(const json::value& a, const json::value& b) const {
  const json::object& left = Followed(a);
  const json::object& right = Followed(b);
  const json::array left_values = Listed(left);
  const json::array right_values = Listed(right);
  if (!left_values.empty() && !right_values.empty()) return Apart(left_values, right_values);
  const auto left_types = TypesOf(left);
  const auto right_types = TypesOf(right);
  if (left_types.empty() || right_types.empty()) return false;
  const auto numeric = [](std::string_view type) { return type == "integer" || type == "number"; };
  const bool meet = std::any_of(left_types.begin(), left_types.end(), [&](std::string_view type) {
    return std::any_of(right_types.begin(), right_types.end(), [&](std::string_view other) {
      return type == other || (numeric(type) && numeric(other));
    });
  });
  if (!meet) return true;
  // Objects told apart by a property that both must have and whose values differ.
  const json::value* properties = Find(left, "properties");
  const json::value* others = Find(right, "properties");
  const bool objects = left_types.size() == 1 && right_types.size() == 1 && left_types[0] == "object";
  if (!objects || properties == nullptr || others == nullptr || !properties->is_object() ||
      !others->is_object()) {
    return false;
  }
  for (const auto& [name, property] : properties->get_object()) {
    const json::value* other = Find(others->get_object(), name);
    if (other == nullptr || !Requires(left, name) || !Requires(right, name)) continue;
    const json::array mine = Listed(Followed(property));
    const json::array theirs = Listed(Followed(*other));
    if (!mine.empty() && !theirs.empty() && Apart(mine, theirs)) return true;
  }
  return false;
}

}  // namespace portcullis::inference::grammar
