// Helpers of the model tests: the shared test models and short ways to run a forward pass.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "inference/arch/model.h"

namespace portcullis::inference {

// ../shared/data/models, which is not part of the checkout.
std::filesystem::path SharedModels();

// Loads or fails the test; null after a failure.
std::unique_ptr<Model> LoadOrFail(const std::filesystem::path& path, int threads = 0);
std::unique_ptr<Model> LoadOrFail(const std::filesystem::path& path, LoadOptions options);

// Computes `tokens` in chunks of at most `chunk`, and gives the logits of the last position.
std::vector<float> LastLogits(Model& model, std::span<const int32_t> tokens,
                              int64_t chunk = 1 << 20);

double MaxDifference(std::span<const float> a, std::span<const float> b);
double Cosine(std::span<const float> a, std::span<const float> b);

// Cases of a logits.json. `file` picks an entry of "files"; empty: "cases".
struct LogitCase {
  std::vector<int32_t> tokens;
  std::vector<float> logits;
};
std::vector<LogitCase> ReadLogitCases(const std::filesystem::path& path, const std::string& file);

}  // namespace portcullis::inference

// Skips where the shared data is not there.
#define SKIP_WITHOUT_SHARED_MODELS()                                                             \
  if (!std::filesystem::exists(SharedModels())) {                                                \
    GTEST_SKIP() << "the test models are not here: " << SharedModels();                          \
  }
