// Every failure of the disk that can be injected under a working writer: each is a refusal or the end,
// never a loss.

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <future>
#include <thread>

#include "tests/audit/faulty_ops.h"
#include "tests/audit/fixture.h"

namespace portcullis::audit::test {
namespace {

class WriterFaultsTest : public LogTest {
 protected:
  WriterOptions Faulty() {
    WriterOptions options = Options();
    options.ops = &ops_;
    return options;
  }

  FaultyOps ops_;
};

TEST_F(WriterFaultsTest, Case33AFailedSyncPoisonsForGood) {
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

TEST_F(WriterFaultsTest, Case31AFullDiskIsRefusedAndUndone) {
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

// The disk becomes read-only under a working writer, as ext4 does after an error: nothing is acknowledged from then on,
// it ends for good, and a start on the disk that can be written again has everything that was.
TEST_F(WriterFaultsTest, Case36AReadOnlyDiskEndsTheWriterAndLosesNothing) {
  std::vector<Ack> acks;
  std::atomic<int> poisoned = 0;
  {
    WriterOptions options = Faulty();
    options.on_poison = [&](const Error&) { ++poisoned; };
    const auto writer = StartWriter(std::move(options));
    acks = Exchange(*writer, 1, "alice", "a question", "an answer");
    ops_.read_only = true;
    const Ack refused = Append(*writer, RequestEvents(2, "alice", "p"));
    EXPECT_FALSE(refused.durable);
    EXPECT_EQ(refused.error_code, static_cast<uint32_t>(Code::kPoisoned)) << refused.error;
    ops_.read_only = false;
    EXPECT_FALSE(Append(*writer, RequestEvents(3, "alice", "p")).durable);  // it does not go on by itself
    EXPECT_EQ(poisoned, 1);
    EXPECT_FALSE(writer->Stop());
  }
  const auto writer = StartWriter();
  const std::vector<Ack> more = Exchange(*writer, 4, "alice", "another question", "an answer");
  acks.insert(acks.end(), more.begin(), more.end());
  ASSERT_TRUE(writer->Stop());
  const std::vector<Hash> hashes = Read().hashes;
  for (const Ack& ack : acks) {
    for (size_t i = 0; i < ack.seqs.size(); ++i) EXPECT_EQ(hashes.at(ack.seqs[i]), ack.leaf_hashes[i]);
  }
  EXPECT_TRUE(IsValid(Verify(true).verdict)) << ReportText(Verify(true));
}

TEST_F(WriterFaultsTest, BelowTheWatermarkRequestsAreRefusedAndRecordsOfAdministratorsAndStopAreNot) {
  WriterOptions options = Faulty();
  options.min_free_percent = 5;
  const auto writer = StartWriter(std::move(options));
  ops_.low = true;
  const Ack refused = Append(*writer, RequestEvents(1, "alice", "p"));
  EXPECT_EQ(refused.error_code, static_cast<uint32_t>(Code::kDiskLow));
  std::vector<Event> mixed = RequestEvents(2, "alice", "p");
  mixed.push_back(MakeEvent(Kind::kAdmin));
  EXPECT_FALSE(Append(*writer, std::move(mixed)).durable);  // an append goes as a whole
  EXPECT_FALSE(writer->GetStatus().writable);
  for (const Kind kind : {Kind::kAdmin, Kind::kConfig}) EXPECT_TRUE(Append(*writer, {MakeEvent(kind)}).durable);
  for (const Kind kind : {Kind::kAuditRead, Kind::kAbuse, Kind::kSiege}) {
    EXPECT_EQ(Append(*writer, {MakeEvent(kind)}).error_code, static_cast<uint32_t>(Code::kDiskLow)) << KindName(kind);
  }
  // So little room is left that it came out of the reserve; it is filled again when there is room.
  EXPECT_LT(std::filesystem::file_size(log() / "reserve.acts"), uint64_t{1} << 20);
  ops_.low = false;
  EXPECT_TRUE(Append(*writer, RequestEvents(3, "alice", "p")).durable);
  EXPECT_EQ(std::filesystem::file_size(log() / "reserve.acts"), uint64_t{1} << 20);
  ops_.low = true;
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(Read().leaves.back().kind, Kind::kStop);
}

TEST_F(WriterFaultsTest, ABatchThatFindsNoRoomIsWrittenAgainWithWhatTheReserveIsFor) {
  class FullUntilDrawn : public WriteOps {
   public:
    explicit FullUntilDrawn(std::filesystem::path reserve) : reserve_(std::move(reserve)) {}
    ssize_t Writev(int fd, const iovec* parts, int count) override {
      if (full && std::filesystem::file_size(reserve_) == 1u << 20) return errno = ENOSPC, -1;
      return WriteOps::Writev(fd, parts, count);
    }
    Result<DiskSpace> Space(int) override { return DiskSpace{full ? 1u << 19 : 1u << 30, 1u << 31}; }
    std::atomic<bool> full = false;

   private:
    std::filesystem::path reserve_;
  } ops(log() / "reserve.acts");
  WriterOptions options = Options();
  options.ops = &ops;
  const auto writer = StartWriter(std::move(options));
  ops.full = true;
  // Both queue while the writer is at work, as far as it goes; either way only one of them is taken.
  std::promise<Ack> request, act;
  writer->Submit({1, RequestEvents(1, "alice", "p")}, [&](Ack ack) { request.set_value(std::move(ack)); });
  writer->Submit({2, {MakeEvent(Kind::kAdmin)}}, [&](Ack ack) { act.set_value(std::move(ack)); });
  EXPECT_EQ(request.get_future().get().error_code, static_cast<uint32_t>(Code::kDiskLow));
  EXPECT_TRUE(act.get_future().get().durable);
  // The room that was given back is not for requests.
  EXPECT_FALSE(Append(*writer, RequestEvents(2, "alice", "p")).durable);
  ops.full = false;
  EXPECT_TRUE(Append(*writer, RequestEvents(3, "alice", "p")).durable);
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(Verify(true).verdict, Verdict::kValidSelfAttested) << ReportText(Verify(true));
}

TEST_F(WriterFaultsTest, StopUsesTheReserveOnAFullDisk) {
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

TEST_F(WriterFaultsTest, ASlowDiskMeansARefusalNotAnEndlessWait) {
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

TEST_F(WriterFaultsTest, Case35AnUnlinkedOrLinkedOrSwappedSegmentPoisons) {
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

}  // namespace
}  // namespace portcullis::audit::test
