// The writer in this process: group commit, recovery, and every failure of the disk that can be
// injected through WriteOps.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "audit/proof.h"
#include "audit/scan.h"
#include "tests/audit/fixture.h"

namespace portcullis::audit::test {
namespace {

// Fails on demand; can hold an fdatasync until it is told to go on.
class FaultyOps : public WriteOps {
 public:
  ssize_t Writev(int fd, const iovec* parts, int count) override {
    if (full) {
      // Half of the first part fits, as on a disk that fills up.
      if (torn_once.exchange(true)) return errno = ENOSPC, -1;
      const iovec half{parts[0].iov_base, parts[0].iov_len / 2 + 1};
      return WriteOps::Writev(fd, &half, 1);
    }
    return WriteOps::Writev(fd, parts, count);
  }
  int Fdatasync(int fd) override {
    ++syncs;
    if (fail_sync) return errno = EIO, -1;
    std::unique_lock lock(mutex);
    wake.wait(lock, [this] { return !hold; });
    return WriteOps::Fdatasync(fd);
  }
  Result<DiskSpace> Space(int fd) override {
    if (low) return DiskSpace{1000, 1'000'000'000};
    return WriteOps::Space(fd);
  }
  void Release() {
    {
      const std::lock_guard guard(mutex);
      hold = false;
    }
    wake.notify_all();
  }
  void Hold() {
    const std::lock_guard guard(mutex);
    hold = true;
  }

  std::atomic<bool> full = false, torn_once = false, fail_sync = false, low = false;
  std::atomic<int> syncs = 0;
  std::mutex mutex;
  std::condition_variable wake;
  bool hold = false;
};

class Collector : public ScanVisitor {
 public:
  void OnRecord(const ScannedRecord& record) override {
    leaves.push_back(record.leaf);
    hashes.push_back(record.leaf_hash);
  }
  std::vector<Leaf> leaves;
  std::vector<Hash> hashes;
};

class WriterTest : public LogTest {
 protected:
  WriterOptions Faulty() {
    WriterOptions options = Options();
    options.ops = &ops_;
    return options;
  }
  Collector Read() const {
    Collector collector;
    ScanLog(log(), ReadLogKey(log()).value(), {}, &collector);
    return collector;
  }

  FaultyOps ops_;
};

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
  const auto writer = StartWriter(Faulty());
  ops_.Hold();
  constexpr int kWriters = 256;
  std::atomic<int> durable = 0;
  std::promise<void> all;
  const int syncs_before = ops_.syncs;
  for (int i = 0; i < kWriters + 1; ++i) {
    writer->Submit({static_cast<uint64_t>(i), {MakeEvent(Kind::kAdmin)}}, [&](const Ack& ack) {
      if (ack.durable && ++durable == kWriters + 1) all.set_value();
    });
    // The first append occupies the writer in its sync; the rest queue behind it.
    if (i == 0) {
      while (ops_.syncs == syncs_before) std::this_thread::yield();
    }
  }
  EXPECT_EQ(durable, 0);  // nothing is acknowledged before it is durable
  ops_.Release();
  all.get_future().wait();
  EXPECT_EQ(ops_.syncs, syncs_before + 2);
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

TEST_F(WriterTest, ACanaryIsNowhereInClear) {
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

TEST_F(WriterTest, ACrashLeavesEveryAcknowledgedRecord) {
  std::vector<Ack> acks;
  {
    const auto writer = StartWriter();
    acks = Exchange(*writer, 1, "alice", "p", "a");
    acks.push_back(Append(*writer, RequestEvents(2, "bob", "left open")));
  }  // no STOP
  {
    const auto writer = StartWriter();
    ASSERT_NE(writer, nullptr);
    const Ack late = Append(*writer, {ResponseEvent(2, acks[2].seqs[0], "bob", "late")});
    EXPECT_TRUE(late.durable) << late.error;
    ASSERT_TRUE(writer->Stop());
  }
  const Collector records = Read();
  for (const Ack& ack : acks) {
    for (size_t i = 0; i < ack.seqs.size(); ++i) {
      EXPECT_EQ(records.hashes.at(ack.seqs[i]), ack.leaf_hashes[i]);
    }
  }
  EXPECT_EQ(std::count_if(records.leaves.begin(), records.leaves.end(),
                          [](const Leaf& leaf) { return leaf.kind == Kind::kAbort; }),
            1);
  EXPECT_EQ(Verify(true).verdict, Verdict::kValidWithRecovery) << ReportText(Verify(true));
}

TEST_F(WriterTest, AnOrderlyEndClosesWhatIsOpen) {
  const auto writer = StartWriter();
  ASSERT_TRUE(Append(*writer, RequestEvents(2, "bob", "left open")).durable);
  ASSERT_TRUE(writer->Stop());
  const Collector records = Read();
  EXPECT_EQ(records.leaves[records.leaves.size() - 2].kind, Kind::kAbort);
  EXPECT_EQ(records.leaves.back().kind, Kind::kStop);
  EXPECT_EQ(Verify().verdict, Verdict::kValidSelfAttested) << ReportText(Verify());
}

TEST_F(WriterTest, ATornTailIsCutKeptAndTold) {
  const std::string frame = EncodeFrame(FrameType::kRecord, std::string(500, 'x'));
  for (const size_t torn : {1u, 15u, 16u, 200u, 515u}) {
    MakeLog(1);
    Spill(segment(), Slurp(segment()) + frame.substr(0, torn));
    EXPECT_EQ(Verify().verdict, Verdict::kIncomplete);
    const auto writer = StartWriter();
    ASSERT_NE(writer, nullptr) << torn;
    ASSERT_TRUE(writer->Stop());
    EXPECT_EQ(Verify().verdict, Verdict::kValidWithRecovery) << ReportText(Verify());
    bool kept = false;
    for (const auto& entry : std::filesystem::directory_iterator(log() / "torn")) {
      kept = kept || Slurp(entry.path()) == frame.substr(0, torn);
    }
    EXPECT_TRUE(kept);
  }
}

TEST_F(WriterTest, ATornBatchOfEveryLengthIsCut) {
  std::string before, after;
  {
    const auto writer = StartWriter();
    Append(*writer, {MakeEvent(Kind::kAdmin)});
    before = Slurp(segment());
    Append(*writer, {MakeEvent(Kind::kAdmin)});
    after = Slurp(segment());
  }
  // The signer has not seen the last batch: a crash in the middle of its write.
  const TempDir copy;
  for (size_t size = before.size() + 1; size < after.size(); size += 37) {
    std::filesystem::remove_all(copy.path() / "a");
    std::filesystem::remove_all(copy.path() / "k");
    std::filesystem::copy(log(), copy.path() / "a", std::filesystem::copy_options::recursive);
    std::filesystem::copy(keys(), copy.path() / "k", std::filesystem::copy_options::recursive);
    Spill(copy.path() / "a" / "segments" / SegmentName(0), after.substr(0, size));
    WriterOptions options = Options();
    options.log_folder = copy.path() / "a";
    options.keys_folder = copy.path() / "k";
    const auto writer = StartWriter(std::move(options));
    ASSERT_NE(writer, nullptr) << size;
    ASSERT_TRUE(writer->Stop());
    VerifyOptions verify;
    verify.log_folder = copy.path() / "a";
    EXPECT_EQ(VerifyLog(verify).verdict, Verdict::kValidWithRecovery);
  }
}

TEST_F(WriterTest, DamageBehindASignedBatchIsNotCut) {
  MakeLog(2);
  std::string bad = Slurp(segment());
  bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
  Spill(segment(), bad);
  const auto writer = Writer::Start(Options());
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, Code::kTampered);
  EXPECT_EQ(Slurp(segment()), bad);
}

TEST_F(WriterTest, OneWriterAtATime) {
  const auto writer = StartWriter();
  const auto second = Writer::Start(Options());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kLocked);
}

TEST_F(WriterTest, AnOldSignerStateIsNoExcuseAndANewerOneIsBelieved) {
  MakeLog(1);
  const std::string state = Slurp(keys() / "signer.state");
  const std::string old_segment = Slurp(segment());
  MakeLog(1);
  const std::string newer = Slurp(keys() / "signer.state");
  Spill(segment(), old_segment);  // the log went back, the signer did not
  EXPECT_EQ(Writer::Start(Options()).error().code, Code::kRolledBack);
  Spill(keys() / "signer.state", state);
  MakeLog(2);  // truncated and continued, with the old state: another history
  Spill(keys() / "signer.state", newer);
  const auto writer = Writer::Start(Options());
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, Code::kForked);
}

TEST_F(WriterTest, AFailedSyncPoisonsForGood) {
  std::atomic<int> poisoned = 0;
  WriterOptions options = Faulty();
  options.on_poison = [&](const Error&) { ++poisoned; };
  const auto writer = StartWriter(std::move(options));
  ASSERT_TRUE(Append(*writer, {MakeEvent(Kind::kAdmin)}).durable);
  ops_.fail_sync = true;
  const Ack failed = Append(*writer, {MakeEvent(Kind::kAdmin)});
  EXPECT_FALSE(failed.durable);
  EXPECT_EQ(failed.error_code, static_cast<uint32_t>(Code::kPoisoned));
  ops_.fail_sync = false;
  const int syncs = ops_.syncs;
  EXPECT_FALSE(Append(*writer, {MakeEvent(Kind::kAdmin)}).durable);
  EXPECT_EQ(ops_.syncs, syncs);  // never tried again
  EXPECT_EQ(poisoned, 1);
  EXPECT_FALSE(writer->GetStatus().writable);
  EXPECT_FALSE(writer->Stop());
}

TEST_F(WriterTest, AFullDiskIsRefusedAndUndone) {
  const auto writer = StartWriter(Faulty());
  const Ack before = Append(*writer, {MakeEvent(Kind::kAdmin)});
  const auto size = std::filesystem::file_size(segment());
  ops_.full = true;
  const Ack refused = Append(*writer, RequestEvents(1, "alice", "p"));
  EXPECT_EQ(refused.error_code, static_cast<uint32_t>(Code::kDiskLow)) << refused.error;
  EXPECT_EQ(std::filesystem::file_size(segment()), size);
  ops_.full = false;
  const Ack after = Append(*writer, {MakeEvent(Kind::kAdmin)});  // resumes by itself
  EXPECT_TRUE(after.durable);
  EXPECT_EQ(after.seqs[0], before.seqs[0] + 1);
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(Verify(true).verdict, Verdict::kValidSelfAttested) << ReportText(Verify(true));
}

TEST_F(WriterTest, BelowTheWatermarkAppendsAreRefusedAndStopIsNot) {
  WriterOptions options = Faulty();
  options.min_free_percent = 5;
  const auto writer = StartWriter(std::move(options));
  ops_.low = true;
  const Ack refused = Append(*writer, {MakeEvent(Kind::kAdmin)});
  EXPECT_EQ(refused.error_code, static_cast<uint32_t>(Code::kDiskLow));
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(Read().leaves.back().kind, Kind::kStop);
}

TEST_F(WriterTest, StopUsesTheReserveOnAFullDisk) {
  class FullUntilReserveIsGone : public WriteOps {
   public:
    explicit FullUntilReserveIsGone(std::filesystem::path reserve) : reserve_(std::move(reserve)) {}
    ssize_t Writev(int fd, const iovec* parts, int count) override {
      if (full && std::filesystem::exists(reserve_)) return errno = ENOSPC, -1;
      return WriteOps::Writev(fd, parts, count);
    }
    std::atomic<bool> full = false;

   private:
    std::filesystem::path reserve_;
  } ops(log() / "reserve");
  WriterOptions options = Options();
  options.ops = &ops;
  const auto writer = StartWriter(std::move(options));
  ops.full = true;
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(Read().leaves.back().kind, Kind::kStop);
  EXPECT_FALSE(std::filesystem::exists(log() / "reserve"));
}

TEST_F(WriterTest, ASlowDiskMeansARefusalNotAnEndlessWait) {
  WriterOptions options = Faulty();
  options.max_wait = std::chrono::milliseconds(1);
  const auto writer = StartWriter(std::move(options));
  ops_.Hold();
  const int syncs_before = ops_.syncs;
  // Under load the first append may be refused, too: until one holds the writer in its sync.
  while (ops_.syncs == syncs_before) {
    writer->Submit({1, {MakeEvent(Kind::kAdmin)}}, [](const Ack&) {});
    for (int i = 0; i < 1000 && ops_.syncs == syncs_before; ++i) std::this_thread::yield();
  }
  std::promise<Ack> second;
  writer->Submit({2, {MakeEvent(Kind::kAdmin)}}, [&](Ack ack) { second.set_value(std::move(ack)); });
  auto refused = second.get_future();
  while (refused.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) writer->ExpireOverdue();
  EXPECT_EQ(refused.get().error_code, static_cast<uint32_t>(Code::kOverloaded));
  ops_.Release();
}

TEST_F(WriterTest, AnUnlinkedOrLinkedOrSwappedSegmentPoisons) {
  for (const int attack : {0, 1, 2}) {
    std::filesystem::remove_all(log());
    std::filesystem::remove_all(keys());
    ASSERT_TRUE(InitLog({log(), keys(), "test.example/audit", auditor().string() + ".pub"}));
    const auto writer = StartWriter();
    ASSERT_TRUE(Append(*writer, {MakeEvent(Kind::kAdmin)}).durable);
    if (attack == 0) std::filesystem::remove(segment());
    if (attack == 1) std::filesystem::create_hard_link(segment(), log() / "copy");
    if (attack == 2) {
      std::filesystem::rename(segment(), log() / "moved");
      Spill(segment(), Slurp(log() / "moved"));
    }
    const Ack ack = Append(*writer, {MakeEvent(Kind::kAdmin)});
    EXPECT_EQ(ack.error_code, static_cast<uint32_t>(Code::kPoisoned)) << attack;
  }
}

TEST_F(WriterTest, ASymbolicLinkIsNotFollowed) {
  MakeLog(1);
  std::filesystem::rename(segment(), log() / "elsewhere");
  std::filesystem::create_symlink(log() / "elsewhere", segment());
  EXPECT_FALSE(Writer::Start(Options()));
  EXPECT_FALSE(IsValid(Verify().verdict));
}

TEST_F(WriterTest, ClockStepsAreToldAndHeartbeatsCome) {
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
