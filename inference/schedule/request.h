// What the scheduler is asked and how it answers. A Sink is called on the scheduler's thread, in
// order: any number of OnDelta, then exactly one of OnFinish and OnError (neither, or either, once
// the caller cancelled). Its functions must return at once and must not throw.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inference/error.h"
#include "inference/sample/answer.h"
#include "inference/sample/sampler.h"

namespace portcullis::inference {

struct GenerateRequest {
  std::string tenant;  // from the gateway's identity, never from a body
  std::vector<TokenId> prompt;
  int64_t max_tokens = 0;
  SamplingOptions sampling;
  AnswerOptions answer;
};

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void OnDelta(Delta delta) = 0;
  virtual void OnFinish(FinishReason reason, const Usage& usage) = 0;
  virtual void OnError(const Error& error) = 0;
};

}  // namespace portcullis::inference
