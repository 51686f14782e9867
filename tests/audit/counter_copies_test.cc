// Two copies of a log beside one hardware counter: the one that finds that it was moved ends, and does not start again.

#include "tests/audit/counter_fixture.h"

namespace portcullis::audit::test {
namespace {

class CounterCopiesTest : public CounterTest {
 protected:
  // The log ends, and does not start again.
  void MoveWhileALogRuns(uint64_t steps) const {
    {
      const auto writer = StartWriter(Counted(50ms));
      AppendUntil(*writer, true);
      chip_->value += steps;
      Ack refused;
      // A period is also what a step may be late: on a busy machine it is that first.
      do refused = AppendUntil(*writer, false);
      while (refused.error_code == static_cast<uint32_t>(Code::kCounter));
      EXPECT_EQ(refused.error_code, static_cast<uint32_t>(Code::kForked)) << refused.error;
      EXPECT_FALSE(writer->Stop());
    }
    for (int i = 0; i < 2; ++i) EXPECT_EQ(Refused(Counted()).code, Code::kRolledBack);
  }
};

TEST_F(CounterCopiesTest, Case14ACopyThatRunsMovesItAndIsFound) { MoveWhileALogRuns(2); }

// To where the log's own next step would bring it.
TEST_F(CounterCopiesTest, Case14ACopyThatMovesItByOneIsFound) { MoveWhileALogRuns(1); }

TEST_F(CounterCopiesTest, Case14TwoCopiesDoNotRunBesideEachOther) {
  auto writer = StartWriter(Counted(1h));
  Snapshot("copy");
  // The copy's folders, the same chip: it meets the counter where its memory says, and moves it.
  WriterOptions options = Counted(1h);
  options.log_folder = dir_.path() / "copy" / "audit";
  options.keys_folder = dir_.path() / "copy" / "keys";
  { const auto copy = StartWriter(std::move(options)); }  // killed, behind one step
  EXPECT_EQ(chip_->value, Memory().value + 1);
  const auto end = writer->Stop();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, Code::kForked) << end.error().message;
  writer.reset();
  EXPECT_EQ(Refused(Counted()).code, Code::kRolledBack);
}

// Between a start's look at the counter and its step.
TEST_F(CounterCopiesTest, Case14ACopyThatMovesItDuringAStartEndsThatForGood) {
  struct MovedBeforeTheStep : ChipCounter {
    explicit MovedBeforeTheStep(const std::shared_ptr<Chip>& given) : ChipCounter(given), chip(given) {}
    Result<uint64_t> Read() override {
      if (++reads == 2) ++chip->value;
      return ChipCounter::Read();
    }
    const std::shared_ptr<Chip> chip;
    int reads = 0;
  };
  StartAndStop();
  WriterOptions options = Counted();
  options.counter.counter = std::make_shared<MovedBeforeTheStep>(chip_);
  EXPECT_EQ(Refused(std::move(options)).code, Code::kForked);
  EXPECT_EQ(Memory().value + 1, chip_->value);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Refused(Counted()).code, Code::kRolledBack);
}

}  // namespace
}  // namespace portcullis::audit::test
