#include "policy/revise/probe.h"

#include <algorithm>

#include "policy/cedar/print.h"

namespace portcullis::policy::revise {

static_assert(kLadder.size() == 3);

namespace {

// What a policy asks of the appliance besides yes or no; advice is for the caller.
std::map<std::string, std::string> OwedFor(const cedar::Policy& policy) {
  std::map<std::string, std::string> owed = policy.annotations;
  owed.erase("id");
  owed.erase("advice");
  return owed;
}

}  // namespace

Probe::Probe(const Compiled& before, const Compiled& after) : sets_{&before, &after} {
  std::map<std::string, uint32_t> numbers;
  std::map<std::map<std::string, std::string>, uint32_t> owed{{{}, 0}};
  for (size_t side = 0; side < 2; ++side) {
    for (const cedar::Policy& policy : sets_[side]->policies.policies()) {
      const auto number = static_cast<uint32_t>(numbers.size());
      texts_[side].push_back(numbers.emplace(cedar::PrintPolicy(policy), number).first->second);
      const auto next = static_cast<uint32_t>(owed.size());
      owed_[side].push_back(owed.emplace(OwedFor(policy), next).first->second);
    }
  }
}

void Probe::Set(const DecisionFacts& facts) {
  own_ = cedar::Entities();
  own_.Add(PrincipalOf(facts));
  for (size_t i = 0; i < kLadder.size(); ++i) {
    rungs_[i] = cedar::Question::Of(RequestOf(facts, facts.sites.front(), kLadder[i]));
  }
}

void Probe::Decide(size_t side, const cedar::Question& question, Answer& out) {
  const cedar::EntityView view(sets_[side]->entities, &own_);
  cedar::Decide(sets_[side]->policies, view, question, decision_);
  out.yes = decision_.allow && decision_.errors.empty();
  out.reasons.clear();
  out.owed.clear();
  // Of a refusal the fact counts, and what is owed for it; errors are told apart from other
  // refusals.
  if (!decision_.allow) {
    for (const uint32_t at : decision_.reasons) {
      if (owed_[side][at] != 0) out.owed.push_back(owed_[side][at]);
    }
    std::ranges::sort(out.owed);
    out.owed.erase(std::unique(out.owed.begin(), out.owed.end()), out.owed.end());
  }
  const auto& positions = out.yes ? decision_.reasons : decision_.errors;
  for (const uint32_t at : positions) out.reasons.push_back(texts_[side][at]);
  std::ranges::sort(out.reasons);
}

bool Probe::MayDiffer() {
  for (const cedar::Question& question : rungs_) {
    for (size_t side = 0; side < 2; ++side) Decide(side, question, answers_[side]);
    if (answers_[0] != answers_[1]) return true;
  }
  return false;
}

}  // namespace portcullis::policy::revise
