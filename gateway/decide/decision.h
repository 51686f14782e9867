// What policy said about one call: where it may go, in which form, and what is owed for it. Only
// the Decider makes one; the step "record" writes it down and the step "infer" obeys it.
// An immutable value.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/decide/obligations.h"

namespace portcullis::gateway {

// DO NOT CHANGE THESE VALUES: they are written to the audit log.
enum class Treatment : uint8_t { kRefused = 0, kForward = 1, kPseudonymised = 2, kRedacted = 3 };

std::string_view ToString(Treatment treatment);

class Decision {
 public:
  bool allowed() const { return treatment_ != Treatment::kRefused; }
  Treatment treatment() const { return treatment_; }
  const std::string& site() const { return site_; }                // empty when refused
  const std::vector<std::string>& policies() const { return policies_; }  // @id of the deciders
  const std::vector<std::string>& errors() const { return errors_; }      // policies that errored
  const Obligations& obligations() const { return obligations_; }
  const std::string& revision() const { return revision_; }
  const std::array<uint8_t, 32>& policy_hash() const { return policy_hash_; }

 private:
  friend class Decider;
  Decision() = default;

  Treatment treatment_ = Treatment::kRefused;
  std::string site_;
  std::vector<std::string> policies_;
  std::vector<std::string> errors_;
  Obligations obligations_;
  std::string revision_;
  std::array<uint8_t, 32> policy_hash_{};
};

}  // namespace portcullis::gateway
