// Several policy sets as one revision; see Combine and JoinEntities in content.h.
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <map>
#include <set>

#include "policy/revise/content.h"

namespace portcullis::policy::revise {
namespace {

namespace json = boost::json;

Result<json::array> ParseList(std::string_view text, std::string_view what) {
  boost::system::error_code error;
  json::parse_options limits;
  limits.max_depth = 64;
  json::value value = json::parse(text.empty() ? "[]" : text, error, {}, limits);
  if (error || !value.is_array()) {
    return Error{Code::kJson, std::string(what) + ": the entities must be a JSON list" +
                                  (error ? ": " + error.message() : std::string())};
  }
  return std::move(value.get_array());
}

const json::object* PlainUid(const json::value& uid) {
  const json::object* object = uid.if_object();
  if (object == nullptr) return nullptr;
  const json::value* wrapped = object->if_contains("__entity");
  return wrapped == nullptr ? object : wrapped->if_object();
}

// {"type","id"} as one text; empty when it is none.
std::string KeyOf(const json::value& uid) {
  const json::object* object = PlainUid(uid);
  const json::value* type = object == nullptr ? nullptr : object->if_contains("type");
  const json::value* id = object == nullptr ? nullptr : object->if_contains("id");
  if (type == nullptr || id == nullptr || !type->is_string() || !id->is_string()) return {};
  return json::serialize(json::array{*type, *id});
}

json::value MemberOr(const json::object& entity, std::string_view name, json::value fallback) {
  const json::value* member = entity.if_contains(name);
  return member == nullptr ? fallback : *member;
}

void JoinParents(json::object& into, const json::object& from) {
  json::value& parents = into["parents"];
  if (!parents.is_array()) parents = json::array();
  const json::value more = MemberOr(from, "parents", json::array());
  if (!more.is_array()) return;
  std::set<std::string> known;
  for (const json::value& parent : parents.get_array()) known.insert(KeyOf(parent));
  for (const json::value& parent : more.get_array()) {
    if (known.insert(KeyOf(parent)).second) parents.get_array().push_back(parent);
  }
}

}  // namespace

Result<std::string> JoinEntities(std::string_view first, std::string_view second,
                                 std::string_view what) {
  BOOST_OUTCOME_TRY(json::array joined, ParseList(first, what));
  BOOST_OUTCOME_TRY(json::array more, ParseList(second, what));
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < joined.size(); ++i) {
    if (const json::object* entity = joined[i].if_object()) {
      places.emplace(KeyOf(MemberOr(*entity, "uid", nullptr)), i);
    }
  }
  for (json::value& item : more) {
    const json::object* entity = item.if_object();
    const std::string key =
        entity == nullptr ? std::string() : KeyOf(MemberOr(*entity, "uid", nullptr));
    if (key.empty()) {
      return Error{Code::kJson, std::string(what) + R"(: an entity has no "uid":{"type","id"})"};
    }
    const auto place = places.find(key);
    if (place == places.end()) {
      places.emplace(key, joined.size());
      joined.push_back(std::move(item));
      continue;
    }
    json::object& known = joined[place->second].get_object();
    for (const char* part : {"attrs", "tags"}) {
      if (MemberOr(known, part, json::object()) == MemberOr(*entity, part, json::object()))
        continue;
      return Error{Code::kEntity, std::string(what) + ": the entity " + key +
                                      " is defined twice, with different " + part};
    }
    JoinParents(known, *entity);
  }
  return json::serialize(joined);
}

Result<Content> Combine(std::span<const NamedContent> sets) {
  Content all;
  all.entities = "[]";
  bool first = true;
  for (const auto& [name, set] : sets) {
    const std::string prefix = name.empty() ? "" : name + "/";
    for (const TextFile& file : set.policies)
      all.policies.push_back({prefix + file.name, file.text});
    for (const TextFile& file : set.tests) all.tests.push_back({prefix + file.name, file.text});
    if (first) all.schema = set.schema;
    if (set.schema != all.schema) {
      return Error{Code::kSchema, "the set `" + name +
                                      "` has another schema than the sets before it: sets are "
                                      "combined only under one schema"};
    }
    if (sets.size() == 1) {
      all.entities = set.entities;
    } else {
      BOOST_OUTCOME_TRY(all.entities, JoinEntities(all.entities, set.entities, name));
    }
    if (!set.facts.empty()) {
      BOOST_OUTCOME_TRY(all.facts, JoinEntities(all.facts, set.facts, name));
    }
    first = false;
  }
  std::ranges::sort(all.policies, {}, &TextFile::name);
  std::ranges::sort(all.tests, {}, &TextFile::name);
  BOOST_OUTCOME_TRY(CheckForm(all));
  return all;
}

}  // namespace portcullis::policy::revise
