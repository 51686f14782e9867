// Arrays. Where all items are alike a counted loop will do. Where places differ, or some items have
// to be found among them (contains), states stand for the items so far and how many of them were
// found, so that no way leads where too few places are left. Items that have to differ are written
// where they come from a list: each at most once, in any order if the list is short, else in its own;
// and strings and numbers that never run out, which are compared with those before them as they end.
#include <algorithm>
#include <bit>
#include <map>

#include "inference/sample/grammar/schema_compiler.h"

namespace portcullis::inference::grammar {

namespace json = boost::json;

namespace {

constexpr uint16_t kMostPlaced = 500;  // items where places are told apart
constexpr size_t kAnyOrder = 6;        // distinct items: as many orders as there are
constexpr size_t kMostDistinct = 200;
constexpr int kMostReferences = 16;
constexpr double kFarEnough = 1e9;  // of a lower bound: a million times as many numbers of 15 digits follow
constexpr double kBoundsNothing = -1e15;

// The whole numbers between two bounds, where they are few.
json::array WholeNumbers(const json::object& schema) {
  json::array out;
  const json::value* low = Find(schema, "minimum");
  const json::value* high = Find(schema, "maximum");
  if (low == nullptr || high == nullptr || !low->is_int64() || !high->is_int64()) return out;
  const auto from = low->get_int64(), to = high->get_int64();
  const auto more = static_cast<uint64_t>(to) - static_cast<uint64_t>(from);
  if (to < from || more >= kMostDistinct) return out;
  for (uint64_t i = 0; i <= more; ++i) out.emplace_back(from + static_cast<int64_t>(i));
  return out;
}

}  // namespace

struct SchemaCompiler::ArrayPlan {
  Counter count;
  size_t places = 0;  // with schemas of their own
  std::string unique;  // the path of who asks for it, else empty
  struct {
    const json::value* schema = nullptr;
    std::string path;
    int64_t least = 1, most = -1;
  } contains;
};

Result<StateId> SchemaCompiler::Items(const Alternative& leaves, StateId next) {
  ArrayPlan plan;
  BOOST_OUTCOME_TRY(ReadArray(leaves, plan));
  if (plan.count.left < plan.count.need) return g_.Split({});
  if (!plan.unique.empty() && plan.count.left > 1) {
    std::vector<Subschema> item = OfItem(leaves, 0);
    const auto values = ValuesOf(item);
    const bool alike = plan.places == 0 && plan.contains.schema == nullptr;
    if (alike && values) return Distinct(*values, plan, next);
    if (alike && NeverRunsOut(item)) {
      // A number with a bound has no exponent: however 0e goes on, it is 0 again.
      made_.emplace_back(Object{{"minimum", kBoundsNothing}});
      item.push_back({&made_.back(), plan.unique});
      return Repeated(plan, std::move(item), next);
    }
    return At(plan.unique,
              "items can only be kept distinct where `items` are at most 200 known values, or strings or "
              "numbers from at most 1e9 on, without an upper end, a pattern or a format");
  }
  if (plan.places == 0 && plan.contains.schema == nullptr) return Repeated(plan, OfItem(leaves, 0), next);
  return Placed(leaves, plan, next);
}

Result<void> SchemaCompiler::ReadArray(const Alternative& leaves, ArrayPlan& plan) {
  BOOST_OUTCOME_TRY(plan.count, Limits(leaves, "minItems", "maxItems"));
  bool more = false, counted = false;
  for (const Leaf& leaf : leaves) {
    if (!leaf.negated.empty()) continue;
    const json::value* items = Find(*leaf.schema, "items");
    const json::value* prefix = Find(*leaf.schema, "prefixItems");
    if (items != nullptr && items->is_array()) {
      return At(leaf.path + "/items", "a list of schemas is written as `prefixItems`");
    }
    if (prefix != nullptr && (!prefix->is_array() || prefix->get_array().empty())) {
      return At(leaf.path + "/prefixItems", "it must be a list of schemas");
    }
    if (prefix != nullptr) plan.places = std::max(plan.places, prefix->get_array().size());
    more = more || items != nullptr;
    counted = counted || Find(*leaf.schema, "minItems") != nullptr;
    const json::value* unique = Find(*leaf.schema, "uniqueItems");
    if (unique != nullptr && unique->is_bool() && unique->get_bool()) {
      plan.unique = leaf.path + "/uniqueItems";
    }
    const json::value* contains = Find(*leaf.schema, "contains");
    if (contains == nullptr) continue;
    if (plan.contains.schema != nullptr) {
      return At(leaf.path + "/contains", "only one `contains` can be enforced");
    }
    plan.contains.schema = contains;
    plan.contains.path = leaf.path + "/contains";
    for (const auto& [keyword, to] :
         {std::pair("minContains", &plan.contains.least), {"maxContains", &plan.contains.most}}) {
      const json::value* count = Find(*leaf.schema, keyword);
      if (count == nullptr) continue;
      json::error_code error;
      const auto number = count->is_number() ? count->to_number<int64_t>(error) : int64_t{-1};
      if (error || number < 0 || number > kMostPlaced) {
        return At(leaf.path + "/" + keyword, "it must be a whole number from 0 to 500");
      }
      *to = number;
    }
  }
  // Where nothing is said of what follows the places, nothing follows; and all of them are written.
  const auto places = static_cast<uint16_t>(std::min<size_t>(plan.places, kMostPlaced));
  if (plan.places > kMostPlaced) return At(leaves.front().path + "/prefixItems", "there are more than 500");
  if (places > 0 && !more) plan.count.left = std::min(plan.count.left, places);
  if (places > 0 && !counted) plan.count.need = std::max(plan.count.need, std::min(places, plan.count.left));
  return boost::outcome_v2::success();
}

// All that holds for the item at `position`.
std::vector<Subschema> SchemaCompiler::OfItem(const Alternative& leaves, size_t position) {
  std::vector<Subschema> out;
  for (const Leaf& leaf : leaves) {
    if (!leaf.negated.empty()) continue;
    const json::value* prefix = Find(*leaf.schema, "prefixItems");
    const json::value* items = Find(*leaf.schema, "items");
    if (prefix != nullptr && position < prefix->get_array().size()) {
      out.push_back({&prefix->get_array()[position], leaf.path + "/prefixItems/" + std::to_string(position)});
    } else if (items != nullptr) {
      out.push_back({items, leaf.path + "/items"});
    }
  }
  return out;
}

Result<StateId> SchemaCompiler::Repeated(const ArrayPlan& plan, std::vector<Subschema> item, StateId next) {
  const bool closed = std::any_of(item.begin(), item.end(), [](const Subschema& schema) {
    return schema.schema->is_bool() && !schema.schema->get_bool();
  });
  const bool unique = !plan.unique.empty() && plan.count.left > 1;
  const StateId end = g_.Literal("]", unique ? Grammar::kReturn : next);
  if (closed) return plan.count.need > 0 ? g_.Split({}) : g_.Literal("[", g_.Space(end));
  const bool any = std::all_of(item.begin(), item.end(),
                               [](const Subschema& schema) { return schema.schema->is_bool(); });
  if (any && plan.count == Counter{}) return g_.Call(g_.array_rule, next);
  // Items are a rule of their own, for the counter of this frame is the array's.
  BOOST_OUTCOME_TRY(const StateId rule, Value(std::move(item), Grammar::kReturn));
  const StateId more = g_.Forward();
  const StateId counted = g_.Count(more);
  const StateId element = g_.Call(rule, unique ? g_.Distinct(counted) : counted);
  g_.FillHead(more, g_.Literal(",", g_.Space(element)), g_.Space(end));
  const StateId first = g_.Forward();
  g_.FillHead(first, element, end);
  const StateId items = g_.Space(g_.Enter(plan.count, first));
  return g_.Literal("[", unique ? g_.Mark(items, next) : items);
}

// Whatever was written already, an item that is about to be the same may go on and differ: strings, of
// which there is no longest, and numbers, of which none is so great or so long but that ten more differ in
// their last of 15 digits alone.
bool SchemaCompiler::NeverRunsOut(const std::vector<Subschema>& item) const {
  Types types = kAnyType;
  for (const Subschema& schema : item) {
    const json::value* at = schema.schema;
    for (int depth = 0; at != nullptr && at->is_object(); ++depth) {
      const Object& object = at->get_object();
      at = nullptr;
      types &= StatedTypes(object);
      for (const auto& [keyword, value] : object) {
        if (IsAnnotation(keyword) || keyword == "type" || keyword == "minLength") continue;
        if (keyword == "$ref" && depth < kMostReferences) {
          const auto target = Resolve(object, schema.path);
          if (!target || !target.value()->is_object()) return false;
          at = target.value();
          continue;
        }
        const bool least = keyword == "minimum" || keyword == "exclusiveMinimum";
        const double from = least && value.is_number() ? value.to_number<double>() : -1;
        if (!(from >= 0 && from <= kFarEnough)) return false;
      }
    }
  }
  return types != 0 && (types & ~(kStringType | kNumberType)) == 0;
}

Result<StateId> SchemaCompiler::Placed(const Alternative& leaves, const ArrayPlan& plan, StateId next) {
  const bool limited = plan.count.left != kNoLimit;
  const int64_t need = plan.count.need;
  const int64_t most = limited ? std::min<int64_t>(plan.count.left, std::max<int64_t>(kMostPlaced, need))
                               : std::max<int64_t>(static_cast<int64_t>(plan.places), need);
  const bool looks = plan.contains.schema != nullptr;
  const int64_t least = looks ? plan.contains.least : 0;
  const int64_t limit = looks ? plan.contains.most : -1;  // of those found
  if (most > 2 * kMostPlaced) return At(leaves.front().path + "/minItems", "so many cannot be enforced");
  // Of each place: any item, one that counts, one that must not count.
  struct Place {
    StateId any = 0, found = 0, other = 0;
  };
  std::vector<Place> places;
  for (size_t i = 0; i <= plan.places; ++i) {
    Place place;
    const std::vector<Subschema> item = OfItem(leaves, i);
    BOOST_OUTCOME_TRY(place.any, Value(item, Grammar::kReturn));
    if (looks) {
      std::vector<Subschema> found = item;
      found.push_back({plan.contains.schema, plan.contains.path});
      BOOST_OUTCOME_TRY(place.found, Value(std::move(found), Grammar::kReturn));
      place.other = place.any;
      if (limit >= 0) {
        std::vector<Subschema> other = item;
        made_.emplace_back(Object{{"not", *plan.contains.schema}});
        other.push_back({&made_.back(), plan.contains.path});
        BOOST_OUTCOME_TRY(place.other, Value(std::move(other), Grammar::kReturn));
      }
    }
    places.push_back(place);
  }
  using Key = std::pair<int64_t, int64_t>;  // items so far, found so far
  std::map<Key, StateId> states;
  std::vector<Key> pending;
  const auto state_of = [&](int64_t items, int64_t found) {
    const Key key(limited ? items : std::min(items, most), limit < 0 ? std::min(found, least) : found);
    const auto [it, fresh] = states.try_emplace(key, 0);
    if (fresh) {
      it->second = g_.Forward();
      pending.push_back(key);
    }
    return it->second;
  };
  const StateId end = g_.Literal("]", next);
  const StateId first = state_of(0, 0);
  while (!pending.empty()) {
    const auto [items, found] = pending.back();
    pending.pop_back();
    if (g_.too_large()) return At(leaves.front().path, "the schema is too large");
    std::vector<StateId> options;
    if (items >= need && found >= least) options.push_back(items == 0 ? end : g_.Space(end));
    if (!limited || items < most) {
      const Place& place = places[std::min(static_cast<size_t>(items), plan.places)];
      std::vector<StateId> ways;
      if (!looks) ways.push_back(g_.Call(place.any, state_of(items + 1, 0)));
      if (looks) ways.push_back(g_.Call(place.other, state_of(items + 1, found)));
      if (looks && (limit < 0 || found < limit)) {
        ways.push_back(g_.Call(place.found, state_of(items + 1, found + 1)));
      }
      const StateId item = g_.Split(std::move(ways));
      options.push_back(items == 0 ? item : g_.Literal(",", g_.Space(item)));
    }
    g_.FillSplit(states.at({items, found}), std::move(options));
  }
  return g_.Literal("[", g_.Space(first));
}

// The values that may stand there, where they are few enough to be listed.
std::optional<json::array> SchemaCompiler::ValuesOf(const std::vector<Subschema>& schemas) const {
  for (const Subschema& schema : schemas) {
    const Object& object = Followed(*schema.schema);
    static const Array kBooleans = {true, false};
    auto listed = ListedIn(object);
    if (!listed && StatedTypes(object) == kBooleanType) listed.emplace(kBooleans);
    const Array whole = StatedTypes(object) == kWholeType ? WholeNumbers(object) : Array();
    if (!listed && !whole.empty()) listed.emplace(whole);
    if (!listed) continue;
    if (listed->size() > kMostDistinct) return std::nullopt;
    Array values;
    for (const json::value& value : *listed) {
      const bool fits = std::all_of(schemas.begin(), schemas.end(), [&](const Subschema& other) {
        return Judge(value, *other.schema) == Verdict(true);
      });
      const bool again = std::any_of(values.begin(), values.end(),
                                     [&](const json::value& other) { return Same(value, other); });
      if (fits && !again) values.push_back(value);
    }
    return values;
  }
  return std::nullopt;
}

// Each value at most once. In any order: a state says which are used. In the order of the list: what
// may follow the values before it, and how many of them were taken.
StateId SchemaCompiler::Distinct(const Array& values, const ArrayPlan& plan, StateId next) {
  const size_t size = values.size();
  const size_t need = plan.count.need, most = std::min<size_t>(plan.count.left, size);
  const StateId end = g_.Literal("]", next);
  std::vector<StateId> rules;
  for (const json::value& value : values) rules.push_back(g_.Literal(Spelled(value), Grammar::kReturn));
  const auto item = [&](size_t i, size_t before, StateId then) {
    const StateId call = g_.Call(rules[i], then);
    return before == 0 ? call : g_.Literal(",", g_.Space(call));
  };
  const auto finish = [&](size_t count, std::vector<StateId>& options) {
    if (count >= need) options.push_back(count == 0 ? end : g_.Space(end));
  };
  if (size <= kAnyOrder) {
    std::vector<StateId> states(size_t{1} << size);
    for (size_t used = states.size(); used-- > 0;) {
      const auto count = static_cast<size_t>(std::popcount(used));
      std::vector<StateId> options;
      finish(count, options);
      for (size_t i = 0; i < size && count < most; ++i) {
        if (((used >> i) & 1) == 0) options.push_back(item(i, count, states[used | (size_t{1} << i)]));
      }
      states[used] = g_.Split(std::move(options));
    }
    return g_.Literal("[", g_.Space(states[0]));
  }
  std::vector<StateId> row;
  for (size_t count = 0; count <= most; ++count) {
    std::vector<StateId> options;
    finish(count, options);
    row.push_back(g_.Split(std::move(options)));
  }
  for (size_t i = size; i-- > 0;) {
    for (size_t count = 0; count < most; ++count) {
      row[count] = g_.Split({item(i, count, row[count + 1]), row[count]});
    }
  }
  return g_.Literal("[", g_.Space(row[0]));
}

}  // namespace portcullis::inference::grammar
