// DecisionFacts as JSON: what the audit log keeps of every decision so that it can be asked again
// of another policy, and what `policy whatif --facts` reads. One object, version 1; FORMAT.md lists
// the members. The reader is strict: unknown members, wrong types and over-long lists are refused.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "policy/revise/ladder.h"

namespace portcullis::policy::revise {

boost::json::object ToJson(const DecisionFacts& facts);
Result<DecisionFacts> FactsFromJson(const boost::json::value& value);

}  // namespace portcullis::policy::revise
