#include "policy/revise/places.h"

#include <algorithm>

namespace portcullis::policy::revise {
namespace {

using cedar::EntityUid;

constexpr const char* kPlace = "Gw::Jurisdiction";
constexpr const char* kSite = "Gw::Backend";

Names Join(Names first, const Names& second) {
  first.insert(second.begin(), second.end());
  return first;
}

Names Ancestors(const Side& side, const std::string& type, const std::string& id) {
  Names out;
  if (const auto* stored = side.compiled.entities.Find({type, id})) {
    for (const cedar::Value& value : stored->ancestors) {
      if (value.entity().type == type) out.insert(value.entity().id);
    }
  }
  return out;
}

template <class Visitor>
void ForEachSiteAttribute(const Side& side, Visitor&& visit) {
  side.compiled.entities.ForEach([&](const cedar::Entities::Stored& stored) {
    if (stored.self.entity().type != kSite) return;
    for (const auto& [name, value] : stored.attrs.fields()) visit(value);
  });
}

// Places that sites lie in: each is told apart from its group.
Names PlacesOfSites(const Side& side) {
  Names out;
  ForEachSiteAttribute(side, [&](const cedar::Value& value) {
    if (value.kind() == cedar::Kind::kEntity) out.insert(value.entity().id);
  });
  return out;
}

std::string LabelOf(const Side& before, const Side& after, const std::vector<Names>& key,
                    const std::vector<std::string>& members) {
  if (members.size() == 1) return members.front();
  std::string label;
  for (const Names& groups : {key[0], key[1]}) {
    for (const std::string& group : groups) {
      // The narrowest group that holds these: one that lies in all the others.
      const Names above = Join(Ancestors(before, kPlace, group), Ancestors(after, kPlace, group));
      if (label.empty() || above.contains(label)) label = group;
    }
  }
  const std::string count = std::to_string(members.size());
  return label.empty() ? "other places (" + count + ")" : label + " (" + count + " places)";
}

}  // namespace

Names IdsOf(const Side& before, const Side& after, const std::string& type) {
  Names out;
  for (const Side* side : {&before, &after}) {
    side->compiled.entities.ForEach([&](const cedar::Entities::Stored& stored) {
      const EntityUid& uid = stored.self.entity();
      if (uid.type == type) out.insert(uid.id);
    });
  }
  return out;
}

std::vector<IdClass> PlaceClasses(const Side& before, const Side& after, const Speech& speech) {
  const auto& namings = speech.NamingsOf(kPlace);
  const Names all = Join(IdsOf(before, after, kPlace), speech.NamedIds(kPlace));
  const Names with_sites = Join(PlacesOfSites(before), PlacesOfSites(after));
  Names exact;  // a group that is asked for as a place is one
  for (const char* input : {"principal.home", "principal.citizenships", "context.subject",
                            "context.device.jurisdiction"}) {
    exact.merge(speech.Of(input).exact[kPlace]);
  }
  Names groups;
  for (const std::string& id : all) {
    groups.merge(Join(Ancestors(before, kPlace, id), Ancestors(after, kPlace, id)));
  }
  std::map<std::vector<Names>, std::vector<std::string>> classes;
  for (const std::string& id : all) {
    if (groups.contains(id) && !exact.contains(id)) continue;
    std::vector<Names> key = {Ancestors(before, kPlace, id), Ancestors(after, kPlace, id), {}};
    if (const auto named = namings.find(id); named != namings.end()) key[2] = named->second;
    if (with_sites.contains(id)) key[2].insert("site in " + id);
    classes[std::move(key)].push_back(id);
  }
  std::vector<IdClass> out;
  bool strangers = false;
  for (auto& [key, members] : classes) {
    strangers |= std::ranges::all_of(key, &Names::empty);
    out.push_back({LabelOf(before, after, key, members), std::move(members)});
  }
  if (!strangers) out.push_back({"a place in no group", {"nowhere"}});
  return out;
}

std::vector<IdClass> NamedClasses(const Side& before, const Side& after, const Speech& speech,
                                  const std::string& type) {
  const Names named = speech.NamedIds(type);
  std::string nobody = "another";
  while (named.contains(nobody)) nobody += "-one";
  std::map<std::vector<Names>, std::vector<std::string>> classes;
  for (const std::string& id : Join(IdsOf(before, after, type), named)) {
    std::vector<Names> key;
    for (const Side* side : {&before, &after}) {
      Names& known = key.emplace_back();
      if (named.contains(id)) known.insert(id);
      for (const std::string& above : Ancestors(*side, type, id)) {
        if (named.contains(above)) known.insert(above);
      }
    }
    if (std::ranges::all_of(key, &Names::empty)) continue;
    classes[std::move(key)].push_back(id);
  }
  std::vector<IdClass> out;
  out.push_back({"", {nobody}});
  for (auto& [key, members] : classes) {
    const auto front =
        std::ranges::find_if(members, [&](const std::string& id) { return named.contains(id); });
    std::string label = front == members.end() ? members.front() : *front;
    out.push_back({std::move(label), std::move(members)});
  }
  return out;
}

std::set<int64_t> TimesOfSites(const Side& before, const Side& after) {
  std::set<int64_t> out;
  for (const Side* side : {&before, &after}) {
    ForEachSiteAttribute(*side, [&](const cedar::Value& value) {
      if (value.kind() == cedar::Kind::kDatetime) out.insert(value.long_value());
    });
  }
  return out;
}

}  // namespace portcullis::policy::revise
