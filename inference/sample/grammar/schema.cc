#include "inference/sample/grammar/schema.h"

#include <algorithm>
#include <cmath>

#include "inference/sample/grammar/number_range.h"
#include "inference/sample/grammar/schema_compiler.h"
#include "inference/sample/grammar/schema_reference.h"

namespace portcullis::inference::grammar {
namespace {

namespace json = boost::json;

constexpr int kMaxDepth = 64;
constexpr size_t kMaxSchemas = 20'000;
constexpr int64_t kMaxMultiple = 1000;
constexpr size_t kSchemaSteps = 100;
constexpr int64_t kStateEffort = 10;  // to make one and to finish it

bool SaysNothing(const json::value& schema) {
  if (const bool* any = schema.if_bool()) return *any;
  return schema.is_object() && std::all_of(schema.get_object().begin(), schema.get_object().end(),
                                           [](const auto& entry) { return IsAnnotation(entry.key()); });
}

// A reference at this place of the value, not deeper in it.
bool Refers(const json::value& schema, int depth = 0) {
  const json::object* object = schema.if_object();
  if (object == nullptr || depth > kMaxDepth) return false;
  if (Find(*object, "$ref") != nullptr) return true;
  const auto any = [&](const json::value& list) {
    const json::array* items = list.if_array();
    return items != nullptr && std::any_of(items->begin(), items->end(), [&](const json::value& item) {
             return Refers(item, depth + 1);
           });
  };
  for (const char* keyword : {"anyOf", "oneOf", "allOf"}) {
    const json::value* list = Find(*object, keyword);
    if (list != nullptr && any(*list)) return true;
  }
  for (const char* keyword : {"not", "if", "then", "else"}) {
    const json::value* inner = Find(*object, keyword);
    if (inner != nullptr && Refers(*inner, depth + 1)) return true;
  }
  return Find(*object, "dependentSchemas") != nullptr || Find(*object, "dependencies") != nullptr;
}

}  // namespace

Result<StateId> SchemaCompiler::Value(std::vector<Subschema> schemas, StateId next) {
  std::vector<Subschema> kept;
  for (Subschema& schema : schemas) {
    const Object* object = schema.schema->if_object();
    const size_t keywords = object == nullptr ? 0 : object->size();
    BOOST_OUTCOME_TRY(Spend(1 + keywords + schema.path.size() / kPathBytes, schema.path));
    if (SaysNothing(*schema.schema)) continue;
    const bool known = std::any_of(kept.begin(), kept.end(), [&](const Subschema& other) {
      return other.schema == schema.schema;
    });
    if (!known) kept.push_back(std::move(schema));
  }
  if (kept.empty()) return g_.Call(g_.value_rule, next);
  const std::string& path = kept.front().path;
  if (++schemas_ > kMaxSchemas || g_.too_large()) return At(path, "the schema is too large");
  BOOST_OUTCOME_TRY(Spend(kSchemaSteps, path));
  if (depth_ >= kMaxDepth) return At(path, "schemas are nested too deeply");
  ++depth_;
  auto result = Written(kept, next);
  --depth_;
  return result;
}

Result<StateId> SchemaCompiler::Written(const std::vector<Subschema>& schemas, StateId next) {
  if (schemas.size() == 1) {
    BOOST_OUTCOME_TRY(const auto simple, Simple(schemas.front(), next));
    if (simple) return *simple;
  }
  const bool refers = std::any_of(schemas.begin(), schemas.end(),
                                  [](const Subschema& schema) { return Refers(*schema.schema); });
  const auto branches = [&](StateId then) -> Result<StateId> {
    Alternatives all = {{}};
    for (const Subschema& schema : schemas) {
      BOOST_OUTCOME_TRY(const Alternatives more, Expand(*schema.schema, schema.path));
      BOOST_OUTCOME_TRY(all, Cross(all, more, schema.path));
    }
    std::vector<StateId> options;
    for (const Alternative& leaves : all) {
      BOOST_OUTCOME_TRY(const StateId option, Conjunction(leaves, then));
      options.push_back(option);
    }
    return g_.Split(std::move(options));
  };
  if (!refers) return branches(next);
  std::vector<const void*> key;
  for (const Subschema& schema : schemas) key.push_back(schema.schema);
  std::sort(key.begin(), key.end());
  const auto [it, fresh] = rules_.try_emplace(std::move(key), 0);
  if (!fresh) return g_.Call(it->second, next);
  const StateId rule = it->second = g_.Forward();
  BOOST_OUTCOME_TRY(const StateId body, branches(Grammar::kReturn));
  g_.FillSplit(rule, {body});
  return g_.Call(rule, next);
}

// A schema that only refers to another, or only chooses among others, shares their rules.
Result<std::optional<StateId>> SchemaCompiler::Simple(const Subschema& schema, StateId next) {
  const Object* object = schema.schema->if_object();
  if (object == nullptr) return std::nullopt;
  std::string_view only;
  for (const auto& [key, value] : *object) {
    if (IsAnnotation(key)) continue;
    if (!only.empty()) return std::nullopt;
    only = key;
  }
  if (only == "$ref") {
    BOOST_OUTCOME_TRY(const json::value* target, Resolve(*object, schema.path));
    // Not the key of the target's own rule, which this one may lead to.
    const auto [it, fresh] = rules_.try_emplace({target, nullptr}, 0);
    if (fresh) {
      const StateId rule = it->second = g_.Forward();
      const std::string name(Find(*object, "$ref")->get_string());
      BOOST_OUTCOME_TRY(const StateId body, Value({{target, name}}, Grammar::kReturn));
      g_.FillSplit(rule, {body});
      return g_.Call(rule, next);
    }
    return g_.Call(it->second, next);
  }
  if (only != "anyOf" && only != "oneOf") return std::nullopt;
  BOOST_OUTCOME_TRY(CheckKeywords(*object, schema.path));
  const Array& list = Find(*object, only)->get_array();
  for (size_t i = 0; only == "oneOf" && i < list.size(); ++i) {
    for (size_t other = 0; other < i; ++other) {
      if (!Exclusive(list[i], list[other])) return std::nullopt;
    }
  }
  std::vector<StateId> options;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string branch = schema.path + "/" + std::string(only) + "/" + std::to_string(i);
    BOOST_OUTCOME_TRY(const StateId option, Value({{&list[i], branch}}, next));
    options.push_back(option);
  }
  return g_.Split(std::move(options));
}

Result<StateId> SchemaCompiler::Conjunction(const Alternative& leaves, StateId next) {
  if (g_.too_large()) return At(leaves.empty() ? "#" : leaves.front().path, "the schema is too large");
  Types types = kAnyType;
  for (const Leaf& leaf : leaves) {
    if (leaf.negated.empty()) {
      if (const auto values = ListedIn(*leaf.schema)) return Listed(*values, leaf, leaves, next);
      types &= StatedTypes(*leaf.schema);
    }
    types &= leaf.types;
  }
  // Where no type is said, keywords that speak of one mean it.
  for (const Leaf& leaf : leaves) {
    if (types == kAnyType && leaf.negated.empty()) types = ImpliedTypes(*leaf.schema);
  }
  const bool excludes = std::any_of(leaves.begin(), leaves.end(),
                                    [](const Leaf& leaf) { return !leaf.negated.empty(); });
  if (types == kAnyType && !excludes) return g_.Call(g_.value_rule, next);
  return OfTypes(types, leaves, next);
}

Result<StateId> SchemaCompiler::Listed(std::span<const json::value> values, const Leaf& holder,
                                       const Alternative& leaves, StateId next) {
  std::vector<StateId> options;
  for (const json::value& value : values) {
    if (g_.too_large()) return At(holder.path, "the schema is too large");
    BOOST_OUTCOME_TRY(Spend(WeightOf(value), holder.path));
    const bool fits = std::all_of(leaves.begin(), leaves.end(), [&](const Leaf& leaf) {
      return Fits(value, leaf, leaf.schema == holder.schema);
    });
    BOOST_OUTCOME_TRY(Spend(0, holder.path));
    if (fits) options.push_back(g_.Literal(Spelled(value), next));
  }
  return g_.Split(std::move(options));
}

Result<StateId> SchemaCompiler::OfTypes(Types types, const Alternative& leaves, StateId next) {
  const auto excluded = [&](const json::value& value) {
    return std::any_of(leaves.begin(), leaves.end(), [&](const Leaf& leaf) {
      return !leaf.negated.empty() && !Fits(value, leaf);
    });
  };
  for (const Leaf& leaf : leaves) {
    for (const json::value& value : ExcludedBy(leaf)) {
      if (value.is_structured() && (TypeOf(value) & types) != 0) {
        return At(leaf.path, "lists and objects cannot be excluded one by one");
      }
    }
  }
  std::vector<StateId> options;
  if ((types & kNullType) != 0 && !excluded(nullptr)) options.push_back(g_.Literal("null", next));
  for (const bool value : {true, false}) {
    if ((types & kBooleanType) == 0 || excluded(value)) continue;
    options.push_back(g_.Literal(value ? "true" : "false", next));
  }
  if ((types & kStringType) != 0) {
    BOOST_OUTCOME_TRY(const StateId text, Text(leaves, next));
    options.push_back(text);
  }
  for (const Leaf& leaf : leaves) {
    if ((types & kNumberType) == kFractionType && (leaf.types & kWholeType) == 0) {
      return At(leaf.path, "numbers that are not whole cannot be enforced");
    }
  }
  if ((types & kNumberType) != 0) {
    BOOST_OUTCOME_TRY(const StateId number, Number(leaves, (types & kFractionType) == 0, next));
    options.push_back(number);
  }
  if ((types & kArrayType) != 0) {
    BOOST_OUTCOME_TRY(const StateId array, Items(leaves, next));
    options.push_back(array);
  }
  if ((types & kObjectType) != 0) {
    BOOST_OUTCOME_TRY(const StateId object, Properties(leaves, next));
    options.push_back(object);
  }
  return g_.Split(std::move(options));
}

Result<StateId> SchemaCompiler::Number(const Alternative& leaves, bool whole, StateId next) {
  NumberRange range;
  range.whole = whole;
  std::vector<double> excluded;
  const Leaf* divided = nullptr;
  const auto tighten = [](std::optional<Bound>& bound, Bound with, bool lower) {
    const bool tighter = !bound || (lower ? with.value > bound->value : with.value < bound->value) ||
                         (with.value == bound->value && with.exclusive);
    if (tighter) bound = with;
  };
  for (const Leaf& leaf : leaves) {
    for (const json::value& value : ExcludedBy(leaf)) {
      if (value.is_number()) excluded.push_back(value.to_number<double>());
    }
    if (!leaf.negated.empty()) continue;
    struct {
      const char* keyword;
      bool exclusive, lower;
    } constexpr kBounds[] = {{"minimum", false, true},
                             {"exclusiveMinimum", true, true},
                             {"maximum", false, false},
                             {"exclusiveMaximum", true, false}};
    for (const auto& [keyword, exclusive, lower] : kBounds) {
      const json::value* value = Find(*leaf.schema, keyword);
      if (value == nullptr) continue;
      const double number = value->is_number() ? value->to_number<double>() : NAN;
      if (!std::isfinite(number)) return At(leaf.path + "/" + keyword, "it must be a number");
      tighten(lower ? range.low : range.high, {number, exclusive}, lower);
    }
    if (const json::value* multiple = Find(*leaf.schema, "multipleOf")) {
      divided = &leaf;
      const auto own = MultipleFrom(*multiple);
      range.multiple_of = own && range.multiple_of ? Common(*range.multiple_of, *own) : own;
      if (!range.multiple_of || range.multiple_of->units > kMaxMultiple) {
        return At(leaf.path + "/multipleOf",
                  "only numbers above 0 whose digits make at most 1000, such as 1000, 2.5 or 0.01, can be enforced");
      }
    }
    const json::value* format = Find(*leaf.schema, "format");
    if (format != nullptr && format->is_string() && format->get_string() == "int32") {
      range.whole = true;
      tighten(range.low, {-2147483648.0, false}, true);
      tighten(range.high, {2147483647.0, false}, false);
    }
    range.whole = range.whole || (format != nullptr && format->is_string() && format->get_string() == "int64");
  }
  if (range.multiple_of) {
    if (range.whole) range.multiple_of = Common(*range.multiple_of, {1, 0});
    if (!range.multiple_of) return At(leaves.front().path, "its `multipleOf` leaves no whole number");
    range.whole = range.multiple_of->decimals == 0;
  }
  if (!range.low && !range.high && !range.multiple_of && excluded.empty()) {
    return g_.Call(range.whole ? g_.integer_rule : g_.number_rule, next);
  }
  // Between each two that are excluded.
  std::sort(excluded.begin(), excluded.end());
  excluded.push_back(INFINITY);
  std::vector<StateId> options;
  std::optional<Bound> from = range.low;
  for (const double value : excluded) {
    if (g_.too_large()) return At(leaves.front().path, "the schema is too large");
    NumberRange part = range;
    part.low = from;
    if (std::isfinite(value)) tighten(part.high, {value, true}, false);
    auto state = NumberIn(g_, part, next);
    if (!state) return At(leaves.front().path, state.error().message);
    options.push_back(state.value());
    if (divided != nullptr && g_.too_large()) {
      return At(divided->path + "/multipleOf",
                "it needs more than 200,000 states; narrower bounds (`minimum`, `maximum`) leave fewer");
    }
    if (std::isfinite(value)) tighten(from, {value, true}, true);
  }
  return g_.Split(std::move(options));
}

Result<StateId> CompileSchema(Grammar& grammar, const json::value& schema, StateId next, int64_t& effort) {
  const size_t before = grammar.size();
  BOOST_OUTCOME_TRY(const auto plain, WithPlainReferences(schema, effort));
  const json::value& root = plain ? *plain : schema;
  auto result = SchemaCompiler(grammar, root, effort).Value({{&root, "#"}}, next);
  effort -= static_cast<int64_t>(grammar.size() - before) * kStateEffort;
  return result;
}

}  // namespace portcullis::inference::grammar
