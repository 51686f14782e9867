#include "policy/revise/changed_rules.h"

#include <map>

#include "policy/cedar/print.h"

namespace portcullis::policy::revise {
namespace {

// The rules of `set` that `other` does not have, as often as it does not have them.
std::vector<const cedar::Policy*> OnlyIn(const Compiled& set, const Compiled& other) {
  std::map<std::string, size_t> known;
  for (const cedar::Policy& policy : other.policies.policies()) ++known[PrintPolicy(policy)];
  std::vector<const cedar::Policy*> out;
  for (const cedar::Policy& policy : set.policies.policies()) {
    const auto found = known.find(PrintPolicy(policy));
    if (found == known.end() || found->second == 0) {
      out.push_back(&policy);
    } else {
      --found->second;
    }
  }
  return out;
}

RuleChange ChangeOf(RuleChange::Kind kind, const Compiled& set, const cedar::Policy& policy) {
  RuleChange change;
  change.kind = kind;
  change.label = set.policies.Label(policy.id);
  change.where = set.policies.Where(policy.id);
  change.transfers = IsAboutTransfers(policy, set.entities);
  return change;
}

void AddEntities(const Compiled& set, const Compiled& other, bool both_ways,
                 std::vector<std::string>& out) {
  for (const cedar::EntityUid& uid : set.entities.Uids()) {
    const auto* here = set.entities.Find(uid);
    const auto* there = other.entities.Find(uid);
    if (there == nullptr) {
      out.push_back(cedar::ToText(uid) + (both_ways ? " is new" : " is gone"));
      continue;
    }
    if (!both_ways) continue;
    const auto sorted = [](std::vector<cedar::Value> values) {
      return cedar::Value::Set(std::move(values));
    };
    if (here->attrs != there->attrs || here->tags != there->tags ||
        sorted(here->ancestors) != sorted(there->ancestors)) {
      out.push_back(cedar::ToText(uid) + " is different");
    }
  }
}

}  // namespace

std::string RuleChange::InWords() const {
  const char* word = kind == Kind::kAdded     ? "added"
                     : kind == Kind::kRemoved ? "removed"
                                              : "changed";
  return std::string(word) + ": `" + label + "` (" + where + ")";
}

ChangedRules ChangesBetween(const Side& before, const Side& after) {
  ChangedRules out;
  std::multimap<std::string, const cedar::Policy*, std::less<>> gone;
  for (const cedar::Policy* policy : OnlyIn(before.compiled, after.compiled)) {
    gone.emplace(before.compiled.policies.Label(policy->id), policy);
  }
  for (const cedar::Policy* policy : OnlyIn(after.compiled, before.compiled)) {
    RuleChange change = ChangeOf(RuleChange::Kind::kAdded, after.compiled, *policy);
    change.after = policy;
    if (const auto old = gone.find(change.label); old != gone.end()) {
      change.kind = RuleChange::Kind::kChanged;
      change.before = old->second;
      change.transfers |= IsAboutTransfers(*old->second, before.compiled.entities);
      gone.erase(old);
    }
    out.rules.push_back(std::move(change));
  }
  for (const auto& [label, policy] : gone) {
    out.rules.push_back(ChangeOf(RuleChange::Kind::kRemoved, before.compiled, *policy));
    out.rules.back().before = policy;
  }
  AddEntities(after.compiled, before.compiled, true, out.entities);
  AddEntities(before.compiled, after.compiled, false, out.entities);
  return out;
}

}  // namespace portcullis::policy::revise
