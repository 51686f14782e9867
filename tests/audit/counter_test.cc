// The log and a hardware counter, one in memory that fails on demand: what is refused at a start, what a cut
// between the two memories does, what happens when the counter falls silent. counter_copies_test.cc: when somebody
// else moves it.

#include <atomic>
#include <mutex>
#include <thread>

#include "tests/audit/counter_fixture.h"

namespace portcullis::audit::test {
namespace {

struct CutBehindCreate : ChipCounter {
  using ChipCounter::ChipCounter;
  Result<uint64_t> Read() override { return Error{Code::kCounter, "cut"}; }
};

struct DeadAtIncrement : ChipCounter {
  using ChipCounter::ChipCounter;
  Result<uint64_t> Increment() override { return Error{Code::kCounter, "cut"}; }
};

TEST_F(CounterTest, ItIsMadeAtTheFirstStartAndStepsAtEachStartAndEnd) {
  StartAndStop();
  EXPECT_EQ(chip_->value, 3u);  // made, start, end
  EXPECT_EQ(Memory(), (CounterMemory{CounterMemory::Use::kInUse, Hash{1}, 3}));
  StartAndStop();
  EXPECT_EQ(chip_->value, 5u);
  std::vector<uint8_t> told;
  for (const Leaf& leaf : Read().leaves) {
    if (leaf.kind == Kind::kBoot) told.push_back(leaf.request_id[15]);
  }
  EXPECT_EQ(told, (std::vector<uint8_t>{2, 4}));
  const Report report = Verify();
  EXPECT_EQ(report.verdict, Verdict::kValidSelfAttested) << ReportText(report);
  ASSERT_TRUE(report.counter);
  EXPECT_EQ(report.counter->value, 4u);
  EXPECT_NE(ReportText(report).find("hardware counter: at 4 in record 2"), std::string::npos) << ReportText(report);
}

TEST_F(CounterTest, Case13APutBackMachineIsRefused) {
  StartAndStop();
  Snapshot("before");
  StartAndStop();
  PutBack("before");
  EXPECT_EQ(Refused(Counted()).code, Code::kRolledBack);
  // Nor does it help to say nothing of the counter.
  EXPECT_EQ(Refused(Options()).code, Code::kCounter);
}

TEST_F(CounterTest, Case13ACopyFromBeforeTheFirstStartIsRefused) {
  Snapshot("before");
  StartAndStop();
  PutBack("before");
  EXPECT_EQ(Refused(Counted()).code, Code::kRolledBack);
}

TEST_F(CounterTest, Case13ACrashIsNoReasonToRefuseButAnOldStateOfItIs) {
  { const auto writer = StartWriter(Counted()); }
  Snapshot("crashed");
  { const auto writer = StartWriter(Counted()); }
  EXPECT_EQ(Verify().verdict, Verdict::kValidWithRecovery);
  PutBack("crashed");
  EXPECT_EQ(Refused(Counted()).code, Code::kRolledBack);
}

TEST_F(CounterTest, ACutBetweenMemoryAndCounterGoesOn) {
  StartAndStop();
  const uint64_t stood = chip_->value;
  // The memory is written, the counter is not reached.
  WriterOptions options = Counted();
  options.counter.counter = std::make_shared<DeadAtIncrement>(chip_);
  EXPECT_EQ(Refused(std::move(options)).code, Code::kCounter);
  EXPECT_EQ(Memory().value, stood + 1);
  EXPECT_EQ(chip_->value, stood);
  // The counter is reached, its answer is not.
  chip_->fails_behind = true;
  EXPECT_EQ(Refused(Counted()).code, Code::kCounter);
  EXPECT_EQ(Memory().value, chip_->value);
  chip_->fails_behind = false;
  StartAndStop();
  EXPECT_EQ(Verify().verdict, Verdict::kValidSelfAttested);
}

// A copy of the cut state fits the counter once the step that it announced is done: the start that does it goes one further.
TEST_F(CounterTest, Case13ACopyOfACutStepIsRefusedOnceTheLogGoesOn) {
  StartAndStop();
  WriterOptions options = Counted();
  options.counter.counter = std::make_shared<DeadAtIncrement>(chip_);
  EXPECT_EQ(Refused(std::move(options)).code, Code::kCounter);
  const uint64_t announced = Memory().value;
  ASSERT_EQ(announced, chip_->value + 1);
  Snapshot("cut");
  { const auto writer = StartWriter(Counted()); }  // killed behind its start
  EXPECT_EQ(chip_->value, announced + 1);
  EXPECT_EQ(Memory().value, announced + 1);
  PutBack("cut");
  EXPECT_EQ(Refused(Counted()).code, Code::kRolledBack);
}

TEST_F(CounterTest, ACutWhileTheCounterIsMadeGoesOn) {
  chip_->fails_behind = true;
  WriterOptions options = Counted();
  options.counter.counter = std::make_shared<CutBehindCreate>(chip_);
  EXPECT_EQ(Refused(std::move(options)).code, Code::kCounter);
  EXPECT_EQ(Memory().use, CounterMemory::Use::kBeingCreated);
  EXPECT_TRUE(chip_->there);
  chip_->fails_behind = false;
  StartAndStop();
}

TEST_F(CounterTest, ACounterThatCouldNotBeMadeIsForgotten) {
  struct NoOwner : ChipCounter {
    using ChipCounter::ChipCounter;
    Result<void> Create() override { return Error{Code::kCounter, "the owner's password is wrong"}; }
  };
  const auto refuse = [&](bool create) {
    WriterOptions options = Counted();
    options.counter.counter = std::make_shared<NoOwner>(chip_);
    options.counter.create = create;
    const Error refused = Refused(std::move(options));
    EXPECT_NE(refused.message.find("the owner's password is wrong"), std::string::npos) << refused.message;
    EXPECT_EQ(Memory(), CounterMemory{});
  };
  refuse(false);
  // Without a counter it starts, and with records it is no log at its first start any more.
  ASSERT_TRUE(StartWriter()->Stop());
  refuse(true);
  Snapshot("refused");
  WriterOptions options = Counted();
  options.counter.create = true;
  ASSERT_TRUE(StartWriter(std::move(options))->Stop());
  // The state of between is no way around the counter that was made in the end.
  PutBack("refused");
  EXPECT_EQ(Refused(Counted()).code, Code::kRolledBack);
}

TEST_F(CounterTest, AnotherCounterOrNoneIsRefused) {
  StartAndStop();
  chip_->name = 2;
  EXPECT_EQ(Refused(Counted()).code, Code::kRolledBack);
  chip_->name = 1;
  chip_->value -= 2;
  EXPECT_EQ(Refused(Counted()).code, Code::kRolledBack);
  chip_->value += 2;
  chip_->there = false;
  const Error missing = Refused(Counted());
  EXPECT_EQ(missing.code, Code::kRolledBack);
  EXPECT_NE(missing.message.find("does not exist"), std::string::npos) << missing.message;
}

TEST_F(CounterTest, TheMemoryIsNotBroughtUpToItWithoutTheLogsKey) {
  StartAndStop();
  const std::string old = Slurp(keys() / "signer.state");
  StartAndStop();
  std::string forged = old;  // the value of today, and a good checksum
  forged.resize(forged.size() - sizeof(Signature) - sizeof(Hash));
  forged.back() = static_cast<char>(chip_->value.load());
  const Hash sum = Sha256(forged);
  forged.append(reinterpret_cast<const char*>(sum.data()), sum.size()).append(old.end() - sizeof(Signature), old.end());
  ASSERT_TRUE(DecodeSignerState(forged, kOrigin)) << DecodeSignerState(forged, kOrigin).error().message;
  Spill(keys() / "signer.state", forged);
  const Error refused = Refused(Counted());
  EXPECT_EQ(refused.code, Code::kTampered) << refused.message;
}

TEST_F(CounterTest, ADeadOneIsRefusedInTimeAndInWords) {
  StartAndStop();
  chip_->fails = true;
  EXPECT_NE(Refused(Counted()).message.find("the chip is gone"), std::string::npos);
  chip_->fails = false;
  chip_->hangs = true;
  const Error silent = Refused(Counted());
  EXPECT_EQ(silent.code, Code::kCounter);
  EXPECT_NE(silent.message.find("nothing came within 100 ms"), std::string::npos) << silent.message;
  chip_->hangs = false;
  StartAndStop();
}

TEST_F(CounterTest, ALogWithRecordsGetsOneOnlyWhenToldSo) {
  MakeLog(1);
  EXPECT_EQ(Refused(Counted()).code, Code::kCounter);
  EXPECT_FALSE(chip_->there);
  WriterOptions options = Counted();
  options.counter.create = true;
  ASSERT_TRUE(StartWriter(std::move(options))->Stop());
  StartAndStop();
  EXPECT_EQ(Verify().verdict, Verdict::kValidSelfAttested);
}

TEST_F(CounterTest, WhatBelongsToSomebodyElseIsLeftAlone) {
  chip_->there = true;
  chip_->foreign = true;
  EXPECT_EQ(Refused(Counted()).code, Code::kExists);
  EXPECT_TRUE(chip_->foreign);
}

TEST_F(CounterTest, WhatBelongsToSomebodyElseIsLeftAloneByALogThatHadBegunToMakeOne) {
  WriterOptions options = Counted();
  options.counter.counter = std::make_shared<CutBehindCreate>(chip_);
  EXPECT_EQ(Refused(std::move(options)).code, Code::kCounter);
  ASSERT_EQ(Memory().use, CounterMemory::Use::kBeingCreated);
  chip_->foreign = true;  // another log's, under the index that is given now
  EXPECT_EQ(Refused(Counted()).code, Code::kExists);
  EXPECT_TRUE(chip_->foreign);
}

TEST_F(CounterTest, ItStepsWhileTheLogRunsAndHeartbeatsSaySo) {
  WriterOptions options = Counted(1ms);
  const auto writer = StartWriter(std::move(options));
  while (chip_->value < 10) AppendUntil(*writer, true);
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(Memory().value, chip_->value);
  EXPECT_EQ(Verify().verdict, Verdict::kValidSelfAttested);
}

TEST_F(CounterTest, WhereItFallsSilentAppendsAreRefusedUntilItAnswers) {
  for (std::atomic<bool>* trouble : {&chip_->fails, &chip_->hangs}) {
    WriterOptions options = Counted(20ms);
    std::mutex mutex;
    std::string said;
    options.log = [&](const std::string& line) {
      const std::lock_guard guard(mutex);
      said += line + "\n";
    };
    const auto writer = StartWriter(std::move(options));
    const Ack open = Append(*writer, RequestEvents(1, "alice", "prompt"));
    ASSERT_TRUE(open.durable) << open.error;
    *trouble = true;
    const Ack refused = AppendUntil(*writer, false);
    EXPECT_EQ(refused.error_code, static_cast<uint32_t>(Code::kCounter)) << refused.error;
    EXPECT_FALSE(writer->GetStatus().writable);
    EXPECT_EQ(Act(*writer, "hold", {{"subject", "alice"}, {"reason", "case 1"}}).error().code, Code::kCounter);
    EXPECT_EQ(Append(*writer, RequestEvents(2, "bob", "prompt")).error_code, static_cast<uint32_t>(Code::kCounter));
    // What has begun may end.
    const Ack ended = Append(*writer, {ResponseEvent(1, open.seqs[0], "alice", "answer")});
    EXPECT_TRUE(ended.durable) << ended.error;
    const auto wait_for = [&](const char* words) {
      for (;;) {
        (void)Act(*writer, "witness-request", {{"old", "0"}});  // the writer looks at the counter in passing
        const std::lock_guard guard(mutex);
        if (said.find(words) != std::string::npos) return;
      }
    };
    wait_for("does not answer");
    *trouble = false;
    AppendUntil(*writer, true);
    wait_for("answers again");
    ASSERT_TRUE(writer->Stop());
  }
  bool silent = false;
  for (const Leaf& leaf : Read().leaves) silent = silent || (leaf.kind == Kind::kHeartbeat && leaf.request_id[0] == 1);
  EXPECT_TRUE(silent);
  EXPECT_EQ(Verify().verdict, Verdict::kValidSelfAttested);
}

TEST_F(CounterTest, AnEndTakesAStepOfItsOwnBehindOneThatIsOnItsWay) {
  WriterOptions options = Counted(1ms);
  options.counter.patience = 10s;
  const auto writer = StartWriter(std::move(options));
  chip_->hangs = true;
  while (Memory().value == chip_->value) (void)Append(*writer, {MakeEvent(Kind::kAdmin)});
  const uint64_t under_way = Memory().value;
  std::thread answers([this] {
    while (Read().leaves.back().kind != Kind::kStop) std::this_thread::yield();
    chip_->hangs = false;
  });
  EXPECT_TRUE(writer->Stop());
  answers.join();
  EXPECT_GT(Memory().value, under_way);
  EXPECT_EQ(chip_->value, Memory().value);
}

TEST_F(CounterTest, AnEndDoesNotWaitForASilentOne) {
  const auto writer = StartWriter(Counted(20ms));
  chip_->hangs = true;
  AppendUntil(*writer, false);
  EXPECT_TRUE(writer->Stop());
  chip_->hangs = false;
}

TEST_F(CounterTest, AStepWhoseAnswerWasLostIsTheLogsOwn) {
  const auto writer = StartWriter(Counted(1ms));
  AppendUntil(*writer, true);
  const int before = chip_->increments;
  chip_->fails_behind = true;
  while (chip_->increments < before + 5) AppendUntil(*writer, true);
  chip_->fails_behind = false;
  AppendUntil(*writer, true);
  EXPECT_TRUE(writer->Stop());
  EXPECT_EQ(Memory().value, chip_->value);
}

}  // namespace
}  // namespace portcullis::audit::test
