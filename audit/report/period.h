// What one period of the log says, counted: the facts that the compliance report shows. Plain data in
// the order in which a reader meets it; made by Collector, shown by html.h and json.h.
// Times are microseconds since 1970, UTC. Lists are bounded; what they leave out is counted.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "audit/event.h"

namespace portcullis::audit {

// From `begin` up to, and without, `end`.
struct Period {
  uint64_t begin_us = 0;
  uint64_t end_us = UINT64_MAX;
};

struct DecisionCounts {
  uint64_t allowed = 0;
  uint64_t treated = 0;  // allowed after redaction, pseudonyms or another treatment
  uint64_t refused = 0;

  uint64_t total() const { return allowed + treated + refused; }
};

// Rules that decisions name by their hash.
struct PolicyInForce {
  Hash hash{};
  std::string revision;  // empty where no opened record named it
  uint64_t first_us = 0, last_us = 0;
  uint64_t decisions = 0;
};

// What officers did with one revision of the policies, and when it was in force. Told from the beginning of
// the log to the end of the period.
struct PolicyRevision {
  struct Approval {
    std::string who;
    uint64_t at_us = 0;
  };
  struct Span {
    uint64_t from_us = 0;
    uint64_t to_us = 0;   // 0: in force to the end of the period
    std::string began;    // how: "put in force by paul"
    std::string ended;
  };
  uint64_t number = 0;    // 0: a gateway without a revision store
  Hash hash{};
  std::string proposed_by;
  uint64_t proposed_us = 0;
  std::vector<Approval> approvals;
  std::vector<Span> spans;
  std::string withdrawn;  // by whom and when; empty: it was not
};

// An act of an administrator, or a configuration put in force. Names as the record has them.
struct Act {
  uint64_t seq = 0;
  uint64_t at_us = 0;
  std::string who;
  std::string operation;
  std::string argument;
  bool refused = false;
  std::string why;  // of a refusal, or what became of it
};

// Acts that are counted and not listed: readings, which a monitor may do every second; requests about policy
// revisions, whose effect is listed; acts whose record is sealed.
struct ActCounts {
  uint64_t done = 0, refused = 0;
};

// Somebody read, released, erased, shredded or held records.
struct Access {
  uint64_t seq = 0;
  uint64_t at_us = 0;
  Kind kind = Kind::kAuditRead;
  std::string who;
  std::string reason;
  uint64_t target_seq = 0;  // 0: not one record
  std::string what;         // "placed", "to auditor-1, 3 keys", "show"
};

// Entries that a bounded list has no room for.
struct Unlisted {
  uint64_t count = 0;
  uint64_t from_seq = 0;
  std::map<std::string, uint64_t> by;
};

// Something between the log and completeness: a start, an end, a jump of the clock, a silence.
struct Interruption {
  uint64_t seq = 0;
  uint64_t at_us = 0;
  Kind kind = Kind::kBoot;
  std::string words;
};

// Refusals without a minute's pause between their counts.
struct Episode {
  uint64_t first_seq = 0, last_seq = 0;
  uint64_t first_us = 0, last_us = 0;
  uint64_t strangers = 0, identified = 0;
  std::map<std::string, uint64_t> reasons;
  bool sealed = false;  // of at least one count only the time is known

  uint64_t total() const { return strangers + identified; }
};

struct Siege {
  uint64_t begin_seq = 0;
  uint64_t begin_us = 0;
  std::string words;
};

// Where data of a class and jurisdiction went. Site, place and country are empty for what was refused.
struct Flow {
  std::string jurisdiction, data_class;
  std::string site;
  std::string place;    // where the site processes it, as the policy in force named that
  std::string country;  // of that place (countries.h)
  std::string treatment;

  auto operator<=>(const Flow&) const = default;
};

struct PeriodFacts {
  Period period;
  uint64_t records = 0;
  uint64_t first_seq = 0, last_seq = 0;
  uint64_t first_us = 0, last_us = 0;
  std::array<uint64_t, 64> kinds{};     // by Kind
  uint64_t opened = 0;                  // records whose content was read for this report
  uint64_t sealed = 0;                  // records with content that no key given opens
  uint64_t erased = 0;                  // records whose content was destroyed
  uint64_t unreadable = 0;              // opened, but not in the form that is expected
  uint64_t subjects = 0, tenants = 0;   // distinct tags of requests; a new year counts anew
  bool subjects_capped = false;         // there are more than were counted

  DecisionCounts decisions;
  uint64_t answered = 0, aborted = 0;
  uint64_t failed_policies = 0;         // decisions in which a policy could not be evaluated
  uint64_t prompt_tokens = 0, completion_tokens = 0;

  std::vector<PolicyRevision> revisions;          // that the period has to do with
  uint64_t sealed_policy_records = 0;             // up to its end: what revisions may lack
  std::vector<PolicyInForce> policies_in_force;
  std::vector<Act> acts;
  Unlisted unlisted_acts;
  std::map<std::pair<std::string /*who*/, std::string /*operation*/>, ActCounts> counted_acts;
  std::map<std::string, DecisionCounts> by_policy;
  std::map<Flow, uint64_t> residency;
  std::map<std::string, uint64_t> findings;       // by kind: "iban"
  std::map<Hash, uint64_t> models;                // requests by SHA-256 of the model's weights
  std::map<Hash, std::string> model_names;
  std::vector<Access> accesses;                   // all but readings are without a bound
  Unlisted unlisted_reads;
  std::map<std::string, uint64_t> refused_strangers, refused_identified;
  std::vector<Episode> episodes;
  Unlisted unlisted_episodes;
  std::vector<Siege> sieges;
  Unlisted unlisted_sieges;
  std::map<std::string, uint64_t> aborts;         // by name of the error
  std::vector<Interruption> interruptions;        // unclean ends and overrides without a bound
  Unlisted unlisted_interruptions;
  uint64_t overrides = 0;                         // of refused starts, by two officers
  uint64_t unsynchronised = 0;                    // records with a clock known to be unsynchronised
  uint64_t clock_unknown = 0;
  uint64_t longest_silence_us = 0;                // between neighbouring records of one boot
  uint64_t left_out = 0;                          // keys over the bound of a table; they are counted under (others)
};

}  // namespace portcullis::audit
