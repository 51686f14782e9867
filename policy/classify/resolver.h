// Turns candidates that may overlap into findings that do not. The stronger one (severity, then
// confidence, then length, then place in the table) keeps its bytes; the weaker one keeps what is
// left of it on either side, so whatever any candidate covered stays covered. Offsets are bytes of
// the original stream.
//
// Candidates are taken in one total order (start first), each as soon as no earlier one can come;
// the outcome does not depend on when that is learnt.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <vector>

#include "policy/classify/finding.h"

namespace portcullis::policy {

class Resolver {
 public:
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();
  // What is left of a weaker candidate is dropped when shorter: separators, half a word.
  static constexpr uint64_t kMinRemainder = 4;

  void Add(const Finding& finding, size_t rank) { pending_.insert({finding, rank}); }
  // No candidate added later starts before `horizon`. Appends the findings that became final.
  void Advance(uint64_t horizon, std::vector<Finding>& out);
  // A block begins at `start` and takes precedence over all else: cuts what reaches into it.
  void CutAt(uint64_t start, std::vector<Finding>& out);
  // Offset before which nothing is undecided, given the horizon.
  uint64_t Settled(uint64_t horizon) const;

 private:
  struct Candidate {
    Finding finding;
    size_t rank;  // place in the table
    bool operator<(const Candidate& other) const;
  };

  static bool Outranks(const Candidate& left, const Candidate& right);
  void Take(const Candidate& candidate, std::vector<Finding>& out);
  void Keep(Candidate candidate, uint64_t start, uint64_t end);

  std::set<Candidate> pending_;
  std::optional<Candidate> current_;
};

}  // namespace portcullis::policy
