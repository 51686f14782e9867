// The same bits whatever way a sequence came about: in one piece, in chunks, beside others, from an
// adopted prefix, after a truncation, on other pages and threads. For every kind of weights, both
// precisions and both types of the cache.
#include <gtest/gtest.h>

#include "tests/inference/model_helpers.h"

namespace portcullis::inference {
namespace {

constexpr size_t kSize = 150;

std::vector<int32_t> Prompt(size_t size, uint32_t seed) {
  std::vector<int32_t> tokens(size);
  for (auto& token : tokens) {
    seed = seed * 1664525 + 1013904223;
    token = static_cast<int32_t>(seed >> 23);  // below 512
  }
  return tokens;
}

struct IdentityCase {
  const char* model;
  Precision precision;
  KvType kv_type;
};

class IdentityTest : public testing::TestWithParam<IdentityCase> {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_SHARED_MODELS();
    model_ = Load(0);
    ASSERT_NE(model_, nullptr);
    tokens_ = Prompt(kSize, 1);
    expected_ = Rows(*model_, tokens_, TokenRole::kPrompt);
  }
  std::unique_ptr<Model> Load(int threads) {
    LoadOptions options;
    options.threads = threads;
    options.precision = GetParam().precision;
    options.kv_type = GetParam().kv_type;
    return LoadOrFail(SharedModels() / GetParam().model, options);
  }
  static size_t Vocab(const Model& model) { return static_cast<size_t>(model.info().vocab_size); }

  // Appends, and adds the logits of every row to `logits`.
  static void Append(Model& model, Sequence& sequence, std::span<const int32_t> tokens,
                     TokenRole role, std::vector<float>& logits) {
    ASSERT_TRUE(sequence.Reserve(sequence.length() + static_cast<int64_t>(tokens.size())));
    std::vector<float> rows(tokens.size() * Vocab(model));
    const Step step{&sequence, tokens, LogitRows::kAll, role};
    const auto done = model.Forward({&step, 1}, rows);
    ASSERT_TRUE(done) << done.error().message;
    logits.insert(logits.end(), rows.begin(), rows.end());
  }
  static std::vector<float> Rows(Model& model, std::span<const int32_t> tokens, TokenRole role,
                                 size_t chunk = kSize) {
    auto sequence = model.NewSequence(0).value();
    std::vector<float> logits;
    while (!tokens.empty()) {
      const auto some = tokens.first(std::min(chunk, tokens.size()));
      tokens = tokens.subspan(some.size());
      Append(model, *sequence, some, role, logits);
    }
    return logits;
  }

  std::unique_ptr<Model> model_;
  std::vector<int32_t> tokens_;
  std::vector<float> expected_;
};

TEST_P(IdentityTest, Chunks) {
  for (const size_t chunk : {1u, 7u, 64u, 149u}) {
    EXPECT_EQ(MaxDifference(Rows(*model_, tokens_, TokenRole::kPrompt, chunk), expected_), 0.0)
        << chunk;
  }
  const auto generated = Rows(*model_, tokens_, TokenRole::kGenerated);
  for (const size_t chunk : {1u, 5u, 64u}) {
    EXPECT_EQ(MaxDifference(Rows(*model_, tokens_, TokenRole::kGenerated, chunk), generated), 0.0)
        << chunk;
  }
}

TEST_P(IdentityTest, Threads) {
  const auto single = Load(1);
  EXPECT_EQ(MaxDifference(Rows(*single, tokens_, TokenRole::kPrompt), expected_), 0.0);
}

TEST_P(IdentityTest, AdoptedAndTruncated) {
  auto source = model_->NewSequence(0).value();
  std::vector<float> ignored;
  Append(*model_, *source, tokens_, TokenRole::kPrompt, ignored);
  for (const int64_t shared : {64, 128, 100}) {
    auto sequence = model_->NewSequence(0).value();
    ASSERT_TRUE(sequence->Adopt(*source, shared));
    std::vector<float> rows;
    Append(*model_, *sequence, std::span(tokens_).subspan(static_cast<size_t>(shared)),
           TokenRole::kPrompt, rows);
    const auto tail = std::span(expected_).subspan(static_cast<size_t>(shared) * Vocab(*model_));
    EXPECT_EQ(MaxDifference(rows, tail), 0.0) << shared;
    // Other tokens, taken back, and the right ones again.
    sequence->Truncate(shared - 3);
    Append(*model_, *sequence, Prompt(40, 5), TokenRole::kGenerated, ignored);
    sequence->Truncate(shared - 3);
    rows.clear();
    Append(*model_, *sequence, std::span(tokens_).subspan(static_cast<size_t>(shared - 3)),
           TokenRole::kPrompt, rows);
    EXPECT_EQ(MaxDifference(std::span(rows).subspan(3 * Vocab(*model_)), tail), 0.0) << shared;
  }
}

TEST_P(IdentityTest, Neighbours) {
  // In one pass: this prompt's second half, another prompt, and generated tokens of two others.
  const auto other = Prompt(90, 3);
  const auto generated = Prompt(3, 4);
  const size_t vocab = Vocab(*model_);
  std::vector<std::unique_ptr<Sequence>> sequences;
  for (int i = 0; i < 4; ++i) sequences.push_back(model_->NewSequence(kSize).value());
  std::vector<float> ignored;
  Append(*model_, *sequences[0], std::span(tokens_).first(70), TokenRole::kPrompt, ignored);
  Append(*model_, *sequences[2], other, TokenRole::kPrompt, ignored);
  Append(*model_, *sequences[3], std::span(other).first(20), TokenRole::kPrompt, ignored);
  const auto rest = std::span<const int32_t>(tokens_).subspan(70);
  const Step steps[] = {
      {sequences[0].get(), rest, LogitRows::kAll},
      {sequences[2].get(), std::span(generated).first(1), LogitRows::kAll, TokenRole::kGenerated},
      {sequences[1].get(), other, LogitRows::kLast},
      {sequences[3].get(), generated, LogitRows::kAll, TokenRole::kGenerated}};
  std::vector<float> logits((rest.size() + 5) * vocab);
  const auto done = model_->Forward(steps, logits);
  ASSERT_TRUE(done) << done.error().message;
  std::span<const float> left = logits;
  const auto take = [&](size_t rows) {
    const auto some = left.first(rows * vocab);
    left = left.subspan(rows * vocab);
    return some;
  };
  EXPECT_EQ(MaxDifference(take(rest.size()), std::span(expected_).subspan(70 * vocab)), 0.0);
  const auto alone = [&](size_t before, size_t count) {
    auto sequence = model_->NewSequence(kSize).value();
    std::vector<float> rows;
    Append(*model_, *sequence, std::span(other).first(before), TokenRole::kPrompt, ignored);
    Append(*model_, *sequence, std::span(generated).first(count), TokenRole::kGenerated, rows);
    return rows;
  };
  EXPECT_EQ(MaxDifference(take(1), alone(90, 1)), 0.0);
  const auto whole = Rows(*model_, other, TokenRole::kPrompt);
  EXPECT_EQ(MaxDifference(take(1), std::span(whole).last(vocab)), 0.0);
  EXPECT_EQ(MaxDifference(take(3), alone(20, 3)), 0.0);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, IdentityTest,
    testing::Values(
        IdentityCase{"dsv3-micro", Precision::kExact, KvType::kF32},
        IdentityCase{"dsv3-micro", Precision::kFast, KvType::kF16},
        IdentityCase{"llama-micro/llamamicro-f32.gguf", Precision::kExact, KvType::kF16},
        IdentityCase{"llama-micro/llamamicro-Q4_0.gguf", Precision::kFast, KvType::kF32},
        IdentityCase{"llama-micro/llamamicro-Q8_0.gguf", Precision::kFast, KvType::kF16},
        IdentityCase{"llama-micro/llamamicro-BF16.gguf", Precision::kFast, KvType::kF32},
        IdentityCase{"llama-micro/llamamicro-Q4_K_M.gguf", Precision::kFast, KvType::kF32},
        IdentityCase{"qwen2-micro/qwen2micro-Q8_0.gguf", Precision::kExact, KvType::kF32},
        IdentityCase{"qwen2-micro/qwen2micro-Q4_0.gguf", Precision::kFast, KvType::kF16}),
    [](const auto& one) { return "Case" + std::to_string(one.index); });

}  // namespace
}  // namespace portcullis::inference
