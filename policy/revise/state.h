// The life of revisions, as a pure function of the events:
//
//   draft → checked → proposed → approved → probation → kept
//     ↑________|__________|__________|          └→ rolled back (by hand, by deadline, by errors)
//       an edit voids everything           withdrawn: from any phase before probation
//
// Advance() refuses every event that the rules do not allow, whoever signed it: the same function
// guards new events and re-examines old ones when the store is opened. What it cannot know (is the
// officer still in the configuration, does the set in force permit the activation) the store asks.
// Plain values, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "policy/revise/event.h"

namespace portcullis::policy::revise {

enum class Phase : uint8_t {
  kDraft,
  kChecked,
  kProposed,
  kApproved,
  kProbation,
  kKept,
  kRolledBack,
  kWithdrawn,
};
std::string_view NameOf(Phase phase);

struct Approval {
  std::string officer;
  int64_t time = 0;
  int64_t expires = 0;
};

struct Revision {
  uint64_t number = 0;
  Phase phase = Phase::kDraft;
  Hash content{};
  std::string author;
  int64_t created = 0;
  int64_t proposed = 0;  // 0: not yet
  std::vector<Approval> approvals;
  int64_t activated = 0;
  int64_t probation_until = 0;
  uint64_t replaced = 0;  // the revision that was in force before this one
  std::string detail;     // of the last check, rollback or withdrawal

  bool HasLiveApproval(int64_t now) const;
};

struct State {
  std::map<uint64_t, Revision> revisions;
  uint64_t in_force = 0;      // 0: none
  uint64_t highest_used = 0;  // highest number that ever was in force; lower ones are stale
  uint64_t seq = 0;           // of the last event
  int64_t time = 0;           // of the last event
  Hash head{};                // its hash
  Hash first{};               // hash of the first event

  uint64_t NextNumber() const;
  const Revision* Find(uint64_t number) const;
  // Numbers of the revision in force and of those it replaced, newest first: where to fall back to.
  std::vector<uint64_t> Lineage() const;
};

// Applies `sealed` or leaves the state as it was. Checks the chain, the appliance's signature, the
// statement's own signature and fit, and the transition. kRevisionDamaged, kRevisionState,
// kNotEntitled, kStale.
Result<void> Advance(State& state, const SealedEvent& sealed, const PublicKey& appliance);

}  // namespace portcullis::policy::revise
