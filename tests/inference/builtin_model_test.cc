// The model that the repository carries answers as the code that trained it says.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <iterator>

#include "tests/inference/model_helpers.h"

namespace portcullis::inference {
namespace {

TEST(BuiltinModel, EveryTokenOfTheKnownAnswersIsTheLikeliest) {
  const auto folder = std::filesystem::path(PORTCULLIS_SOURCE_DIR) / "inference/nano/model";
  const auto model = LoadOrFail(folder);
  ASSERT_NE(model, nullptr);
  const auto vocab = static_cast<size_t>(model->info().vocab_size);
  std::ifstream stream(folder / "expected.json");
  const auto root = boost::json::parse(std::string{std::istreambuf_iterator<char>(stream), {}});
  size_t cases = 0;
  for (const auto& entry : root.at("cases").as_array()) {
    const auto prompt = boost::json::value_to<std::vector<int32_t>>(entry.at("prompt_tokens"));
    const auto answer = boost::json::value_to<std::vector<int32_t>>(entry.at("completion_tokens"));
    std::vector<int32_t> tokens = prompt;
    tokens.insert(tokens.end(), answer.begin(), answer.end());
    auto sequence = model->NewSequence(static_cast<int64_t>(tokens.size())).value();
    std::vector<float> logits(tokens.size() * vocab);
    const Step step{sequence.get(), tokens, LogitRows::kAll};
    const auto done = model->Forward({&step, 1}, logits);
    ASSERT_TRUE(done) << done.error().message;
    for (size_t i = 0; i < answer.size(); ++i) {
      const auto row = std::span(logits).subspan((prompt.size() + i - 1) * vocab, vocab);
      // Two tokens may be equally likely within rounding.
      EXPECT_GE(row[static_cast<size_t>(answer[i])], *std::ranges::max_element(row) - 1e-3f)
          << "case " << cases << ", token " << i;
    }
    ++cases;
  }
  EXPECT_GE(cases, 3u);
}

}  // namespace
}  // namespace portcullis::inference
