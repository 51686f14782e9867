// Start here: everything that a caller of the policy language needs. Parse a PolicySet and Entities
// once, keep them as shared_ptr<const …>, and ask Authorize for each request.
//   value.h       EntityUid, Value and its builders
//   entities.h    Entity, Entities (from JSON or Add)
//   policy_set.h  PolicySet::Parse, annotations
//   authorize.h   Request, Response, Authorize
#pragma once

#include "policy/cedar/authorize.h"   // IWYU pragma: export
#include "policy/cedar/entities.h"    // IWYU pragma: export
#include "policy/cedar/policy_set.h"  // IWYU pragma: export
#include "policy/cedar/value.h"       // IWYU pragma: export
