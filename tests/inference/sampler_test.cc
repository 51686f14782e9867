// Sampling: statistics against the exact distribution, determinism by seed, every option's effect.
#include "inference/sample/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

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
