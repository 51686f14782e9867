// A row has a hundred thousand logits and more, of which a few dozen matter. The greatest logit of each
// block of them (block_weights.h) leads to those: only blocks that reach a threshold are looked into,
// and the threshold is lowered until enough was found. Sums over the whole row are taken block by
// block, and a draw finds its block first.
#include "inference/sample/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "inference/sample/block_weights.h"

namespace portcullis::inference {
namespace {

constexpr float kFirstReach = 6;    // below the top, in units of the temperature
constexpr float kWholeReach = 88;   // weights further down are zero
constexpr float kLeastTemperature = 1e-6f;

constexpr auto kBetter = [](const auto& a, const auto& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
};

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
  double log_sum = 0;
  if (options_.logprobs) {
    const float top = Top(logits);
    log_sum = top + std::log(Total(logits, top, 1.0f));
    Report(logits, top, result.top);
    for (TokenLogprob& other : result.top) other.logprob = static_cast<float>(other.logprob - log_sum);
    untouched_.assign(logits.begin(), logits.end());
  }
  Penalize(logits);
  if (guide_ && !Constrain(logits)) return {};
  const TokenId forced = guide_ ? guide_->Forced() : kNoToken;
  const float top = Top(logits);
  if (guide_ && forced == kNoToken && top == -std::numeric_limits<float>::infinity()) return {};
  if (forced != kNoToken && static_cast<size_t>(forced) < logits.size()) {
    result.id = forced;
  } else if (options_.temperature <= 0.0f || !std::isfinite(top)) {
    result.id = Greatest(logits);
  } else {
    const float scale = 1.0f / std::max(options_.temperature, kLeastTemperature);
    const bool plain = options_.top_k <= 0 && options_.top_p >= 1.0f && options_.min_p <= 0.0f;
    result.id = plain ? Draw(logits, top, scale) : DrawCut(logits, top, scale);
  }
  if (options_.logprobs) {
    result.logprob = static_cast<float>(untouched_[static_cast<size_t>(result.id)] - log_sum);
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

// What may not come gets no weight at all. Where a grammar leaves nothing, no token is given. False
// where the grammar is too costly.
bool Sampler::Constrain(std::span<float> logits) {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  const grammar::TokenMask* mask = guide_->Mask();
  const bool may_end = guide_->MayEnd();
  if (guide_->too_costly()) return false;
  if (mask == nullptr && may_end) return true;
  const std::vector<TokenId>& ends = options_.guide->tokenizer->ends();
  std::vector<float> kept;
  for (const TokenId id : ends) {
    kept.push_back(static_cast<size_t>(id) < logits.size() ? logits[static_cast<size_t>(id)] : kNever);
  }
  if (mask != nullptr) {
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
  return true;
}

float Sampler::Top(std::span<const float> logits) {
  BlockMaxima(logits, maxima_);
  return *std::max_element(maxima_.begin(), maxima_.end());
}

// The sum of all weights; sums_ has those of the blocks.
double Sampler::Total(std::span<const float> logits, float top, float scale) {
  BlockOfWeights weights;
  sums_.resize(maxima_.size());
  double total = 0;
  for (size_t block = 0; block < sums_.size(); ++block) {
    const bool matters = (maxima_[block] - top) * scale >= -kWholeReach;
    sums_[block] = matters ? WeighBlock(logits, block, top, scale, weights) : 0.0f;
    total += sums_[block];
  }
  return total;
}

// Candidates: the logits that are at most `reach` below the top, in units of 1 / scale.
void Sampler::Gather(std::span<const float> logits, float top, float scale, float reach) {
  BlockOfWeights weights;
  candidates_.clear();
  for (size_t block = 0; block < maxima_.size(); ++block) {
    if ((maxima_[block] - top) * scale < -reach) continue;
    WeighBlock(logits, block, top, scale, weights);
    const size_t begin = block * kWeightBlock;
    const size_t count = std::min(kWeightBlock, logits.size() - begin);
    for (size_t i = 0; i < count; ++i) {
      const float logit = logits[begin + i];
      if ((logit - top) * scale >= -reach) {
        candidates_.push_back({logit, weights[i], static_cast<TokenId>(begin + i)});
      }
    }
  }
}

void Sampler::Report(std::span<const float> logits, float top, std::vector<TokenLogprob>& reported) {
  const size_t count = std::min(static_cast<size_t>(options_.top_logprobs), logits.size());
  if (count == 0 || !std::isfinite(top)) return;
  constexpr float kAll = std::numeric_limits<float>::infinity();
  for (float reach = kFirstReach;; reach = reach > kWholeReach ? kAll : reach * 2) {
    Gather(logits, top, 1.0f, reach);
    if (candidates_.size() >= count || reach == kAll) break;
  }
  const size_t found = std::min(count, candidates_.size());
  const auto end = candidates_.begin() + static_cast<ptrdiff_t>(found);
  std::partial_sort(candidates_.begin(), end, candidates_.end(), kBetter);
  for (size_t i = 0; i < found; ++i) reported.push_back({candidates_[i].id, candidates_[i].logit});
}

TokenId Sampler::Greatest(std::span<const float> logits) {
  const auto best = std::max_element(maxima_.begin(), maxima_.end());
  const size_t begin = static_cast<size_t>(best - maxima_.begin()) * kWeightBlock;
  const auto block = logits.subspan(begin, std::min(kWeightBlock, logits.size() - begin));
  const auto at = std::max_element(block.begin(), block.end()) - block.begin();
  return static_cast<TokenId>(begin + static_cast<size_t>(at));
}

TokenId Sampler::Draw(std::span<const float> logits, float top, float scale) {
  double rest = random_.Uniform() * Total(logits, top, scale);
  size_t chosen = 0;
  for (size_t block = 0; block < sums_.size(); ++block) {
    if (sums_[block] <= 0) continue;
    chosen = block;
    if (rest < sums_[block]) break;
    rest -= sums_[block];
  }
  BlockOfWeights weights;
  WeighBlock(logits, chosen, top, scale, weights);
  size_t last = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0) continue;
    last = i;
    rest -= weights[i];
    if (rest < 0) break;
  }
  return static_cast<TokenId>(chosen * kWeightBlock + last);
}

TokenId Sampler::DrawCut(std::span<const float> logits, float top, float scale) {
  GatherCut(logits, top, scale);
  double rest = random_.Uniform() * Mass();
  for (const Candidate& candidate : candidates_) {
    rest -= candidate.weight;
    if (rest < 0) return candidate.id;
  }
  return candidates_.back().id;
}

double Sampler::Mass() const {
  double mass = 0;
  for (const Candidate& candidate : candidates_) mass += candidate.weight;
  return mass;
}

// Candidates: those that top-k, top-p and min-p leave, in no order.
void Sampler::GatherCut(std::span<const float> logits, float top, float scale) {
  const bool limited = options_.top_k > 0 && static_cast<size_t>(options_.top_k) < logits.size();
  const auto limit = static_cast<size_t>(options_.top_k);
  const bool nucleus = options_.top_p < 1.0f;
  const auto share = static_cast<double>(options_.top_p);
  double wanted = limited || !nucleus ? 0 : share * Total(logits, top, scale);
  float reach = kFirstReach;
  if (!limited && !nucleus) reach = 0.01f - std::log(options_.min_p);
  for (;; reach *= 2) {
    reach = std::min(reach, kWholeReach);
    Gather(logits, top, scale, reach);
    const bool enough = limited ? candidates_.size() >= limit : !nucleus || Mass() >= wanted;
    if (enough || reach == kWholeReach) break;
  }
  if (limited && candidates_.size() > limit) {
    const auto end = candidates_.begin() + static_cast<ptrdiff_t>(limit);
    std::nth_element(candidates_.begin(), end, candidates_.end(), kBetter);
    candidates_.erase(end, candidates_.end());
  }
  if (nucleus) KeepNucleus(limited ? share * Mass() : wanted);
  if (options_.min_p > 0) {
    std::erase_if(candidates_, [&](const Candidate& candidate) { return candidate.weight < options_.min_p; });
  }
}

// The best that together weigh `wanted`, one at least. A quickselect by weight: what is better than the
// pivot is either too little, and kept, or enough, and searched.
void Sampler::KeepNucleus(double wanted) {
  constexpr ptrdiff_t kSorted = 32;
  auto begin = candidates_.begin();
  auto end = candidates_.end();
  double kept = 0;
  while (end - begin > kSorted) {
    const auto middle = begin + (end - begin) / 2;
    const auto last = end - 1;
    if (kBetter(*middle, *begin)) std::iter_swap(middle, begin);
    if (kBetter(*last, *begin)) std::iter_swap(last, begin);
    if (kBetter(*last, *middle)) std::iter_swap(last, middle);
    std::iter_swap(middle, begin);  // the pivot
    const Candidate pivot = *begin;
    const auto worse = std::partition(begin + 1, end, [&](const Candidate& one) { return kBetter(one, pivot); });
    std::iter_swap(begin, worse - 1);
    double mass = 0;
    for (auto one = begin; one != worse; ++one) mass += one->weight;
    if (kept + mass >= wanted) {
      if (worse == end) break;
      end = worse;
    } else {
      kept += mass;
      begin = worse;
    }
  }
  std::sort(begin, end, kBetter);
  while (begin != end && (kept < wanted || begin == candidates_.begin())) kept += begin++->weight;
  candidates_.erase(begin, candidates_.end());
}

}  // namespace portcullis::inference
