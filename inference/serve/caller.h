// Who asks, read from the headers that the gateway sets: x-portcullis-tenant (at most 128 bytes;
// the partition of caches and of fairness), x-portcullis-priority (`interactive`, `normal`,
// `batch`; without it `normal`) and x-portcullis-timeout-ms (how long an answer is of use). The
// socket is the gateway's alone, so these are believed; a body never says any of it.
#pragma once

#include "inference/schedule/request.h"
#include "inference/serve/api_error.h"
#include "inference/serve/connection.h"

namespace portcullis::inference {

ApiResult<Caller> ReadCaller(const HttpRequest& request);

}  // namespace portcullis::inference
