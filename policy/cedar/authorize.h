// Cedar's authoriser: every policy is evaluated, a forbid wins over any permit, nothing satisfied
// means deny, and a policy that errors is skipped and listed. That last rule is Cedar's, not the
// appliance's: callers that guard something must also treat a non-empty `errors` as deny.
// Pure function of its arguments: no I/O, no locks, safe from any thread.
#pragma once

#include <string>
#include <vector>

#include "policy/cedar/entities.h"
#include "policy/cedar/policy_set.h"
#include "policy/cedar/value.h"

namespace portcullis::policy::cedar {

struct Request {
  EntityUid principal;
  EntityUid action;
  EntityUid resource;
  Value context = Value::Record({});
};

struct Response {
  bool allow = false;
  std::vector<std::string> reasons;   // ids of the determining policies, in order of the set
  std::vector<std::string> errors;    // ids of the policies that errored, in order of the set
  std::vector<std::string> messages;  // one for each of `errors`: "file:line:column: why"
};

// A request whose parts are values already, so that many can be asked without making them anew.
struct Question {
  Value principal;  // entity values
  Value action;
  Value resource;
  Value context;  // a record

  static Question Of(const Request& request);
};

// Positions in policies.policies(), ascending. Kept from question to question, it keeps its memory:
// then deciding allocates nothing, unless a policy errors or builds a set or record of its own.
struct Decision {
  bool allow = false;
  std::vector<uint32_t> reasons;
  std::vector<uint32_t> errors;
};

void Decide(const PolicySet& policies, const EntityView& entities, const Question& question,
            Decision& decision);
// Why the policy at `position` errors: "file:line:column: why"; empty when it does not.
std::string Explain(const PolicySet& policies, const EntityView& entities, const Question& question,
                    uint32_t position);

Response Authorize(const PolicySet& policies, const Entities& entities, const Request& request);
// `request_entities` (the caller, its device …) come first, `base` answers for all others.
Response Authorize(const PolicySet& policies, const Entities& base,
                   const Entities& request_entities, const Request& request);

}  // namespace portcullis::policy::cedar
