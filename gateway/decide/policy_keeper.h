// Keeps the policy in force: opens the revision store (or, for development, a folder), publishes
// what is in force to the cores, and watches a revision on probation. Every change of a revision
// goes through Change(), so that the cores see it at once.
// Threading: snapshot() is for the cores; all others block on the disk and are called on the state
// store's thread (Store::Run). Failure: a bad revision leaves the last good one in force, and
// Complaints() says so; without any good one everything is refused.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/decide/policy_material.h"
#include "gateway/decide/policy_snapshot.h"
#include "gateway/state/clock.h"
#include "gateway/state/snapshot.h"
#include "gateway/state/store.h"
#include "policy/revise/store.h"

namespace portcullis::gateway {

class PolicyKeeper {
 public:
  // `state` holds the anchor of the revision store; it, `config` and `clock` must outlive the
  // keeper. Until Open() everything is refused.
  PolicyKeeper(const Config& config, PolicyMaterial material, Store& state, const Clock& clock);
  Result<void> Open();

  const Snapshot<PolicySnapshot>& snapshot() const { return snapshot_; }
  bool has_store() const { return store_ != nullptr; }
  policy::revise::RevisionStore& store() { return *store_; }
  const ProbationConfig& probation() const { return config_.probation; }
  const std::string& facts() const { return material_.facts; }

  // Does `work` on the store and publishes what is in force afterwards.
  template <class Work>
  auto Change(Work work) {
    auto result = work(*store_);
    Publish();
    return result;
  }

  // Rolls back what outlived its probation or behaves badly; `audit_failing`: the log has not taken
  // the record of this change. True when something changed.
  Result<bool> Watch(bool audit_failing);
  // Reads a folder again; a store has nothing to read again.
  Result<void> Reload();

  std::vector<std::string> Complaints() const;  // waits for the revision store

  // Changes that the audit log does not have yet, oldest first; remembered over restarts.
  Result<std::vector<policy::revise::SealedEvent>> Unnoted();
  Result<void> MarkNoted(uint64_t seq);
  // One at a time may take changes to the log.
  std::atomic<bool>& noting() { return noting_; }

 private:
  // Too few calls, or nobody remembers: an unknown past must not accuse.
  static constexpr uint32_t kUnknownPercent = 100;

  void Publish();
  std::optional<std::string> ApprovedFacts(uint64_t number) const;
  bool EnoughToJudge(const CallerTally::Result& tally) const;
  // The share of refusals that the revision `number` is measured by; remembered over restarts.
  uint32_t RefusedPercentBefore(const PolicySnapshot& before, uint64_t number);
  std::string Misbehaviour(const PolicySnapshot& now) const;

  const Config& config_;
  const PolicyMaterial material_;
  Store& state_;
  const Clock& clock_;
  std::unique_ptr<policy::revise::RevisionStore> store_;
  Snapshot<PolicySnapshot> snapshot_;
  uint32_t refused_percent_before_ = kUnknownPercent;  // of the revision that was replaced
  std::atomic<bool> noting_{false};
};

}  // namespace portcullis::gateway
