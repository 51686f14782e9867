// Step "decide": turns an identity, a peer and what was found in the text into Cedar questions and
// climbs down the treatment ladder: for each site in order of preference, forward, then
// forwardRedacted; the first yes wins, no yes is a refusal. A policy that errors means deny, as
// Cedar's own "skip it" would let a request pass that a forbid was written against.
// Threading: const and lock-free; any core. Failure: a refusal is a Decision, never an Error.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "gateway/classify/prompt_scan.h"
#include "gateway/decide/decision.h"
#include "gateway/decide/policy_snapshot.h"
#include "gateway/identify/identity.h"
#include "gateway/listen/peer.h"
#include "gateway/state/clock.h"
#include "gateway/state/snapshot.h"

namespace portcullis::gateway {

struct DeciderOptions {
  std::string zone;
  std::string jurisdiction;  // of devices, and of principals whose record names none
};

class Decider {
 public:
  // `policy` and `clock` must outlive the decider.
  Decider(const Snapshot<PolicySnapshot>& policy, const Clock& clock, DeciderOptions options);

  // May this content go to one of these sites, and how?
  Decision DecideForward(const Identity& who, const Peer& peer, const ScanResult& found,
                         std::string_view purpose, std::span<const std::string> sites) const;

  // Administration is decided by role; the policy set governs data.
  Decision DecideAdmin(const Identity& who) const;

 private:
  const Snapshot<PolicySnapshot>& policy_;
  const Clock& clock_;
  DeciderOptions options_;
};

}  // namespace portcullis::gateway
