#include "policy/revise/effect.h"

#include <algorithm>

namespace portcullis::policy::revise {
namespace {

// What one set says of a call. Not every appliance can pseudonymise: what it would do instead
// belongs to the answer.
struct Said {
  Outcome outcome;
  std::optional<Outcome> instead;

  bool or_redacted() const { return instead && instead->allowed(); }
};

DecisionFacts WithoutPseudonyms(DecisionFacts facts) {
  facts.ladder = {Treatment::kRedacted};
  return facts;
}

Said Ask(const Compiled& set, const DecisionFacts& facts) {
  Said said{set.Decide(facts), std::nullopt};
  if (said.outcome.treatment == Treatment::kPseudonymised) {
    said.instead = set.Decide(WithoutPseudonyms(facts));
  }
  return said;
}

std::string Describe(const Said& said) {
  const Outcome& outcome = said.outcome;
  std::string out(InWords(outcome.treatment));
  if (said.or_redacted()) out += " or after redaction";
  if (!outcome.errors.empty() && !outcome.allowed()) out += " (a policy could not be evaluated)";
  return out;
}

std::string Owed(const Outcome& outcome) {
  const Obligations& owed = outcome.obligations;
  std::string out = ", recorded: " + std::string(ToString(owed.log));
  if (owed.retention_days) out += ", kept " + std::to_string(*owed.retention_days) + " days";
  for (const std::string& alert : owed.alerts) out += ", alert " + alert;
  return out;
}

}  // namespace

std::optional<Effect> EffectOf(const Compiled& old_set, const Compiled& set,
                               const DecisionFacts& facts) {
  const Said before = Ask(old_set, facts);
  const Said after = Ask(set, facts);
  Effect effect{Describe(before), Describe(after), {}};
  const bool alike = before.outcome.treatment == after.outcome.treatment;
  const bool same = alike && before.or_redacted() == after.or_redacted();
  const std::string owed[] = {Owed(before.outcome), Owed(after.outcome)};
  if (same && owed[0] == owed[1]) return std::nullopt;
  if (same) {
    effect.before += owed[0];
    effect.after += owed[1];
    const bool decided = !after.outcome.policies.empty();
    effect.policies = (decided ? after : before).outcome.policies;
  } else if (alike) {
    effect.policies = WhyChanged(set, WithoutPseudonyms(facts), *before.instead, *after.instead);
  } else {
    effect.policies = WhyChanged(set, facts, before.outcome, after.outcome);
  }
  std::ranges::sort(effect.policies);
  return effect;
}

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

}  // namespace portcullis::policy::revise
