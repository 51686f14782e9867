// Chooses the next token from the model's logits. In order: logit bias, repetition, presence and
// frequency penalties, the guide's grammar, temperature, top-k, top-p, min-p, draw. Temperature 0 takes the greatest
// logit, the lower id at a tie. Log-probabilities reported are the model's own: of the untouched
// logits. One Sampler a request; not thread-safe. Same seed and same logits give the same tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "inference/sample/guide.h"
#include "inference/sample/random.h"
#include "inference/tokenizer/vocab.h"

namespace portcullis::inference {

// Ranges are checked where requests are read: temperature 0 to 2, top_p and min_p 0 to 1,
// presence and frequency -2 to 2, repetition 0.1 to 10, bias -100 to 100, top_logprobs 0 to 20.
struct SamplingOptions {
  float temperature = 1.0f;
  float top_p = 1.0f;
  float min_p = 0.0f;
  int32_t top_k = 0;  // 0: off
  float presence_penalty = 0.0f;
  float frequency_penalty = 0.0f;
  float repetition_penalty = 1.0f;
  std::vector<std::pair<TokenId, float>> logit_bias;
  uint64_t seed = 0;
  bool logprobs = false;
  int32_t top_logprobs = 0;
  std::shared_ptr<const GuidePlan> guide;  // what the answer has to keep to; null: nothing
};

struct TokenLogprob {
  TokenId id = kNoToken;
  float logprob = 0;
};

struct Sampled {
  TokenId id = kNoToken;
  float logprob = 0;              // set where logprobs were asked for
  std::vector<TokenLogprob> top;  // best first
};

class Sampler {
 public:
  // Tokens of `prompt` count for the repetition penalty only. Ids from `vocab_size` on, which pad
  // the model's output, are never chosen.
  Sampler(SamplingOptions options, std::span<const TokenId> prompt, size_t vocab_size);

  // `logits` is changed.
  Sampled Next(std::span<float> logits);

 private:
  struct Candidate {
    float logit;
    TokenId id;
  };
  void Penalize(std::span<float> logits) const;
  void Constrain(std::span<float> logits);
  void Report(std::span<const float> logits, std::vector<TokenLogprob>& top);
  TokenId Draw(std::span<const float> logits);
  TokenId DrawSorted(std::span<const float> logits);

  SamplingOptions options_;
  size_t vocab_size_;
  Random random_;
  std::optional<Guide> guide_;
  std::unordered_map<TokenId, int32_t> written_;  // counts
  std::unordered_map<TokenId, bool> seen_;        // prompt and answer; only for repetition
  double log_sum_ = 0;
  std::vector<Candidate> candidates_;
};

}  // namespace portcullis::inference
