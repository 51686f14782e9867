// Chooses the next token from the model's logits. In order: logit bias, repetition, presence and
// frequency penalties, the guide's grammar, temperature, top-k, top-p, min-p, draw. Temperature 0 takes the greatest
// logit, the lower id at a tie. Log-probabilities reported are the model's own: of the untouched
// logits. One Sampler a request; not thread-safe, but several may run at once. Same seed and same
// logits give the same tokens.
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

  // `logits` is changed. The token is kNoToken where the guide cannot be kept to: it is too costly, or
  // leaves no token at all.
  Sampled Next(std::span<float> logits);

 private:
  struct Candidate {
    float logit;
    float weight;
    TokenId id;
  };
  void Penalize(std::span<float> logits) const;
  bool Constrain(std::span<float> logits);
  float Top(std::span<const float> logits);
  double Total(std::span<const float> logits, float top, float scale);
  void Report(std::span<const float> logits, float top, std::vector<TokenLogprob>& reported);
  TokenId Greatest(std::span<const float> logits);
  TokenId Draw(std::span<const float> logits, float top, float scale);
  TokenId DrawCut(std::span<const float> logits, float top, float scale);
  void Gather(std::span<const float> logits, float top, float scale, float reach);
  void GatherCut(std::span<const float> logits, float top, float scale);
  double Mass() const;
  void KeepNucleus(double wanted);

  SamplingOptions options_;
  size_t vocab_size_;
  Random random_;
  std::optional<Guide> guide_;
  std::unordered_map<TokenId, int32_t> written_;  // counts
  std::unordered_map<TokenId, bool> seen_;        // prompt and answer; only for repetition
  // Of the row in hand.
  std::vector<float> untouched_;
  std::vector<float> maxima_;  // of its blocks
  std::vector<float> sums_;
  std::vector<Candidate> candidates_;
};

}  // namespace portcullis::inference
