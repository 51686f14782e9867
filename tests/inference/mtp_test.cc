// The draft head against the reference, whatever way the sequence came to its state, and that
// drafting never changes what the model itself computes.
#include <gtest/gtest.h>

#include "tests/inference/file_builders.h"
#include "tests/inference/model_helpers.h"
#include "tests/inference/reference.h"

namespace portcullis::inference {
namespace {

constexpr int64_t kDrafts = 4;

ModelConfig DraftConfig() {
  ModelConfig config;
  config.architecture = Architecture::kDeepseek;
  config.type = "deepseek_v3";
  config.vocab_size = 101;
  config.hidden_size = 60;
  config.layers = 2;
  config.draft_layers = 1;
  config.heads = config.kv_heads = 5;
  config.intermediate_size = 77;
  config.context_length = 300;
  config.norm_epsilon = 1e-5;
  config.mla = {20, 24, 10, 6, 14};
  config.moe = {6, 2, 1, 18, 3, 2, 1, true, true, true, 1.7};
  return config;
}

class MtpTest : public testing::Test {
 protected:
  void SetUp() override {
    WriteTinyModel(tiny_, folder_.path(), DataType::kF32);
    model_ = LoadOrFail(folder_.path(), LoadOptions{.draft_head = true});
    ASSERT_NE(model_, nullptr);
    ASSERT_TRUE(model_->has_draft_head());
    for (int i = 0; i < 200; ++i) tokens_.push_back(i * 37 % 101);
  }
  std::span<const int32_t> First(size_t count) const { return std::span(tokens_).first(count); }
  std::unique_ptr<Sequence> Start() { return model_->NewSequence(260).value(); }
  void Append(Sequence& sequence, std::span<const int32_t> tokens,
              TokenRole role = TokenRole::kPrompt) {
    ASSERT_TRUE(sequence.Reserve(sequence.length() + static_cast<int64_t>(tokens.size()) + 8));
    const Step step{&sequence, tokens, LogitRows::kNone, role};
    const auto done = model_->Forward({&step, 1}, {});
    ASSERT_TRUE(done) << done.error().message;
  }
  std::vector<int32_t> Propose(Sequence& sequence, int32_t last, int64_t count = kDrafts) {
    DraftStep step{&sequence, last, count};
    const auto done = model_->Propose({&step, 1});
    EXPECT_TRUE(done) << (done ? "" : done.error().message);
    return step.tokens;
  }
  std::vector<int32_t> Expected(std::span<const int32_t> tokens, int32_t last) {
    return ReferencePropose(tiny_, tokens, last, kDrafts).tokens;
  }

  TinyModel tiny_ = MakeTinyModel(DraftConfig(), 21);
  TempFolder folder_;
  std::unique_ptr<Model> model_;
  std::vector<int32_t> tokens_;
};

TEST_F(MtpTest, DraftsAreTheReferences) {
  for (const size_t size : {1u, 2u, 33u, 64u, 100u}) {
    auto sequence = Start();
    Append(*sequence, First(size));
    EXPECT_EQ(Propose(*sequence, 50), Expected(First(size), 50)) << size;
    EXPECT_EQ(sequence->length(), static_cast<int64_t>(size));
    // Again, with another token: nothing of the first draft is left.
    EXPECT_EQ(Propose(*sequence, 7), Expected(First(size), 7)) << size;
  }
}

TEST_F(MtpTest, ChunksAndStepsWithoutDraftsMakeNoDifference) {
  auto sequence = Start();
  Append(*sequence, First(31));
  Append(*sequence, First(90).subspan(31));
  for (size_t i = 90; i < 97; ++i) Append(*sequence, First(i + 1).last(1), TokenRole::kGenerated);
  EXPECT_EQ(Propose(*sequence, 50), Expected(First(97), 50));
}

TEST_F(MtpTest, RejectedDraftsLeaveNoTrace) {
  auto sequence = Start();
  Append(*sequence, First(62));
  Propose(*sequence, tokens_[62]);
  // Verified: the sampled token and four drafts, of which one is right; then the next one.
  std::vector<int32_t> rows = {tokens_[62], tokens_[63], 1, 2, 3};
  Append(*sequence, rows, TokenRole::kGenerated);
  sequence->Truncate(64);
  ASSERT_TRUE(sequence->Reserve(80));
  EXPECT_EQ(Propose(*sequence, tokens_[64]), Expected(First(64), tokens_[64]));
  rows = {tokens_[64], tokens_[65], tokens_[66], 9, 9};
  Append(*sequence, rows, TokenRole::kGenerated);
  sequence->Truncate(67);
  ASSERT_TRUE(sequence->Reserve(80));
  EXPECT_EQ(Propose(*sequence, 11), Expected(First(67), 11));
}

TEST_F(MtpTest, SeveralSequencesAtOnce) {
  std::vector<std::unique_ptr<Sequence>> sequences;
  std::vector<DraftStep> steps;
  for (const size_t size : {5u, 70u, 1u}) {
    sequences.push_back(Start());
    Append(*sequences.back(), First(size));
    steps.push_back({sequences.back().get(), 42, static_cast<int64_t>(2 + sequences.size())});
  }
  ASSERT_TRUE(model_->Propose(steps));
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto expected = ReferencePropose(
        tiny_, First(static_cast<size_t>(sequences[i]->length())), 42, steps[i].count);
    EXPECT_EQ(steps[i].tokens, expected.tokens);
  }
}

TEST_F(MtpTest, AdoptedPrefixesDraftToo) {
  auto first = Start();
  Append(*first, First(150));
  for (const int64_t shared : {64, 100, 128}) {
    auto second = Start();
    ASSERT_TRUE(second->Adopt(*first, shared));
    EXPECT_TRUE(Propose(*second, 1).empty());  // the last hidden state is not known yet
    Append(*second, First(150).subspan(static_cast<size_t>(shared)));
    EXPECT_EQ(Propose(*second, 50), Expected(First(150), 50)) << shared;
  }
  // What shares a page never writes it.
  EXPECT_EQ(Propose(*first, 50), Expected(First(150), 50));
}

TEST_F(MtpTest, DraftingDoesNotChangeTheLogits) {
  const auto plain = LoadOrFail(folder_.path());
  ASSERT_NE(plain, nullptr);
  EXPECT_FALSE(plain->has_draft_head());
  const auto expected = LastLogits(*plain, First(120));
  EXPECT_EQ(MaxDifference(LastLogits(*model_, First(120)), expected), 0.0);
  auto sequence = Start();
  for (size_t done = 0; done < 119; done += 17) {
    Append(*sequence, First(done + 17).last(17));
    Propose(*sequence, 3);
  }
  std::vector<float> logits(101);
  const Step step{sequence.get(), First(120).last(1)};
  ASSERT_TRUE(model_->Forward({&step, 1}, logits));
  EXPECT_EQ(MaxDifference(logits, expected), 0.0);
  auto alone = plain->NewSequence(4).value();
  DraftStep draft{alone.get(), 1, 1};
  EXPECT_EQ(plain->Propose({&draft, 1}).error().code, Code::kUnsupported);
}

TEST_F(MtpTest, RoomAndArgumentsAreChecked) {
  auto sequence = Start();
  EXPECT_TRUE(Propose(*sequence, 1).empty());
  Append(*sequence, First(100));
  EXPECT_TRUE(Propose(*sequence, 1, 0).empty());
  sequence->Truncate(100);  // changes nothing
  EXPECT_EQ(Propose(*sequence, 1, 3).size(), 3u);
  auto full = model_->NewSequence(64).value();
  const Step step{full.get(), First(62), LogitRows::kNone};
  ASSERT_TRUE(model_->Forward({&step, 1}, {}));
  EXPECT_EQ(Propose(*full, 1, 8).size(), 3u);  // positions 61, 62 and 63
  DraftStep wrong[] = {{sequence.get(), 101, 2}};
  EXPECT_EQ(model_->Propose(wrong).error().code, Code::kInvalidArgument);
  DraftStep twice[] = {{sequence.get(), 1, 2}, {sequence.get(), 1, 2}};
  EXPECT_EQ(model_->Propose(twice).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace portcullis::inference
