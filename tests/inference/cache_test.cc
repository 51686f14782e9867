// Pages: the budget holds, prefixes are shared and never written, and everything is given back.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/inference/file_builders.h"
#include "tests/inference/model_helpers.h"
#include "tests/inference/reference.h"

namespace portcullis::inference {
namespace {

constexpr int64_t kPages = 6;

class CacheTest : public testing::Test {
 protected:
  void SetUp() override {
    ModelConfig config;
    config.architecture = Architecture::kLlama;
    config.type = "llama";
    config.vocab_size = 101;
    config.hidden_size = 60;
    config.layers = 2;
    config.heads = 4;
    config.kv_heads = 2;
    config.head_dimensions = 12;
    config.intermediate_size = 77;
    config.context_length = 1000;
    WriteTinyModel(MakeTinyModel(config, 3), folder_.path(), DataType::kF32);
    const auto any = LoadOrFail(folder_.path());
    ASSERT_NE(any, nullptr);
    model_ = LoadOrFail(folder_.path(), LoadOptions{.kv_bytes = kPages * any->PageBytes() + 7});
    ASSERT_NE(model_, nullptr);
    for (int i = 0; i < 400; ++i) tokens_.push_back(i * 29 % 101);
  }
  std::unique_ptr<Sequence> Start(int64_t capacity = 0) {
    return model_->NewSequence(capacity).value();
  }
  std::span<const int32_t> Tokens(size_t begin, size_t end) const {
    return std::span(tokens_).subspan(begin, end - begin);
  }
  std::vector<float> Append(Sequence& sequence, std::span<const int32_t> tokens) {
    std::vector<float> logits(101);
    const Step step{&sequence, tokens};
    const auto done = model_->Forward({&step, 1}, logits);
    EXPECT_TRUE(done) << (done ? "" : done.error().message);
    return logits;
  }

  TempFolder folder_;
  std::unique_ptr<Model> model_;
  std::vector<int32_t> tokens_;
};

TEST_F(CacheTest, TheBudgetIsAllThereIs) {
  EXPECT_EQ(model_->total_pages(), kPages);
  EXPECT_EQ(model_->free_pages(), kPages);
  const int64_t page = model_->page_tokens();
  auto first = Start(page + 1);
  EXPECT_EQ(first->capacity(), 2 * page);
  EXPECT_EQ(model_->free_pages(), 4);
  auto second = Start();
  EXPECT_EQ(second->capacity(), 0);
  EXPECT_FALSE(second->Reserve(4 * page + 1));
  EXPECT_EQ(second->capacity(), 0);
  EXPECT_EQ(model_->free_pages(), 4);
  EXPECT_TRUE(second->Reserve(4 * page));
  EXPECT_EQ(model_->free_pages(), 0);
  EXPECT_TRUE(second->Reserve(1));
  EXPECT_EQ(model_->NewSequence(1).error().code, Code::kOutOfMemory);
  auto empty = Start();
  const Step without_room{empty.get(), Tokens(0, 1), LogitRows::kNone};
  EXPECT_EQ(model_->Forward({&without_room, 1}, {}).error().code, Code::kContextLength);
  second.reset();
  EXPECT_EQ(model_->free_pages(), 4);
  Append(*first, Tokens(0, static_cast<size_t>(page) + 5));
  first->Truncate(page);
  EXPECT_EQ(model_->free_pages(), 5);
  EXPECT_EQ(first->capacity(), page);
  EXPECT_FALSE(first->Reserve(1001));  // beyond the context
  first.reset();
  EXPECT_EQ(model_->free_pages(), kPages);
}

TEST_F(CacheTest, ABudgetBelowOnePageIsRefused) {
  const auto refused = Model::Load(folder_.path(), LoadOptions{.hash = false, .kv_bytes = 1000});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kOutOfMemory);
}

TEST_F(CacheTest, PrefixesAreShared) {
  auto first = Start(200);
  Append(*first, Tokens(0, 200));
  EXPECT_EQ(model_->free_pages(), 2);
  auto whole = Start();
  ASSERT_TRUE(whole->Adopt(*first, 192));
  EXPECT_EQ(whole->length(), 192);
  EXPECT_EQ(model_->free_pages(), 2);
  auto part = Start();
  ASSERT_TRUE(part->Adopt(*first, 130));
  EXPECT_EQ(model_->free_pages(), 1);  // the copy of the third page
  // A sequence with tokens, more tokens than there are, or itself: refused.
  EXPECT_FALSE(part->Adopt(*first, 64));
  auto empty = Start();
  EXPECT_FALSE(empty->Adopt(*first, 201));
  EXPECT_FALSE(empty->Adopt(*first, -1));
  EXPECT_FALSE(empty->Adopt(*empty, 0));
  EXPECT_TRUE(empty->Adopt(*first, 0));
  // No page for another partial copy.
  auto last = Start();
  ASSERT_TRUE(last->Adopt(*first, 65));
  EXPECT_EQ(model_->free_pages(), 0);
  EXPECT_FALSE(empty->Adopt(*first, 65));
  EXPECT_EQ(empty->length(), 0);
  // The pages live on when their first owner is gone.
  first.reset();
  last.reset();
  EXPECT_EQ(model_->free_pages(), 2);
  ASSERT_TRUE(part->Reserve(150));
  const auto expected = LastLogits(*LoadOrFail(folder_.path()), Tokens(0, 150));
  EXPECT_EQ(MaxDifference(Append(*part, Tokens(130, 150)), expected), 0.0);
}

TEST_F(CacheTest, ASharedPageIsCopiedBeforeItIsWritten) {
  const auto plain = LoadOrFail(folder_.path());
  auto first = Start(128);
  Append(*first, Tokens(0, 128));
  auto second = Start();
  ASSERT_TRUE(second->Adopt(*first, 128));
  second->Truncate(100);
  EXPECT_EQ(second->capacity(), 128);
  EXPECT_EQ(model_->free_pages(), 4);
  // Forward copies by itself, Reserve does so beforehand.
  std::vector<int32_t> other(Tokens(0, 100).begin(), Tokens(0, 100).end());
  other.insert(other.end(), {7, 8, 9});
  EXPECT_EQ(MaxDifference(Append(*second, std::span(other).last(3)), LastLogits(*plain, other)),
            0.0);
  EXPECT_EQ(model_->free_pages(), 3);
  first->Truncate(127);
  EXPECT_EQ(MaxDifference(Append(*first, Tokens(127, 128)), LastLogits(*plain, Tokens(0, 128))),
            0.0);
  auto third = Start();
  ASSERT_TRUE(third->Adopt(*first, 128));
  third->Truncate(65);
  ASSERT_TRUE(third->Reserve(70));
  EXPECT_EQ(model_->free_pages(), 2);
  // Where no page is left for the copy, nothing changes.
  auto fourth = Start();
  ASSERT_TRUE(fourth->Adopt(*first, 128));
  fourth->Truncate(65);
  auto all = Start(128);
  EXPECT_EQ(model_->free_pages(), 0);
  EXPECT_FALSE(fourth->Reserve(66));
  const Step step{fourth.get(), Tokens(65, 66), LogitRows::kNone};
  EXPECT_EQ(model_->Forward({&step, 1}, {}).error().code, Code::kOutOfMemory);
  EXPECT_EQ(fourth->length(), 65);
  for (auto* one : {&first, &second, &third, &fourth, &all}) one->reset();
  EXPECT_EQ(model_->free_pages(), kPages);
}

int64_t PeakMemory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

TEST(LongContextTest, MemoryGrowsWithThePagesOnly) {
  constexpr int64_t kTokens = 32768;
  ModelConfig config;
  config.architecture = Architecture::kLlama;
  config.type = "llama";
  config.vocab_size = 20;
  config.hidden_size = 16;
  config.layers = 1;
  config.heads = config.kv_heads = 1;
  config.head_dimensions = 16;
  config.intermediate_size = 16;
  config.context_length = kTokens;
  const TempFolder folder;
  WriteTinyModel(MakeTinyModel(config, 3), folder.path(), DataType::kF32);
  const auto model = LoadOrFail(folder.path());
  ASSERT_NE(model, nullptr);
  auto sequence = model->NewSequence(kTokens).value();
  std::vector<int32_t> tokens(kTokens);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i * i % 19);
  const int64_t before = PeakMemory();
  std::vector<float> logits(20);
  const Step step{sequence.get(), tokens};
  ASSERT_TRUE(model->Forward({&step, 1}, logits));
  EXPECT_EQ(sequence->length(), kTokens);
  // All scores at once would be 4 GiB, those of one batch 64 MiB.
  EXPECT_LT(PeakMemory() - before, model->SequenceBytes(kTokens) + (24 << 20));
}

}  // namespace
}  // namespace portcullis::inference
