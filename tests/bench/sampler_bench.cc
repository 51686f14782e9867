// What choosing a token costs: rows of random logits at a vocabulary of 128 k, one sequence and
// sixteen, for the settings that people use. A row is shaped like a model's: most logits far below
// the best few. Prints milliseconds a step, of which a sequence's share is one token.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <vector>

#include "inference/ops/workers.h"
#include "inference/sample/sampler.h"

namespace {

using namespace portcullis::inference;
using Clock = std::chrono::steady_clock;

constexpr size_t kVocabulary = 128'256;

struct Setting {
  const char* name;
  SamplingOptions options;
};

std::vector<Setting> Settings() {
  std::vector<Setting> settings(5);
  settings[0].name = "greedy";
  settings[0].options.temperature = 0;
  settings[1].name = "temperature 1";
  settings[2].name = "top-p 0.95, temperature 0.6";
  settings[2].options.temperature = 0.6f;
  settings[2].options.top_p = 0.95f;
  settings[3].name = "top-k 20, top-p 0.8, temperature 0.7";
  settings[3].options.temperature = 0.7f;
  settings[3].options.top_k = 20;
  settings[3].options.top_p = 0.8f;
  settings[4].name = "temperature 1, 5 log probabilities";
  settings[4].options.logprobs = true;
  settings[4].options.top_logprobs = 5;
  return settings;
}

std::vector<float> Row(uint64_t seed) {
  Random random(seed);
  std::vector<float> row(kVocabulary);
  for (float& logit : row) {
    logit = static_cast<float>(2.5 * std::sqrt(-2 * std::log(1 - random.Uniform())) *
                               std::cos(6.283185307 * random.Uniform()));
  }
  for (int i = 0; i < 20; ++i) row[random.Next() % row.size()] = 12.0f + static_cast<float>(8 * random.Uniform());
  return row;
}

double Milliseconds(const SamplingOptions& options, size_t sequences, Workers& workers) {
  std::vector<Sampler> samplers;
  std::vector<std::vector<float>> rows, work(sequences);
  for (size_t i = 0; i < sequences; ++i) {
    samplers.emplace_back(options, std::vector<TokenId>{}, kVocabulary);
    rows.push_back(Row(i + 1));
  }
  std::vector<double> times;
  for (int round = 0; round < 60; ++round) {
    for (size_t i = 0; i < sequences; ++i) work[i] = rows[i];
    const auto begin = Clock::now();
    workers.Run(static_cast<int64_t>(sequences), true, [&](int64_t i, int) {
      samplers[static_cast<size_t>(i)].Next(work[static_cast<size_t>(i)]);
    });
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  }
  std::nth_element(times.begin(), times.begin() + 30, times.end());
  return times[30];
}

}  // namespace

int main() {
  Workers workers(0);
  std::printf("%-40s %12s %12s\n", "milliseconds a step", "1 sequence", "16");
  for (const Setting& setting : Settings()) {
    std::printf("%-40s %12.3f %12.3f\n", setting.name, Milliseconds(setting.options, 1, workers),
                Milliseconds(setting.options, 16, workers));
  }
}
