#include "policy/revise/probe.h"

#include <algorithm>

#include "policy/cedar/print.h"

namespace portcullis::policy::revise {

static_assert(kLadder.size() == 3);

Probe::Probe(const Compiled& before, const Compiled& after) : sets_{&before, &after} {
  std::map<std::string, uint32_t> numbers;
  for (size_t side = 0; side < 2; ++side) {
    for (const cedar::Policy& policy : sets_[side]->policies.policies()) {
      const auto number = static_cast<uint32_t>(numbers.size());
      texts_[side].push_back(numbers.emplace(cedar::PrintPolicy(policy), number).first->second);
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
  // Of a refusal only the fact counts here; errors are told apart from other refusals.
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
