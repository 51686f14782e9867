// The fields that every answer carries: request id, rates, policy revision, receipt.
#pragma once

#include "gateway/walk.h"

namespace portcullis::gateway {

http::ResponseHead MakeHead(const Call& call, int status, int64_t retry_after_ms = -1);

// Counts the call and writes its one log line.
void Finished(const Call& call, Code outcome, int status, std::string_view finish_reason);

}  // namespace portcullis::gateway
