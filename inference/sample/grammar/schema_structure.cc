// Objects and arrays of a schema.
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <set>

#include "inference/sample/grammar/schema_compiler.h"

namespace portcullis::inference::grammar {

namespace json = boost::json;

namespace {

// A name's colon and the blank that may follow it.
StateId Colon(Grammar& g, StateId value) {
  return g.Literal(":", g.Split({value, g.Literal(" ", value)}));
}

}  // namespace

// An object whose names are free.
Result<StateId> SchemaCompiler::Map(const Object& schema, const std::string& path, StateId next) {
  const json::value* required = Find(schema, "required");
  if (required != nullptr && required->is_array() && !required->get_array().empty()) {
    return At(path + "/required", "names that `properties` does not describe cannot be enforced");
  }
  const json::value* extra = Find(schema, "additionalProperties");
  BOOST_OUTCOME_TRY(const Counter count, Limits(schema, "minProperties", "maxProperties", path));
  if (count.need > 1) {
    return At(path + "/minProperties", "more than 1 cannot be enforced, for names might repeat");
  }
  const bool any = extra == nullptr || extra->is_bool();
  if (any && count == Counter{}) return g_.Call(g_.object_rule, next);
  // {, then nothing or names with values; the counter counts them. Values are rules of their own,
  // for the counter of this frame is the object's.
  const StateId more = g_.Forward();
  const auto entry = [&]() -> Result<StateId> {
    const StateId after = g_.Count(more);
    StateId value = 0;
    if (any) {
      value = g_.Call(g_.value_rule, after);
    } else {
      BOOST_OUTCOME_TRY(const StateId rule,
                        Value(*extra, path + "/additionalProperties", Grammar::kReturn));
      value = g_.Call(rule, after);
    }
    return g_.Call(g_.string_rule, Colon(g_, value));
  };
  const StateId end = g_.Literal("}", next);
  BOOST_OUTCOME_TRY(const StateId element, entry());
  g_.FillHead(more, g_.Literal(",", g_.Space(element)), g_.Space(end));
  const StateId first = g_.Forward();
  g_.FillHead(first, element, end);
  return g_.Literal("{", g_.Space(g_.Enter(count, first)));
}

// The properties in the order of the schema; one that is not required may be left out. Two states a
// property: with and without another before it, which asks for a comma.
Result<StateId> SchemaCompiler::Properties(const Object& schema, const std::string& path, StateId next) {
  static const Object kNone;
  const json::value* listed = Find(schema, "properties");
  const Object& properties = listed == nullptr ? kNone : listed->get_object();
  std::set<std::string_view> required;
  if (const json::value* list = Find(schema, "required")) {
    if (!list->is_array()) return At(path + "/required", "it must be a list of names");
    for (const json::value& name : list->get_array()) {
      if (!name.is_string()) return At(path + "/required", "it must be a list of names");
      if (!properties.contains(name.get_string())) {
        return At(path + "/required", "names that `properties` does not describe cannot be enforced");
      }
      required.emplace(name.get_string());
    }
  }
  for (const char* limit : {"minProperties", "maxProperties"}) {
    if (Find(schema, limit) != nullptr) {
      return At(path + "/" + limit, "it cannot be enforced beside `properties`");
    }
  }
  const StateId end = g_.Literal("}", next);
  StateId later = g_.Space(end);  // another property stands before
  StateId first = end;
  // From the last property to the first: each leads to those after it.
  for (auto it = properties.end(); it != properties.begin();) {
    --it;
    const std::string name(it->key());
    const std::string where = path + "/properties/" + name;
    // A property of type `false` is one that must not be there.
    if (it->value().is_bool() && !it->value().get_bool() && !required.contains(name)) continue;
    BOOST_OUTCOME_TRY(const StateId value, Value(it->value(), where, later));
    const std::string key = json::serialize(json::string(name));
    const StateId entry = g_.Literal(key, Colon(g_, value));
    const StateId with_comma = g_.Literal(",", g_.Space(entry));
    if (required.contains(name)) {
      first = entry;
      later = with_comma;
    } else {
      first = g_.Split({entry, first});
      later = g_.Split({with_comma, later});
    }
  }
  return g_.Literal("{", g_.Space(first));
}

Result<StateId> SchemaCompiler::Array(const Object& schema, const std::string& path, StateId next) {
  const json::value* items = Find(schema, "items");
  BOOST_OUTCOME_TRY(const Counter count, Limits(schema, "minItems", "maxItems", path));
  const bool closed = items != nullptr && items->is_bool() && !items->get_bool();
  if (closed) return g_.Literal("[", g_.Space(g_.Literal("]", next)));
  if (items != nullptr && items->is_array()) {
    return At(path + "/items", "a list of schemas is written as `prefixItems`");
  }
  const bool any = items == nullptr || items->is_bool();
  if (any && count == Counter{}) return g_.Call(g_.array_rule, next);
  const StateId more = g_.Forward();
  const StateId after = g_.Count(more);
  StateId element = 0;
  if (any) {
    element = g_.Call(g_.value_rule, after);
  } else {
    // A rule of its own, for the counter of this frame is the array's.
    BOOST_OUTCOME_TRY(const StateId rule, Value(*items, path + "/items", Grammar::kReturn));
    element = g_.Call(rule, after);
  }
  const StateId end = g_.Literal("]", next);
  g_.FillHead(more, g_.Literal(",", g_.Space(element)), g_.Space(end));
  const StateId first = g_.Forward();
  g_.FillHead(first, element, end);
  return g_.Literal("[", g_.Space(g_.Enter(count, first)));
}

// One item of each schema, and no more.
Result<StateId> SchemaCompiler::Tuple(const Object& schema, const std::string& path, StateId next) {
  const json::value& list = *Find(schema, "prefixItems");
  if (!list.is_array() || list.get_array().empty()) return At(path + "/prefixItems", "it must be a list of schemas");
  const size_t size = list.get_array().size();
  BOOST_OUTCOME_TRY(const Counter count, Limits(schema, "minItems", "maxItems", path));
  if (count.need > size || count.left < size) {
    return At(path, "arrays of exactly the " + std::to_string(size) + " `prefixItems` are written");
  }
  StateId state = g_.Space(g_.Literal("]", next));
  for (size_t i = size; i-- > 0;) {
    BOOST_OUTCOME_TRY(
        state, Value(list.get_array()[i], path + "/prefixItems/" + std::to_string(i), state));
    if (i > 0) state = g_.Literal(",", g_.Space(state));
  }
  return g_.Literal("[", g_.Space(state));
}

}  // namespace portcullis::inference::grammar
