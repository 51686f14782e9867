// Drafts from the text, how many are worth it, and what a step is thought to cost.
#include "inference/schedule/speculation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/inference/schedule_helpers.h"

namespace portcullis::inference {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Seconds = StepCost::Seconds;

TEST(Draft, FollowsTheLongestThenTheLatestMatch) {
  EXPECT_THAT(LookUpDraft(std::vector<int32_t>{1, 2, 3, 9, 1, 2}, 2), ElementsAre(3, 9));
  // 2 3 stands twice; the later one counts.
  EXPECT_THAT(LookUpDraft(std::vector<int32_t>{2, 3, 4, 2, 3, 5, 2, 3}, 1), ElementsAre(5));
  // A match of three is better than a later one of two.
  EXPECT_THAT(LookUpDraft(std::vector<int32_t>{1, 2, 3, 4, 2, 3, 5, 1, 2, 3}, 1), ElementsAre(4));
  // It may overlap its own end, and gives no more than there is.
  EXPECT_THAT(LookUpDraft(std::vector<int32_t>{7, 7, 7}, 5), ElementsAre(7));
  EXPECT_THAT(LookUpDraft(std::vector<int32_t>{1, 2, 3, 1}, 5), IsEmpty());  // one is too short
  EXPECT_THAT(LookUpDraft(std::vector<int32_t>{1, 2}, 5), IsEmpty());
  EXPECT_THAT(LookUpDraft({}, 5), IsEmpty());
}

StepCost CostOf(double base, double row) {
  StepCost cost;
  for (int i = 0; i < 50; ++i) {
    const int64_t rows = 1 + i % 12;
    cost.Record(rows, 0, Seconds(base + row * static_cast<double>(rows)));
  }
  return cost;
}

TEST(StepCost, LearnsBaseRowAndPromptRow) {
  StepCost cost = CostOf(0.030, 0.002);
  EXPECT_NEAR(cost.TokenRow(), 0.002, 1e-4);
  EXPECT_NEAR(cost.TokenStep(8), 0.046, 1e-3);
  for (int i = 0; i < 40; ++i) cost.Record(8, 64, Seconds(0.046 + 64 * 0.005));
  EXPECT_NEAR(static_cast<double>(cost.PromptRows(8, Seconds(0.146), 16, 512)), 20, 1);
  EXPECT_EQ(cost.PromptRows(8, Seconds(0.010), 16, 512), 16);
  EXPECT_EQ(cost.PromptRows(8, Seconds(0.010), 2, 512), 4);  // half of 46 ms is left to prompts
  EXPECT_EQ(cost.PromptRows(0, Seconds(100), 16, 512), 512);
}

TEST(StepCost, SaysSomethingSensibleBeforeItKnows) {
  StepCost cost;
  EXPECT_EQ(cost.TokenStep(4), 0);
  EXPECT_EQ(cost.PromptRows(4, Seconds(0.1), 16, 512), 32);
  for (int i = 0; i < 5; ++i) cost.Record(1, 0, Seconds(0.027));
  EXPECT_NEAR(cost.TokenStep(1), 0.027, 1e-6);
  EXPECT_GT(cost.TokenRow(), 0);
  EXPECT_LT(cost.TokenRow(), 0.005);
}

TEST(DraftRecord, DraftsMoreWhereItIsRightAndNothingWhereItDoesNotPay) {
  const StepCost alone = CostOf(0.030, 0.002);
  DraftRecord good, bad;
  for (int i = 0; i < 20; ++i) {
    good.Add(4, 4);
    bad.Add(1, 0);
  }
  EXPECT_EQ(good.Length(1, alone, 0, 8), 8);
  int tried = 0;
  for (int i = 0; i < 64; ++i) tried += static_cast<int>(bad.Length(1, alone, 0, 8));
  EXPECT_EQ(tried, 2);  // one token now and then
  // In a large batch a row costs nearly what a token is worth.
  const StepCost crowded = CostOf(0.005, 0.004);
  DraftRecord fair;
  for (int i = 0; i < 20; ++i) fair.Add(1, i % 2);
  EXPECT_GT(fair.Length(1, alone, 0, 8), 1);
  EXPECT_EQ(fair.Length(32, crowded, 0, 8), 0);
  EXPECT_LT(fair.Length(1, alone, 0.008, 8), fair.Length(1, alone, 0, 8));  // a costly draft
}

TEST(Speculation, SavesStepsWhereTheTextRepeats) {
  PagedModel::Options shape;
  shape.repetitive = true;
  const auto time = [&](int speculate) {
    PagedModel model(shape);
    SchedulerOptions options;
    options.speculate = speculate;
    Stepper stepper(model, options, &model);
    const auto begin = model.now();
    for (uint64_t i = 0; i < 8; ++i) {
      stepper.Add(MakeRequest("a", Prompt(20, i), 300));
      EXPECT_TRUE(stepper.RunAll());
    }
    return std::chrono::duration<double>(model.now() - begin).count();
  };
  const double off = time(kSpeculateOff);
  EXPECT_LT(time(kSpeculateAuto), 0.75 * off);
  EXPECT_LT(time(4), 0.85 * off);
}

TEST(Speculation, CostsLittleWhereTheTextIsFree) {
  const auto time = [&](int speculate) {
    PagedModel model({});
    SchedulerOptions options;
    options.speculate = speculate;
    Stepper stepper(model, options, &model);
    const auto begin = model.now();
    for (uint64_t i = 0; i < 8; ++i) stepper.Add(MakeRequest("a", Prompt(20, i), 300));
    EXPECT_TRUE(stepper.RunAll());
    return std::chrono::duration<double>(model.now() - begin).count();
  };
  EXPECT_LT(time(kSpeculateAuto), 1.05 * time(kSpeculateOff));
}

}  // namespace
}  // namespace portcullis::inference
