// Strict validation of policies against a schema: every policy is type-checked for every request
// that its head admits. A policy set without errors here cannot fail at run time except by integer
// overflow, a missing entity, or an extension function's own limits. Capabilities: an optional
// attribute or a tag may be read only where a `has` or `hasTag` before it is known to be true.
// Templates are checked for every type that their slots could take, links for the types they took.
// Warnings do not make a set invalid: policies that no valid request satisfies, and texts that read
// differently from what they are (text_warnings.h). After a thousand errors the rest is not looked
// at.
#pragma once

#include <string>
#include <vector>

#include "policy/cedar/policy_set.h"
#include "policy/cedar/schema.h"
#include "policy/cedar/types.h"

namespace portcullis::policy::cedar {

struct Finding {
  std::string policy;   // id
  std::string message;  // "file:line:column: what" with the line
};

struct Findings {
  std::vector<Finding> errors;
  std::vector<Finding> warnings;
};

Findings Validate(const PolicySet& policies, const Schema& schema, Mode mode = Mode::kStrict);

}  // namespace portcullis::policy::cedar
