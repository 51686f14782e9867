// From Cedar's yes or no to a treatment. For each site in order of preference the ladder asks
// forward, forwardPseudonymised, forwardRedacted; the first yes wins, no yes is a refusal. A policy
// that errors means no, for Cedar's own "skip it" would let a request pass that a forbid was
// written against. The gateway decides with this function, replay and comparison recompute with it.
// Pure functions of immutable values, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cedar/authorize.h"
#include "policy/revise/obligations.h"

namespace portcullis::policy::revise {

// DO NOT CHANGE THESE VALUES: they are written to the audit log.
enum class Treatment : uint8_t { kRefused = 0, kForward = 1, kPseudonymised = 2, kRedacted = 3 };
std::string_view ToString(Treatment treatment);  // the action: "forwardRedacted"; "refused"
std::optional<Treatment> TreatmentFromString(std::string_view text);

// The whole ladder, in the order of asking.
inline constexpr std::array kLadder = {Treatment::kForward, Treatment::kPseudonymised,
                                       Treatment::kRedacted};

// A marking covers the whole document: taking the words away does not take the classification away.
inline constexpr std::string_view kIrremovableClass = "Classified";

// Everything that a decision about data was made from. Names are ids of Cedar entities of the
// types Gw::User or Gw::Workload, Jurisdiction, Department, Role, DataClass, Backend, Zone,
// Purpose.
struct DecisionFacts {
  bool workload = false;
  std::string principal;
  std::string home;
  std::vector<std::string> citizenships;
  std::vector<std::string> departments;
  std::vector<std::string> roles;
  int64_t clearance = 0;
  std::string purpose = "other";
  std::vector<std::string> sites;  // in order of preference
  std::vector<std::string> detected;
  std::vector<std::string> left_pseudonymised;  // classes that remain under pseudonyms
  std::vector<std::string> left_redacted;       // classes that remain after redaction
  int64_t top_severity = 0;
  bool scan_complete = true;
  std::vector<std::string> subject;  // jurisdictions of the people the data is about
  int64_t subjects = 0;
  int64_t subjects_ytd = 0;
  std::string client_ip = "127.0.0.1";
  std::string zone = "intranet";
  bool device_managed = false;
  bool device_government = false;
  std::string device_jurisdiction;
  int64_t now_ms = 0;  // since 1970 (UTC)
  std::optional<std::string> legal_basis;
  std::optional<std::string> consent_ref;
  // What the appliance can do; a treatment that it cannot do is never asked for.
  std::vector<Treatment> ladder = {kLadder.begin(), kLadder.end()};

  bool operator==(const DecisionFacts&) const = default;
};

struct Outcome {
  Treatment treatment = Treatment::kRefused;
  std::string site;                   // empty when refused
  std::vector<std::string> policies;  // labels of the deciders; of the forbids when refused
  std::vector<std::string> errors;    // labels of policies that could not be evaluated
  Obligations obligations;

  bool allowed() const { return treatment != Treatment::kRefused; }
};

Outcome Climb(const cedar::PolicySet& policies, const cedar::Entities& entities,
              const DecisionFacts& facts);

// What Climb asks for one site and treatment, and the caller's own entity.
cedar::Request RequestOf(const DecisionFacts& facts, std::string_view site, Treatment treatment);
cedar::Entity PrincipalOf(const DecisionFacts& facts);

}  // namespace portcullis::policy::revise
