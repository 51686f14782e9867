// Changes of policy in the audit log, and the watch over a revision on probation. A change is noted
// once it is durable, at the latest a second after; what a crash has kept from the log is noted at
// the next start, as the state remembers how far the log has got. At least once, never not at all.
// Threading: coroutines of one core; the work on disks is done on the state store's thread.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "audit/event.h"
#include "gateway/decide/policy_keeper.h"
#include "gateway/observe/request_log.h"
#include "gateway/record/recorder.h"

namespace portcullis::gateway {

audit::Event PolicyEvent(const policy::revise::SealedEvent& change);

// All changes that the log does not have yet.
boost::asio::awaitable<Result<void>> NotePolicyChanges(PolicyKeeper& keeper, Store& state,
                                                       Recorder& recorder);

// Runs until the context stops.
boost::asio::awaitable<void> WatchPolicy(boost::asio::io_context& core, PolicyKeeper& keeper,
                                         Store& state, Recorder& recorder, RequestLog& log);

}  // namespace portcullis::gateway
