// The writer in this process: acknowledgements, group commit, secrecy, clocks, large records.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

#include "audit/proof.h"
#include "tests/audit/faulty_ops.h"
#include "tests/audit/fixture.h"

namespace portcullis::audit::test {
namespace {

using WriterTest = LogTest;

TEST_F(WriterTest, AcknowledgementsNameWhatIsInTheLog) {
  std::vector<Ack> acks;
  {
    const auto writer = StartWriter();
    acks = Exchange(*writer, 1, "alice", "p", "a");
    const Ack more = Append(*writer, {MakeEvent(Kind::kAdmin)});
    acks.push_back(more);
    ASSERT_TRUE(writer->Stop());
  }
  const Collector records = Read();
  for (const Ack& ack : acks) {
    ASSERT_TRUE(ack.durable);
    for (size_t i = 0; i < ack.seqs.size(); ++i) {
      EXPECT_EQ(records.hashes.at(ack.seqs[i]), ack.leaf_hashes[i]);
    }
  }
  EXPECT_EQ(records.leaves[acks[0].seqs[1]].parent_seq, acks[0].seqs[0]);
  EXPECT_EQ(records.leaves[acks[0].seqs[0]].tag_count, 2);
  EXPECT_NE(records.leaves[acks[0].seqs[0]].tags[0], Tag{});
}

TEST_F(WriterTest, ReceiptAndProofConvinceAStranger) {
  const auto writer = StartWriter();
  const Ack ack = Append(*writer, {MakeEvent(Kind::kAdmin)});
  const std::string content = Slurp(segment());
  const auto header = DecodeSegmentHeader(ParseFrame(content).frame.body);
  const auto receipt = OpenReceipt(ack.receipt, "test.example/audit", header.value().writer);
  ASSERT_TRUE(receipt) << receipt.error().message;
  EXPECT_EQ(receipt.value().leaf_hash, ack.leaf_hashes[0]);

  std::promise<Proof> done;
  writer->SubmitProof({3, ack.seqs[0]}, [&done](Proof proof) { done.set_value(std::move(proof)); });
  const Proof proof = done.get_future().get();
  ASSERT_EQ(proof.error_code, 0u) << proof.error;
  const auto parsed = ParseProof(proof.text);
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(VerifyProof(parsed.value(), ack.leaf_hashes[0], ReadLogKey(log()).value()));

  std::promise<Proof> none;
  writer->SubmitProof({4, 1000}, [&none](Proof proof2) { none.set_value(std::move(proof2)); });
  EXPECT_EQ(none.get_future().get().error_code, static_cast<uint32_t>(Code::kNotFound));
}

TEST_F(WriterTest, BadEventsAreRefusedAndHarmNothing) {
  const auto writer = StartWriter();
  EXPECT_FALSE(Append(*writer, {MakeEvent(Kind::kResp, 0, 1)}).durable);
  EXPECT_FALSE(Append(*writer, {MakeEvent(Kind::kResp, 99, 1)}).durable);
  auto mixed = RequestEvents(1, "alice", "p");
  mixed.push_back(MakeEvent(Kind::kResp, 5000, 1));
  const Ack refused = Append(*writer, mixed);
  EXPECT_EQ(refused.error_code, static_cast<uint32_t>(Code::kInvalidEvent));
  EXPECT_TRUE(refused.seqs.empty());
  Exchange(*writer, 2, "alice", "p", "a");
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(Verify(true).verdict, Verdict::kValidSelfAttested) << ReportText(Verify(true));
}

TEST_F(WriterTest, WhatQueuesDuringASyncIsOneBatch) {
  FaultyOps ops;
  WriterOptions options = Options();
  options.ops = &ops;
  const auto writer = StartWriter(std::move(options));
  ops.Hold();
  constexpr int kWriters = 256;
  std::atomic<int> durable = 0;
  std::promise<void> all;
  const int syncs_before = ops.syncs;
  for (int i = 0; i < kWriters + 1; ++i) {
    writer->Submit({static_cast<uint64_t>(i), {MakeEvent(Kind::kAdmin)}}, [&](const Ack& ack) {
      if (ack.durable && ++durable == kWriters + 1) all.set_value();
    });
    // The first append occupies the writer in its sync; the rest queue behind it.
    if (i == 0) {
      while (ops.syncs == syncs_before) std::this_thread::yield();
    }
  }
  EXPECT_EQ(durable, 0);  // nothing is acknowledged before it is durable
  ops.Release();
  all.get_future().wait();
  EXPECT_EQ(ops.syncs, syncs_before + 2);
  ASSERT_TRUE(writer->Stop());
  EXPECT_TRUE(IsValid(Verify().verdict));
}

TEST_F(WriterTest, ManyThreadsManySubjects) {
  const auto writer = StartWriter();
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i) {
        Exchange(*writer, static_cast<uint8_t>(t), "subject" + std::to_string(t % 3), "p", "a");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(writer->Stop());
  const Report report = Verify(true);
  EXPECT_EQ(report.verdict, Verdict::kValidSelfAttested) << ReportText(report);
  EXPECT_EQ(report.requests, 160u);
}

TEST_F(WriterTest, Case44ACanaryIsNowhereInClear) {
  const std::string canary = "canary-5f1d3c-prompt";
  const std::string who = "canary-subject-77ab";
  {
    const auto writer = StartWriter();
    Exchange(*writer, 1, who, canary, "the answer to " + canary);
    ASSERT_TRUE(writer->Stop());
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path())) {
    if (!entry.is_regular_file()) continue;
    const std::string content = Slurp(entry.path());
    EXPECT_EQ(content.find(canary), std::string::npos) << entry.path();
    EXPECT_EQ(content.find(who), std::string::npos) << entry.path();
    EXPECT_EQ(entry.status().permissions() & std::filesystem::perms(0177),
              entry.path().extension() == ".pub" && entry.path().parent_path() == dir_.path()
                  ? std::filesystem::perms(0044)
                  : std::filesystem::perms(0))
        << entry.path();
  }
}

TEST_F(WriterTest, Case37ClockStepsAreToldAndHeartbeatsCome) {
  std::atomic<uint64_t> offset = 1'000'000'000'000'000;
  WriterOptions options = Options();
  options.heartbeat_seconds = 1;
  options.clock = [&offset] {
    const ClockReading real = ReadSystemClock();
    return ClockReading{real.mono_us + offset, real.mono_us, ClockState::kSynchronised};
  };
  const auto writer = StartWriter(std::move(options));
  offset += 3'600'000'000;
  Append(*writer, {MakeEvent(Kind::kAdmin)});
  offset -= 7'200'000'000;
  Append(*writer, {MakeEvent(Kind::kAdmin)});
  const uint64_t size = writer->GetStatus().log_size;
  while (writer->GetStatus().log_size == size) std::this_thread::yield();  // a heartbeat
  ASSERT_TRUE(writer->Stop());
  const Collector records = Read();
  const auto count = [&](Kind kind) {
    return std::count_if(records.leaves.begin(), records.leaves.end(),
                         [kind](const Leaf& leaf) { return leaf.kind == kind; });
  };
  EXPECT_EQ(count(Kind::kClock), 2);
  EXPECT_GE(count(Kind::kHeartbeat), 1);
  EXPECT_EQ(Verify().verdict, Verdict::kValidSelfAttested) << ReportText(Verify());
}

// Whatever is decided by the time of a batch must be decided by one reading of it.
TEST_F(WriterTest, AClockThatStepsAtEveryLookLeavesAWholeLog) {
  std::atomic<uint64_t> looks = 0;
  WriterOptions options = Options();
  options.clock = [&looks] {
    const ClockReading real = ReadSystemClock();
    return ClockReading{1'600'000'000'000'000 + looks++ * 7 * 3'600'000'000, real.mono_us, ClockState::kSynchronised};
  };
  const auto writer = StartWriter(std::move(options));
  for (uint8_t i = 0; i < 20; ++i) ASSERT_TRUE(Append(*writer, {MakeEvent(Kind::kAdmin)}).durable);
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(Verify().verdict, Verdict::kValidSelfAttested) << ReportText(Verify());
}

TEST_F(WriterTest, ALargeRecordFitsAndSegmentsRoll) {
  const auto writer = StartWriter();
  const std::string big(20u << 20, 'b');
  for (uint8_t i = 0; i < 5; ++i) Exchange(*writer, i, "alice", big, "a");
  ASSERT_TRUE(writer->Stop());
  EXPECT_TRUE(std::filesystem::exists(segment(1)));
  EXPECT_EQ(Verify().verdict, Verdict::kValidSelfAttested) << ReportText(Verify());
}

TEST_F(WriterTest, TheVerifierReadsALogThatIsBeingWritten) {
  const auto writer = StartWriter();
  std::atomic<bool> done = false;
  std::thread load([&] {
    for (int i = 0; !done; ++i) {
      Exchange(*writer, static_cast<uint8_t>(i), "alice", std::string(3000, 'p'), "a");
    }
  });
  for (int i = 0; i < 10; ++i) {
    const Report report = Verify();
    EXPECT_EQ(report.verdict, Verdict::kValidSelfAttested) << ReportText(report);
    EXPECT_TRUE(report.live);
  }
  done = true;
  load.join();
  ASSERT_TRUE(writer->Stop());
}

}  // namespace
}  // namespace portcullis::audit::test
