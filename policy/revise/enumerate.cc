#include "policy/revise/enumerate.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

namespace portcullis::policy::revise {
namespace {

using cedar::EntityUid;
using Names = std::set<std::string>;

std::string PolicyText(const Side& before, const Side& after) {
  std::string text;
  for (const Side* side : {&before, &after}) {
    for (const TextFile& file : side->content.policies) text += file.text + '\n';
  }
  return text;
}

bool Mentions(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

// The ids that the text names of a type, as in Gw::Department::"research". Comments count too: one
// choice more does no harm.
Names LiteralsOf(std::string_view text, std::string_view type) {
  Names out;
  const std::string head = "Gw::" + std::string(type) + "::\"";
  for (size_t at = text.find(head); at != std::string_view::npos; at = text.find(head, at + 1)) {
    const size_t begin = at + head.size();
    const size_t end = text.find('"', begin);
    if (end != std::string_view::npos) out.emplace(text.substr(begin, end - begin));
  }
  return out;
}

// How the text speaks of each place. Places that it only ever names together, in the same lists, it
// cannot tell apart; one that is named alone is told apart from all others.
std::map<std::string, Names> MentionsOf(std::string_view text, std::string_view type) {
  std::map<std::string, Names> out;
  const std::string head = "Gw::" + std::string(type) + "::\"";
  size_t list = std::string_view::npos;  // where the list began that we are in
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '[') list = at;
    if (text[at] == ']') list = std::string_view::npos;
    if (text.substr(at, head.size()) != head) continue;
    const size_t begin = at + head.size();
    const size_t end = text.find('"', begin);
    if (end == std::string_view::npos) break;
    const std::string id(text.substr(begin, end - begin));
    out[id].insert(list == std::string_view::npos ? "alone: " + id
                                                  : "list at " + std::to_string(list));
    at = end;
  }
  return out;
}

// The numbers that the text compares `word` with.
std::set<int64_t> NumbersBeside(std::string_view text, std::string_view word) {
  std::set<int64_t> out;
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const std::string_view near = text.substr(at + word.size(), 12);
    const size_t digit = near.find_first_of("0123456789");
    int64_t value = 0;
    if (digit == std::string_view::npos) continue;
    const char* const begin = text.data() + at + word.size() + digit;
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
    if (error == std::errc() && out.size() < 6) out.insert(value);
  }
  return out;
}

Names IdsOf(const Side& side, std::string_view type) {
  Names out;
  for (const EntityUid& uid : side.compiled.entities.Uids()) {
    if (uid.type == type) out.insert(uid.id);
  }
  return out;
}

Names Ancestors(const Side& side, const std::string& type, const std::string& id) {
  Names out;
  if (const auto* stored = side.compiled.entities.Find({type, id})) {
    for (const cedar::Value& value : stored->ancestors) out.insert(value.entity().id);
  }
  return out;
}

Names Join(Names first, const Names& second) {
  first.insert(second.begin(), second.end());
  return first;
}

// Places that sites lie in: each is told apart from its group.
Names PlacesOfSites(const Side& side) {
  Names out;
  for (const std::string& id : IdsOf(side, "Gw::Backend")) {
    const auto* stored = side.compiled.entities.Find({"Gw::Backend", id});
    for (const auto& [name, value] : stored->attrs.fields()) {
      if (value.kind() == cedar::Kind::kEntity) out.insert(value.entity().id);
    }
  }
  return out;
}

struct Places {
  std::string label;
  std::vector<std::string> members;
};

// Leaves of the hierarchy by what either set can know of them.
std::vector<Places> GroupPlaces(const Side& before, const Side& after, std::string_view text) {
  constexpr const char* kType = "Gw::Jurisdiction";
  const Names all = Join(IdsOf(before, kType), IdsOf(after, kType));
  const Names with_sites = Join(PlacesOfSites(before), PlacesOfSites(after));
  std::map<std::string, Names> mentions = MentionsOf(text, "Jurisdiction");
  Names groups;
  for (const std::string& id : all) {
    groups.merge(Join(Ancestors(before, kType, id), Ancestors(after, kType, id)));
  }
  std::map<std::vector<Names>, std::vector<std::string>> classes;
  for (const std::string& id : all) {
    if (groups.contains(id)) continue;
    std::vector<Names> key = {Ancestors(before, kType, id), Ancestors(after, kType, id)};
    key.push_back(mentions[id]);
    if (with_sites.contains(id)) key.back().insert("site in " + id);
    classes[std::move(key)].push_back(id);
  }
  std::vector<Places> out;
  for (auto& [key, members] : classes) {
    std::string label;
    for (size_t side = 0; side < 2; ++side) {
      for (const std::string& group : key[side]) {
        // The narrowest group that holds these: one that lies in all the others.
        const Names above = Join(Ancestors(before, kType, group), Ancestors(after, kType, group));
        if (label.empty() || above.contains(label)) label = group;
      }
    }
    if (members.size() == 1)
      label = members.front();
    else if (label.empty())
      label = "other places (" + std::to_string(members.size()) + ")";
    else
      label += " (" + std::to_string(members.size()) + " places)";
    out.push_back({std::move(label), std::move(members)});
  }
  if (out.empty()) out.push_back({"anywhere", {"nowhere"}});
  return out;
}

class Builder {
 public:
  Builder(const Side& before, const Side& after, int64_t now_ms)
      : before_(before), after_(after), text_(PolicyText(before, after)), now_ms_(now_ms) {}

  Space Build() {
    AddStart();
    AddClasses();
    AddPlaces();
    AddSites();
    Add("purpose", Mentions(text_, "context.purpose"), PurposeChoices());
    Add("department", true,
        MemberChoices(LiteralsOf(text_, "Department"), &DecisionFacts::departments,
                      "no department"));
    Names roles = LiteralsOf(text_, "Role");
    roles.erase("policy-officer");  // governs policies, not data
    Add("role", true, MemberChoices(roles, &DecisionFacts::roles, "no such role"));
    Add("device", Mentions(text_, "device.government") || Mentions(text_, "device.managed"),
        DeviceChoices());
    Add("people", Mentions(text_, "context.subjects"), NumberChoices());
    Add("clearance", Mentions(text_, ".clearance"), ClearanceChoices());
    Add("caller", Mentions(text_, "is Gw::"), CallerChoices());
    Add("zone", true, ZoneChoices());
    Add("legal basis", Mentions(text_, "legalBasis"), LegalBasisChoices());
    return std::move(space_);
  }

 private:
  void Add(std::string name, bool wanted, std::vector<Choice> choices) {
    if (!wanted || choices.size() < 2) return;
    if (space_.cells * choices.size() > kMaxCells) {
      space_.left_out.push_back(std::move(name));
      return;
    }
    space_.cells *= choices.size();
    space_.dimensions.push_back({std::move(name), std::move(choices)});
  }

  void AddStart() {
    Choice start;
    start.apply = [now = now_ms_](DecisionFacts& facts) {
      facts.principal = "somebody";
      facts.home = facts.device_jurisdiction = "local";
      facts.device_managed = true;
      facts.sites = {"nowhere"};
      facts.now_ms = now;
    };
    space_.dimensions.push_back({"", {std::move(start)}});
  }

  void AddClasses() {
    constexpr const char* kType = "Gw::DataClass";
    const Names all = Join(IdsOf(before_, kType), IdsOf(after_, kType));
    Names groups;
    for (const std::string& id : all) {
      groups.merge(Join(Ancestors(before_, kType, id), Ancestors(after_, kType, id)));
    }
    std::vector<Choice> choices;
    choices.push_back({"texts without findings", {}, [](DecisionFacts& facts) {
                         facts.subject.clear();
                         facts.subjects = 0;
                       }});
    for (const std::string& id : all) {
      if (groups.contains(id)) continue;
      choices.push_back({id, {}, [id](DecisionFacts& facts) {
                           facts.detected = {id};
                           if (id == kIrremovableClass) {
                             facts.left_redacted = facts.left_pseudonymised = {id};
                           }
                         }});
    }
    // Last, because a text without findings is about nobody, whatever the other choices say.
    classes_ = std::move(choices);
  }

  void AddPlaces() {
    std::vector<Choice> subjects;
    std::vector<Choice> homes;
    subjects.push_back({"unknown places", {}, [](DecisionFacts& facts) { facts.subjects = 1; }});
    for (const Places& places : GroupPlaces(before_, after_, text_)) {
      const std::string id = places.members.front();
      subjects.push_back({places.label, places.members, [id](DecisionFacts& facts) {
                            facts.subject = {id};
                            facts.subjects = facts.subjects_ytd = 1;
                          }});
      homes.push_back({places.label, places.members, [id](DecisionFacts& facts) {
                         facts.home = facts.device_jurisdiction = id;
                       }});
    }
    Add("subject", true, std::move(subjects));
    Add("class", true, std::move(classes_));
    Add("home", Mentions(text_, ".home") || Mentions(text_, "device.jurisdiction"),
        std::move(homes));
  }

  void AddSites() {
    const Names sites = Join(IdsOf(before_, "Gw::Backend"), IdsOf(after_, "Gw::Backend"));
    std::vector<Choice> choices;
    for (const std::string& id : sites) {
      choices.push_back({id, {}, [id](DecisionFacts& facts) { facts.sites = {id}; }});
    }
    if (choices.size() == 1) {
      space_.dimensions.push_back({"site", std::move(choices)});
    } else {
      Add("site", true, std::move(choices));
    }
  }

  static std::vector<Choice> MemberChoices(const Names& names,
                                           std::vector<std::string> DecisionFacts::*member,
                                           const std::string& none) {
    std::vector<Choice> choices;
    choices.push_back({none, {}, [](DecisionFacts&) {}});
    for (const std::string& name : names) {
      choices.push_back(
          {name, {}, [member, name](DecisionFacts& facts) { facts.*member = {name}; }});
    }
    return choices;
  }

  std::vector<Choice> PurposeChoices() const {
    std::vector<Choice> choices;
    if (const auto* type = after_.compiled.schema.FindEntityType("Gw::Purpose")) {
      for (const std::string& name : type->members) {
        choices.push_back({name, {}, [name](DecisionFacts& facts) { facts.purpose = name; }});
      }
    }
    return choices;
  }

  std::vector<Choice> DeviceChoices() const {
    return {
        {"a managed device", {}, [](DecisionFacts&) {}},
        {"an unmanaged device", {}, [](DecisionFacts& facts) { facts.device_managed = false; }},
        {"a government device", {}, [](DecisionFacts& facts) { facts.device_government = true; }}};
  }

  std::vector<Choice> NumberChoices() const {
    std::set<int64_t> numbers = NumbersBeside(text_, "context.subjects");
    numbers.merge(NumbersBeside(text_, "context.subjectsYtd"));
    std::vector<Choice> choices;
    choices.push_back({"one person", {}, [](DecisionFacts&) {}});
    for (const int64_t number : numbers) {
      if (number <= 1 || number == INT64_MAX) continue;
      choices.push_back(
          {"more than " + std::to_string(number) + " people", {}, [number](DecisionFacts& facts) {
             if (!facts.detected.empty()) {
               facts.subjects = facts.subjects_ytd = number + 1;
             }
           }});
    }
    return choices;
  }

  std::vector<Choice> ClearanceChoices() const {
    std::vector<Choice> choices;
    choices.push_back({"clearance 0", {}, [](DecisionFacts&) {}});
    for (const int64_t number : NumbersBeside(text_, ".clearance")) {
      if (number < 1) continue;
      choices.push_back({"clearance " + std::to_string(number), {}, [number](DecisionFacts& facts) {
                           facts.clearance = number;
                         }});
    }
    return choices;
  }

  std::vector<Choice> CallerChoices() const {
    return {{"a person", {}, [](DecisionFacts&) {}},
            {"an application", {}, [](DecisionFacts& facts) { facts.workload = true; }}};
  }

  std::vector<Choice> ZoneChoices() const {
    std::vector<Choice> choices;
    choices.push_back({"another zone", {}, [](DecisionFacts&) {}});
    for (const std::string& id : LiteralsOf(text_, "Zone")) {
      choices.push_back({"zone " + id, {}, [id](DecisionFacts& facts) { facts.zone = id; }});
    }
    return choices;
  }

  std::vector<Choice> LegalBasisChoices() const {
    std::vector<Choice> choices;
    choices.push_back({"no legal basis said", {}, [](DecisionFacts&) {}});
    Names words;
    constexpr std::string_view kHead = "legalBasis";
    for (size_t at = text_.find(kHead); at != std::string::npos; at = text_.find(kHead, at + 1)) {
      size_t begin = text_.find('"', at);
      const size_t stop = std::min(text_.find_first_of(";)", at), text_.size());
      while (begin != std::string::npos && begin < stop) {
        const size_t end = text_.find('"', begin + 1);
        if (end == std::string::npos || words.size() == 8) break;
        words.insert(text_.substr(begin + 1, end - begin - 1));
        begin = text_.find('"', end + 1);
      }
    }
    for (const std::string& word : words) {
      choices.push_back(
          {"legal basis " + word, {}, [word](DecisionFacts& facts) { facts.legal_basis = word; }});
    }
    return choices;
  }

  const Side& before_;
  const Side& after_;
  const std::string text_;
  const int64_t now_ms_;
  Space space_;
  std::vector<Choice> classes_;
};

}  // namespace

DecisionFacts Space::At(const std::vector<uint16_t>& position) const {
  DecisionFacts facts;
  for (size_t i = 0; i < dimensions.size(); ++i) {
    dimensions[i].choices[position[i]].apply(facts);
  }
  return facts;
}

Space SpaceOf(const Side& before, const Side& after, int64_t now_ms) {
  return Builder(before, after, now_ms).Build();
}

}  // namespace portcullis::policy::revise
