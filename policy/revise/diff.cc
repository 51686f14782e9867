#include "policy/revise/diff.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <set>

namespace portcullis::policy::revise {
namespace {

namespace json = boost::json;

using Indexes = std::vector<uint16_t>;
using Box = std::vector<Indexes>;  // for each dimension the choices, sorted

// What changed, without where.
struct Effect {
  std::string before, after;
  std::vector<std::string> policies;

  auto operator<=>(const Effect&) const = default;
};

std::string Describe(const Outcome& outcome) {
  std::string out(InWords(outcome.treatment));
  if (!outcome.errors.empty() && !outcome.allowed()) out += " (a policy could not be evaluated)";
  return out;
}

std::string Owed(const Outcome& outcome) {
  if (!outcome.allowed()) return {};
  const Obligations& owed = outcome.obligations;
  std::string out = ", recorded: " + std::string(ToString(owed.log));
  if (owed.retention_days) out += ", kept " + std::to_string(*owed.retention_days) + " days";
  for (const std::string& alert : owed.alerts) out += ", alert " + alert;
  return out;
}

std::optional<Effect> EffectOf(const Compiled& set, const DecisionFacts& facts,
                               const Outcome& before, const Outcome& after) {
  Effect effect{Describe(before), Describe(after), {}};
  const bool same = before.treatment == after.treatment;
  if (same && Owed(before) == Owed(after)) return std::nullopt;
  if (same) {
    effect.before += Owed(before);
    effect.after += Owed(after);
  }
  effect.policies = same ? after.policies : WhyChanged(set, facts, before, after);
  std::ranges::sort(effect.policies);
  return effect;
}

// Joins boxes that differ in one dimension only, until nothing can be joined.
void JoinBoxes(std::vector<Box>& boxes, size_t dimensions) {
  for (size_t before = boxes.size() + 1; boxes.size() < before;) {
    before = boxes.size();
    for (size_t d = dimensions; d-- > 0;) {
      std::map<Box, std::set<uint16_t>> joined;
      for (Box& box : boxes) {
        Indexes own = std::move(box[d]);
        box[d].clear();
        joined[std::move(box)].insert(own.begin(), own.end());
      }
      boxes.clear();
      for (const auto& [rest, choices] : joined) {
        Box box = rest;
        box[d].assign(choices.begin(), choices.end());
        boxes.push_back(std::move(box));
      }
    }
  }
}

std::string JoinWords(const std::vector<std::string>& words, std::string_view last = " or ") {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? std::string(last) : ", ";
    out += words[i];
  }
  return out;
}

// "personal data of people in EEA to cloud-us, for hr"
std::string Where(const std::map<std::string, std::vector<std::string>>& where) {
  const auto said = [&](const char* name) -> const std::vector<std::string>* {
    const auto found = where.find(name);
    return found == where.end() ? nullptr : &found->second;
  };
  std::string out = said("class") ? JoinWords(*said("class"), " and ") : "any text";
  if (const auto* subject = said("subject")) out += " of people in " + JoinWords(*subject);
  if (const auto* site = said("site")) out += " to " + JoinWords(*site, " and ");
  if (const auto* home = said("home")) out += ", from callers in " + JoinWords(*home);
  for (const auto& [name, choices] : where) {
    if (name == "class" || name == "subject" || name == "site" || name == "home") continue;
    out += ", " + name + " " + JoinWords(choices);
  }
  return out;
}

// All classes below Personal together are called what everybody calls them.
void NamePersonalData(const Side& side, std::vector<std::string>& classes) {
  std::vector<std::string> personal;
  for (const std::string& name : classes) {
    const auto* stored = side.compiled.entities.Find({"Gw::DataClass", name});
    if (stored == nullptr) continue;
    for (const cedar::Value& above : stored->ancestors) {
      if (above.entity().id == "Personal") personal.push_back(name);
    }
  }
  size_t all = 0;
  for (const cedar::EntityUid& uid : side.compiled.entities.Uids()) {
    const auto* stored = side.compiled.entities.Find(uid);
    if (uid.type != "Gw::DataClass") continue;
    all += std::ranges::any_of(stored->ancestors, [](const cedar::Value& above) {
      return above.entity().id == "Personal";
    });
  }
  if (personal.size() < 2 || personal.size() != all) return;
  std::erase_if(classes, [&](const std::string& name) {
    return std::ranges::find(personal, name) != personal.end();
  });
  classes.insert(classes.begin(), "personal data");
}

// A long list of places is told by what is missing in it, where that is shorter.
std::vector<std::string> AllBut(const Dimension& dimension, std::vector<std::string> labels) {
  std::vector<std::string> missing;
  for (const Choice& choice : dimension.choices) {
    if (std::ranges::find(labels, choice.label) == labels.end()) missing.push_back(choice.label);
  }
  if (missing.size() >= labels.size()) return labels;
  return {"all places but " + JoinWords(missing, " and ")};
}

Change ChangeOf(const Space& space, const Side& after, const Effect& effect, const Box& box) {
  Change change{{}, effect.before, effect.after, effect.policies, {}, 1};
  for (size_t d = 0; d < box.size(); ++d) {
    const Dimension& dimension = space.dimensions[d];
    change.cells *= box[d].size();
    const bool everywhere = box[d].size() == dimension.choices.size();
    if (dimension.name.empty() || (everywhere && dimension.name != "site")) continue;
    std::vector<std::string>& labels = change.where[dimension.name];
    for (const uint16_t index : box[d]) labels.push_back(dimension.choices[index].label);
    const bool places = dimension.name == "subject" || dimension.name == "home";
    if (places && labels.size() > 3) labels = AllBut(dimension, labels);
    if (dimension.name == "class") NamePersonalData(after, labels);
  }
  change.words = Where(change.where) + ": " + effect.before + " → " + effect.after;
  if (!effect.policies.empty())
    change.words += ", by " + JoinWords(effect.policies, " and ");
  else
    change.words += ", as no rule permits more any longer";
  return change;
}

bool Next(const Space& space, Indexes& position) {
  for (size_t d = position.size(); d-- > 0;) {
    if (++position[d] < space.dimensions[d].choices.size()) return true;
    position[d] = 0;
  }
  return false;
}

}  // namespace

std::string_view InWords(Treatment treatment) {
  switch (treatment) {
    case Treatment::kRefused:
      return "refused";
    case Treatment::kForward:
      return "allowed";
    case Treatment::kPseudonymised:
      return "allowed under pseudonyms";
    case Treatment::kRedacted:
      return "allowed after redaction";
  }
  return "refused";
}

DiffReport Compare(const Side& before, const Side& after, int64_t now_ms) {
  const Space space = SpaceOf(before, after, now_ms);
  DiffReport report;
  report.cells = space.cells;
  report.left_out = space.left_out;
  std::map<Effect, std::vector<Box>> changed;
  Indexes position(space.dimensions.size(), 0);
  do {
    const DecisionFacts facts = space.At(position);
    const auto effect = EffectOf(after.compiled, facts, before.compiled.Decide(facts),
                                 after.compiled.Decide(facts));
    if (!effect) continue;
    ++report.changed;
    Box box;
    for (const uint16_t index : position) box.push_back({index});
    changed[*effect].push_back(std::move(box));
  } while (Next(space, position));
  for (auto& [effect, boxes] : changed) {
    JoinBoxes(boxes, space.dimensions.size());
    for (const Box& box : boxes) report.changes.push_back(ChangeOf(space, after, effect, box));
  }
  std::ranges::stable_sort(report.changes, std::greater<>(), &Change::cells);
  return report;
}

std::string ToText(const DiffReport& report) {
  std::string out;
  for (const Change& change : report.changes) out += change.words + "\n";
  out += report.changed == 0
             ? "no call is decided differently"
             : std::to_string(report.changed) + " of " + std::to_string(report.cells) +
                   " kinds of call are decided "
                   "differently, told in " +
                   std::to_string(report.changes.size()) + " sentences";
  for (const std::string& name : report.left_out) {
    out += "\nnot varied, as there would be too many kinds of call: " + name;
  }
  return out + "\n";
}

json::object ToJson(const DiffReport& report) {
  json::array changes;
  for (const Change& change : report.changes) {
    json::object where;
    for (const auto& [name, choices] : change.where) {
      where[name] = json::array(choices.begin(), choices.end());
    }
    changes.push_back({{"words", change.words},
                       {"before", change.before},
                       {"after", change.after},
                       {"policies", json::array(change.policies.begin(), change.policies.end())},
                       {"where", std::move(where)},
                       {"calls", change.cells}});
  }
  return {{"schema", "portcullis.policy.diff/1"},
          {"calls", report.cells},
          {"changed", report.changed},
          {"changes", std::move(changes)},
          {"not_varied", json::array(report.left_out.begin(), report.left_out.end())}};
}

}  // namespace portcullis::policy::revise
