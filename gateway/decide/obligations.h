// What is owed for a decision; the rules are the policy island's (policy/revise/obligations.h).
#pragma once

#include "policy/revise/obligations.h"

namespace portcullis::gateway {

using policy::revise::Obligations;
using policy::revise::RecordLevel;

}  // namespace portcullis::gateway
