#include "inference/sample/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace portcullis::inference {
namespace {

double LogSumExp(std::span<const float> logits) {
  const float top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - top);
  return top + std::log(sum);
}

}  // namespace

Sampler::Sampler(SamplingOptions options, std::span<const TokenId> prompt, size_t vocab_size)
    : options_(std::move(options)), vocab_size_(vocab_size), random_(options_.seed) {
  if (options_.repetition_penalty != 1.0f) {
    for (const TokenId id : prompt) seen_[id] = true;
  }
  if (options_.guide) guide_.emplace(options_.guide);
}

Sampled Sampler::Next(std::span<float> logits) {
  logits = logits.first(std::min(logits.size(), vocab_size_));
  Sampled result;
  std::vector<float> untouched;
  if (options_.logprobs) {
    log_sum_ = LogSumExp(logits);
    Report(logits, result.top);
    untouched.assign(logits.begin(), logits.end());
  }
  Penalize(logits);
  if (guide_) Constrain(logits);
  const TokenId forced = guide_ ? guide_->Forced() : kNoToken;
  if (forced != kNoToken && static_cast<size_t>(forced) < logits.size()) {
    result.id = forced;
  } else if (options_.temperature <= 0.0f) {
    result.id =
        static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  } else {
    const bool plain = options_.top_k <= 0 && options_.top_p >= 1.0f && options_.min_p <= 0.0f;
    result.id = plain ? Draw(logits) : DrawSorted(logits);
  }
  if (options_.logprobs) {
    result.logprob = static_cast<float>(untouched[static_cast<size_t>(result.id)] - log_sum_);
  }
  if (guide_) guide_->Accept(result.id);
  ++written_[result.id];
  if (options_.repetition_penalty != 1.0f) seen_[result.id] = true;
  return result;
}

void Sampler::Penalize(std::span<float> logits) const {
  const auto valid = [&](TokenId id) { return id >= 0 && static_cast<size_t>(id) < logits.size(); };
  for (const auto& [id, bias] : options_.logit_bias) {
    if (valid(id)) logits[static_cast<size_t>(id)] += bias;
  }
  for (const auto& [id, unused] : seen_) {
    if (!valid(id)) continue;
    float& logit = logits[static_cast<size_t>(id)];
    logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
  }
  if (options_.presence_penalty == 0.0f && options_.frequency_penalty == 0.0f) return;
  for (const auto& [id, count] : written_) {
    logits[static_cast<size_t>(id)] -=
        options_.presence_penalty + options_.frequency_penalty * static_cast<float>(count);
  }
}

// What may not come gets no weight at all. Where a grammar leaves nothing the answer ends.
void Sampler::Constrain(std::span<float> logits) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  const grammar::TokenMask* mask = guide_->Mask();
  bool may_end = guide_->MayEnd();
  if (mask == nullptr && may_end) return;
  const std::vector<TokenId>& ends = options_.guide->tokenizer->ends();
  std::vector<float> kept;
  for (const TokenId id : ends) {
    kept.push_back(static_cast<size_t>(id) < logits.size() ? logits[static_cast<size_t>(id)] : kNever);
  }
  if (mask != nullptr) {
    may_end = may_end || mask->empty();
    const std::span<const uint64_t> words = mask->words();
    for (size_t begin = 0; begin < logits.size(); begin += 64) {
      const std::span<float> some = logits.subspan(begin, std::min<size_t>(64, logits.size() - begin));
      const uint64_t word = begin / 64 < words.size() ? words[begin / 64] : 0;
      if (word == 0) {
        std::fill(some.begin(), some.end(), kNever);
        continue;
      }
      for (size_t i = 0; i < some.size(); ++i) {
        if (((word >> i) & 1) == 0) some[i] = kNever;
      }
    }
  }
  for (size_t i = 0; i < ends.size(); ++i) {
    if (static_cast<size_t>(ends[i]) >= logits.size()) continue;
    logits[static_cast<size_t>(ends[i])] = may_end ? kept[i] : kNever;
  }
}

void Sampler::Report(std::span<const float> logits, std::vector<TokenLogprob>& top) {
  const size_t count = std::min(static_cast<size_t>(options_.top_logprobs), logits.size());
  if (count == 0) return;
  candidates_.clear();
  for (size_t i = 0; i < logits.size(); ++i) {
    candidates_.push_back({logits[i], static_cast<TokenId>(i)});
  }
  std::partial_sort(candidates_.begin(), candidates_.begin() + static_cast<ptrdiff_t>(count),
                    candidates_.end(), [](const Candidate& a, const Candidate& b) {
                      return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
                    });
  for (size_t i = 0; i < count; ++i) {
    top.push_back({candidates_[i].id, static_cast<float>(candidates_[i].logit - log_sum_)});
  }
}

TokenId Sampler::Draw(std::span<const float> logits) {
  const float top = *std::max_element(logits.begin(), logits.end());
  const double scale = 1.0 / static_cast<double>(options_.temperature);
  double sum = 0;
  for (const float logit : logits) sum += std::exp((static_cast<double>(logit) - top) * scale);
  double rest = random_.Uniform() * sum;
  TokenId last = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    const double weight = std::exp((static_cast<double>(logits[i]) - top) * scale);
    if (weight <= 0) continue;
    last = static_cast<TokenId>(i);
    rest -= weight;
    if (rest < 0) break;
  }
  return last;
}

// The nucleus is nearly always a few dozen tokens of a hundred thousand: only as many candidates
// are sorted as are needed to reach it, doubling.
TokenId Sampler::DrawSorted(std::span<const float> logits) {
  const float top = *std::max_element(logits.begin(), logits.end());
  const double scale = 1.0 / static_cast<double>(options_.temperature);
  const auto weight_of = [&](float logit) {
    return std::exp((static_cast<double>(logit) - top) * scale);
  };
  candidates_.clear();
  double total = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    candidates_.push_back({logits[i], static_cast<TokenId>(i)});
  }
  const auto better = [](const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
  };
  size_t limit = candidates_.size();
  size_t sorted = 0;
  const auto sort_to = [&](size_t count) {
    count = std::min(count, limit);
    if (count <= sorted) return;
    std::partial_sort(candidates_.begin() + static_cast<ptrdiff_t>(sorted),
                      candidates_.begin() + static_cast<ptrdiff_t>(count), candidates_.end(),
                      better);
    sorted = count;
  };
  if (options_.top_k > 0 && static_cast<size_t>(options_.top_k) < limit) {
    limit = static_cast<size_t>(options_.top_k);
    sort_to(limit);
  }
  for (size_t i = 0; i < limit; ++i) total += weight_of(candidates_[i].logit);

  const double wanted = static_cast<double>(options_.top_p) * total;
  double kept = 0;
  size_t count = 0;
  while (count < limit) {
    if (count == sorted) sort_to(std::max<size_t>(64, sorted * 2));
    const double weight = weight_of(candidates_[count].logit);
    if (count > 0 && (kept >= wanted || weight < static_cast<double>(options_.min_p))) break;
    kept += weight;
    ++count;
  }
  double rest = random_.Uniform() * kept;
  for (size_t i = 0; i < count; ++i) {
    rest -= weight_of(candidates_[i].logit);
    if (rest < 0) return candidates_[i].id;
  }
  return candidates_[count - 1].id;
}

}  // namespace portcullis::inference
