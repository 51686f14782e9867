// POST /v1/completions and /v1/embeddings, checked field by field and rebuilt from an allow-list, as
// chat_request.h does for chat. Prompts given as token ids are marked unreadable: the scan of such a
// call is incomplete, and policy says what that means. Pure functions, any thread.
#pragma once

#include <boost/json/value.hpp>

#include "gateway/classify/chat_request.h"
#include "gateway/error.h"

namespace portcullis::gateway {

Result<ChatCall> ParseText(const boost::json::value& document, const ChatLimits& limits);
Result<ChatCall> ParseEmbedding(const boost::json::value& document, const ChatLimits& limits);

}  // namespace portcullis::gateway
