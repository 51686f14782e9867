// Follows the revisions of the policies through the log: who proposed and approved each, from when to when it
// was in force, and what ended that. A rollback's record names the revision that goes out of force; the one
// before it is in force again, and no record of its own says so. A start that finds another revision in
// force than was told moves to it; the record of the change may follow it. Not thread-safe.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "audit/record.h"
#include "audit/report/period.h"

namespace portcullis::audit {

class RevisionBook {
 public:
  static constexpr size_t kMaxRevisions = 5000;

  // An opened CONFIG, ADMIN or DECISION record, in log order.
  void Take(const Leaf& leaf, const boost::json::object& facts);
  // Those that were proposed, approved, withdrawn or in force in the period.
  std::vector<PolicyRevision> Of(const Period& period) const;
  // Number of what is in force, as far as the records told; 0: unknown, or without a number.
  uint64_t in_force() const { return current_ ? all_[*current_].told.number : 0; }

 private:
  struct Entry {
    PolicyRevision told;
    std::optional<size_t> replaced;  // what was in force before it
    uint64_t withdrawn_us = 0;
  };
  std::optional<size_t> Find(uint64_t number, const Hash& hash);
  void PutInForce(size_t index, uint64_t at_us, const std::string& began, const std::string& ends);
  void End(uint64_t at_us, const std::string& words);
  void RollBack(size_t index, uint64_t at_us, const std::string& who, const std::string& why);
  void TakeStep(const Leaf& leaf, const boost::json::object& facts, const std::string& step);

  std::vector<Entry> all_;
  std::optional<size_t> current_;
};

}  // namespace portcullis::audit
