// The numbered cases of the design page that need more than a flipped byte; those of witnesses are in
// witness_test.cc, those of erasure in erase_test.cc, the others in the tests of their parts, each with
// its number in its name.

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "audit/daykey.h"
#include "audit/recover.h"
#include "audit/signer.h"
#include "tests/audit/cases.h"

namespace portcullis::audit::test {
namespace {

TEST_F(CasesTest, Case03ADamagedTileIsWarnedOfAndRebuilt) {
  {
    const auto writer = StartWriter();
    for (int i = 0; i < 300; ++i) Append(*writer, {MakeEvent(Kind::kAdmin)});
    ASSERT_TRUE(writer->Stop());
  }
  const auto tile = log() / "tile" / "0" / "000";
  const std::string good = Slurp(tile);
  std::string bad = good;
  bad[100] = static_cast<char>(bad[100] ^ 1);
  Spill(tile, bad);
  const Report warned = Verify();
  EXPECT_TRUE(IsValid(warned.verdict)) << ReportText(warned);
  ASSERT_EQ(warned.warnings.size(), 1u);
  auto writer = StartWriter();
  ASSERT_NE(writer, nullptr);
  for (;;) {
    std::promise<Proof> done;
    writer->SubmitProof({1, 5, {}}, [&](Proof proof) { done.set_value(std::move(proof)); });
    const Proof proof = done.get_future().get();
    if (proof.error_code == 0) break;
    ASSERT_EQ(proof.error_code, static_cast<uint32_t>(Code::kTampered)) << proof.error;
  }
  EXPECT_EQ(Slurp(tile), good);
  ASSERT_TRUE(writer->Stop());
  EXPECT_TRUE(Verify().warnings.empty());
  writer.reset();
  // An unfinished tile is looked at by the start itself.
  std::filesystem::remove_all(log() / "tile" / "0" / "001.p");
  const auto again = StartWriter();
  ASSERT_NE(again, nullptr);
  ASSERT_TRUE(again->Stop());
  EXPECT_TRUE(Verify().warnings.empty());
}

TEST_F(CasesTest, Case04AFlipInMemoryIsSeenBeforeAnythingIsSigned) {
  auto signer = Signer::Open(keys(), kOrigin);
  ASSERT_TRUE(signer);
  WriterIdentity identity;
  identity.origin = kOrigin;
  auto day = TakeDayKey(keys(), 20'000);
  ASSERT_TRUE(day);
  identity.endorsement = signer.value().Endorse(20'000, day.value().key);
  identity.day = std::move(day.value());
  WriteOps ops;
  auto appender = Appender::Open(log(), LogTail{}, std::move(identity), ops);
  ASSERT_TRUE(appender) << appender.error().message;
  Leaf leaf;
  leaf.wall_us = 20'000 * kDayUs;
  leaf.origin = OriginId(kOrigin);
  NoPayload(leaf);
  std::string frames;
  AppendRecordFrame(frames, EncodeLeaf(leaf), {});
  const std::vector<Hash> leaves = {LeafHash(EncodeLeaf(leaf))};
  std::string flipped = frames;
  flipped[kFrameHeader + 50] = static_cast<char>(flipped[kFrameHeader + 50] ^ 1);
  const auto refused = appender.value().Commit(flipped, leaves);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTampered);
  EXPECT_EQ(appender.value().size(), 0u);
  EXPECT_TRUE(appender.value().Commit(frames, leaves));
  // The signer trusts the writer's root no more than its own computation.
  const auto forked = signer.value().Sign(leaves, LeafHash("another root"), {}, nullptr);
  ASSERT_FALSE(forked);
  EXPECT_EQ(forked.error().code, Code::kForked);
}

TEST_F(CasesTest, Case11OldEntriesSignedWithTodaysKeyAreFound) {
  std::atomic<uint64_t> days = 20'000;
  WriterOptions options = Options();
  options.clock = [&days] {
    const ClockReading real = ReadSystemClock();
    return ClockReading{days * kDayUs + 5'000'000, real.mono_us, ClockState::kSynchronised};
  };
  certs::SecretBytes stolen;
  {
    const auto writer = StartWriter(options);
    Append(*writer, {MakeEvent(Kind::kAdmin)});
    ++days;
    Append(*writer, {MakeEvent(Kind::kAdmin)});
    ASSERT_TRUE(writer->Stop());
  }
  ASSERT_TRUE(IsValid(Verify().verdict)) << ReportText(Verify());
  EXPECT_FALSE(std::filesystem::exists(keys() / ("day-" + DayName(20'000) + ".key")));  // destroyed
  ASSERT_TRUE(std::filesystem::exists(keys() / ("day-" + DayName(20'001) + ".key")));
  const auto list = OpenDayList(Slurp(log() / "days"), ReadLogKey(log()).value());
  ASSERT_TRUE(list);
  EXPECT_EQ(list.value().keys.size(), 2u);
  // Whoever has the machine on the second day signs the first day's records again with what he finds.
  auto today = TakeDayKey(keys(), 20'001);
  auto signer = Signer::Open(keys(), kOrigin);
  ASSERT_TRUE(today && signer);
  const std::string content = Slurp(segment(0));
  auto header = DecodeSegmentHeader(ParseFrame(content).frame.body).value();
  header.day = 20'001;
  header.writer = today.value().key;
  header.endorsement = signer.value().Endorse(20'001, today.value().key);
  std::string forged = EncodeFrame(FrameType::kSegment, EncodeSegmentHeader(header));
  const Hash segment_hash = Sha256(EncodeSegmentHeader(header));
  Hash previous{};
  for (std::string_view rest = std::string_view(content).substr(ParseFrame(content).frame.size); !rest.empty();) {
    const Frame frame = ParseFrame(rest).frame;
    if (frame.type == FrameType::kBatch) {
      Batch batch = DecodeBatch(frame.body).value();
      batch.segment_hash = segment_hash;
      batch.previous_batch = previous;
      batch.signature = SignEd25519(BatchText(batch, OriginId(kOrigin)), today.value().secret);
      previous = Sha256(EncodeBatch(batch));
      forged += EncodeFrame(FrameType::kBatch, EncodeBatch(batch));
    } else {
      forged += rest.substr(0, frame.size);
    }
    rest.remove_prefix(frame.size);
  }
  Spill(segment(0), forged);
  const Report report = Verify();
  EXPECT_EQ(report.verdict, Verdict::kTampered) << ReportText(report);
  EXPECT_EQ(report.first_bad_seq, 0u);
  EXPECT_NE(report.reason.find("the day of the key"), std::string::npos) << report.reason;
}

TEST_F(CasesTest, Case25AReplacedAuditorKeyIsRefusedAndFound) {
  MakeLog(1);
  ASSERT_TRUE(MakeAuditorKey(dir_.path() / "mallory"));
  const std::string signed_text = Slurp(keys() / "auditors");
  auto mallory = ReadAuditorsFile(dir_.path() / "mallory.pub");
  ASSERT_TRUE(mallory);
  std::string forged = signed_text;
  const std::string real = Base64(ReadAuditorPublic(auditor().string() + ".pub").value());
  forged.replace(forged.find(real), real.size(), Base64(mallory.value().auditors[0].key));
  Spill(keys() / "auditors", forged);
  const auto refused = Writer::Start(Options());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTampered);
  // With the log key in hand it starts, but who brings the list of auditors sees it.
  ASSERT_TRUE(InstallAuditors(keys(), kOrigin, mallory.value()));
  MakeLog(1);
  VerifyOptions options;
  options.log_folder = log();
  options.auditors = ReadAuditorsFile(auditor().string() + ".pub").value();
  const Report report = VerifyLog(options);
  EXPECT_EQ(report.verdict, Verdict::kTampered) << ReportText(report);
  EXPECT_GT(*report.first_bad_seq, 5u);
  EXPECT_EQ(Verify().auditor_policies, 2u);
}

TEST_F(CasesTest, Case38WithoutATrustedClockTheVerifierSaysSo) {
  WriterOptions options = Options();
  options.clock = [] {
    ClockReading reading = ReadSystemClock();
    reading.state = ClockState::kUnsynchronised;
    return reading;
  };
  ASSERT_TRUE(StartWriter(options)->Stop());
  const Report report = Verify();
  EXPECT_TRUE(IsValid(report.verdict));
  EXPECT_NE(ReportText(report).find("2 records were written while the clock was not known to be synchronised"),
            std::string::npos)
      << ReportText(report);
}

TEST_F(CasesTest, Case41NothingThatACallerNamesReachesALine) {
  std::vector<std::string> lines;
  std::mutex mutex;
  WriterOptions options = Options();
  options.log = [&](const std::string& line) {
    const std::lock_guard guard(mutex);
    lines.push_back(line);
  };
  const std::string evil = "mallory\n2026-11-22 auditd info serving log\r\x1b[2J";
  {
    const auto writer = StartWriter(options);
    Event event = MakeEvent(Kind::kAdmin);
    event.subject = evil;
    event.tenant = evil;
    event.tags = {evil};
    event.parts = {{PartType::kMetadata, evil}};
    ASSERT_TRUE(Append(*writer, {event}).durable);
    EXPECT_FALSE(Act(*writer, evil, {}));
    EXPECT_FALSE(Act(*writer, "erase", {{"subject", evil + "x"}, {"reason", evil}}));
    ASSERT_TRUE(writer->Stop());
  }
  for (const std::string& line : lines) {
    EXPECT_EQ(line.find("mallory"), std::string::npos);
    EXPECT_EQ(line.find('\n'), std::string::npos);
  }
  const std::string text = ReportText(Verify()), json = ReportJson(Verify());
  EXPECT_EQ(text.find("mallory"), std::string::npos);
  EXPECT_EQ(json.find('\n'), std::string::npos);
}

TEST_F(CasesTest, AStartReadsTheTailOnly) {
  {
    const auto writer = StartWriter();
    for (int i = 0; i < 600; ++i) Append(*writer, {MakeEvent(Kind::kAdmin)});
    ASSERT_TRUE(writer->Stop());
  }
  auto signer = Signer::Open(keys(), kOrigin);
  ASSERT_TRUE(signer);
  const auto recovery = RecoverLog(log(), signer.value());
  ASSERT_TRUE(recovery) << recovery.error().message;
  EXPECT_EQ(recovery.value().records_read, 0u);
  EXPECT_FALSE(recovery.value().tiles_rebuilt);
  EXPECT_FALSE(recovery.value().unclean);
  EXPECT_EQ(recovery.value().tail.tree.size(), signer.value().size());
}

TEST_F(CasesTest, AProofGoesToItsHolderOnly) {
  const auto writer = StartWriter();
  const auto alice = Exchange(*writer, 1, "alice", "q", "a");
  const auto ask = [&](const std::string& subject, uint64_t seq) {
    std::promise<Proof> done;
    writer->SubmitProof({1, seq, subject}, [&](Proof proof) { done.set_value(std::move(proof)); });
    return done.get_future().get();
  };
  const Proof mine = ask("alice", alice[0].seqs[0]);
  ASSERT_EQ(mine.error_code, 0u) << mine.error;
  EXPECT_EQ(LeafHash(mine.leaf), alice[0].leaf_hashes[0]);
  const Proof foreign = ask("bob", alice[0].seqs[0]);
  const Proof none = ask("bob", 10'000);
  EXPECT_EQ(foreign.error_code, static_cast<uint32_t>(Code::kNotFound));
  EXPECT_EQ(foreign.error, none.error);  // not even that it exists
}

}  // namespace
}  // namespace portcullis::audit::test
