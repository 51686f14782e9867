// Revisions of policy over the administrators' listeners: read the store and its log, propose,
// approve, apply, keep, roll back, withdraw. The rules are the revision store's; here JSON becomes
// its calls. An act needs the signed statement of an officer ("statement", "key", "signature"), or,
// for an officer without a key of his own, that he himself is the one who has signed in.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "gateway/walk.h"

namespace portcullis::gateway {

boost::asio::awaitable<Result<Answer>> AdministerPolicy(Call& call);

}  // namespace portcullis::gateway
