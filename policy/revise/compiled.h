// A revision ready to decide: parsed, strictly validated, every annotation known, entities joined
// with the facts of the configuration. What cannot be obeyed whole is not compiled at all.
// Immutable and shared between threads as shared_ptr<const Compiled>. Failure: the codes of
// policy/cedar, kValidation for everything that the appliance asks beyond Cedar.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "policy/cedar/cedar.h"
#include "policy/cedar/schema.h"
#include "policy/revise/content.h"
#include "policy/revise/ladder.h"

namespace portcullis::policy::revise {

struct Compiled {
  cedar::PolicySet policies;
  cedar::Schema schema;
  cedar::Entities entities;
  Hash hash{};  // of the content

  static Result<std::shared_ptr<const Compiled>> Make(const Content& content);

  Outcome Decide(const DecisionFacts& facts) const { return Climb(policies, entities, facts); }
};

// Why `set` now says `now` where `before` was said of the same facts: the rules that refuse what
// used to be given, or those that allow more. Empty when nothing permits any longer what used to be
// given.
std::vector<std::string> WhyChanged(const Compiled& set, const DecisionFacts& facts,
                                    const Outcome& before, const Outcome& now);

// What the set in force is asked before a revision replaces it: Gw::Action::"activatePolicy" on a
// Gw::PolicyRevision with these attributes, for an officer in Gw::Role::"policy-officer".
struct ActivationFacts {
  uint64_t revision = 0;
  std::string author;
  std::vector<std::string> approvals;
  int64_t dry_run_hours = 0;  // full hours since it was proposed
  std::string officer;        // who applies it
};
// True when the schema knows no such action: then the rules of state.h stand alone.
bool PermitsActivation(const Compiled& in_force, const ActivationFacts& facts);

// The whole examination of a draft. Errors stop it; warnings do not.
struct CheckReport {
  std::vector<std::string> errors;
  std::vector<std::string> warnings;
  size_t policies = 0;
  size_t tests = 0;
  std::shared_ptr<const Compiled> compiled;  // null when there are errors before the tests

  bool ok() const { return errors.empty(); }
  std::string Summary() const;  // "12 policies, 30 tests passed"
};
CheckReport Check(const Content& content);

}  // namespace portcullis::policy::revise
