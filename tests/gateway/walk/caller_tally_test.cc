// One voice a caller: shares are averaged over callers, and nobody, nor any one tenant, decides alone.
#include "gateway/decide/caller_tally.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace portcullis::gateway {
namespace {

void Calls(CallerTally& tally, const std::string& tenant, const std::string& caller, int allowed,
           int refused) {
  for (int i = 0; i < allowed; ++i) tally.Count(tenant, caller, false, false);
  for (int i = 0; i < refused; ++i) tally.Count(tenant, caller, true, false);
}

TEST(CallerTallyTest, ManyCallsOfOneAreOneVoice) {
  CallerTally tally;
  for (int i = 0; i < 9; ++i) Calls(tally, "t", "user" + std::to_string(i), 5, 0);
  Calls(tally, "t", "mallory", 0, 10'000);
  const auto result = tally.Read();
  EXPECT_EQ(result.calls, 10'045u);
  EXPECT_EQ(result.callers, 10u);
  EXPECT_DOUBLE_EQ(result.refused.percent, 10);
  EXPECT_DOUBLE_EQ(result.refused.without_any_one, 0);
}

TEST(CallerTallyTest, WhatManyMeetIsSeenWithoutAnyOfThem) {
  CallerTally tally;
  for (int i = 0; i < 10; ++i) Calls(tally, "t", "user" + std::to_string(i), 1, 1);
  Calls(tally, "t", "mallory", 0, 100);
  EXPECT_NEAR(tally.Read().refused.percent, 54.5, 0.1);
  EXPECT_DOUBLE_EQ(tally.Read().refused.without_any_one, 50);
}

TEST(CallerTallyTest, ATenantAloneDoesNotDecide) {
  CallerTally tally;
  for (int i = 0; i < 90; ++i) Calls(tally, "closed", "c" + std::to_string(i), 0, 3);
  for (int i = 0; i < 10; ++i) Calls(tally, "open", "o" + std::to_string(i), 3, 0);
  EXPECT_DOUBLE_EQ(tally.Read().refused.percent, 90);
  EXPECT_DOUBLE_EQ(tally.Read().refused.without_any_one, 0);
  for (int i = 0; i < 10; ++i) Calls(tally, "open", "o" + std::to_string(i), 0, 3);
  EXPECT_DOUBLE_EQ(tally.Read().refused.without_any_one, 50);
}

TEST(CallerTallyTest, ErrorsAreJudgedApartAndNobodyIsNothing) {
  CallerTally tally;
  EXPECT_EQ(tally.Read().callers, 0u);
  EXPECT_DOUBLE_EQ(tally.Read().refused.without_any_one, 0);
  tally.Count("t", "a", true, true);
  EXPECT_DOUBLE_EQ(tally.Read().errored.percent, 100);
  EXPECT_DOUBLE_EQ(tally.Read().errored.without_any_one, 0);
  tally.Count("t", "b", true, false);
  EXPECT_DOUBLE_EQ(tally.Read().errored.percent, 50);
  EXPECT_DOUBLE_EQ(tally.Read().refused.without_any_one, 100);
}

TEST(CallerTallyTest, CountsFromManyCoresAddUpAndMoreCallersThanRoomAreLeftOut) {
  CallerTally tally;
  std::vector<std::thread> cores;
  for (int core = 0; core < 4; ++core) {
    cores.emplace_back([&tally] {
      for (int i = 0; i < 20'000; ++i) {
        tally.Count("t", "user" + std::to_string(i % 100), i % 2 == 0, false);
      }
    });
  }
  for (std::thread& core : cores) core.join();
  EXPECT_EQ(tally.Read().callers, 100u);
  EXPECT_EQ(tally.Read().calls, 80'000u);
  EXPECT_DOUBLE_EQ(tally.Read().refused.percent, 50);
  for (int i = 0; i < 10'000; ++i) tally.Count("t", "more" + std::to_string(i), true, false);
  EXPECT_LE(tally.Read().callers, CallerTally::kCallers);
  EXPECT_GT(tally.Read().callers, CallerTally::kCallers / 2);
}

}  // namespace
}  // namespace portcullis::gateway
