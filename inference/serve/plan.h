// From a call to what its answer must keep to: the sampler's guide and the parser of tool calls.
// Grammars are compiled here, before anything is queued, so that a schema that cannot be enforced is
// a 400 that names its place. The vocabulary's tree is built when first needed. One thread.
#pragma once

#include <memory>

#include "inference/engine.h"
#include "inference/serve/call.h"

namespace portcullis::inference {

class Planner {
 public:
  explicit Planner(const Engine& engine) : engine_(engine) {}  // must outlive this

  // Fills the guide of `sampling` and the tools of `answer`.
  ApiResult<void> Plan(const Call& call, const Prompt& prompt, SamplingOptions& sampling,
                       AnswerOptions& answer);

 private:
  std::shared_ptr<grammar::SharedMasks> Masks();

  const Engine& engine_;
  std::shared_ptr<grammar::SharedMasks> masks_;
};

}  // namespace portcullis::inference
