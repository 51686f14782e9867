// The engine's answer to an embedding call, rebuilt from an allow-list: vectors and counts, nothing
// else. Pure function. Failure: kUpstreamError.
#pragma once

#include <string>
#include <string_view>

#include "gateway/error.h"
#include "gateway/walk.h"

namespace portcullis::gateway {

Result<Answer> ReadEmbeddings(std::string_view body, const ChatCall& call);

}  // namespace portcullis::gateway
