#include "tests/inference/model_helpers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <fstream>
#include <iterator>

namespace portcullis::inference {

std::filesystem::path SharedModels() {
  return std::filesystem::path(PORTCULLIS_SHARED_DATA) / "models";
}

std::unique_ptr<Model> LoadOrFail(const std::filesystem::path& path, int threads) {
  LoadOptions options;
  options.threads = threads;
  return LoadOrFail(path, std::move(options));
}

std::unique_ptr<Model> LoadOrFail(const std::filesystem::path& path, LoadOptions options) {
  options.hash = false;
  auto model = Model::Load(path, options);
  if (!model) {
    ADD_FAILURE() << path << ": " << model.error().message;
    return nullptr;
  }
  return std::move(model).value();
}

std::vector<float> LastLogits(Model& model, std::span<const int32_t> tokens, int64_t chunk) {
  auto sequence = model.NewSequence(static_cast<int64_t>(tokens.size()));
  if (!sequence) {
    ADD_FAILURE() << sequence.error().message;
    return {};
  }
  std::vector<float> logits(static_cast<size_t>(model.info().vocab_size));
  while (!tokens.empty()) {
    const auto now = tokens.first(std::min(tokens.size(), static_cast<size_t>(chunk)));
    tokens = tokens.subspan(now.size());
    const bool last = tokens.empty();
    const Step step{sequence.value().get(), now, last ? LogitRows::kLast : LogitRows::kNone};
    const auto done =
        model.Forward({&step, 1}, last ? std::span<float>(logits) : std::span<float>());
    if (!done) {
      ADD_FAILURE() << done.error().message;
      return {};
    }
  }
  return logits;
}

double MaxDifference(std::span<const float> a, std::span<const float> b) {
  EXPECT_EQ(a.size(), b.size());
  double most = a.size() == b.size() ? 0 : INFINITY;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    most = std::max(most, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return most;
}

double Cosine(std::span<const float> a, std::span<const float> b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double x = a[i], y = b[i];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return ab / std::sqrt(aa * bb);
}

std::vector<LogitCase> ReadLogitCases(const std::filesystem::path& path, const std::string& file) {
  std::ifstream stream(path);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const auto root = boost::json::parse(text);
  const auto& list = file.empty() ? root.at("cases") : root.at("files").at(file);
  std::vector<LogitCase> cases;
  for (const auto& entry : list.as_array()) {
    LogitCase one;
    for (const auto& token : entry.at("tokens").as_array()) {
      one.tokens.push_back(token.to_number<int32_t>());
    }
    for (const auto& logit : entry.at("logits").as_array()) {
      one.logits.push_back(logit.to_number<float>());
    }
    cases.push_back(std::move(one));
  }
  return cases;
}

}  // namespace portcullis::inference
