// One request on its way: what was asked, what was computed, and where its answer goes. A job that
// lost its pages keeps `tokens` and computes them again; nothing it said is ever taken back.
// Belongs to the scheduler's thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "inference/arch/model.h"
#include "inference/schedule/request.h"
#include "inference/schedule/speculation.h"

namespace portcullis::inference {

// What a handle and the scheduler share; the scheduler looks at it before every step.
struct Cancelling {
  std::atomic<bool> asked{false};
};

struct Job {
  using Clock = std::chrono::steady_clock;

  bool embedding() const { return embed_sink != nullptr; }
  int64_t size() const { return static_cast<int64_t>(tokens.size()); }
  int64_t computed() const { return sequence ? sequence->length() : 0; }
  // Exactly the token sampled last is left to compute: the next row is the answer's next token.
  bool writing() const {
    return !embedding() && computed() >= prompt && computed() + 1 == size() && size() > prompt;
  }
  // Tokens that a step may compute at once, all of one role.
  int64_t left() const { return (computed() < prompt ? prompt : size()) - computed(); }
  TokenRole role() const {
    return computed() < prompt ? TokenRole::kPrompt : TokenRole::kGenerated;
  }
  bool cancelled() const { return cancel->asked.load(std::memory_order_acquire); }
  // Waiting lifts by a class every `aging`; smaller goes first.
  int64_t ClassAt(Clock::time_point now, std::chrono::milliseconds aging) const {
    const auto lifted = aging.count() > 0 ? (now - submitted) / aging : 0;
    return std::max<int64_t>(0, static_cast<int64_t>(caller.priority) - lifted);
  }
  // How the prefix cache names what was computed: see prefix_cache.h.
  std::vector<int32_t> Keys(int64_t count) const;

  // Samples one token for each row of `logits`, which are changed, as long as the tokens before it
  // were the drafts that the row was computed for. May run beside other jobs' on other threads.
  void Sample(std::span<float> logits, size_t vocab_size, const Tokenizer& tokenizer);
  // Says what becomes of the tokens sampled; gives how many count.
  int64_t Say();
  void Finish(std::vector<float> pooled);
  void Fail(const Error& error);  // only the first ending counts

  Caller caller;
  uint64_t number = 0;  // in the order of arrival
  Clock::time_point submitted;
  std::shared_ptr<Cancelling> cancel;
  std::vector<TokenId> tokens;  // the prompt, then the answer
  int64_t prompt = 0;
  int64_t limit = 0;  // of tokens, prompt included
  std::vector<uint64_t> names;  // of the prompt's pages
  bool at_door = true;          // counted by the door
  bool done = false;
  bool failed = false;  // that is how it was done

  std::shared_ptr<Sink> sink;
  SamplingOptions sampling;
  AnswerOptions answer_options;
  std::optional<Sampler> sampler;  // from its first run on, as the answer
  std::optional<Answer> answer;
  Usage usage;

  std::shared_ptr<EmbedSink> embed_sink;
  bool mean = false;
  std::vector<float> pooled;

  // While it runs:
  std::unique_ptr<Sequence> sequence;
  bool looked_up = false;      // in the prefix cache
  int64_t shared_pages = 0;    // found there
  std::vector<TokenId> draft;    // for this step
  std::vector<Sampled> sampled;  // in this step
  bool draft_from_head = false;
  DraftRecord lookup_record, head_record;
};

using JobPtr = std::unique_ptr<Job>;

JobPtr MakeJob(GenerateRequest request, std::shared_ptr<Sink> sink);
JobPtr MakeJob(EmbedRequest request, std::shared_ptr<EmbedSink> sink);

}  // namespace portcullis::inference
