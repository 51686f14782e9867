// The administrator's operations behind the admin listeners: status, metrics, keys. They run after
// the walk has proved the caller, checked the role and recorded the act; the command line and the
// console both come through here. A key's token is in the answer to its issue and nowhere else.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "gateway/walk.h"

namespace portcullis::gateway {

boost::asio::awaitable<Result<Answer>> Administer(Call& call);

}  // namespace portcullis::gateway
