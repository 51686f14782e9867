#include "audit/query.h"

#include <algorithm>

namespace portcullis::audit {

bool Query::Fits(const Leaf& leaf) const {
  if (leaf.wall_us < begin_us || leaf.wall_us >= end_us) return false;
  if (!kinds.empty() && std::find(kinds.begin(), kinds.end(), leaf.kind) == kinds.end()) return false;
  if (outcome && leaf.outcome != *outcome) return false;
  if (request && leaf.request_id != *request) return false;
  if (parent && leaf.parent_seq != *parent) return false;
  if (policy && leaf.policy_hash != *policy) return false;
  return std::all_of(terms.begin(), terms.end(), [&leaf](const std::vector<SearchTerm>& any) {
    return std::any_of(any.begin(), any.end(), [&leaf](const SearchTerm& term) { return term.Matches(leaf); });
  });
}

}  // namespace portcullis::audit
