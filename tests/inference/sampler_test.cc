// Sampling: statistics against the exact distribution, determinism by seed, every option's effect.
#include "inference/sample/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "inference/sample/block_weights.h"

namespace portcullis::inference {
namespace {

const std::vector<float> kLogits = {1.0f, 3.0f, 2.0f, -1.0f, 0.5f};

std::vector<double> Softmax(const std::vector<float>& logits, double temperature) {
  std::vector<double> p;
  double sum = 0;
  for (const float logit : logits) sum += p.emplace_back(std::exp(logit / temperature));
  for (double& value : p) value /= sum;
  return p;
}

std::vector<double> Frequencies(const SamplingOptions& options, int draws) {
  Sampler sampler(options, {}, kLogits.size());
  std::vector<double> counts(kLogits.size());
  for (int i = 0; i < draws; ++i) {
    std::vector<float> logits = kLogits;
    counts[static_cast<size_t>(sampler.Next(logits).id)] += 1.0 / draws;
  }
  return counts;
}

TEST(Sampler, TemperatureZeroTakesTheGreatestAndTheLowerAtATie) {
  SamplingOptions options;
  options.temperature = 0;
  Sampler sampler(options, {}, 4);
  std::vector<float> logits = {1, 7, 7, 0, 99};
  EXPECT_EQ(sampler.Next(logits).id, 1) << "the padded entry must never win";
}

TEST(Sampler, FrequenciesFollowTheDistribution) {
  for (const float temperature : {0.5f, 1.0f, 2.0f}) {
    SamplingOptions options;
    options.temperature = temperature;
    options.seed = 42;
    const auto got = Frequencies(options, 40000);
    const auto expected = Softmax(kLogits, temperature);
    for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 0.012);
  }
}

TEST(Sampler, TopPTopKAndMinPCutTheTail) {
  SamplingOptions options;
  options.seed = 1;
  options.top_p = 0.7f;  // p = .60 .22 .08 ...: the first does not reach it, two do
  auto got = Frequencies(options, 20000);
  EXPECT_NEAR(got[1], std::exp(3.0) / (std::exp(3.0) + std::exp(2.0)), 0.015);
  EXPECT_EQ(got[0] + got[3] + got[4], 0);

  options.top_p = 1;
  options.top_k = 3;
  got = Frequencies(options, 5000);
  EXPECT_EQ(got[3] + got[4], 0);
  EXPECT_GT(got[0], 0);

  options.top_k = 0;
  options.min_p = 0.2f;  // of the best: e^-1 stays, e^-2 goes
  got = Frequencies(options, 5000);
  EXPECT_GT(got[2], 0);
  EXPECT_EQ(got[0] + got[3] + got[4], 0);
}

std::vector<float> ManyLogits(size_t count, uint64_t seed, float spread) {
  Random random(seed);
  std::vector<float> logits(count);
  for (float& logit : logits) logit = static_cast<float>(random.Uniform()) * spread;
  return logits;
}

TEST(BlockWeights, AreThoseOfTheExactSoftmax) {
  const std::vector<float> logits = ManyLogits(1000, 3, 30);
  std::vector<float> maxima;
  BlockMaxima(logits, maxima);
  ASSERT_EQ(maxima.size(), 4u);
  const float top = *std::max_element(logits.begin(), logits.end());
  EXPECT_EQ(*std::max_element(maxima.begin(), maxima.end()), top);
  double total = 0, exact = 0, worst = 0;
  for (size_t block = 0; block < maxima.size(); ++block) {
    BlockOfWeights weights;
    total += WeighBlock(logits, block, top, 0.7f, weights);
    for (size_t i = 0; i < weights.size(); ++i) {
      const size_t id = block * kWeightBlock + i;
      const double wanted = id < logits.size() ? std::exp((static_cast<double>(logits[id]) - top) * 0.7f) : 0;
      exact += wanted;
      worst = std::max(worst, std::abs(weights[i] - wanted));
    }
  }
  EXPECT_NEAR(total / exact, 1, 2e-6);
  EXPECT_LT(worst / exact, 2e-6);
}

// The tokens that a full sort in double precision leaves, and how often each has to come.
std::vector<double> Expected(const std::vector<float>& logits, const SamplingOptions& options) {
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  if (options.top_k > 0) order.resize(std::min(order.size(), static_cast<size_t>(options.top_k)));
  const auto weight = [&](size_t id) {
    return std::exp((static_cast<double>(logits[id]) - logits[order[0]]) / options.temperature);
  };
  double total = 0, kept = 0;
  for (const size_t id : order) total += weight(id);
  std::vector<double> p(logits.size());
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && (kept >= static_cast<double>(options.top_p) * total || weight(order[i]) < options.min_p)) break;
    kept += p[order[i]] = weight(order[i]);
  }
  for (double& value : p) value /= kept;
  return p;
}

TEST(Sampler, CutsOfManyTokensAreThoseOfAFullSort) {
  struct Case {
    float spread, temperature, top_p, min_p;
    int32_t top_k;
  };
  constexpr int kDraws = 8000;
  for (const Case& c : {Case{40, 1, 0.95f, 0, 0}, Case{2, 1, 0.6f, 0, 0}, Case{40, 1, 1, 0.05f, 0}, Case{9, 0.6f, 0.9f, 0, 40},
                        Case{2, 2, 1, 0, 300}, Case{30, 1, 1, 0, 0}, Case{40, 0.7f, 0.8f, 0.02f, 20}}) {
    const std::vector<float> logits = ManyLogits(5000, 11, c.spread);
    SamplingOptions options;
    options.temperature = c.temperature;
    options.top_p = c.top_p;
    options.min_p = c.min_p;
    options.top_k = c.top_k;
    const auto expected = Expected(logits, options);
    Sampler sampler(options, {}, logits.size());
    std::vector<double> got(logits.size());
    for (int i = 0; i < kDraws; ++i) {
      std::vector<float> work = logits;
      got[static_cast<size_t>(sampler.Next(work).id)] += 1.0 / kDraws;
    }
    double distance = 0, strays = 0, spread = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      distance += std::abs(got[i] - expected[i]) / 2;
      if (expected[i] == 0) strays += got[i];
      spread += std::sqrt(expected[i] / kDraws) / 2;  // of the distance, by chance
    }
    EXPECT_EQ(strays, 0) << c.spread;
    EXPECT_LT(distance, spread * 1.2 + 0.005) << c.spread;
  }
}

TEST(Sampler, OddLogitsGiveSomeToken) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float odd : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    for (const bool cut : {false, true}) {
      SamplingOptions options;
      options.top_p = cut ? 0.9f : 1.0f;
      options.logprobs = true;
      options.top_logprobs = 3;
      Sampler sampler(options, {}, 600);
      std::vector<float> all(600, odd), one(600, 1.0f);
      one[300] = odd;
      for (std::vector<float>* logits : {&all, &one}) {
        const TokenId id = sampler.Next(*logits).id;
        EXPECT_TRUE(id >= 0 && id < 600);
      }
    }
  }
}

TEST(Sampler, SameSeedSameTokens) {
  const auto draw = [](uint64_t seed) {
    SamplingOptions options;
    options.seed = seed;
    options.top_p = 0.95f;
    Sampler sampler(options, {}, kLogits.size());
    std::vector<TokenId> ids;
    for (int i = 0; i < 64; ++i) {
      std::vector<float> logits = kLogits;
      ids.push_back(sampler.Next(logits).id);
    }
    return ids;
  };
  EXPECT_EQ(draw(7), draw(7));
  EXPECT_NE(draw(7), draw(8));
}

TEST(Sampler, PenaltiesAndBias) {
  SamplingOptions options;
  options.temperature = 0;
  options.frequency_penalty = 0.6f;  // two uses of token 1 bring 3.0 below 2.0
  Sampler counted(options, {}, kLogits.size());
  std::vector<TokenId> ids;
  for (int i = 0; i < 3; ++i) {
    std::vector<float> logits = kLogits;
    ids.push_back(counted.Next(logits).id);
  }
  EXPECT_THAT(ids, testing::ElementsAre(1, 1, 2));

  options = {};
  options.temperature = 0;
  options.repetition_penalty = 2;  // the prompt's token 1: 3.0 becomes 1.5
  const std::vector<TokenId> prompt = {1};
  Sampler repeated(options, prompt, kLogits.size());
  std::vector<float> logits = kLogits;
  EXPECT_EQ(repeated.Next(logits).id, 2);

  options = {};
  options.temperature = 0;
  options.logit_bias = {{3, 100.0f}, {1'000'000, 5.0f}};
  Sampler biased(options, {}, kLogits.size());
  logits = kLogits;
  EXPECT_EQ(biased.Next(logits).id, 3);
}

TEST(Sampler, LogprobsAreTheModelsOwn) {
  SamplingOptions options;
  options.temperature = 0;
  options.logprobs = true;
  options.top_logprobs = 2;
  options.logit_bias = {{0, 100.0f}};
  Sampler sampler(options, {}, kLogits.size());
  std::vector<float> logits = kLogits;
  const Sampled sampled = sampler.Next(logits);
  const auto p = Softmax(kLogits, 1);
  EXPECT_EQ(sampled.id, 0);
  EXPECT_NEAR(sampled.logprob, std::log(p[0]), 1e-5);
  ASSERT_EQ(sampled.top.size(), 2u);
  EXPECT_EQ(sampled.top[0].id, 1);
  EXPECT_NEAR(sampled.top[1].logprob, std::log(p[2]), 1e-5);
}

}  // namespace
}  // namespace portcullis::inference
