// The policy in force as the cores see it: one compiled revision, its name, and a tally of what it
// decided. Immutable but for the tally; shared by all threads and replaced as a whole, so that
// every decision belongs to exactly one revision.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "gateway/decide/caller_tally.h"
#include "gateway/error.h"
#include "policy/revise/compiled.h"

namespace portcullis::gateway {

struct PolicySnapshot {
  std::shared_ptr<const policy::revise::Compiled> compiled;  // null: everything is refused
  std::array<uint8_t, 32> hash{};  // of the content (policy/revise/FORMAT.md); zeros when null
  std::string revision;            // "sha256:" + 12 hexadecimal digits; "none" when null
  uint64_t number = 0;             // 0: a folder, not a revision of the store
  // Sites whose facts in the configuration are not those that were approved: never used.
  std::set<std::string> withheld;
  bool facts_unread = false;  // what was approved could not be read: all sites are withheld
  mutable CallerTally callers;

  static std::shared_ptr<PolicySnapshot> Of(
      std::shared_ptr<const policy::revise::Compiled> compiled, uint64_t number);
  // For development: a folder of files, whole and valid or not at all. `facts` as of
  // site_facts.h.
  static Result<std::shared_ptr<const PolicySnapshot>> Load(const std::filesystem::path& folder,
                                                            const std::string& facts = "");
};

// An error of the policy island in the gateway's terms.
Error FromPolicy(const policy::Error& error);

}  // namespace portcullis::gateway
