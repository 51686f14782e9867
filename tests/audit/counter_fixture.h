// A hardware counter in memory that fails on demand, and a log that counts on it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "audit/counter_keeper.h"
#include "tests/audit/cases.h"

namespace portcullis::audit::test {

using namespace std::chrono_literals;

// The chip: outlives writers, and the putting back of folders.
struct Chip {
  std::atomic<uint64_t> value = 0;
  std::atomic<bool> there = false, foreign = false, fails = false, fails_behind = false, hangs = false;
  std::atomic<int> increments = 0;
  std::atomic<uint8_t> name = 1;
};

class ChipCounter : public MonotonicCounter {
 public:
  explicit ChipCounter(std::shared_ptr<Chip> chip) : chip_(std::move(chip)) {}
  Result<Found> Find() override {
    BOOST_OUTCOME_TRY(Answer());
    return !chip_->there ? Found::kMissing : chip_->foreign ? Found::kForeign : Found::kOurs;
  }
  Result<void> Create() override {
    BOOST_OUTCOME_TRY(Answer());
    chip_->there = true;
    chip_->foreign = false;
    ++chip_->value;
    return Ok();
  }
  Result<uint64_t> Read() override {
    BOOST_OUTCOME_TRY(Answer());
    return chip_->value.load();
  }
  Result<uint64_t> Increment() override {
    BOOST_OUTCOME_TRY(Answer());
    ++chip_->increments;
    const uint64_t value = ++chip_->value;
    if (chip_->fails_behind) return Error{Code::kCounter, "the answer was lost"};
    return value;
  }
  Hash Name() const override { return Hash{chip_->name}; }
  std::string Words() const override { return "the chip"; }

 private:
  Result<void> Answer() const {
    while (chip_->hangs) std::this_thread::yield();
    if (chip_->fails) return Error{Code::kCounter, "the chip is gone"};
    return Ok();
  }
  const std::shared_ptr<Chip> chip_;  // a thread that hangs may outlive the test
};

class CounterTest : public CasesTest {
 protected:
  // No step of its own for an hour, unless a test asks.
  WriterOptions Counted(std::chrono::milliseconds period = 1h) const {
    WriterOptions options = Options();
    options.counter.counter = std::make_shared<ChipCounter>(chip_);
    options.counter.period = period;
    options.counter.patience = 100ms;
    options.counter.retry = 1ms;
    options.checkpoint_interval = 1ms;
    return options;
  }
  void StartAndStop() {
    const auto writer = StartWriter(Counted());
    ASSERT_NE(writer, nullptr);
    ASSERT_TRUE(writer->Stop());
  }
  Error Refused(WriterOptions options) const {
    const auto writer = Writer::Start(std::move(options));
    EXPECT_FALSE(writer);
    return writer ? Error{} : writer.error();
  }
  CounterMemory Memory() const {
    return DecodeSignerState(Slurp(keys() / "signer.state"), kOrigin).value().counter();
  }
  // Appends until it is durable, or refused with kCounter.
  static Ack AppendUntil(Writer& writer, bool durable) {
    for (;;) {
      const Ack ack = Append(writer, {MakeEvent(Kind::kAdmin)});
      if (ack.durable == durable) return ack;
      std::this_thread::yield();
    }
  }

  const std::shared_ptr<Chip> chip_ = std::make_shared<Chip>();
};

}  // namespace portcullis::audit::test
