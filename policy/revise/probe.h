// One kind of call, asked of two policy sets at once: the same request for every rung of the
// ladder, built once. Says whether the sets can have decided it differently; the words come from
// Compiled. Not for use by several threads at once.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "policy/cedar/authorize.h"
#include "policy/revise/compiled.h"

namespace portcullis::policy::revise {

class Probe {
 public:
  Probe(const Compiled& before, const Compiled& after);

  void Set(const DecisionFacts& facts);  // its first site counts
  // False when both sets answer every rung alike, for rules that say the same.
  bool MayDiffer();

  const cedar::Entities& own() const { return own_; }
  const std::array<cedar::Question, 3>& rungs() const { return rungs_; }

 private:
  struct Answer {
    bool yes = false;
    std::vector<uint32_t> reasons;  // numbers of texts: equal for rules that say the same
    std::vector<uint32_t> owed;     // of a refusal, numbers of what its rules ask to be done

    bool operator==(const Answer&) const = default;
  };
  void Decide(size_t side, const cedar::Question& question, Answer& out);

  std::array<const Compiled*, 2> sets_;
  std::array<std::vector<uint32_t>, 2> texts_;  // for each policy of each side
  std::array<std::vector<uint32_t>, 2> owed_;   // likewise; 0 for a policy that asks for nothing
  cedar::Entities own_;
  std::array<cedar::Question, 3> rungs_;
  cedar::Decision decision_;
  Answer answers_[2];
};

}  // namespace portcullis::policy::revise
