// What policy said about one call: where it may go, in which form, and what is owed for it. Only
// the Decider makes one; the step "record" writes it down and the step "infer" obeys it.
// It names the one revision that made it, and carries the facts it was made from, so that the same
// question can be put to another policy later. An immutable value.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/decide/obligations.h"
#include "gateway/decide/site_place.h"
#include "policy/revise/ladder.h"

namespace portcullis::gateway {

using policy::revise::DecisionFacts;
using policy::revise::Treatment;

class Decision {
 public:
  bool allowed() const { return outcome_.allowed(); }
  Treatment treatment() const { return outcome_.treatment; }
  const std::string& site() const { return outcome_.site; }  // empty when refused
  const SitePlace& place() const { return place_; }          // of the site
  // Of a decision about a list: all that the caller may use, in order of preference.
  const std::vector<std::string>& sites() const { return sites_; }
  const std::vector<std::string>& policies() const { return outcome_.policies; }  // @id of deciders
  const std::vector<std::string>& errors() const {
    return outcome_.errors;
  }  // policies that errored
  const Obligations& obligations() const { return outcome_.obligations; }
  const std::string& revision() const { return revision_; }
  uint64_t revision_number() const {
    return revision_number_;
  }  // 0: from a folder, without a store
  const std::array<uint8_t, 32>& policy_hash() const { return policy_hash_; }
  const DecisionFacts* facts() const { return facts_.get(); }  // null for administrators' calls

 private:
  friend class Decider;
  Decision() = default;

  policy::revise::Outcome outcome_;
  SitePlace place_;
  std::vector<std::string> sites_;
  std::string revision_;
  uint64_t revision_number_ = 0;
  std::array<uint8_t, 32> policy_hash_{};
  std::shared_ptr<const DecisionFacts> facts_;
};

}  // namespace portcullis::gateway
