// What is searched for in the log: all of the conditions, any of the values of one. Names are looked for
// by their blind tags (tags.h), everything else stands in the leaf. Plain data and one predicate; what
// an index answers is always checked again by it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "audit/record.h"
#include "audit/tags.h"

namespace portcullis::audit {

struct Query {
  uint64_t begin_us = 0, end_us = UINT64_MAX;  // wall clock, from begin up to, and without, end
  std::vector<Kind> kinds;
  std::optional<uint16_t> outcome;
  std::optional<Id> request;
  std::optional<uint64_t> parent;
  std::optional<Hash> policy;
  std::vector<std::vector<SearchTerm>> terms;

  bool Fits(const Leaf& leaf) const;
};

using OnFound = std::function<void(const Leaf& leaf, const Hash& leaf_hash)>;

}  // namespace portcullis::audit
