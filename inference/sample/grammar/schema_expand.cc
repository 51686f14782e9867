// Choices multiplied out. A schema becomes the alternatives of what holds where it holds, each a list
// of leaves; anyOf adds alternatives, allOf and $ref add leaves to each, if/then/else and dependent
// keywords are choices too. An alternative may be narrower than what it stands for.
#include <algorithm>

#include "inference/sample/grammar/schema_compiler.h"

namespace portcullis::inference::grammar {

namespace json = boost::json;

namespace {

constexpr size_t kMaxAlternatives = 256;
constexpr size_t kMaxLeaves = 128;
constexpr int kMaxDepth = 64;
constexpr size_t kExpandSteps = 200;
constexpr size_t kLeafSteps = 2;

void Append(Alternatives& to, Alternatives from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

Leaf SchemaCompiler::Made(Object schema, const std::string& path, Types types) {
  made_.emplace_back(std::move(schema));
  return {&made_.back().get_object(), path, types, {}, true};
}

// A property that must be there has no value left: where conditions on one property follow each other,
// all combinations of them but a few are of this kind.
bool SchemaCompiler::Contradicts(const Alternative& leaves) const {
  for (const Leaf& leaf : leaves) {
    const json::value* required = leaf.negated.empty() ? Find(*leaf.schema, "required") : nullptr;
    if (required == nullptr || !required->is_array()) continue;
    for (const json::value& name : required->get_array()) {
      effort_ -= static_cast<int64_t>(kLeafSteps * leaves.size());
      if (effort_ < 0) return false;
      std::vector<const json::value*> schemas;
      std::optional<std::span<const json::value>> listed;
      for (const Leaf& other : leaves) {
        const json::value* properties = other.negated.empty() ? Find(*other.schema, "properties") : nullptr;
        if (properties == nullptr || !properties->is_object() || !name.is_string()) continue;
        const json::value* schema = properties->get_object().if_contains(name.get_string());
        if (schema == nullptr) continue;
        schemas.push_back(schema);
        if (!listed) listed = ListedIn(Followed(*schema));
      }
      if (!listed || schemas.size() < 2) continue;
      const bool none = std::all_of(listed->begin(), listed->end(), [&](const json::value& value) {
        return std::any_of(schemas.begin(), schemas.end(), [&](const json::value* schema) {
          return Judge(value, *schema) == Verdict(false);
        });
      });
      if (none) return true;
    }
  }
  return false;
}

// Every alternative of `a` with every one of `b`, but for those that contradict themselves.
Result<Alternatives> SchemaCompiler::Cross(const Alternatives& a, const Alternatives& b,
                                           const std::string& path) const {
  Alternatives all;
  for (const Alternative& left : a) {
    for (const Alternative& right : b) {
      size_t paths = 0;
      for (const Alternative* side : {&left, &right}) {
        for (const Leaf& leaf : *side) paths += leaf.path.size() / kPathBytes;
      }
      BOOST_OUTCOME_TRY(
          Spend(kExpandSteps + kLeafSteps * (left.size() + 1) * (right.size() + 1) + paths, path));
      Alternative both = left;
      for (const Leaf& leaf : right) {
        const bool known = std::any_of(both.begin(), both.end(), [&](const Leaf& other) {
          return other.schema == leaf.schema && other.types == leaf.types && other.negated == leaf.negated;
        });
        if (!known) both.push_back(leaf);
      }
      Types types = kAnyType;
      for (const Leaf& leaf : both) {
        types &= leaf.types;
        if (leaf.negated.empty()) types &= StatedTypes(*leaf.schema);
      }
      if (types == 0 || (both.size() > left.size() && Contradicts(both))) continue;
      all.push_back(std::move(both));
      if (all.size() > kMaxAlternatives || all.back().size() > kMaxLeaves) {
        return At(path, "its alternatives have too many combinations");
      }
    }
  }
  return all;
}

Result<Alternatives> SchemaCompiler::Expand(const json::value& schema, const std::string& path) {
  BOOST_OUTCOME_TRY(Spend(1 + path.size() / kPathBytes, path));
  if (const bool* any = schema.if_bool()) return *any ? Alternatives{{}} : Alternatives{};
  if (!schema.is_object()) return At(path, "a schema must be an object, true or false");
  if (depth_ >= kMaxDepth) return At(path, "schemas are nested too deeply");
  ++depth_;
  auto result = ExpandObject(schema.get_object(), path);
  --depth_;
  return result;
}

Result<Alternatives> SchemaCompiler::ExpandObject(const Object& schema, const std::string& path) {
  BOOST_OUTCOME_TRY(CheckKeywords(schema, path));
  BOOST_OUTCOME_TRY(Spend(kExpandSteps, path));
  Alternatives all = {{Leaf{&schema, path}}};
  if (Find(schema, "$ref") != nullptr) {
    BOOST_OUTCOME_TRY(const json::value* target, Resolve(schema, path));
    const std::string name(Find(schema, "$ref")->get_string());
    BOOST_OUTCOME_TRY(const Alternatives more, Expand(*target, name));
    BOOST_OUTCOME_TRY(all, Cross(all, more, path));
  }
  if (const json::value* list = Find(schema, "allOf")) {
    for (size_t i = 0; i < list->get_array().size(); ++i) {
      const std::string here = path + "/allOf/" + std::to_string(i);
      BOOST_OUTCOME_TRY(const Alternatives more, Expand(list->get_array()[i], here));
      BOOST_OUTCOME_TRY(all, Cross(all, more, here));
    }
  }
  for (const char* keyword : {"anyOf", "oneOf"}) {
    const json::value* list = Find(schema, keyword);
    if (list == nullptr) continue;
    const std::string here = path + "/" + keyword;
    BOOST_OUTCOME_TRY(const Alternatives more, Union(*list, here, keyword[0] == 'o'));
    BOOST_OUTCOME_TRY(all, Cross(all, more, here));
  }
  if (const json::value* inner = Find(schema, "not")) {
    BOOST_OUTCOME_TRY(const Alternatives more, Negate(*inner, path + "/not"));
    BOOST_OUTCOME_TRY(all, Cross(all, more, path + "/not"));
  }
  if (Find(schema, "if") != nullptr) {
    BOOST_OUTCOME_TRY(const Alternatives more, Conditional(schema, path));
    BOOST_OUTCOME_TRY(all, Cross(all, more, path + "/if"));
  }
  BOOST_OUTCOME_TRY(const Alternatives dependent, Dependent(schema, path));
  BOOST_OUTCOME_TRY(all, Cross(all, dependent, path));
  CloseUnevaluated(schema, path, all);
  return all;
}

// Of a oneOf each branch without the others, where both might hold.
Result<Alternatives> SchemaCompiler::Union(const json::value& branches, const std::string& path,
                                           bool exclusive) {
  Alternatives all;
  const Array& list = branches.get_array();
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string branch = path + "/" + std::to_string(i);
    BOOST_OUTCOME_TRY(Alternatives own, Expand(list[i], branch));
    for (size_t other = 0; exclusive && other < list.size(); ++other) {
      if (other == i || Exclusive(list[i], list[other])) continue;
      const auto without = Negate(list[other], branch);
      if (!without) {
        return At(branch, "this branch of `oneOf` and branch " + std::to_string(other) +
                              " may both fit; give them different types or constants, or use `anyOf`");
      }
      BOOST_OUTCOME_TRY(own, Cross(own, without.value(), branch));
    }
    Append(all, std::move(own));
    if (all.size() > kMaxAlternatives) return At(path, "its alternatives have too many combinations");
  }
  return all;
}

Result<Alternatives> SchemaCompiler::Conditional(const Object& schema, const std::string& path) {
  static const json::value kAnything = true;
  const json::value& condition = *Find(schema, "if");
  const json::value* then = Find(schema, "then");
  const json::value* otherwise = Find(schema, "else");
  BOOST_OUTCOME_TRY(const Alternatives holds, Expand(condition, path + "/if"));
  BOOST_OUTCOME_TRY(const Alternatives first, Expand(then != nullptr ? *then : kAnything, path + "/then"));
  BOOST_OUTCOME_TRY(Alternatives all, Cross(holds, first, path + "/then"));
  BOOST_OUTCOME_TRY(const Alternatives fails, Negate(condition, path + "/if"));
  BOOST_OUTCOME_TRY(const Alternatives second,
                    Expand(otherwise != nullptr ? *otherwise : kAnything, path + "/else"));
  BOOST_OUTCOME_TRY(Alternatives more, Cross(fails, second, path + "/else"));
  Append(all, std::move(more));
  return all;
}

// A property that asks for others, or for a schema: it is absent, or they hold.
Result<Alternatives> SchemaCompiler::Dependent(const Object& schema, const std::string& path) {
  Alternatives all = {{}};
  for (const char* keyword : {"dependentRequired", "dependentSchemas", "dependencies"}) {
    const json::value* dependencies = Find(schema, keyword);
    if (dependencies == nullptr) continue;
    const std::string here = path + "/" + keyword;
    if (!dependencies->is_object()) return At(here, "it must be an object");
    for (const auto& [name, wanted] : dependencies->get_object()) {
      const std::string where = here + "/" + std::string(name);
      Alternatives choice = {{Made({{"properties", Object{{name, false}}}}, where)}};
      if (wanted.is_array()) {
        Array required = wanted.get_array();
        required.emplace_back(name);
        choice.push_back({Made({{"required", std::move(required)}}, where)});
      } else {
        BOOST_OUTCOME_TRY(const Alternatives more, Expand(wanted, where));
        const Alternatives there = {{Made({{"required", Array{name}}}, where)}};
        BOOST_OUTCOME_TRY(Alternatives with, Cross(there, more, where));
        Append(choice, std::move(with));
      }
      BOOST_OUTCOME_TRY(all, Cross(all, choice, where));
    }
  }
  return all;
}

// What no leaf of an alternative speaks of keeps to unevaluatedProperties and unevaluatedItems.
void SchemaCompiler::CloseUnevaluated(const Object& schema, const std::string& path, Alternatives& all) {
  const json::value* properties = Find(schema, "unevaluatedProperties");
  const json::value* items = Find(schema, "unevaluatedItems");
  if (properties == nullptr && items == nullptr) return;
  for (Alternative& leaves : all) {
    Object names, patterns;
    size_t places = 0;
    bool every_name = false, every_place = false;
    for (const Leaf& leaf : leaves) {
      if (!leaf.negated.empty() || leaf.made) continue;
      for (const auto& [keyword, to] : {std::pair("properties", &names), {"patternProperties", &patterns}}) {
        const json::value* listed = Find(*leaf.schema, keyword);
        if (listed == nullptr || !listed->is_object()) continue;
        for (const auto& [name, unused] : listed->get_object()) to->insert_or_assign(name, true);
      }
      every_name = every_name || Find(*leaf.schema, "additionalProperties") != nullptr ||
                   (leaf.schema != &schema && Find(*leaf.schema, "unevaluatedProperties") != nullptr);
      every_place = every_place || Find(*leaf.schema, "items") != nullptr;
      const json::value* prefix = Find(*leaf.schema, "prefixItems");
      if (prefix != nullptr && prefix->is_array()) places = std::max(places, prefix->get_array().size());
    }
    if (properties != nullptr && !every_name) {
      leaves.push_back(Made({{"properties", std::move(names)},
                             {"patternProperties", std::move(patterns)},
                             {"additionalProperties", *properties}},
                            path + "/unevaluatedProperties"));
    }
    if (items != nullptr && !every_place) {
      Object closed{{"items", *items}};
      if (places > 0) closed["prefixItems"] = Array(places, true);
      leaves.push_back(Made(std::move(closed), path + "/unevaluatedItems"));
    }
  }
}

}  // namespace portcullis::inference::grammar
