// The parts of a chat request that have a structure of their own: messages, tools, the format of the
// answer, reasoning. Each reader fills its fields of the Call. Pure functions.
#pragma once

#include "inference/serve/call.h"
#include "inference/serve/fields.h"

namespace portcullis::inference {

ApiResult<void> ReadMessages(const Fields& fields, Call& call);
ApiResult<void> ReadTools(const Fields& fields, Call& call);
ApiResult<void> ReadFormat(const Fields& fields, Call& call);
ApiResult<void> ReadThinking(const Fields& fields, Call& call);
// A string, a list of strings, a list of token ids, or a list of such lists; 1 to 256 of them.
ApiResult<std::vector<TextInput>> ReadInputs(const Fields& fields, const char* name);

}  // namespace portcullis::inference
