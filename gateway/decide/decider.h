// Step "decide": gathers the facts of a call (who, from where, what was found, for what purpose,
// which sites) and puts them to the policy in force; the ladder of treatments is climbed in
// policy/revise/ladder.h, so that replay and comparison of revisions decide exactly alike.
// Threading: const and lock-free; any core. Failure: a refusal is a Decision, never an Error.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/classify/prompt_scan.h"
#include "gateway/decide/decision.h"
#include "gateway/decide/networks.h"
#include "gateway/decide/policy_snapshot.h"
#include "gateway/identify/identity.h"
#include "gateway/listen/peer.h"
#include "gateway/state/clock.h"
#include "gateway/state/snapshot.h"

namespace portcullis::gateway {

struct DeciderOptions {
  std::string zone;
  std::string jurisdiction;  // of devices, and of principals whose record names none
  // The treatments that the step "infer" can give; others are never asked for.
  std::vector<Treatment> ladder = {Treatment::kForward, Treatment::kRedacted};
  Networks networks{};
};

class Decider {
 public:
  // `policy` and `clock` must outlive the decider.
  Decider(const Snapshot<PolicySnapshot>& policy, const Clock& clock, DeciderOptions options);

  // May this content go to one of these sites, and how?
  Decision DecideForward(const Identity& who, const Peer& peer, const ScanResult& found,
                         std::string_view purpose, std::span<const std::string> sites) const;

  // Which of these sites may this caller use at all? Decided site by site, so that a list shows
  // what calls would reach; not heard in a probation, as it moves no data.
  Decision DecideList(const Identity& who, const Peer& peer, std::span<const std::string> sites) const;

  // Administration is decided by role; the policy set governs data.
  Decision DecideAdmin(const Identity& who) const;

 private:
  Decision Begin(const PolicySnapshot& snapshot) const;
  // Puts the question to the policy; true when the set itself has decided.
  static bool Ask(const PolicySnapshot& snapshot, DecisionFacts facts,
                  std::span<const std::string> sites, Decision& decision);
  DecisionFacts FactsOf(const Identity& who, const Peer& peer, const ScanResult& found,
                        std::string_view purpose) const;

  const Snapshot<PolicySnapshot>& policy_;
  const Clock& clock_;
  DeciderOptions options_;
};

}  // namespace portcullis::gateway
