// The same logits whatever way the tokens take: whole, in chunks, one by one, beside others, after
// a truncation; and refusal of calls that make no sense.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/inference/model_helpers.h"

namespace portcullis::inference {
namespace {

std::vector<int32_t> Prompt(size_t size, uint32_t seed) {
  std::vector<int32_t> tokens(size);
  for (auto& token : tokens) {
    seed = seed * 1664525 + 1013904223;
    token = static_cast<int32_t>(seed >> 23);  // below 512
  }
  return tokens;
}

class BatchTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_SHARED_MODELS();
    model_ = LoadOrFail(SharedModels() / GetParam());
    ASSERT_NE(model_, nullptr);
  }
  size_t vocab() const { return static_cast<size_t>(model_->info().vocab_size); }

  std::unique_ptr<Model> model_;
};

TEST_P(BatchTest, ChunksAndSingleTokensGiveTheWholePromptsLogits) {
  const auto tokens = Prompt(300, 1);
  const auto whole = LastLogits(*model_, tokens);
  for (const int64_t chunk : {1, 7, 64, 299}) {
    EXPECT_LE(MaxDifference(LastLogits(*model_, tokens, chunk), whole), 2e-5) << chunk;
  }
}

TEST_P(BatchTest, PromptsLongerThanOneBatch) {
  const auto tokens = Prompt(700, 2);
  EXPECT_LE(MaxDifference(LastLogits(*model_, tokens), LastLogits(*model_, tokens, 100)), 2e-5);
}

TEST_P(BatchTest, AllRowsAreTheLastRowsOfThePrefixes) {
  const auto tokens = Prompt(40, 3);
  auto sequence = model_->NewSequence(40).value();
  std::vector<float> logits(40 * vocab());
  const Step step{sequence.get(), tokens, LogitRows::kAll};
  ASSERT_TRUE(model_->Forward({&step, 1}, logits));
  for (const size_t size : {1u, 2u, 17u, 40u}) {
    const auto prefix = LastLogits(*model_, std::span(tokens).first(size));
    const auto row = std::span(logits).subspan((size - 1) * vocab(), vocab());
    EXPECT_LE(MaxDifference(row, prefix), 2e-5);
  }
}

TEST_P(BatchTest, SequencesDoNotDisturbEachOther) {
  // Two prompts, one of which spans several batches, and three sequences that decode meanwhile.
  const std::vector<std::vector<int32_t>> prompts = {Prompt(90, 4), Prompt(600, 5), Prompt(31, 6),
                                                     Prompt(5, 7), Prompt(64, 8)};
  std::vector<std::unique_ptr<Sequence>> sequences;
  std::vector<Step> steps;
  for (size_t i = 0; i < prompts.size(); ++i) {
    sequences.push_back(model_->NewSequence(700).value());
    std::span<const int32_t> tokens = prompts[i];
    if (i >= 2) {
      const Step before{sequences[i].get(), tokens.first(tokens.size() - 1), LogitRows::kNone};
      ASSERT_TRUE(model_->Forward({&before, 1}, {}));
      tokens = tokens.last(1);
    }
    steps.push_back({sequences[i].get(), tokens, LogitRows::kLast});
  }
  std::vector<float> logits(prompts.size() * vocab());
  const auto done = model_->Forward(steps, logits);
  ASSERT_TRUE(done) << done.error().message;
  for (size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_EQ(sequences[i]->length(), static_cast<int64_t>(prompts[i].size()));
    const auto alone = LastLogits(*model_, prompts[i]);
    EXPECT_LE(MaxDifference(std::span(logits).subspan(i * vocab(), vocab()), alone), 2e-5) << i;
  }
}

TEST_P(BatchTest, TruncateForgets) {
  const auto tokens = Prompt(50, 9);
  auto sequence = model_->NewSequence(60).value();
  const auto other = Prompt(60, 10);
  Step step{sequence.get(), other, LogitRows::kNone};
  ASSERT_TRUE(model_->Forward({&step, 1}, {}));
  sequence->Truncate(100);
  EXPECT_EQ(sequence->length(), 60);
  sequence->Truncate(0);
  EXPECT_EQ(sequence->length(), 0);
  EXPECT_EQ(sequence->capacity(), 0);
  ASSERT_TRUE(sequence->Reserve(60));
  step = {sequence.get(), std::span(tokens).first(30), LogitRows::kNone};
  ASSERT_TRUE(model_->Forward({&step, 1}, {}));
  const auto too_long = Prompt(64, 10);
  step = {sequence.get(), too_long, LogitRows::kNone};
  EXPECT_EQ(model_->Forward({&step, 1}, {}).error().code, Code::kContextLength);
  step = {sequence.get(), std::span(other).first(20), LogitRows::kNone};
  ASSERT_TRUE(model_->Forward({&step, 1}, {}));
  sequence->Truncate(30);
  std::vector<float> logits(vocab());
  step = {sequence.get(), std::span(tokens).subspan(30), LogitRows::kLast};
  ASSERT_TRUE(model_->Forward({&step, 1}, logits));
  EXPECT_LE(MaxDifference(logits, LastLogits(*model_, tokens)), 2e-5);
}

TEST_P(BatchTest, SameInputsGiveTheSameBits) {
  const auto tokens = Prompt(130, 11);
  const auto first = LastLogits(*model_, tokens);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(MaxDifference(LastLogits(*model_, tokens), first), 0.0);
  const auto single = LoadOrFail(SharedModels() / GetParam(), 1);
  ASSERT_NE(single, nullptr);
  EXPECT_EQ(MaxDifference(LastLogits(*single, tokens), first), 0.0);
}

TEST_P(BatchTest, SenselessCallsAreRefusedAndChangeNothing) {
  auto sequence = model_->NewSequence(8).value();
  std::vector<float> logits(vocab());
  const std::vector<int32_t> good = {1, 2, 3};
  const auto code = [&](std::vector<Step> steps, std::span<float> out) {
    const auto done = model_->Forward(steps, out);
    return done ? Code::kOk : done.error().code;
  };
  const auto with = [&](const std::vector<int32_t>& tokens) {
    return std::vector<Step>{{sequence.get(), tokens, LogitRows::kLast}};
  };
  EXPECT_EQ(code(with({}), logits), Code::kInvalidArgument);
  EXPECT_EQ(code(with({1, -1}), logits), Code::kInvalidArgument);
  EXPECT_EQ(code(with({static_cast<int32_t>(vocab())}), logits), Code::kInvalidArgument);
  EXPECT_EQ(code(with({INT32_MAX}), logits), Code::kInvalidArgument);
  const std::vector<int32_t> long_prompt(static_cast<size_t>(model_->page_tokens()) + 1, 3);
  EXPECT_EQ(code(with(long_prompt), logits), Code::kContextLength);
  EXPECT_EQ(code(with(good), {}), Code::kInvalidArgument);
  EXPECT_EQ(code({{nullptr, good, LogitRows::kLast}}, logits), Code::kInvalidArgument);
  const Step step{sequence.get(), good, LogitRows::kNone};
  EXPECT_EQ(code({step, step}, {}), Code::kInvalidArgument);
  const auto other = LoadOrFail(SharedModels() / GetParam());
  ASSERT_NE(other, nullptr);
  auto foreign = other->NewSequence(8).value();
  EXPECT_EQ(code({{foreign.get(), good, LogitRows::kLast}}, logits), Code::kInvalidArgument);
  EXPECT_EQ(sequence->length(), 0);
  EXPECT_EQ(code({}, {}), Code::kOk);
  EXPECT_EQ(code(with(good), logits), Code::kOk);
}

TEST_P(BatchTest, CapacityHasLimits) {
  const int64_t context = model_->info().context_length;
  EXPECT_EQ(model_->NewSequence(-5).error().code, Code::kContextLength);
  EXPECT_EQ(model_->NewSequence(context + 1).error().code, Code::kContextLength);
  EXPECT_EQ(model_->NewSequence(context).value()->capacity(), context);
  EXPECT_EQ(model_->NewSequence(0).value()->capacity(), 0);
  EXPECT_EQ(model_->SequenceBytes(1), model_->PageBytes());
  EXPECT_EQ(model_->SequenceBytes(model_->page_tokens() + 1), 2 * model_->PageBytes());
}

INSTANTIATE_TEST_SUITE_P(Models, BatchTest,
                         testing::Values("dsv3-micro", "llama-micro/llamamicro-f32.gguf",
                                         "qwen2-micro/qwen2micro-Q8_0.gguf"),
                         [](const auto& one) { return "Model" + std::to_string(one.index); });

}  // namespace
}  // namespace portcullis::inference
