// Acts that are cut off, refused or asked for by the wrong one: a failure never opens what was closed,
// and nothing that the log says is untrue.

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <future>
#include <thread>

#include "audit/file.h"
#include "audit/release.h"
#include "audit/segment_parse.h"
#include "tests/audit/cases.h"
#include "tests/audit/faulty_ops.h"

namespace portcullis::audit::test {
namespace {

class ActsTest : public CasesTest {
 protected:
  std::unique_ptr<KeyStore> Store(KeyStore::Mode mode = KeyStore::Mode::kReadWrite) const {
    auto store = OpenKeyStore(keys(), mode);
    EXPECT_TRUE(store) << store.error().message;
    return store ? std::move(store.value()) : nullptr;
  }
  // A log of some full tiles, one of which is not what the segments say.
  void WriteAndDamageATile() {
    {
      const auto writer = StartWriter();
      for (int i = 0; i < 300; ++i) Append(*writer, {MakeEvent(Kind::kAdmin)});
      ASSERT_TRUE(writer->Stop());
    }
    const auto tile = log() / "tile" / "0" / "000";
    std::string bytes = Slurp(tile);
    bytes[40] = static_cast<char>(bytes[40] ^ 1);
    Spill(tile, bytes);
  }
};

TEST_F(ActsTest, AKeyIsDestroyedWithItsSaltOrNotAtAll) {
  {
    const auto writer = StartWriter();
    Exchange(*writer, 1, "alice", "q", "a");
    Exchange(*writer, 2, "bob", "q", "a");
    ASSERT_TRUE(writer->Stop());
  }
  const auto ids = Store()->SubjectKeys().value();
  ASSERT_EQ(ids.size(), 2u);
  const uint64_t generation = Store()->generation();
  {
    const auto store = Store();
    ASSERT_TRUE(store->BeginErasure(ids[0], 1));
    ASSERT_TRUE(store->Commit());
    ASSERT_TRUE(store->DestroyKey(ids[0], 1));
  }  // cut off before the end
  EXPECT_TRUE(Store()->KeyOf(ids[0]));
  EXPECT_EQ(Store()->PendingErasures().value().begun.at(1).count(ids[0]), 1u);
  EXPECT_EQ(Store()->generation(), generation);
  {
    const auto store = Store();
    ASSERT_TRUE(store->DestroyKey(ids[0], 1));
    ASSERT_TRUE(store->Rekey());
  }
  EXPECT_EQ(Store()->KeyOf(ids[0]).error().code, Code::kNotFound);
  EXPECT_TRUE(Store()->KeyOf(ids[1]));
  EXPECT_EQ(Store()->generation(), generation + 1);
  EXPECT_TRUE(Store()->PendingErasures().value().begun.empty());
}

TEST_F(ActsTest, AReaderDoesNotRepairTheKeyStoreUnderTheWriter) {
  MakeLog(1);
  const std::string old_salt = Slurp(keys() / "store.salt");
  ASSERT_TRUE(Store()->Rekey());
  // As between the end of the transaction and the rename.
  const std::string new_salt = Slurp(keys() / "store.salt");
  Spill(keys() / "store.salt.next", new_salt);
  Spill(keys() / "store.salt", old_salt);
  ASSERT_NE(Store(KeyStore::Mode::kReadOnly), nullptr);
  EXPECT_EQ(Slurp(keys() / "store.salt"), old_salt);
  EXPECT_TRUE(std::filesystem::exists(keys() / "store.salt.next"));
  ASSERT_NE(Store(), nullptr);
  EXPECT_EQ(Slurp(keys() / "store.salt"), new_salt);
  EXPECT_FALSE(std::filesystem::exists(keys() / "store.salt.next"));
}

TEST_F(ActsTest, AHoldIsLiftedOnlyByARecordThatIsDurable) {
  FaultyOps ops;
  WriterOptions options = Options();
  options.ops = &ops;
  const auto writer = StartWriter(std::move(options));
  Exchange(*writer, 1, "alice", "q", "a");
  const auto hold = Act(*writer, "hold", {{"subject", "alice"}, {"reason", "case"}});
  ASSERT_TRUE(hold);
  ops.full = true;
  EXPECT_FALSE(Act(*writer, "lift", {{"hold", hold.value()}, {"reason", "closed"}}));
  ops.full = false;
  EXPECT_EQ(Act(*writer, "erase", {{"subject", "alice"}, {"reason", "x"}}).error().code, Code::kHeld);
  ASSERT_TRUE(Act(*writer, "lift", {{"hold", hold.value()}, {"reason", "closed"}}));
  const auto next = Act(*writer, "hold", {{"subject", "bob"}, {"reason", "case"}});
  ASSERT_TRUE(next);
  EXPECT_NE(next.value(), hold.value());  // no number stands for two holds
  ASSERT_TRUE(Act(*writer, "erase", {{"subject", "alice"}, {"reason", "x"}}));
  ASSERT_TRUE(writer->Stop());
  EXPECT_TRUE(IsValid(Verify(true).verdict)) << ReportText(Verify(true));
}

TEST_F(ActsTest, AFailedEraseIsNotDoneLater) {
  FaultyOps ops;
  WriterOptions options = Options();
  options.ops = &ops;
  {
    const auto writer = StartWriter(std::move(options));
    Exchange(*writer, 1, "alice", "q", "a");
    ops.full = true;
    EXPECT_FALSE(Act(*writer, "erase", {{"subject", "alice"}, {"reason", "x"}}));
    ops.full = false;
    ASSERT_TRUE(Act(*writer, "hold", {{"subject", "alice"}, {"reason", "case"}}));
    ASSERT_TRUE(writer->Stop());
  }
  EXPECT_TRUE(Store()->PendingErasures().value().empty());
  ASSERT_TRUE(StartWriter()->Stop());
  EXPECT_EQ(Count(Kind::kErase, static_cast<uint16_t>(EraseOutcome::kBegun)), 0u);
  EXPECT_EQ(Verify(true).erased, 0u);
  EXPECT_TRUE(IsValid(Verify(true).verdict)) << ReportText(Verify(true));
}

TEST_F(ActsTest, TheLogsOwnWordsCannotBeErasedNorBorrowed) {
  const auto writer = StartWriter();
  Exchange(*writer, 1, "alice", "q", "a");
  ASSERT_TRUE(Act(*writer, "release", {{"subject", "alice"}, {"auditor", "auditor-1"}, {"reason", "case 1"}}));
  const auto refused = Act(*writer, "erase", {{"subject", "portcullis:system"}, {"reason", "x"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPermission);
  Event event = MakeEvent(Kind::kAdmin);
  event.subject = "portcullis:system";
  EXPECT_FALSE(Append(*writer, {event}).durable);
  ASSERT_TRUE(writer->Stop());
}

TEST_F(ActsTest, WhoHasAReleaseVerifiesWithIt) {
  const auto writer = StartWriter();
  Exchange(*writer, 1, "alice", "q", "a");
  Exchange(*writer, 2, "bob", "q", "a");
  const auto file = Act(*writer, "release", {{"subject", "alice"}, {"auditor", "auditor-1"}, {"reason", "case 1"}});
  ASSERT_TRUE(file);
  ASSERT_TRUE(writer->Stop());
  const auto secret = ReadAuditorSecret(auditor());
  ReleasedKeys released;
  ASSERT_TRUE(released.Add(file.value(), kOrigin, secret.value()));
  VerifyOptions options;
  options.log_folder = log();
  options.keys = &released;
  options.auditor_secrets = {&secret.value()};
  options.all_keys = false;
  const Report report = VerifyLog(options);
  EXPECT_TRUE(IsValid(report.verdict)) << ReportText(report);
  EXPECT_EQ(report.decrypted, 3u);  // REQ, DECISION, RESP of alice
  EXPECT_GE(report.closed, 4u);     // bob's, and RELEASE
  options.all_keys = true;          // from the key store every key must come
  EXPECT_EQ(VerifyLog(options).verdict, Verdict::kIncomplete);
}

TEST_F(ActsTest, ADamagedTileIsRebuiltWhenAWitnessAsks) {
  ASSERT_NO_FATAL_FAILURE(WriteAndDamageATile());
  Witness witness = OpenWitness();
  const auto writer = StartWriter();
  const auto damaged = Act(*writer, "witness-request", {{"old", "7"}});
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, Code::kTampered);
  EXPECT_TRUE(Append(*writer, {MakeEvent(Kind::kAdmin)}).durable);  // no reason to stop
  while (!Act(*writer, "witness-request", {{"old", "7"}})) std::this_thread::yield();
  EXPECT_TRUE(CosignLog(*writer, witness, 0));
  ASSERT_TRUE(writer->Stop());
}

TEST_F(ActsTest, ALogThatIsRefutedIsNotWrittenInTheSameTurnEither) {
  Witness witness = OpenWitness();
  {
    const auto writer = StartWriter();
    Exchange(*writer, 1, "alice", "q", "a");
    ASSERT_TRUE(writer->Stop());
  }
  Snapshot("before");
  {
    const auto writer = StartWriter();
    for (int i = 0; i < 8; ++i) Append(*writer, {MakeEvent(Kind::kAdmin)});
    ASSERT_TRUE(CosignLog(*writer, witness, 0));
    ASSERT_TRUE(writer->Stop());
  }
  PutBack("before");
  FaultyOps ops;
  WriterOptions options = Options();
  options.ops = &ops;
  options.max_wait = std::chrono::hours(1);
  const auto writer = StartWriter(std::move(options));
  ops.Hold();  // what comes while the thread is in fdatasync is one turn
  const int syncs = ops.syncs;
  writer->Submit({1, {MakeEvent(Kind::kAdmin)}}, [](const Ack&) {});
  while (ops.syncs == syncs) std::this_thread::yield();
  std::promise<ActReply> attached, released;
  writer->SubmitAct({1, "witness-attach", {{"note", witness.Latest(kOrigin).value()}}}, 0,
                    [&](ActReply reply) { attached.set_value(std::move(reply)); });
  writer->SubmitAct({2, "release", {{"subject", "alice"}, {"auditor", "auditor-1"}, {"reason", "x"}}}, 0,
                    [&](ActReply reply) { released.set_value(std::move(reply)); });
  auto stopped = std::async(std::launch::async, [&writer] { return writer->Stop(); });
  while (writer->GetStatus().why_not != "auditd is stopping") std::this_thread::yield();
  ops.Release();
  EXPECT_EQ(attached.get_future().get().error_code, static_cast<uint32_t>(Code::kRolledBack));
  const ActReply refused = released.get_future().get();
  EXPECT_EQ(refused.error_code, static_cast<uint32_t>(Code::kRolledBack));
  EXPECT_TRUE(refused.text.empty());
  EXPECT_FALSE(stopped.get());
  EXPECT_EQ(Count(Kind::kRelease, 1), 0u);
  EXPECT_EQ(Read().leaves.back().kind, Kind::kAdmin);
}

TEST_F(ActsTest, TheLastTurnMayStillGiveTheWorkerWork) {
  class HoldsOnce : public FaultyOps {
   public:
    int Fdatasync(int fd) override {
      if (syncs + 1 == at) Hold();
      return FaultyOps::Fdatasync(fd);
    }
    std::atomic<int> at = -1;
  } ops;
  ASSERT_NO_FATAL_FAILURE(WriteAndDamageATile());
  WriterOptions options = Options();
  options.ops = &ops;
  options.max_wait = std::chrono::hours(1);
  auto writer = StartWriter(std::move(options));
  ops.Hold();
  const int syncs = ops.syncs;
  writer->Submit({1, {MakeEvent(Kind::kAdmin)}}, [](const Ack&) {});
  while (ops.syncs == syncs) std::this_thread::yield();
  ops.at = syncs + 2;
  std::promise<Proof> proof;
  writer->Submit({2, {MakeEvent(Kind::kAdmin)}}, [](const Ack&) {});
  writer->SubmitProof({3, 7, {}}, [&](Proof made) { proof.set_value(std::move(made)); });
  ops.Release();
  while (ops.syncs < syncs + 2) std::this_thread::yield();
  Writer* const raw = writer.get();  // lives until its thread has ended
  auto gone = std::async(std::launch::async, [&writer] { writer.reset(); });
  while (raw->GetStatus().why_not != "auditd is stopping") std::this_thread::yield();
  ops.Release();
  gone.get();
  EXPECT_EQ(proof.get_future().get().error_code, static_cast<uint32_t>(Code::kTampered));
}

TEST_F(ActsTest, ADaysKeyThatWasCutOffWhileItWasWrittenDoesNotStopTheStart) {
  for (const auto& entry : std::filesystem::directory_iterator(keys())) {
    ASSERT_FALSE(entry.path().filename().string().starts_with("day-"));
  }
  Spill(keys() / "day-new.key", "PORTCULLIS-KE");
  const auto writer = StartWriter();
  ASSERT_NE(writer, nullptr);
  ASSERT_TRUE(writer->Stop());
  EXPECT_FALSE(std::filesystem::exists(keys() / "day-new.key"));
}

TEST_F(ActsTest, HeartbeatsGoOnWhileTheDiskIsLow) {
  class Counting : public FaultyOps {
   public:
    Result<DiskSpace> Space(int fd) override {
      ++looks;
      return FaultyOps::Space(fd);
    }
    std::atomic<int> looks = 0;
  } ops;
  WriterOptions options = Options();
  options.ops = &ops;
  options.heartbeat_seconds = 1;
  options.min_free_percent = 5;
  const auto writer = StartWriter(std::move(options));
  ops.low = true;
  EXPECT_FALSE(Append(*writer, RequestEvents(1, "alice", "p")).durable);
  while (Count(Kind::kHeartbeat, 1) < 2) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_LT(ops.looks, 100);  // it waits, it does not spin
  ops.low = false;
  EXPECT_TRUE(Append(*writer, {MakeEvent(Kind::kAdmin)}).durable);
  ASSERT_TRUE(writer->Stop());
  EXPECT_TRUE(IsValid(Verify().verdict)) << ReportText(Verify());
}

TEST_F(ActsTest, HostileBytesBehindATornBatchAreReadOnce) {
  MakeLog(1);
  const std::string good = Slurp(segment());
  constexpr size_t kBytes = 8u << 20;
  std::string frames;
  while (frames.size() < kBytes) {
    std::string header("PCLF");
    for (const uint32_t word : {uint32_t{kBytes / 2}, uint32_t{0}, uint32_t{3} << 24}) {
      for (int shift = 24; shift >= 0; shift -= 8) header.push_back(static_cast<char>(word >> shift));
    }
    frames += header;
  }
  Spill(segment(), good + frames);
  const auto begin = std::chrono::steady_clock::now();
  const ParsedSegment parsed = ParseSegmentFile(segment(), ReadLogKey(log()).value(), {});
  EXPECT_EQ(parsed.stop, ParsedSegment::Stop::kFrame);
  EXPECT_FALSE(parsed.signed_tail);
  // Every header's checksum over what it announces would be a thousand seconds.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST_F(ActsTest, AFifoInPlaceOfTheLockDoesNotStopAVerifier) {
  MakeLog(1);
  std::filesystem::remove(log() / "lock");
  ASSERT_EQ(::mkfifo((log() / "lock").c_str(), 0600), 0);
  EXPECT_TRUE(IsValid(Verify().verdict)) << ReportText(Verify());
}

}  // namespace
}  // namespace portcullis::audit::test
