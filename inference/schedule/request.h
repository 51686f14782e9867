// What the scheduler is asked and how it answers. A Sink is called on the scheduler's thread, in
// order: any number of OnDelta, then exactly one of OnFinish and OnError (neither, or either, once
// the caller cancelled). An EmbedSink hears exactly one call. Their functions must return at once
// and must not throw.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "inference/error.h"
#include "inference/sample/answer.h"
#include "inference/sample/sampler.h"

namespace portcullis::inference {

// Strict between classes, softened by ageing: see SchedulerOptions::aging.
enum class Priority : uint8_t { kInteractive = 0, kNormal = 1, kBatch = 2 };
inline constexpr size_t kPriorities = 3;

// Who asks, and how urgently. Tenant and priority come from the gateway's identity, never from a
// body. A deadline that passes ends the request with kTimeout.
struct Caller {
  std::string tenant;
  Priority priority = Priority::kNormal;
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

struct GenerateRequest : Caller {
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

struct EmbedRequest : Caller {
  std::vector<TokenId> tokens;
  bool mean = true;  // over all tokens; else the last one's
};

class EmbedSink {
 public:
  virtual ~EmbedSink() = default;
  // hidden_size floats after the final norm, not scaled to length 1.
  virtual void OnEmbedding(std::vector<float> embedding) = 0;
  virtual void OnError(const Error& error) = 0;
};

}  // namespace portcullis::inference
