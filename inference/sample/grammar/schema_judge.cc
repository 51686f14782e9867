// Whether a known value, one that a schema lists, keeps to other schemas. Three-valued: where a
// keyword cannot be judged there is no answer, and a `not` around it has none either.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cmath>

#include "inference/sample/grammar/formats.h"
#include "inference/sample/grammar/number_range.h"
#include "inference/sample/grammar/regex_parse.h"
#include "inference/sample/grammar/schema_compiler.h"

namespace portcullis::inference::grammar {

namespace json = boost::json;

namespace {

using Verdict = std::optional<bool>;

constexpr int kMaxDepth = 32;
constexpr int64_t kKeywordSteps = 10;

Verdict And(Verdict a, Verdict b) {
  if (a == Verdict(false) || b == Verdict(false)) return false;
  return a && b ? Verdict(true) : std::nullopt;
}

Verdict Not(Verdict a) { return a ? Verdict(!*a) : std::nullopt; }

Verdict Or(Verdict a, Verdict b) { return Not(And(Not(a), Not(b))); }

double Numeric(const json::value& value) {
  json::error_code error;
  const auto number = value.is_number() ? value.to_number<double>(error) : NAN;
  return error ? NAN : number;
}

// What one look over all of its parts costs.
size_t SizeOf(const json::value& value) {
  if (value.is_string()) return value.get_string().size() / 16;
  if (value.is_array()) return value.get_array().size();
  return value.is_object() ? value.get_object().size() : 0;
}

size_t Characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// `count` against a keyword that bounds it from below or above.
Verdict Within(size_t count, const json::value& bound, bool from_below) {
  const double limit = Numeric(bound);
  if (std::isnan(limit)) return std::nullopt;
  const auto number = static_cast<double>(count);
  return from_below ? number >= limit : number <= limit;
}

}  // namespace

Types TypeOf(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return kNullType;
    case json::kind::bool_:
      return kBooleanType;
    case json::kind::string:
      return kStringType;
    case json::kind::array:
      return kArrayType;
    case json::kind::object:
      return kObjectType;
    default:
      return !value.is_double() || std::trunc(value.get_double()) == value.get_double() ? kWholeType
                                                                                        : kFractionType;
  }
}

bool Same(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) return a == b || Numeric(a) == Numeric(b);
  if (a.is_array() && b.is_array()) {
    return std::equal(a.get_array().begin(), a.get_array().end(), b.get_array().begin(), b.get_array().end(),
                      Same);
  }
  if (a.is_object() && b.is_object()) {
    const json::object& other = b.get_object();
    return a.get_object().size() == other.size() &&
           std::all_of(a.get_object().begin(), a.get_object().end(), [&](const auto& entry) {
             const json::value* match = other.if_contains(entry.key());
             return match != nullptr && Same(entry.value(), *match);
           });
  }
  return a == b;
}

bool SchemaCompiler::Fits(const json::value& value, const Leaf& leaf, bool listed_there) const {
  if ((TypeOf(value) & leaf.types) == 0) return false;
  if (!leaf.negated.empty()) {
    return JudgeKeyword(value, leaf.negated, *leaf.schema, 0) == Verdict(false);
  }
  const bool constant = Find(*leaf.schema, "const") != nullptr;
  return JudgeAll(value, *leaf.schema, 0, !listed_there ? "" : constant ? "const" : "enum") == Verdict(true);
}

Verdict SchemaCompiler::Judge(const json::value& value, const json::value& schema, int depth) const {
  --effort_;
  if (const bool* any = schema.if_bool()) return *any;
  if (!schema.is_object() || depth > kMaxDepth) return std::nullopt;
  return JudgeAll(value, schema.get_object(), depth);
}

Verdict SchemaCompiler::JudgeAll(const json::value& value, const Object& schema, int depth,
                                 std::string_view without) const {
  Verdict verdict = true;
  for (const auto& [keyword, unused] : schema) {
    if (keyword == without) continue;
    verdict = And(verdict, JudgeKeyword(value, keyword, schema, depth + 1));
    if (verdict == Verdict(false)) return false;
  }
  return verdict;
}

Verdict SchemaCompiler::JudgeKeyword(const json::value& value, std::string_view keyword,
                                     const Object& schema, int depth) const {
  if ((effort_ -= kKeywordSteps) < 0) return std::nullopt;
  if (IsAnnotation(keyword)) return true;
  const json::value& said = *Find(schema, keyword);
  if ((effort_ -= static_cast<int64_t>(SizeOf(value) + SizeOf(said))) < 0) return std::nullopt;
  if (keyword == "type") return (TypeOf(value) & StatedTypes(schema)) != 0;
  if (keyword == "const") {
    effort_ -= static_cast<int64_t>(WeightOf(value));
    return Same(value, said);
  }
  if (keyword == "enum" && said.is_array()) {
    effort_ -= static_cast<int64_t>(WeightOf(value) * said.get_array().size());
    return std::any_of(said.get_array().begin(), said.get_array().end(),
                       [&](const json::value& one) { return Same(value, one); });
  }
  if (keyword == "$ref") {
    const auto target = Resolve(schema, "#");
    return target ? Judge(value, *target.value(), depth) : std::nullopt;
  }
  if (keyword == "$dynamicRef" || keyword == "$recursiveRef") return std::nullopt;  // no one place is meant
  if (keyword == "not") return Not(Judge(value, said, depth));
  if (keyword == "if") {
    const auto branch = [&](const char* name) {
      const json::value* inner = Find(schema, name);
      return inner == nullptr ? Verdict(true) : Judge(value, *inner, depth);
    };
    const Verdict condition = Judge(value, said, depth);
    if (!condition) return And(branch("then"), branch("else"));
    return branch(*condition ? "then" : "else");
  }
  if (keyword == "then" || keyword == "else") return true;
  if (said.is_array() && (keyword == "allOf" || keyword == "anyOf" || keyword == "oneOf")) {
    Verdict all = true, any = false, several = false;
    for (const json::value& branch : said.get_array()) {
      const Verdict one = Judge(value, branch, depth);
      several = Or(several, And(any, one));
      any = Or(any, one);
      all = And(all, one);
    }
    return keyword == "allOf" ? all : keyword == "anyOf" ? any : And(any, Not(several));
  }
  if (value.is_string()) return JudgeText(value.get_string(), keyword, schema);
  if (value.is_array()) return JudgeItems(value.get_array(), keyword, schema, depth);
  if (value.is_object()) return JudgeProperties(value.get_object(), keyword, schema, depth);
  if (value.is_number()) {
    const double number = Numeric(value);
    const double bound = Numeric(said);
    if (keyword == "minimum") return number >= bound;
    if (keyword == "maximum") return number <= bound;
    if (keyword == "exclusiveMinimum") return number > bound;
    if (keyword == "exclusiveMaximum") return number < bound;
    if (keyword == "multipleOf") {
      const auto multiple = MultipleFrom(said);
      return multiple ? Verdict(IsMultiple(value, *multiple)) : std::nullopt;
    }
  }
  return true;  // a keyword of other types
}

Verdict SchemaCompiler::JudgeText(std::string_view value, std::string_view keyword,
                                  const Object& schema) const {
  const json::value& said = *Find(schema, keyword);
  if (keyword == "minLength" || keyword == "maxLength") {
    return Within(Characters(value), said, keyword == "minLength");
  }
  if (!said.is_string() || (keyword != "pattern" && keyword != "format")) return true;
  if (keyword == "pattern") {
    const auto automaton = ParsePattern(said.get_string(), effort_);
    return automaton ? Takes(automaton.value(), value, effort_) : std::nullopt;
  }
  if (FormatPattern(said.get_string()).empty()) return true;  // an annotation to those who do not know it
  std::optional<Automaton> beside;  // may say what the format means
  const json::value* pattern = Find(schema, "pattern");
  if (pattern != nullptr && pattern->is_string() && !LocalFormatPattern(said.get_string()).empty()) {
    auto automaton = ParsePattern(pattern->get_string(), effort_);
    if (!automaton) return std::nullopt;
    beside = std::move(automaton).value();
  }
  const auto format = Formatted({&schema, "#"}, beside ? &*beside : nullptr);
  if (!format || !format.value()) return std::nullopt;
  const Verdict taken = Takes(*format.value(), value, effort_);
  return taken == Verdict(false) ? std::nullopt : taken;  // formats are written narrower than they are
}

Verdict SchemaCompiler::JudgeItems(const Array& value, std::string_view keyword, const Object& schema,
                                   int depth) const {
  const json::value& said = *Find(schema, keyword);
  if (keyword == "minItems" || keyword == "maxItems") {
    return Within(value.size(), said, keyword == "minItems");
  }
  if (keyword == "uniqueItems") {
    if (!said.is_bool() || !said.get_bool()) return true;
    size_t weight = 0;
    for (const json::value& item : value) weight += WeightOf(item);
    effort_ -= static_cast<int64_t>(weight * value.size());
    if (effort_ < 0) return std::nullopt;
    for (auto item = value.begin(); item != value.end(); ++item) {
      if (std::any_of(value.begin(), item, [&](const json::value& other) { return Same(*item, other); })) {
        return false;
      }
    }
    return true;
  }
  const json::value* prefix = Find(schema, "prefixItems");
  const size_t places = prefix != nullptr && prefix->is_array() ? prefix->get_array().size() : 0;
  Verdict verdict = true;
  if (keyword == "prefixItems") {
    for (size_t i = 0; i < std::min(places, value.size()); ++i) {
      verdict = And(verdict, Judge(value[i], said.get_array()[i], depth));
    }
    return verdict;
  }
  if (keyword == "items") {
    for (size_t i = places; i < value.size(); ++i) verdict = And(verdict, Judge(value[i], said, depth));
    return verdict;
  }
  if (keyword == "contains") {
    size_t sure = 0, possible = 0;
    for (const json::value& item : value) {
      const Verdict one = Judge(item, said, depth);
      sure += one == Verdict(true) ? 1 : 0;
      possible += one == Verdict(false) ? 0 : 1;
    }
    if (sure != possible) return std::nullopt;
    const json::value* least = Find(schema, "minContains");
    const json::value* most = Find(schema, "maxContains");
    return And(Within(sure, least != nullptr ? *least : json::value(1), true),
               most != nullptr ? Within(sure, *most, false) : Verdict(true));
  }
  return keyword == "unevaluatedItems" ? std::nullopt : Verdict(true);
}

Verdict SchemaCompiler::JudgeProperties(const Object& value, std::string_view keyword, const Object& schema,
                                        int depth) const {
  const json::value& said = *Find(schema, keyword);
  if (keyword == "minProperties" || keyword == "maxProperties") {
    return Within(value.size(), said, keyword == "minProperties");
  }
  Verdict verdict = true;
  if (keyword == "required" && said.is_array()) {
    return std::all_of(said.get_array().begin(), said.get_array().end(), [&](const json::value& name) {
      return name.is_string() && value.contains(name.get_string());
    });
  }
  if (keyword == "properties" && said.is_object()) {
    for (const auto& [name, inner] : said.get_object()) {
      if (const json::value* property = value.if_contains(name)) {
        verdict = And(verdict, Judge(*property, inner, depth));
      }
    }
    return verdict;
  }
  if (keyword == "propertyNames") {
    for (const auto& [name, unused] : value) verdict = And(verdict, Judge(json::value(name), said, depth));
    return verdict;
  }
  if (keyword == "additionalProperties" && Find(schema, "patternProperties") == nullptr) {
    const json::value* known = Find(schema, "properties");
    for (const auto& [name, property] : value) {
      if (known != nullptr && known->is_object() && known->get_object().contains(name)) continue;
      verdict = And(verdict, Judge(property, said, depth));
    }
    return verdict;
  }
  constexpr std::string_view kHard[] = {"additionalProperties", "patternProperties", "dependentRequired",
                                        "dependentSchemas", "dependencies", "unevaluatedProperties"};
  return std::find(std::begin(kHard), std::end(kHard), keyword) != std::end(kHard) ? std::nullopt
                                                                                  : Verdict(true);
}

}  // namespace portcullis::inference::grammar
