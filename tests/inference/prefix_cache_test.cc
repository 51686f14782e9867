// The prefix cache: what it finds, for whom, and what it gives back.
#include "inference/schedule/prefix_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/inference/schedule_helpers.h"

namespace portcullis::inference {
namespace {

class PrefixCacheTest : public testing::Test {
 protected:
  static PagedModel::Options Shape() {
    PagedModel::Options shape;
    shape.pages = 100;
    return shape;
  }
  std::unique_ptr<Sequence> Compute(const std::vector<TokenId>& tokens) {
    auto sequence = model_.NewSequence(static_cast<int64_t>(tokens.size())).value();
    const Step step{sequence.get(), tokens, LogitRows::kNone};
    EXPECT_TRUE(model_.Forward({&step, 1}, {}).has_value());
    return sequence;
  }
  void Insert(const std::string& tenant, const std::vector<TokenId>& tokens) {
    cache_.Insert(tenant, tokens, *Compute(tokens));
  }
  int64_t Find(const std::string& tenant, const std::vector<TokenId>& tokens) {
    return cache_.Find(tenant, tokens, cache_.Names(tenant, tokens)).tokens;
  }

  PagedModel model_{Shape()};
  PrefixCache cache_{model_, 200};
};

TEST_F(PrefixCacheTest, FindsTheLongestBeginningOfItsTenantOnly) {
  const auto tokens = Prompt(21, 1);
  Insert("a", tokens);
  EXPECT_EQ(model_.total_pages() - model_.free_pages(), 6);
  EXPECT_EQ(Find("a", tokens), 21);
  auto other = tokens;
  other[10] = 'Z';
  EXPECT_EQ(Find("a", other), 10);  // two pages and two tokens of the third
  other = tokens;
  other[2] = 'Z';
  EXPECT_EQ(Find("a", other), 0);
  EXPECT_EQ(Find("b", tokens), 0);
  EXPECT_EQ(Find("", tokens), 0);
  EXPECT_EQ(Find("a", Prompt(21, 2)), 0);
}

TEST_F(PrefixCacheTest, TheSamePromptOfTwoTenantsIsComputedTwice) {
  PagedModel model({});
  SchedulerOptions options;
  options.speculate = kSpeculateOff;
  Stepper stepper(model, options, &model);
  const auto prompt = Prompt(200, 5);
  const auto run = [&](const std::string& tenant) {
    const auto rows = model.prompt_rows;
    const auto begin = model.now();
    const auto ticket = stepper.Add(MakeRequest(tenant, prompt, 3));
    EXPECT_TRUE(stepper.RunAll());
    return std::tuple(ticket.sink->usage.cached_tokens, model.prompt_rows - rows,
                      model.now() - begin);
  };
  run("warm-up");  // the length of chunks is learned
  const auto first = run("a");
  const auto again = run("a");
  const auto other = run("b");
  EXPECT_EQ(std::get<0>(first), 0);
  EXPECT_EQ(std::get<0>(again), 199);
  EXPECT_EQ(std::get<1>(again), 1);
  EXPECT_LT(std::get<2>(again), std::get<2>(first) / 4);
  EXPECT_EQ(other, first);  // neither the count, nor the work, nor the time tells
}

TEST_F(PrefixCacheTest, LongerEntriesReplaceTheirBeginnings) {
  const auto tokens = Prompt(40, 1);
  Insert("a", {tokens.begin(), tokens.begin() + 16});
  Insert("a", tokens);
  EXPECT_EQ(cache_.entries(), 1u);
  Insert("a", {tokens.begin(), tokens.begin() + 20});
  EXPECT_EQ(cache_.entries(), 1u);
  EXPECT_EQ(cache_.tokens(), 40);
  EXPECT_EQ(Find("a", tokens), 40);
}

TEST_F(PrefixCacheTest, GivesBackTheLeastRecentlyUsedPagesOfTheLargestTenant) {
  const auto old = Prompt(40, 1), used = Prompt(40, 2), small = Prompt(12, 3);
  Insert("small", small);
  Insert("large", old);
  Insert("large", used);
  EXPECT_EQ(Find("large", old), 40);  // now the more recent one
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(cache_.EvictPage());
  EXPECT_EQ(Find("large", used), 24);
  EXPECT_EQ(Find("large", old), 40);
  EXPECT_EQ(Find("small", small), 12);
  while (cache_.EvictPage()) {
  }
  EXPECT_EQ(model_.free_pages(), model_.total_pages());
  EXPECT_EQ(cache_.tokens(), 0);
  EXPECT_EQ(Find("small", small), 0);
}

TEST_F(PrefixCacheTest, StaysWithinItsTokens) {
  for (uint64_t i = 0; i < 20; ++i) Insert(i % 2 ? "a" : "b", Prompt(4 * (i + 1), 100 + i));
  EXPECT_LE(cache_.tokens(), 200);
  EXPECT_EQ((model_.total_pages() - model_.free_pages()) * 4, cache_.tokens());
}

TEST_F(PrefixCacheTest, CopiesAPartialPageOnlyIntoAFreeOne) {
  const auto tokens = Prompt(398, 1);
  PagedModel::Options shape;
  shape.pages = 100;
  PagedModel model(shape);
  PrefixCache cache(model, 1000);
  auto sequence = model.NewSequence(398).value();
  const Step step{sequence.get(), tokens, LogitRows::kNone};
  ASSERT_TRUE(model.Forward({&step, 1}, {}).has_value());
  ASSERT_EQ(model.free_pages(), 0);
  cache.Insert("a", tokens, *sequence);
  EXPECT_EQ(cache.tokens(), 396);
  EXPECT_EQ(cache.Find("a", tokens, cache.Names("a", tokens)).tokens, 396);
}

TEST_F(PrefixCacheTest, AnswersAreNotTakenForPrompts) {
  Job job;
  job.tokens = Prompt(12, 1);
  job.prompt = 8;
  const auto keys = job.Keys(12);
  cache_.Insert("a", keys, *Compute(job.tokens));
  EXPECT_EQ(Find("a", job.tokens), 8);
  EXPECT_EQ(Find("a", keys), 12);
}

}  // namespace
}  // namespace portcullis::inference
