#include "gateway/decide/site_facts.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <map>

namespace portcullis::gateway {
namespace {

namespace json = boost::json;

json::object Uid(const std::string& type, const std::string& id) {
  return {{"type", "Gw::" + type}, {"id", id}};
}

json::object Place(const std::string& id) { return {{"__entity", Uid("Jurisdiction", id)}}; }

json::object SiteEntity(const SiteConfig& site) {
  const SiteFacts& facts = *site.facts;
  json::object attrs{{"processing", Place(facts.processing)},
                     {"storage", Place(facts.storage)},
                     {"operator", Place(facts.operator_law)},
                     {"keyHolder", Place(facts.key_holder)},
                     {"modelOrigin", Place(facts.model_origin)},
                     {"onPrem", facts.on_prem},
                     {"dpaSigned", facts.dpa_signed},
                     {"zeroRetention", facts.zero_retention},
                     {"retentionDays", facts.retention_days}};
  if (!facts.transfer_tool.empty()) attrs["transferTool"] = facts.transfer_tool;
  if (!facts.tia_valid_until.empty()) {
    attrs["tiaValidUntil"] = {{"__extn", {{"fn", "datetime"}, {"arg", facts.tia_valid_until}}}};
  }
  json::array parents;
  for (const std::string& pool : facts.pools) parents.push_back(Uid("Pool", pool));
  return {{"uid", Uid("Backend", site.id)},
          {"attrs", std::move(attrs)},
          {"parents", std::move(parents)}};
}

json::object JurisdictionEntity(const JurisdictionConfig& place) {
  json::array parents;
  for (const std::string& group : place.in) parents.push_back(Uid("Jurisdiction", group));
  return {{"uid", Uid("Jurisdiction", place.id)},
          {"attrs", json::object()},
          {"parents", std::move(parents)}};
}

// "Gw::Backend builtin" → the entity, as text.
std::map<std::string, std::string> ById(const std::string& facts) {
  std::map<std::string, std::string> out;
  boost::system::error_code error;
  const json::value list = json::parse(facts.empty() ? "[]" : facts, error);
  if (error || !list.is_array()) return out;
  for (const json::value& entity : list.get_array()) {
    const json::object* object = entity.if_object();
    const json::value* uid = object ? object->if_contains("uid") : nullptr;
    const json::object* name = uid ? uid->if_object() : nullptr;
    if (name == nullptr || !name->contains("type") || !name->contains("id")) continue;
    if (!name->at("type").is_string() || !name->at("id").is_string()) continue;
    out[std::string(name->at("type").get_string()) + ' ' +
        std::string(name->at("id").get_string())] = json::serialize(entity);
  }
  return out;
}

}  // namespace

std::string FactsOf(const Config& config) {
  json::array entities;
  for (const JurisdictionConfig& place : config.jurisdictions) {
    entities.push_back(JurisdictionEntity(place));
  }
  for (const SiteConfig& site : config.sites) {
    if (site.facts) entities.push_back(SiteEntity(site));
  }
  return entities.empty() ? std::string() : json::serialize(entities);
}

std::set<std::string> ChangedSites(const std::optional<std::string>& approved,
                                   const std::string& configured,
                                   const std::vector<SiteConfig>& sites) {
  std::set<std::string> changed;
  if (!approved) {
    for (const SiteConfig& site : sites) changed.insert(site.id);
    return changed;
  }
  const auto before = ById(*approved);
  const auto now = ById(configured);
  for (const auto& [name, entity] : before) {
    const auto found = now.find(name);
    const bool same = found != now.end() && found->second == entity;
    if (same || !name.starts_with("Gw::Jurisdiction ")) continue;
    for (const SiteConfig& site : sites) changed.insert(site.id);
  }
  for (const SiteConfig& site : sites) {
    const std::string name = "Gw::Backend " + site.id;
    const auto old_facts = before.find(name);
    const auto new_facts = now.find(name);
    const std::string was = old_facts == before.end() ? "" : old_facts->second;
    const std::string is = new_facts == now.end() ? "" : new_facts->second;
    if (was != is) changed.insert(site.id);
  }
  return changed;
}

}  // namespace portcullis::gateway
