// From a call that was read to generations that can be queued: prompts rendered and measured, the
// plan of each answer made. On the preparing thread. Failure: a 400 that names the field.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "inference/engine.h"
#include "inference/serve/call.h"
#include "inference/serve/plan.h"

namespace portcullis::inference {

struct Prepared {
  std::vector<GenerateRequest> requests;  // one an answer, in the order of the reply
  std::vector<std::string> echoes;        // what stands before each answer; empty: nothing
};

// Looks between its parts whether the caller is `gone`: then ClientLeft.
ApiResult<Prepared> Prepare(const Engine& engine, Planner& planner, const Call& call,
                            const Caller& caller, const std::stop_token& gone);
// Status 499; never sent to anybody.
ApiError ClientLeft();

// The tokens of one input; control tokens are refused.
ApiResult<std::vector<TokenId>> InputTokens(const Engine& engine, const TextInput& input,
                                            const char* field);

}  // namespace portcullis::inference
