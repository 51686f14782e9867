#include "policy/revise/diff.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <set>

#include "policy/revise/coverage.h"
#include "policy/revise/probe.h"

namespace portcullis::policy::revise {
namespace {

namespace json = boost::json;

using Indexes = std::vector<uint16_t>;

bool Next(const Plan& plan, const Space& space, Indexes& position) {
  for (size_t d = position.size(); d-- > 0;) {
    if (++position[d] < plan.ChoicesAt(space, d)) return true;
    position[d] = 0;
  }
  return false;
}

class Comparison {
 public:
  Comparison(const Side& before, const Side& after, int64_t now_ms)
      : before_(before), after_(after), probe_(before.compiled, after.compiled) {
    changed_ = ChangesBetween(before, after);
    std::set<const cedar::Policy*> changed;
    for (const RuleChange& rule : changed_.rules) changed.insert({rule.before, rule.after});
    Speech all;
    Speech differing;
    for (const Side* side : {&before, &after}) {
      for (const cedar::Policy& policy : side->compiled.policies.policies()) {
        if (!IsAboutTransfers(policy, side->compiled.entities)) continue;
        const bool differs = changed.contains(&policy);
        all.Read(policy);
        if (differs || !changed_.entities.empty()) differing.Read(policy);
        if (differs || side == &after) coverage_.Watch(side->compiled, policy, differs);
      }
    }
    plan_ = PlanOf(before, after, all, differing, now_ms);
  }

  DiffReport Run() {
    if (changed_.none()) {
      report_.same = true;
      return std::move(report_);
    }
    const Names sites = IdsOf(before_, after_, "Gw::Backend");
    report_.sites.assign(sites.begin(), sites.end());
    for (const Space& space : plan_.spaces) Walk(space);
    std::ranges::stable_sort(report_.changes, std::greater<>(), &Change::cells);
    for (const RuleChange& rule : changed_.rules) {
      report_.rules.push_back(rule.InWords());
      if (!rule.transfers) {
        report_.not_compared.push_back("what the rule `" + rule.label + "` (" + rule.where +
                                       ") says: it is not about the transfer of a text");
      }
    }
    report_.entities = std::move(changed_.entities);
    std::ranges::move(plan_.not_compared, std::back_inserter(report_.not_compared));
    std::ranges::move(coverage_.Untried(), std::back_inserter(report_.not_compared));
    return std::move(report_);
  }

 private:
  // A space for one dimension skips the usual case of it: the first space has that.
  void Walk(const Space& space) {
    size_t own = space.varied.size();
    for (size_t d = 0; d < space.varied.size(); ++d) {
      if (space.varied[d] == space.own) own = d;
    }
    std::map<Effect, std::vector<Box>> found;
    Indexes position(space.varied.size(), 0);
    do {
      if (own < position.size() && position[own] == 0) continue;
      ++report_.cells;
      const DecisionFacts facts = plan_.At(space, position);
      probe_.Set(facts);
      if (!coverage_.finished()) {
        for (const cedar::Question& rung : probe_.rungs()) coverage_.Try(probe_.own(), rung);
      }
      if (!probe_.MayDiffer()) continue;
      const auto effect = EffectOf(before_.compiled, after_.compiled, facts);
      if (!effect) continue;
      ++report_.changed;
      Box box;
      for (const uint16_t index : position) box.push_back({index});
      found[*effect].push_back(std::move(box));
    } while (Next(plan_, space, position));
    for (auto& [effect, boxes] : found) {
      JoinBoxes(boxes, space.varied.size());
      for (const Box& box : boxes) {
        report_.changes.push_back(ChangeOf(plan_, space, after_, effect, box));
      }
    }
  }

  const Side& before_;
  const Side& after_;
  Probe probe_;
  ChangedRules changed_;
  Plan plan_;
  Coverage coverage_;
  DiffReport report_;
};

std::string Lines(const char* title, const std::vector<std::string>& lines, size_t most) {
  std::string out;
  for (size_t i = 0; i < std::min(lines.size(), most); ++i) {
    out += "\n" + std::string(title) + lines[i];
  }
  if (lines.size() > most) {
    out += "\n" + std::string(title) + "and " + std::to_string(lines.size() - most) +
           " more; --json lists all";
  }
  return out;
}

constexpr size_t kMostLines = 40;  // of a kind, in a text for people

}  // namespace

DiffReport Compare(const Side& before, const Side& after, int64_t now_ms) {
  return Comparison(before, after, now_ms).Run();
}

std::string ToText(const DiffReport& report) {
  if (report.same) return "the rules and entities are the same: no call is decided differently\n";
  std::string out;
  for (const Change& change : report.changes) out += change.words + "\n";
  if (report.changed == 0) {
    out += "none of the " + std::to_string(report.cells) +
           " kinds of call that were compared is decided differently";
  } else {
    out += std::to_string(report.changed) + " of the " + std::to_string(report.cells) +
           " kinds of call that were compared are decided differently, told in " +
           std::to_string(report.changes.size()) + " sentences";
  }
  out += "\ncompared for the sites that the sets know: ";
  for (const std::string& site : report.sites) {
    out += (&site == &report.sites.front() ? "" : ", ") + site;
  }
  if (report.sites.empty()) out += "none";
  out += Lines("unless a sentence says otherwise: ", UsualCases(report.changes), kMostLines);
  out += Lines("rule ", report.rules, kMostLines);
  out += Lines("entity ", report.entities, kMostLines);
  out += Lines("not compared: ", report.not_compared, kMostLines);
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
  const auto list = [](const std::vector<std::string>& lines) {
    return json::array(lines.begin(), lines.end());
  };
  return {{"schema", "portcullis.policy.diff/1"},
          {"same", report.same},
          {"calls", report.cells},
          {"changed", report.changed},
          {"sites", list(report.sites)},
          {"changes", std::move(changes)},
          {"rules", list(report.rules)},
          {"entities", list(report.entities)},
          {"not_compared", list(report.not_compared)}};
}

}  // namespace portcullis::policy::revise
