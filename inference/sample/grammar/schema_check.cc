// What a schema says, before it is compiled: keywords that are refused, references, and whether two
// schemas exclude each other.
#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <cmath>
#include <iterator>

#include "inference/sample/grammar/schema_compiler.h"
#include "inference/tokenizer/utf8.h"

namespace portcullis::inference::grammar {
namespace {

namespace json = boost::json;

constexpr int64_t kCompareSteps = 20;
constexpr size_t kPointerBytes = 4;  // of a pointer, followed for the price of a step
constexpr size_t kMaxShownPath = 200;
constexpr size_t kMaxShownReference = 100;
constexpr std::string_view kRefused[] = {"$recursiveRef", "additionalItems"};
constexpr std::string_view kAnnotations[] = {
    "title",   "description", "default",  "examples", "example",  "deprecated", "readOnly",
    "writeOnly", "$schema",   "$id",      "$comment", "id",       "nullable",   "strict",
    "name",    "$defs",       "definitions", "discriminator", "$anchor", "$dynamicAnchor", "$vocabulary",
    "contentEncoding", "contentMediaType", "contentSchema"};

struct TypeName {
  std::string_view name;
  Types types;
};

constexpr TypeName kTypeNames[] = {{"null", kNullType},     {"boolean", kBooleanType},
                                   {"string", kStringType}, {"array", kArrayType},
                                   {"object", kObjectType}, {"integer", kWholeType},
                                   {"number", kNumberType}};

constexpr size_t kMaxTypes = std::size(kTypeNames);  // a list of more is refused

Types TypeNamed(const json::value& name) {
  if (!name.is_string()) return 0;
  for (const TypeName& known : kTypeNames) {
    if (known.name == name.get_string()) return known.types;
  }
  return 0;
}

bool Requires(const json::object& schema, std::string_view name, int64_t& effort) {
  const json::value* required = Find(schema, "required");
  if (required == nullptr || !required->is_array()) return false;
  effort -= static_cast<int64_t>(required->get_array().size());
  return std::any_of(required->get_array().begin(), required->get_array().end(),
                     [&](const json::value& item) { return item.is_string() && item.get_string() == name; });
}

// An object of `left` must have a property that an object of `right` must not have.
bool HasWhatTheOtherForbids(const json::object& left, const json::object& right) {
  const json::value* extra = Find(right, "additionalProperties");
  const json::value* required = Find(left, "required");
  const json::value* known = Find(right, "properties");
  if (extra == nullptr || !extra->is_bool() || extra->get_bool() || required == nullptr ||
      !required->is_array() || Find(right, "patternProperties") != nullptr) {
    return false;
  }
  return std::any_of(required->get_array().begin(), required->get_array().end(), [&](const json::value& name) {
    return name.is_string() &&
           (known == nullptr || !known->is_object() || !known->get_object().contains(name.get_string()));
  });
}

}  // namespace

const json::value* Find(const json::object& schema, std::string_view keyword) {
  return schema.if_contains(keyword);
}

bool IsAnnotation(std::string_view keyword) {
  return std::find(std::begin(kAnnotations), std::end(kAnnotations), keyword) != std::end(kAnnotations) ||
         keyword.starts_with("x-");
}

std::string Spelled(const json::value& value) {
  std::string out;
  if (value.is_double() && std::isfinite(value.get_double())) {
    std::array<char, 32> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value.get_double());
    return std::string(buffer.data(), end.ptr);
  }
  if (value.is_array()) {
    for (const json::value& item : value.get_array()) out += (out.empty() ? "[" : ",") + Spelled(item);
    return out.empty() ? "[]" : out + "]";
  }
  if (value.is_object()) {
    for (const auto& [name, item] : value.get_object()) {
      out += (out.empty() ? "{" : ",") + json::serialize(json::string(name)) + ":" + Spelled(item);
    }
    return out.empty() ? "{}" : out + "}";
  }
  return json::serialize(value);
}

Types StatedTypes(const json::object& schema) {
  const json::value* type = Find(schema, "type");
  if (type == nullptr) return kAnyType;
  if (!type->is_array()) return TypeNamed(*type);
  Types types = 0;
  const std::span<const json::value> names(type->get_array());
  for (const json::value& item : names.first(std::min(names.size(), kMaxTypes))) types |= TypeNamed(item);
  return types;
}

Types ImpliedTypes(const json::object& schema) {
  struct Implied {
    Types types;
    std::initializer_list<const char*> keywords;
  };
  static const Implied kImplied[] = {
      {kObjectType,
       {"properties", "required", "additionalProperties", "patternProperties", "propertyNames", "minProperties",
        "maxProperties"}},
      {kArrayType, {"items", "prefixItems", "minItems", "maxItems", "contains", "uniqueItems"}},
      {kStringType, {"pattern", "format", "minLength", "maxLength"}},
      {kNumberType, {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}}};
  for (const Implied& implied : kImplied) {
    for (const char* keyword : implied.keywords) {
      if (Find(schema, keyword) != nullptr) return implied.types;
    }
  }
  return kAnyType;
}

std::optional<std::span<const json::value>> ListedIn(const json::object& schema) {
  using Values = std::span<const json::value>;
  if (const json::value* constant = Find(schema, "const")) return Values(constant, 1);
  const json::value* list = Find(schema, "enum");
  if (list != nullptr && list->is_array()) return Values(list->get_array());
  return std::nullopt;
}

std::span<const json::value> ExcludedBy(const Leaf& leaf) {
  if (leaf.negated == "const") return {Find(*leaf.schema, "const"), 1};
  if (leaf.negated == "enum") return Find(*leaf.schema, "enum")->get_array();
  return {};
}

size_t WeightOf(const json::value& value) {
  size_t weight = 1;
  if (value.is_string()) weight += value.get_string().size() / 16;
  if (value.is_array()) {
    for (const json::value& item : value.get_array()) weight += WeightOf(item);
  }
  if (value.is_object()) {
    for (const auto& [name, item] : value.get_object()) weight += 1 + name.size() / 16 + WeightOf(item);
  }
  return weight;
}

Result<void> SchemaCompiler::Spend(size_t steps, const std::string& path) const {
  effort_ -= static_cast<int64_t>(steps);
  if (effort_ < 0) return At(path, kTooLong);
  return boost::outcome_v2::success();
}

// None of `a` equals one of `b`; not sure where the effort is spent.
bool SchemaCompiler::Apart(std::span<const json::value> a, std::span<const json::value> b) const {
  return std::none_of(a.begin(), a.end(), [&](const json::value& value) {
    effort_ -= static_cast<int64_t>(WeightOf(value) * (b.size() + 1));
    return effort_ < 0 ||
           std::any_of(b.begin(), b.end(), [&](const json::value& other) { return Same(value, other); });
  });
}

Error At(const std::string& path, const std::string& what) {
  const size_t shown = CompletePrefix(std::string_view(path).substr(0, kMaxShownPath));
  return Error{Code::kInvalidArgument, "the schema cannot be enforced at `" + path.substr(0, shown) +
                                           (shown < path.size() ? "…" : "") + "`: " + what};
}

Result<void> SchemaCompiler::CheckKeywords(const Object& schema, const std::string& path) const {
  for (const std::string_view keyword : kRefused) {
    if (Find(schema, keyword) == nullptr) continue;
    return At(path + "/" + std::string(keyword), "`" + std::string(keyword) + "` is not supported");
  }
  if (Find(schema, "$dynamicRef") != nullptr) {  // the others are references by now
    return At(path + "/$dynamicRef", "no one place of this schema is always meant");
  }
  if (const json::value* type = Find(schema, "type")) {
    if (type->is_array()) {
      if (type->get_array().size() > kMaxTypes) return At(path + "/type", "it names more types than there are");
      for (const json::value& item : type->get_array()) {
        if (TypeNamed(item) == 0) return At(path + "/type", "it must be a name or a list of names");
      }
    } else if (!type->is_string()) {
      return At(path + "/type", "it must be a name or a list of names");
    } else if (TypeNamed(*type) == 0) {
      return At(path + "/type",
                "there is no type `" + std::string(std::string_view(type->get_string()).substr(0, 40)) + "`");
    }
  }
  for (const char* keyword : {"anyOf", "oneOf", "allOf"}) {
    const json::value* list = Find(schema, keyword);
    if (list != nullptr && (!list->is_array() || list->get_array().empty())) {
      return At(path + "/" + keyword, "it must be a list with at least one schema");
    }
  }
  const json::value* values = Find(schema, "enum");
  if (values != nullptr && !values->is_array()) return At(path + "/enum", "`enum` must be a list");
  return boost::outcome_v2::success();
}

// The narrowest of all leaves' bounds; the lower may be above the upper.
Result<Counter> SchemaCompiler::Limits(const Alternative& leaves, const char* least, const char* most) const {
  Counter counter;
  for (const Leaf& leaf : leaves) {
    if (!leaf.negated.empty()) continue;
    for (const char* keyword : {least, most}) {
      const json::value* value = Find(*leaf.schema, keyword);
      if (value == nullptr) continue;
      json::error_code error;
      const auto number = value->is_number() ? value->to_number<int64_t>(error) : int64_t{-1};
      if (error || number < 0 || number > 60'000) {
        return At(leaf.path + "/" + keyword, "it must be a whole number from 0 to 60000");
      }
      const auto count = static_cast<uint16_t>(number);
      if (keyword == least) {
        counter.need = std::max(counter.need, count);
      } else {
        counter.left = std::min(counter.left, count);
      }
    }
  }
  return counter;
}

Result<const json::value*> SchemaCompiler::Resolve(const Object& schema, const std::string& path) const {
  const json::value& reference = *Find(schema, "$ref");
  std::string_view rest;
  if (reference.is_string()) rest = reference.get_string();
  if (!rest.starts_with('#')) {
    const size_t shown = CompletePrefix(rest.substr(0, kMaxShownReference));
    return At(path + "/$ref", "`" + std::string(rest.substr(0, shown)) +
                                  "` is no place in this schema, and nothing is fetched");
  }
  rest.remove_prefix(1);
  effort_ -= static_cast<int64_t>(1 + rest.size() / kPointerBytes);
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
  if ((effort_ -= kCompareSteps) < 0) return false;
  const auto left_values = ListedIn(left);
  const auto right_values = ListedIn(right);
  if (left_values && right_values) return Apart(*left_values, *right_values);
  const auto all_fail = [this](std::span<const json::value> values, const json::value& schema) {
    return std::all_of(values.begin(), values.end(),
                       [&](const json::value& value) { return Judge(value, schema) == Verdict(false); });
  };
  if (left_values) return all_fail(*left_values, b);
  if (right_values) return all_fail(*right_values, a);
  const Types left_types = StatedTypes(left);
  const Types right_types = StatedTypes(right);
  if ((left_types & right_types) == 0) return true;
  if (left_types != kObjectType || right_types != kObjectType) return false;
  for (const Object* side : {&left, &right}) {
    const json::value* required = Find(*side, "required");
    if (required != nullptr) effort_ -= static_cast<int64_t>(WeightOf(*required));
  }
  if (HasWhatTheOtherForbids(left, right) || HasWhatTheOtherForbids(right, left)) return true;
  // Objects told apart by a property that both must have and whose values differ.
  const json::value* properties = Find(left, "properties");
  const json::value* others = Find(right, "properties");
  if (properties == nullptr || others == nullptr || !properties->is_object() || !others->is_object()) {
    return false;
  }
  for (const auto& [name, property] : properties->get_object()) {
    const json::value* other = Find(others->get_object(), name);
    if ((effort_ -= kCompareSteps) < 0) return false;
    if (other == nullptr || !Requires(left, name, effort_) || !Requires(right, name, effort_)) continue;
    const auto mine = ListedIn(Followed(property));
    const auto theirs = ListedIn(Followed(*other));
    if (mine && theirs && Apart(*mine, *theirs)) return true;
  }
  return false;
}

}  // namespace portcullis::inference::grammar
