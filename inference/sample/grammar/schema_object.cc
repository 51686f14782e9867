// Objects. Properties that are named come in the order of the schema, each at most once. Behind them
// stand properties whose names are free, where the schema asks for such: names are told apart by the
// patterns that they match, each group with what holds for its values. Groups never take a name that
// is spoken of, so that no free name can overrule a named one. A free name may repeat; JSON keeps the
// last, to which the same schema applies, but for a least count free properties count once at most.
#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <map>
#include <set>

#include "inference/sample/grammar/pattern.h"
#include "inference/sample/grammar/regex_parse.h"
#include "inference/sample/grammar/schema_compiler.h"

namespace portcullis::inference::grammar {

namespace json = boost::json;

namespace {

constexpr size_t kMaxPatterns = 4;
constexpr uint16_t kMostProperties = 256;  // where they are limited

// A name's colon and the blank that may follow it.
StateId Colon(Grammar& g, StateId value) {
  return g.Literal(":", g.Split({value, g.Literal(" ", value)}));
}

bool Forbids(const std::vector<Subschema>& schemas) {
  return std::any_of(schemas.begin(), schemas.end(), [](const Subschema& schema) {
    return schema.schema->is_bool() && !schema.schema->get_bool();
  });
}

}  // namespace

struct SchemaCompiler::ObjectPlan {
  std::vector<std::string> names;  // spoken of, in order
  std::set<std::string> required;
  Counter count;
  bool open = false;
  StateId free_property = 0;  // a rule, where open
  std::vector<Subschema> name_schemas;
};

Result<StateId> SchemaCompiler::Properties(const Alternative& leaves, StateId next) {
  const bool free = std::all_of(leaves.begin(), leaves.end(), [](const Leaf& leaf) {
    return !leaf.negated.empty() || ImpliedTypes(*leaf.schema) != kObjectType;
  });
  if (free) return g_.Call(g_.object_rule, next);
  ObjectPlan plan;
  BOOST_OUTCOME_TRY(ReadObject(leaves, plan));
  if (plan.count.left < plan.count.need) return g_.Split({});
  BOOST_OUTCOME_TRY(plan.open, FreeProperties(leaves, plan));
  if (plan.count.need > plan.names.size() + (plan.open ? 1 : 0)) {
    return At(leaves.front().path + "/minProperties",
              "so many cannot be enforced: free names might repeat, so they count once");
  }
  if (!plan.open && plan.count.left >= plan.names.size()) plan.count.left = kNoLimit;
  const bool limited = plan.count.left != kNoLimit;
  if (limited) plan.count.left = std::min(plan.count.left, std::max(kMostProperties, plan.count.need));
  const size_t most = std::max<size_t>(1, limited ? plan.count.left : plan.count.need);
  const StateId close = g_.Literal("}", next);
  const std::vector<StateId> after = AfterFree(plan, limited ? most : 1, close);
  // row[n]: what follows once n properties are written, n and more at its end where they are not
  // limited; from the last name to the first.
  std::vector<StateId> row;
  for (size_t n = 0; n <= most; ++n) {
    std::vector<StateId> options;
    if (n >= plan.count.need) options.push_back(n == 0 ? close : g_.Space(close));
    if (plan.open && n + 1 >= plan.count.need && n < plan.count.left) {
      const StateId property = g_.Call(plan.free_property, after[std::min(n + 1, after.size() - 1)]);
      options.push_back(n == 0 ? property : g_.Literal(",", g_.Space(property)));
    }
    row.push_back(g_.Split(std::move(options)));
  }
  for (auto name = plan.names.rbegin(); name != plan.names.rend(); ++name) {
    const bool required = plan.required.contains(*name);
    BOOST_OUTCOME_TRY(std::vector<Subschema> schemas, OfProperty(leaves, *name));
    if (Forbids(schemas)) {
      if (required) return g_.Split({});
      continue;
    }
    if (g_.too_large()) return At(leaves.front().path, "the schema is too large");
    const std::string key = json::serialize(json::string(*name));
    std::vector<StateId> entries(row.size(), 0);
    if (most == 1) {
      BOOST_OUTCOME_TRY(const StateId value, Value(std::move(schemas), row[1]));
      entries[1] = g_.Literal(key, Colon(g_, value));
    } else {
      BOOST_OUTCOME_TRY(const StateId rule, Value(std::move(schemas), Grammar::kReturn));
      for (size_t n = 1; n < row.size(); ++n) {
        entries[n] = g_.Literal(key, Colon(g_, g_.Call(rule, row[n])));
      }
    }
    for (size_t n = 0; n < row.size(); ++n) {
      std::vector<StateId> options;
      const size_t then = limited ? n + 1 : std::min(n + 1, most);
      if (then <= plan.count.left && then < row.size()) {
        options.push_back(n == 0 ? entries[then] : g_.Literal(",", g_.Space(entries[then])));
      }
      if (!required) options.push_back(row[n]);
      row[n] = g_.Split(std::move(options));
    }
  }
  return g_.Literal("{", g_.Space(row[0]));
}

// [n]: behind n properties, the last of them a free one; n and more where they are not limited.
std::vector<StateId> SchemaCompiler::AfterFree(const ObjectPlan& plan, size_t most, StateId close) {
  std::vector<StateId> after(most + 1, g_.Space(close));
  if (!plan.open) return after;
  const auto more = [&](StateId then) {
    return std::vector<StateId>{g_.Space(close), g_.Literal(",", g_.Space(g_.Call(plan.free_property, then)))};
  };
  if (plan.count.left == kNoLimit) {
    after[most] = g_.Forward();
    g_.FillSplit(after[most], more(after[most]));
  }
  for (size_t n = most; n-- > 1;) after[n] = g_.Split(more(after[n + 1]));
  return after;
}

Result<void> SchemaCompiler::ReadObject(const Alternative& leaves, ObjectPlan& plan) {
  BOOST_OUTCOME_TRY(plan.count, Limits(leaves, "minProperties", "maxProperties"));
  std::set<std::string> known;
  const auto add = [&](std::string name) {
    if (known.insert(name).second) plan.names.push_back(std::move(name));
  };
  for (const Leaf& leaf : leaves) {
    if (!leaf.negated.empty()) continue;
    for (const char* keyword : {"properties", "patternProperties"}) {
      const json::value* listed = Find(*leaf.schema, keyword);
      if (listed != nullptr && !listed->is_object()) {
        return At(leaf.path + "/" + keyword, "it must be an object");
      }
    }
    if (const json::value* properties = Find(*leaf.schema, "properties")) {
      for (const auto& [name, unused] : properties->get_object()) add(std::string(name));
    }
    if (const json::value* names = Find(*leaf.schema, "propertyNames")) {
      plan.name_schemas.push_back({names, leaf.path + "/propertyNames"});
    }
  }
  for (const Leaf& leaf : leaves) {
    const json::value* required = leaf.negated.empty() ? Find(*leaf.schema, "required") : nullptr;
    if (required == nullptr) continue;
    if (!required->is_array()) return At(leaf.path + "/required", "it must be a list of names");
    for (const json::value& name : required->get_array()) {
      if (!name.is_string()) return At(leaf.path + "/required", "it must be a list of names");
      add(std::string(name.get_string()));
      plan.required.emplace(name.get_string());
    }
  }
  return boost::outcome_v2::success();
}

// All that holds for the property of that name.
Result<std::vector<Subschema>> SchemaCompiler::OfProperty(const Alternative& leaves, const std::string& name) {
  std::vector<Subschema> out;
  for (const Leaf& leaf : leaves) {
    if (!leaf.negated.empty()) continue;
    BOOST_OUTCOME_TRY(Spend(1 + (leaf.path.size() + name.size()) / kPathBytes, leaf.path));
    bool spoken_of = false;
    const json::value* properties = Find(*leaf.schema, "properties");
    if (const json::value* inner = properties != nullptr ? properties->get_object().if_contains(name) : nullptr) {
      out.push_back({inner, leaf.path + "/properties/" + name});
      spoken_of = true;
    }
    if (const json::value* patterns = Find(*leaf.schema, "patternProperties")) {
      for (const auto& [pattern, inner] : patterns->get_object()) {
        const std::string path = leaf.path + "/patternProperties/" + std::string(pattern);
        const auto automaton = ParsePattern(pattern, effort_);
        if (!automaton) return At(path, automaton.error().message);
        const auto taken = Takes(automaton.value(), name, effort_);
        if (!taken) return At(path, "the schema is too large");
        if (!*taken) continue;
        out.push_back({&inner, path});
        spoken_of = true;
      }
    }
    const json::value* extra = Find(*leaf.schema, "additionalProperties");
    if (!spoken_of && extra != nullptr) out.push_back({extra, leaf.path + "/additionalProperties"});
    const json::value* names = Find(*leaf.schema, "propertyNames");
    if (names != nullptr && Judge(json::value(name), *names) != Verdict(true)) {
      static const json::value kNothing = false;
      out.push_back({&kNothing, leaf.path + "/propertyNames"});
    }
  }
  return out;
}

// A rule of one property with a free name; false where there are none.
Result<bool> SchemaCompiler::FreeProperties(const Alternative& leaves, ObjectPlan& plan) {
  bool asked = plan.names.empty();
  std::vector<std::string> patterns;
  std::vector<Automaton> automata;
  for (const Leaf& leaf : leaves) {
    if (!leaf.negated.empty()) continue;
    asked = asked || Find(*leaf.schema, "additionalProperties") != nullptr;
    const json::value* listed = Find(*leaf.schema, "patternProperties");
    if (listed == nullptr) continue;
    for (const auto& [pattern, unused] : listed->get_object()) {
      asked = true;
      if (std::find(patterns.begin(), patterns.end(), pattern) != patterns.end()) continue;
      const std::string path = leaf.path + "/patternProperties";
      if (patterns.size() == kMaxPatterns) return At(path, "more than 4 patterns cannot be enforced");
      auto automaton = ParsePattern(pattern, effort_);
      if (!automaton) return At(path + "/" + std::string(pattern), automaton.error().message);
      patterns.emplace_back(pattern);
      automata.push_back(std::move(automaton).value());
    }
  }
  if (!asked) return false;
  std::vector<StateId> groups;
  for (size_t matched = 0; matched < size_t{1} << patterns.size(); ++matched) {
    std::vector<Automaton> all, none;
    for (size_t i = 0; i < patterns.size(); ++i) ((matched >> i) & 1 ? all : none).push_back(automata[i]);
    std::vector<Subschema> schemas;
    for (const Leaf& leaf : leaves) {
      if (!leaf.negated.empty()) continue;
      bool spoken_of = false;
      if (const json::value* listed = Find(*leaf.schema, "patternProperties")) {
        for (const auto& [pattern, inner] : listed->get_object()) {
          const auto at = std::find(patterns.begin(), patterns.end(), pattern) - patterns.begin();
          if (((matched >> at) & 1) == 0) continue;
          schemas.push_back({&inner, leaf.path + "/patternProperties/" + std::string(pattern)});
          spoken_of = true;
        }
      }
      const json::value* extra = Find(*leaf.schema, "additionalProperties");
      if (!spoken_of && extra != nullptr) schemas.push_back({extra, leaf.path + "/additionalProperties"});
    }
    if (Forbids(schemas)) continue;
    BOOST_OUTCOME_TRY(const StateId value, Value(std::move(schemas), Grammar::kReturn));
    BOOST_OUTCOME_TRY(const StateId group, NameRule(plan, all, std::move(none), Colon(g_, value)));
    groups.push_back(group);
  }
  if (groups.empty()) return false;
  plan.free_property = g_.Split(std::move(groups));
  return true;
}

// A name that all of `all`, none of `none` and propertyNames take, and that nobody speaks of.
Result<StateId> SchemaCompiler::NameRule(const ObjectPlan& plan, const std::vector<Automaton>& all,
                                         std::vector<Automaton> none, StateId next) {
  std::vector<Automaton> wanted = all;
  size_t nodes = 0;
  Counter length;
  for (const Subschema& names : plan.name_schemas) {
    const Object* object = names.schema->if_object();
    if (object == nullptr) {
      if (names.schema->is_bool() && names.schema->get_bool()) continue;
      return g_.Split({});
    }
    const Alternative own = {Leaf{object, names.path}};
    BOOST_OUTCOME_TRY(const Counter limits, Limits(own, "minLength", "maxLength"));
    length.need = std::max(length.need, limits.need);
    length.left = std::min(length.left, limits.left);
    for (const auto& [keyword, value] : *object) {
      if (IsAnnotation(keyword) || keyword == "minLength" || keyword == "maxLength") continue;
      if (keyword == "type" && (StatedTypes(*object) & kStringType) != 0) continue;
      if (keyword == "pattern" && value.is_string()) {
        auto automaton = ParsePattern(value.get_string(), effort_);
        if (!automaton) return At(names.path + "/pattern", automaton.error().message);
        nodes += automaton.value().nodes.size();
        if (nodes > kMostPatternNodes) return At(names.path + "/pattern", kPatternsTooLarge);
        wanted.push_back(std::move(automaton).value());
      } else if (const auto listed = ListedIn(*object); listed && (keyword == "enum" || keyword == "const")) {
        std::vector<std::string> texts;
        for (const json::value& text : *listed) {
          if (text.is_string()) texts.emplace_back(text.get_string());
        }
        auto automaton = TextsOf(texts, effort_);
        if (!automaton) return At(names.path, automaton.error().message);
        wanted.push_back(std::move(automaton).value());
      } else {
        return At(names.path + "/" + std::string(keyword), "it cannot be enforced on names");
      }
    }
  }
  if (length.left < length.need) return g_.Split({});
  const std::string path = plan.name_schemas.empty() ? "#" : plan.name_schemas.front().path;
  if (!plan.names.empty()) {
    auto automaton = TextsOf(plan.names, effort_);
    if (!automaton) return At(path, automaton.error().message);
    none.push_back(std::move(automaton).value());
  }
  if (wanted.empty() && none.empty()) return g_.Call(g_.string_rule, next, length);
  auto names = Combine(wanted, none, effort_);
  if (!names) return At(path, names.error().message);
  if (TakesNothing(names.value())) return g_.Split({});
  auto state = PatternString(g_, names.value(), length, next);
  if (!state) return At(path, state.error().message);
  return state;
}

}  // namespace portcullis::inference::grammar
