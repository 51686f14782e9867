// The rules about sequences of records, on leaves made by hand.

#include "audit/closure.h"

#include <gtest/gtest.h>

#include <chrono>

namespace portcullis::audit {
namespace {

constexpr uint64_t kSecond = 1'000'000;

class ClosureTest : public ::testing::Test {
 protected:
  Leaf Next(Kind kind, uint64_t parent = 0, uint8_t request = 0) {
    Leaf leaf;
    leaf.kind = kind;
    leaf.seq = seq_++;
    leaf.boot = boot_;
    leaf.mono_us = now_ += 1000;
    leaf.wall_us = leaf.mono_us + offset_;
    leaf.parent_seq = parent;
    leaf.request_id.fill(request);
    return leaf;
  }
  uint64_t Take(Kind kind, uint64_t parent = 0, uint8_t request = 0, uint16_t outcome = 0) {
    Leaf leaf = Next(kind, parent, request);
    leaf.outcome = outcome;
    checker_.Take(leaf);
    return leaf.seq;
  }
  void NewBoot(uint16_t heartbeat = 0) {
    boot_[0]++;
    Take(Kind::kBoot, 0, 0, heartbeat);
  }
  bool Good() {
    checker_.Finish();
    return !checker_.fault();
  }

  ClosureChecker checker_;
  Id boot_{};
  uint64_t seq_ = 0, now_ = 5 * kSecond, offset_ = 1000 * kSecond;
};

TEST_F(ClosureTest, AWholeRequestIsFine) {
  NewBoot();
  const uint64_t req = Take(Kind::kReq, 0, 1);
  Take(Kind::kDecision, req, 1);
  Take(Kind::kResp, req, 1, 200);
  Take(Kind::kStop);
  EXPECT_TRUE(Good());
  EXPECT_EQ(checker_.requests(), 1u);
}

TEST_F(ClosureTest, AnAnswerNeedsADecisionARefusalDoesNot) {
  NewBoot();
  Take(Kind::kResp, Take(Kind::kReq, 0, 1), 1, 429);
  EXPECT_FALSE(checker_.fault());
  const uint64_t seq = Take(Kind::kResp, Take(Kind::kReq, 0, 2), 2, 200);
  ASSERT_TRUE(checker_.fault());
  EXPECT_EQ(checker_.fault()->seq, seq);
  EXPECT_FALSE(checker_.fault()->tampered);
}

TEST_F(ClosureTest, AnOpenRequestIsAFaultOnlyAfterStop) {
  NewBoot();
  const uint64_t req = Take(Kind::kReq, 0, 1);
  checker_.Finish();
  EXPECT_FALSE(checker_.fault());
  EXPECT_EQ(checker_.open_requests(), 1u);
  Take(Kind::kStop);
  EXPECT_FALSE(Good());
  EXPECT_EQ(checker_.fault()->seq, req);
}

TEST_F(ClosureTest, Case40AnswersToNothingAreFaults) {
  NewBoot();
  Take(Kind::kResp, 77, 1, 200);
  EXPECT_FALSE(Good());
}

TEST_F(ClosureTest, ASecondAnswerIsAFault) {
  NewBoot();
  const uint64_t req = Take(Kind::kReq, 0, 1);
  Take(Kind::kDecision, req, 1);
  Take(Kind::kResp, req, 1, 200);
  Take(Kind::kResp, req, 1, 200);
  EXPECT_FALSE(Good());
}

TEST_F(ClosureTest, ALateAnswerAfterAnAbortIsFine) {
  NewBoot();
  const uint64_t req = Take(Kind::kReq, 0, 1);
  Take(Kind::kAbort, req, 1);
  Take(Kind::kResp, req, 1, 200);
  EXPECT_TRUE(Good());
}

TEST_F(ClosureTest, AnotherRequestsIdIsAFault) {
  NewBoot();
  Take(Kind::kDecision, Take(Kind::kReq, 0, 1), 2);
  EXPECT_FALSE(Good());
}

TEST_F(ClosureTest, ABootBeginsWithBoot) {
  NewBoot();
  boot_[0]++;
  Take(Kind::kAdmin);
  EXPECT_FALSE(Good());
}

TEST_F(ClosureTest, TimeDoesNotRunBackWithinABoot) {
  NewBoot();
  now_ -= kSecond;
  Take(Kind::kAdmin);
  ASSERT_TRUE(checker_.fault());
  EXPECT_TRUE(checker_.fault()->tampered);
}

TEST_F(ClosureTest, Case37AClockStepNeedsAClockRecord) {
  NewBoot();
  offset_ += 3600 * kSecond;
  Take(Kind::kClock);
  Take(Kind::kAdmin);
  EXPECT_FALSE(checker_.fault());
  offset_ -= 3600 * kSecond;
  Take(Kind::kAdmin);
  EXPECT_FALSE(Good());
}

TEST_F(ClosureTest, Case39APauseShowsAsAGapOfHeartbeats) {
  NewBoot(10);
  now_ += 9 * kSecond;
  Take(Kind::kHeartbeat, 0, 0, 10);
  now_ += 24 * kSecond;
  Take(Kind::kAdmin);
  EXPECT_FALSE(checker_.fault());
  now_ += 24 * kSecond;
  Take(Kind::kHeartbeat, 0, 0, 10);
  ASSERT_TRUE(checker_.fault());
  EXPECT_NE(checker_.fault()->message.find("HEARTBEAT"), std::string::npos);
}

TEST_F(ClosureTest, APartNeedsItsKeyRecordAndAFreshIndex) {
  NewBoot();
  Leaf key = Next(Kind::kKey);
  key.chain = key.seq;
  key.parts = 1;
  checker_.Take(key);
  Leaf leaf = Next(Kind::kAdmin);
  leaf.parts = 1;
  leaf.chain = key.seq;
  leaf.chain_index = 3;
  checker_.Take(leaf);
  EXPECT_FALSE(checker_.fault());
  Leaf again = Next(Kind::kAdmin);
  again.parts = 1;
  again.chain = key.seq;
  again.chain_index = 3;
  checker_.Take(again);
  EXPECT_FALSE(Good());
}

class HoldTest : public ClosureTest {
 protected:
  void SetUp() override { NewBoot(); }
  void Hold(HoldOutcome outcome, uint8_t subject) {  // 0: everybody
    Leaf leaf = Next(Kind::kHold);
    leaf.outcome = static_cast<uint16_t>(outcome);
    if (subject != 0) leaf.tags[leaf.tag_count++].fill(subject);
    checker_.Take(leaf);
  }
  void Erased(uint8_t subject) {
    Leaf leaf = Next(Kind::kAdmin);
    leaf.subject.fill(subject);
    leaf.retention = 30;
    leaf.period = 7;
    checker_.Take(leaf, true);
  }
  void Expire() {
    Leaf leaf = Next(Kind::kErase);
    leaf.outcome = static_cast<uint16_t>(EraseOutcome::kExpired);
    leaf.retention = 30;
    leaf.period = 7;
    checker_.Take(leaf);
  }
  void EraseSubject(uint8_t subject) {
    Leaf leaf = Next(Kind::kErase);
    leaf.outcome = static_cast<uint16_t>(EraseOutcome::kBegun);
    leaf.tags[leaf.tag_count++].fill(subject);
    checker_.Take(leaf);
  }
};

TEST_F(HoldTest, AnExpiryExplainsNothingOfWhoIsHeld) {
  Erased(1);
  Erased(2);
  Hold(HoldOutcome::kPlaced, 2);
  Expire();
  ASSERT_FALSE(Good());
  EXPECT_FALSE(checker_.fault()->tampered);
  EXPECT_EQ(checker_.fault()->seq, 2u);
}

TEST_F(HoldTest, WhatExpiredBeforeTheHoldIsExplained) {
  Erased(1);
  Expire();
  Hold(HoldOutcome::kPlaced, 1);
  Expire();
  EXPECT_TRUE(Good());
  Leaf leaf = Next(Kind::kAdmin);
  leaf.subject.fill(1);
  leaf.retention = 30;
  leaf.period = 7;
  leaf.seq = 1;
  EXPECT_TRUE(checker_.KeyDestroyed(leaf));
}

TEST_F(HoldTest, AnEarlierExpiryExplainsNothingThatIsErasedLaterUnderAHold) {
  Expire();
  Erased(1);
  Hold(HoldOutcome::kPlaced, 1);
  Expire();
  Hold(HoldOutcome::kLifted, 1);
  Erased(1);
  ASSERT_FALSE(Good());
  EXPECT_FALSE(checker_.fault()->tampered);
  EXPECT_EQ(checker_.fault()->seq, 2u);
}

TEST_F(HoldTest, AnExpiryBetweenTwoHoldsExplains) {
  Erased(1);
  Hold(HoldOutcome::kPlaced, 1);
  Hold(HoldOutcome::kLifted, 1);
  Expire();
  Hold(HoldOutcome::kPlaced, 1);
  Expire();
  EXPECT_TRUE(Good());
  Erased(1);
  ASSERT_FALSE(Good());
  EXPECT_EQ(checker_.fault()->seq, seq_ - 1);
}

// Both are minutes, or all memory, where the work for a record grows with the records before it.
TEST_F(HoldTest, HostileHoldsAndExpiriesCostNoMoreThanTheirNumber) {
  const auto begin = std::chrono::steady_clock::now();
  for (uint16_t i = 0; i < 5000; ++i) {
    Leaf leaf = Next(Kind::kHold);
    leaf.outcome = static_cast<uint16_t>(HoldOutcome::kPlaced);
    for (uint8_t j = 0; j < 4; ++j) {
      leaf.tags[j][0] = static_cast<uint8_t>(i);
      leaf.tags[j][1] = static_cast<uint8_t>(i >> 8);
      leaf.tags[j][2] = static_cast<uint8_t>(j + 1);
    }
    leaf.tag_count = 4;
    checker_.Take(leaf);
  }
  for (uint16_t i = 0; i < 5000; ++i) {
    Leaf leaf = Next(Kind::kErase);
    leaf.outcome = static_cast<uint16_t>(EraseOutcome::kExpired);
    leaf.retention = i;
    checker_.Take(leaf);
  }
  for (int i = 0; i < 20'000; ++i) {
    Hold(HoldOutcome::kPlaced, 1);
    Expire();
    Hold(HoldOutcome::kLifted, 1);
  }
  const uint64_t first = seq_;
  for (int i = 0; i < 20'000; ++i) Erased(1);
  ASSERT_FALSE(Good());
  EXPECT_EQ(checker_.fault()->seq, first);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
}

TEST_F(HoldTest, AShreddedPartNeedsItsOwnErase) {
  Leaf leaf = Next(Kind::kAdmin);
  leaf.subject.fill(1);
  const uint64_t seq = leaf.seq;
  checker_.Take(leaf, false, static_cast<uint16_t>(PartBit(PartType::kPrompt) | PartBit(PartType::kAnswer)));
  const auto told = [&](PartType part, uint8_t subject) {
    Leaf act = Next(Kind::kErase);
    act.outcome = static_cast<uint16_t>(kShredBase + static_cast<uint16_t>(part));
    act.parent_seq = seq;
    act.tags[act.tag_count++].fill(subject);
    checker_.Take(act);
  };
  told(PartType::kPrompt, 1);
  told(PartType::kAnswer, 2);  // somebody else's
  EXPECT_TRUE(checker_.PartShredded(leaf, PartType::kPrompt));
  EXPECT_FALSE(checker_.PartShredded(leaf, PartType::kAnswer));
  EXPECT_EQ(checker_.shredded(), 2u);
  ASSERT_FALSE(Good());
  EXPECT_FALSE(checker_.fault()->tampered);
  EXPECT_EQ(checker_.fault()->seq, seq);
}

TEST_F(HoldTest, NothingIsErasedWhileEverybodyIsHeld) {
  Hold(HoldOutcome::kPlaced, 0);
  Hold(HoldOutcome::kLifted, 0);
  EraseSubject(1);
  EXPECT_FALSE(checker_.fault());
  Hold(HoldOutcome::kPlaced, 0);
  Expire();
  ASSERT_TRUE(checker_.fault());
  EXPECT_TRUE(checker_.fault()->tampered);
}

TEST_F(HoldTest, ALiftThatIsToldTwiceHidesNoLaterHold) {
  Hold(HoldOutcome::kPlaced, 1);
  Hold(HoldOutcome::kLifted, 1);
  Hold(HoldOutcome::kLifted, 1);
  EraseSubject(1);
  EXPECT_FALSE(checker_.fault());
  Hold(HoldOutcome::kPlaced, 1);
  EraseSubject(1);
  ASSERT_TRUE(checker_.fault());
  EXPECT_TRUE(checker_.fault()->tampered);
}

}  // namespace
}  // namespace portcullis::audit
