// Revisions and events as JSON, for the console, the command line and whoever reads their output.
// Times are seconds since 1970 (UTC), hashes "sha256:…", signatures hexadecimal. Pure functions.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "policy/revise/state.h"

namespace portcullis::policy::revise {

boost::json::object ToJson(const Revision& revision);
boost::json::object ToJson(const SealedEvent& event);

// {"statement": text, "key": "ed25519:…", "signature": hexadecimal}
boost::json::object ToJson(const SignedStatement& statement);
Result<SignedStatement> SignedStatementFromJson(const boost::json::object& object);

}  // namespace portcullis::policy::revise
