// The numbered cases of the design page that need more than a flipped byte: other people's keys,
// witnesses, put-back machines, erasure and holds. The others are in the tests of their parts, each with
// its number in its name.

#include <gtest/gtest.h>
#include <sodium.h>
#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "audit/cosignature.h"
#include "audit/daykey.h"
#include "audit/override.h"
#include "audit/proof.h"
#include "audit/reader.h"
#include "audit/recover.h"
#include "audit/release.h"
#include "audit/signer.h"
#include "audit/tiles.h"
#include "audit/witness.h"
#include "tests/audit/faulty_ops.h"
#include "tests/audit/fixture.h"

namespace portcullis::audit::test {
namespace {

const std::string kOrigin = "test.example/audit";
constexpr uint64_t kNow = 1'790'000'000;

class CasesTest : public LogTest {
 protected:
  void SetUp() override {
    LogTest::SetUp();
    ASSERT_TRUE(MakeWitnessKey(dir_.path() / "witness.key", "witness.example/w1"));
    std::filesystem::copy(dir_.path() / "witness.key.pub", keys() / "witnesses.pub");
  }
  Witness OpenWitness(const std::string& state = "witness") const {
    auto key = LoadWitnessKey(dir_.path() / "witness.key");
    EXPECT_TRUE(key) << key.error().message;
    auto witness = Witness::Open(key.value().key, std::move(key.value().secret), dir_.path() / state,
                                 {ReadLogKey(log()).value()});
    EXPECT_TRUE(witness) << witness.error().message;
    return std::move(witness.value());
  }
  static Result<std::string> Act(Writer& writer, const std::string& name,
                                 std::map<std::string, std::string> arguments) {
    std::promise<ActReply> done;
    writer.SubmitAct({1, name, std::move(arguments)}, 1000, [&](ActReply reply) { done.set_value(std::move(reply)); });
    const ActReply reply = done.get_future().get();
    if (reply.error_code != 0) return Error{static_cast<Code>(reply.error_code), reply.error};
    return reply.text;
  }
  // Has the writer's log cosigned from what the witness has seen on.
  Result<std::string> Cosign(Writer& writer, Witness& witness, uint64_t old_size) const {
    BOOST_OUTCOME_TRY(const std::string request, Act(writer, "witness-request", {{"old", std::to_string(old_size)}}));
    const WitnessReply reply = witness.Add(request, kNow);
    if (reply.status != 200) return Error{Code::kIo, std::to_string(reply.status) + " " + reply.body};
    return Act(writer, "witness-attach", {{"note", ParseAddCheckpoint(request).value().checkpoint + reply.body}});
  }
  Report VerifyWitnessed() const {
    VerifyOptions options;
    options.log_folder = log();
    options.witnesses = {ReadVerifierKey(dir_.path() / "witness.key.pub").value()};
    return VerifyLog(options);
  }
  void Snapshot(const std::string& name) const {
    for (const char* folder : {"audit", "keys"}) {
      std::filesystem::copy(dir_.path() / folder, dir_.path() / name / folder,
                            std::filesystem::copy_options::recursive);
    }
  }
  void PutBack(const std::string& name) const {
    for (const char* folder : {"audit", "keys"}) {
      std::filesystem::remove_all(dir_.path() / folder);
      std::filesystem::copy(dir_.path() / name / folder, dir_.path() / folder,
                            std::filesystem::copy_options::recursive);
    }
  }
  uint64_t Count(Kind kind, uint16_t outcome) const {
    const Collector records = Read();
    return static_cast<uint64_t>(std::count_if(records.leaves.begin(), records.leaves.end(), [&](const Leaf& leaf) {
      return leaf.kind == kind && leaf.outcome == outcome;
    }));
  }
  Report VerifyKeys(SubjectKeySource* source, const certs::SecretBytes& secret) const {
    VerifyOptions options;
    options.log_folder = log();
    options.keys = source;
    options.auditor_secrets = {&secret};
    return VerifyLog(options);
  }
};

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
  const auto writer = StartWriter();
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

TEST_F(CasesTest, Case13APutBackMachineIsSeenByTheWitnessOnly) {
  Witness witness = OpenWitness();
  {
    const auto writer = StartWriter();
    Append(*writer, {MakeEvent(Kind::kAdmin)});
    ASSERT_TRUE(Cosign(*writer, witness, 0)) << Cosign(*writer, witness, 0).error().message;
    ASSERT_TRUE(writer->Stop());
  }
  EXPECT_EQ(VerifyWitnessed().verdict, Verdict::kValidWitnessed) << ReportText(VerifyWitnessed());
  Snapshot("before");
  const uint64_t seen = ParseDecimal(Slurp(log() / "witnessed").substr(kOrigin.size() + 1, 1)).value();
  {
    const auto writer = StartWriter();
    Append(*writer, {MakeEvent(Kind::kAdmin)});
    const auto done = Cosign(*writer, witness, seen);
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_TRUE(writer->Stop());
  }
  const std::string memory = witness.Latest(kOrigin).value();
  Spill(dir_.path() / "fetched", memory);
  PutBack("before");
  // Without anybody else's memory the old state is good: that is what SELF-ATTESTED means.
  EXPECT_EQ(Verify().verdict, Verdict::kValidSelfAttested);
  VerifyOptions with_memory;
  with_memory.log_folder = log();
  with_memory.seen = {memory};
  EXPECT_EQ(VerifyLog(with_memory).verdict, Verdict::kRolledBack);
  // A start with the witness's memory refuses.
  WriterOptions options = Options();
  options.seen_by_witness = dir_.path() / "fetched";
  const auto refused = Writer::Start(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRolledBack);
  // A start without it is found out at the next cosigning, and for good.
  {
    const auto writer = StartWriter();
    EXPECT_EQ(Act(*writer, "witness-request", {{"old", "1000"}}).error().code, Code::kRolledBack);
    const auto told = Act(*writer, "witness-attach", {{"note", memory}});
    ASSERT_FALSE(told);
    EXPECT_TRUE(told.error().code == Code::kRolledBack || told.error().code == Code::kForked);
    EXPECT_FALSE(Append(*writer, {MakeEvent(Kind::kAdmin)}).durable);
  }
  EXPECT_FALSE(Writer::Start(Options()));
}

TEST_F(CasesTest, Case13AHardwareCounterSeesIt) {
  class Counter : public MonotonicCounter {
   public:
    Result<uint64_t> Read() override { return value; }
    Result<void> Increment() override { return ++value, Ok(); }
    std::string Name() const override { return "a counter"; }
    uint64_t value = 0;
  } counter;
  WriterOptions options = Options();
  options.counter = &counter;
  ASSERT_TRUE(StartWriter(options)->Stop());
  Snapshot("before");
  ASSERT_TRUE(StartWriter(options)->Stop());
  ASSERT_TRUE(StartWriter(options)->Stop());
  PutBack("before");
  const auto refused = Writer::Start(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRolledBack);
}

TEST_F(CasesTest, Case14TwoWritersOfOneLogAreAForkToTheWitness) {
  Witness witness = OpenWitness();
  MakeLog(1);
  Snapshot("clone");
  {
    const auto writer = StartWriter();
    Append(*writer, {MakeEvent(Kind::kAdmin)});
    ASSERT_TRUE(Cosign(*writer, witness, 0));
    ASSERT_TRUE(writer->Stop());
  }
  const std::string memory = witness.Latest(kOrigin).value();
  const uint64_t seen = ParseCheckpointText(ParseNote(memory).value().text).value().size;
  PutBack("clone");
  const auto writer = StartWriter();
  for (int i = 0; i < 4; ++i) Append(*writer, {MakeEvent(Kind::kAdmin)});
  const auto refused = Cosign(*writer, witness, seen);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with("422")) << refused.error().message;
  const auto told = Act(*writer, "witness-attach", {{"note", memory}});
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, Code::kForked) << told.error().message;
}

TEST_F(CasesTest, Case15ASplitViewIsAForkToWhoeverComparesHeads) {
  MakeLog(1);
  const Checkpoint mine = OpenCheckpoint(Slurp(log() / "checkpoint"), ReadLogKey(log()).value()).value();
  certs::SecretBytes secret;
  ASSERT_TRUE(LoadEd25519(keys() / "log.key", secret));
  VerifyOptions options;
  options.log_folder = log();
  options.seen = {SignCheckpoint({kOrigin, mine.size - 1, LeafHash("shown to the other auditor")},
                                 ReadLogKey(log()).value(), secret)};
  EXPECT_EQ(VerifyLog(options).verdict, Verdict::kForked);
  options.seen = {SignCheckpoint(mine, ReadLogKey(log()).value(), secret)};
  EXPECT_TRUE(IsValid(VerifyLog(options).verdict));
}

TEST_F(CasesTest, Case19And20OnlyKnownWitnessesCount) {
  MakeLog(1);
  const std::string note = Slurp(log() / "checkpoint");
  const std::string text(ParseNote(note).value().text);
  ASSERT_TRUE(MakeWitnessKey(dir_.path() / "stranger.key", "stranger.example/w"));
  auto stranger = LoadWitnessKey(dir_.path() / "stranger.key");
  auto known = LoadWitnessKey(dir_.path() / "witness.key");
  Spill(log() / "witnessed", note + Cosign(text, kNow, stranger.value().key, stranger.value().secret));
  EXPECT_EQ(VerifyWitnessed().verdict, Verdict::kValidSelfAttested);
  Spill(log() / "witnessed", note + Cosign(text, kNow, known.value().key, known.value().secret));
  EXPECT_EQ(VerifyWitnessed().verdict, Verdict::kValidWitnessed);
  EXPECT_EQ(VerifyWitnessed().witnesses[0].time, kNow);
  // The name and the key id of the known witness, but another key: a collision of ids proves nothing.
  VerifierKey collided = known.value().key;
  std::string line = Cosign(text, kNow, collided, stranger.value().secret);
  Spill(log() / "witnessed", note + line);
  EXPECT_EQ(VerifyWitnessed().verdict, Verdict::kTampered);
  // Another time than the one that was signed.
  line = Cosign(text, kNow, known.value().key, known.value().secret);
  auto raw = FromBase64(line.substr(line.rfind(' ') + 1, line.size() - line.rfind(' ') - 2), 200).value();
  raw[11] = static_cast<char>(raw[11] ^ 1);
  Spill(log() / "witnessed", note + line.substr(0, line.rfind(' ') + 1) +
                                 Base64({reinterpret_cast<const uint8_t*>(raw.data()), raw.size()}) + "\n");
  EXPECT_EQ(VerifyWitnessed().verdict, Verdict::kTampered);
}

TEST_F(CasesTest, TheWitnessAnswersAsTheSpecificationSays) {
  Witness witness = OpenWitness();
  const auto writer = StartWriter();
  Append(*writer, {MakeEvent(Kind::kAdmin)});
  const std::string first = Act(*writer, "witness-request", {{"old", "0"}}).value();
  const WitnessReply good = witness.Add(first, kNow);
  ASSERT_EQ(good.status, 200) << good.body;
  const uint64_t size = ParseCheckpointText(ParseNote(ParseAddCheckpoint(first).value().checkpoint).value().text).value().size;
  const WitnessReply behind = witness.Add(first, kNow);  // its old size is not ours any more
  EXPECT_EQ(behind.status, 409);
  EXPECT_EQ(behind.body, std::to_string(size) + "\n");
  EXPECT_EQ(behind.content_type, "text/x.tlog.size");
  Append(*writer, {MakeEvent(Kind::kAdmin)});
  const std::string second = Act(*writer, "witness-request", {{"old", std::to_string(size)}}).value();
  auto parsed = ParseAddCheckpoint(second).value();
  AddCheckpoint bad = parsed;
  ASSERT_FALSE(bad.proof.empty());
  bad.proof[0][0] ^= 1;
  EXPECT_EQ(witness.Add(FormatAddCheckpoint(bad), kNow).status, 422);
  bad = parsed;
  bad.old_size = 1'000'000;
  EXPECT_EQ(witness.Add(FormatAddCheckpoint(bad), kNow).status, 400);
  bad = parsed;
  bad.checkpoint.replace(0, 4, "best");
  EXPECT_EQ(witness.Add(FormatAddCheckpoint(bad), kNow).status, 404);
  bad = parsed;
  bad.checkpoint[bad.checkpoint.rfind('\n') - 6] ^= 1;
  const int forged = witness.Add(FormatAddCheckpoint(bad), kNow).status;
  EXPECT_TRUE(forged == 403 || forged == 400) << forged;
  EXPECT_EQ(witness.Add("old 0\n", kNow).status, 400);
  EXPECT_EQ(witness.Add(second, kNow).status, 200);
  // Its memory is durable and its own.
  { Witness gone = std::move(witness); }
  Witness again = OpenWitness();
  EXPECT_EQ(again.Add(first, kNow).status, 409);
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

TEST_F(CasesTest, Case26TheKeyStoreHasNoWriteAheadLogAndADamagedRowIsSeen) {
  MakeLog(1);
  EXPECT_FALSE(std::filesystem::exists(keys() / "keystore.db-wal"));
  Spill(keys() / "keystore.db-wal", "not a write-ahead log");
  EXPECT_TRUE(IsValid(Verify(true).verdict));
  std::filesystem::remove(keys() / "keystore.db-wal");
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((keys() / "keystore.db").c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, "UPDATE subject_key SET sealed = zeroblob(72)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  EXPECT_EQ(Verify(true).verdict, Verdict::kTampered);
}

TEST_F(CasesTest, Case28AForgedEraseIsRefused) {
  const auto writer = StartWriter();
  ASSERT_TRUE(Append(*writer, {MakeEvent(Kind::kAdmin)}).durable);
  ASSERT_TRUE(writer->Stop());
  EXPECT_TRUE(IsInternal(Kind::kErase));  // the socket takes none (auditd_test)
  // A payload taken out without an ERASE record.
  std::filesystem::remove_all(log());
  std::filesystem::remove_all(keys());
  LogTest::SetUp();
  MakeLog(2);
  std::string out;
  bool erased = false;
  const std::string content = Slurp(segment());
  for (std::string_view rest = content; !rest.empty();) {
    const Frame frame = ParseFrame(rest).frame;
    const bool request = frame.type == FrameType::kRecord &&
                         DecodeLeaf(frame.body.substr(0, kLeafSize)).value().kind == Kind::kReq;
    if (request && !erased) {
      out += EncodeFrame(FrameType::kErased, frame.body.substr(0, kLeafSize));
      erased = true;
    } else {
      out += rest.substr(0, frame.size);
    }
    rest.remove_prefix(frame.size);
  }
  Spill(segment(), out);
  const Report report = Verify();
  EXPECT_EQ(report.verdict, Verdict::kIncomplete) << ReportText(report);
  EXPECT_EQ(report.first_bad_seq, 2u);
}

TEST_F(CasesTest, ErasureDestroysKeysAndCiphertextAndLeavesTheProofs) {
  std::string proof_before;
  Hash erased_leaf{};
  {
    const auto writer = StartWriter();
    const auto alice = Exchange(*writer, 1, "alice", "a private question", "a private answer");
    Exchange(*writer, 2, "bob", "another question", "another answer");
    erased_leaf = alice[0].leaf_hashes[0];
    std::promise<Proof> done;
    writer->SubmitProof({1, alice[0].seqs[0], {}}, [&](Proof proof) { done.set_value(std::move(proof)); });
    proof_before = done.get_future().get().text;
    const uint64_t before = Read().leaves.size();
    ASSERT_TRUE(Act(*writer, "erase", {{"subject", "alice"}, {"reason", "article 17"}}));
    EXPECT_GT(Read().leaves.size(), before);
    // Alice may come back; her new records are not erased.
    Exchange(*writer, 3, "alice", "a new question", "a new answer");
    ASSERT_TRUE(writer->Stop());
  }
  const Report report = Verify(true);
  EXPECT_EQ(report.verdict, Verdict::kValidSelfAttested) << ReportText(report);
  EXPECT_EQ(report.erased, 4u);  // KEY, REQ, DECISION, RESP
  EXPECT_TRUE(VerifyProof(ParseProof(proof_before).value(), erased_leaf, ReadLogKey(log()).value()));
  EXPECT_EQ(Count(Kind::kErase, static_cast<uint16_t>(EraseOutcome::kBegun)), 1u);
  EXPECT_EQ(Count(Kind::kErase, static_cast<uint16_t>(EraseOutcome::kDone)), 1u);
  const auto again = StartWriter();
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(Act(*again, "erase", {{"subject", "nobody"}, {"reason", "x"}}).error().code, Code::kNotFound);
  ASSERT_TRUE(again->Stop());
}

TEST_F(CasesTest, Case29EraseUnderHoldIsRefusedAndRecorded) {
  const auto writer = StartWriter();
  Exchange(*writer, 1, "alice", "q", "a");
  const auto hold = Act(*writer, "hold", {{"subject", "alice"}, {"reason", "case 4711"}});
  ASSERT_TRUE(hold) << hold.error().message;
  const auto refused = Act(*writer, "erase", {{"subject", "alice"}, {"reason", "article 17"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kHeld);
  EXPECT_NE(Act(*writer, "holds", {}).value().find("case 4711"), std::string::npos);
  EXPECT_FALSE(Act(*writer, "lift", {{"hold", "99"}, {"reason", "x"}}));
  ASSERT_TRUE(Act(*writer, "lift", {{"hold", hold.value()}, {"reason", "case closed"}}));
  ASSERT_TRUE(Act(*writer, "erase", {{"subject", "alice"}, {"reason", "article 17"}}));
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(Count(Kind::kErase, static_cast<uint16_t>(EraseOutcome::kRefusedByHold)), 1u);
  EXPECT_EQ(Count(Kind::kHold, static_cast<uint16_t>(HoldOutcome::kLifted)), 1u);
  EXPECT_EQ(Verify(true).verdict, Verdict::kValidSelfAttested) << ReportText(Verify(true));
}

TEST_F(CasesTest, Case30AnOldKeyStoreIsRefused) {
  std::filesystem::path saved = dir_.path() / "saved";
  {
    const auto writer = StartWriter();
    Exchange(*writer, 1, "alice", "q", "a");
    ASSERT_TRUE(writer->Stop());
  }
  std::filesystem::create_directory(saved);
  for (const char* name : {"keystore.db", "store.salt"}) std::filesystem::copy(keys() / name, saved / name);
  {
    const auto writer = StartWriter();
    ASSERT_TRUE(Act(*writer, "erase", {{"subject", "alice"}, {"reason", "article 17"}}));
    ASSERT_TRUE(writer->Stop());
  }
  const auto restore = [&](const char* name) {
    std::filesystem::copy(saved / name, keys() / name, std::filesystem::copy_options::overwrite_existing);
  };
  restore("keystore.db");  // without its salt it opens nothing
  EXPECT_EQ(Writer::Start(Options()).error().code, Code::kTampered);
  restore("store.salt");   // with it, the generation tells
  const auto refused = Writer::Start(Options());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRolledBack) << refused.error().message;
}

TEST_F(CasesTest, RetentionClassesExpireByThemselvesAndHoldsStopThem) {
  std::atomic<uint64_t> day = 20'650;
  WriterOptions options = Options();
  options.expiry_interval = std::chrono::milliseconds(5);
  options.clock = [&day] {
    const ClockReading real = ReadSystemClock();
    return ClockReading{day * kDayUs + 5'000'000, real.mono_us, ClockState::kSynchronised};
  };
  const auto keep = [](std::vector<Event> events, uint16_t days) {
    for (Event& event : events) event.retention_days = days;
    return events;
  };
  const auto writer = StartWriter(options);
  Append(*writer, keep(RequestEvents(1, "alice", "short"), 30));
  Append(*writer, keep(RequestEvents(2, "bob", "held"), 30));
  Append(*writer, keep(RequestEvents(3, "carol", "long"), 365));
  ASSERT_TRUE(Act(*writer, "hold", {{"subject", "bob"}, {"reason", "case"}}));
  const auto keys_left = [&] { return Act(*writer, "keys", {}).value(); };
  EXPECT_NE(keys_left().find("\"subject_keys\":4"), std::string::npos) << keys_left();
  day += 30 + 7;
  while (keys_left().find("\"subject_keys\":4") != std::string::npos) Append(*writer, {MakeEvent(Kind::kAdmin)});
  while (Count(Kind::kErase, static_cast<uint16_t>(EraseOutcome::kDone)) == 0) std::this_thread::yield();
  ASSERT_TRUE(writer->Stop());
  const Report report = Verify(true);
  EXPECT_EQ(report.verdict, Verdict::kValidSelfAttested) << ReportText(report);
  EXPECT_EQ(report.erased, 3u);  // KEY, REQ and DECISION of alice; bob is held, carol's time has not come
}

TEST_F(CasesTest, AReleaseFileOpensOnlyWhatWasReleasedOnlyForItsAuditor) {
  const auto writer = StartWriter();
  const auto alice = Exchange(*writer, 1, "alice", "alice's question", "a");
  const auto bob = Exchange(*writer, 2, "bob", "bob's question", "b");
  EXPECT_FALSE(Act(*writer, "release", {{"subject", "alice"}, {"auditor", "mallory"}, {"reason", "x"}}));
  EXPECT_FALSE(Act(*writer, "release", {{"subject", "zoe"}, {"auditor", "auditor-1"}, {"reason", "x"}}));
  const auto file = Act(*writer, "release", {{"subject", "alice"}, {"auditor", "auditor-1"}, {"reason", "case 1"}});
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(Count(Kind::kRelease, 1), 1u);
  auto secret = ReadAuditorSecret(auditor());
  ASSERT_TRUE(MakeAuditorKey(dir_.path() / "other"));
  auto other = ReadAuditorSecret(dir_.path() / "other");
  ReleasedKeys keys;
  EXPECT_FALSE(keys.Add(file.value(), kOrigin, other.value()));
  EXPECT_FALSE(keys.Add(file.value(), "other.example", secret.value()));
  EXPECT_FALSE(keys.Add(file.value().substr(0, file.value().size() - 20), kOrigin, secret.value()));
  ASSERT_TRUE(keys.Add(file.value(), kOrigin, secret.value()));
  const auto open = [&](uint64_t seq) -> Result<std::vector<Part>> {
    BOOST_OUTCOME_TRY(const LoadedRecord record, LoadRecord(log(), ReadLogKey(log()).value(), seq));
    RecordOpener opener(kOrigin, &keys, {&secret.value()});
    opener.TakeKey(record.key_leaf, record.key_payload);
    return opener.Open(record.leaf, record.payload);
  };
  const auto opened = open(alice[0].seqs[0]);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened.value()[1].bytes, "alice's question");
  EXPECT_EQ(open(bob[0].seqs[0]).error().code, Code::kNotFound);
}

TEST_F(CasesTest, AJurisdictionsRecordsOpenOnlyThere) {
  ASSERT_TRUE(MakeAuditorKey(dir_.path() / "de"));
  auto policy = ReadAuditorsFile(auditor().string() + ".pub").value();
  policy.auditors.push_back({"berlin", "DE", ReadAuditorPublic(dir_.path() / "de.pub").value()});
  ASSERT_TRUE(InstallAuditors(keys(), kOrigin, policy));
  const auto writer = StartWriter();
  auto events = RequestEvents(1, "alice", "q");
  for (Event& event : events) event.jurisdiction = "DE";
  ASSERT_TRUE(Append(*writer, events).durable);
  for (Event& event : events) event.jurisdiction = "not a code";
  EXPECT_FALSE(Append(*writer, events).durable);
  ASSERT_TRUE(writer->Stop());
  auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadOnly);
  auto general = ReadAuditorSecret(auditor());
  auto berlin = ReadAuditorSecret(dir_.path() / "de");
  EXPECT_FALSE(IsValid(VerifyKeys(store.value().get(), general.value()).verdict));
  VerifyOptions both;
  both.log_folder = log();
  both.keys = store.value().get();
  both.auditor_secrets = {&general.value(), &berlin.value()};
  EXPECT_TRUE(IsValid(VerifyLog(both).verdict)) << ReportText(VerifyLog(both));
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

TEST_F(CasesTest, TwoOfficersOverrideARefusedStart) {
  for (const char* name : {"one", "two", "three"}) {
    ASSERT_TRUE(MakeOfficerKey(dir_.path() / name, std::string("test.example/officer-") + name));
  }
  Spill(keys() / "officers.pub", Slurp(dir_.path() / "one.pub") + Slurp(dir_.path() / "two.pub"));
  MakeLog(2);
  const std::string before = Slurp(segment());
  std::string cut = before;
  size_t at = 0;
  for (std::string_view rest = before; !rest.empty(); rest.remove_prefix(ParseFrame(rest).frame.size)) {
    if (ParseFrame(rest).frame.type == FrameType::kBatch && at == 0) at = static_cast<size_t>(rest.data() - before.data()) + ParseFrame(rest).frame.size;
  }
  cut.resize(at);
  Spill(segment(), cut);
  ASSERT_FALSE(Writer::Start(Options()));
  const auto prepared = PrepareOverride(log(), "test.example/audit-2", "disk restored from a copy after a fire");
  ASSERT_TRUE(prepared) << prepared.error().message;
  const std::string text = OverrideText(prepared.value());
  const std::string once = SignOverride(text, dir_.path() / "one").value();
  EXPECT_FALSE(ApplyOverride(log(), keys(), text + "\n"));
  EXPECT_EQ(ApplyOverride(log(), keys(), once).error().code, Code::kPermission);
  EXPECT_EQ(ApplyOverride(log(), keys(), SignOverride(once, dir_.path() / "one").value()).error().code, Code::kPermission);
  EXPECT_EQ(ApplyOverride(log(), keys(), SignOverride(once, dir_.path() / "three").value()).error().code, Code::kPermission);
  const auto aside = ApplyOverride(log(), keys(), SignOverride(once, dir_.path() / "two").value());
  ASSERT_TRUE(aside) << aside.error().message;
  EXPECT_EQ(Slurp(aside.value() / "segments" / SegmentName(0)), cut);
  MakeLog(1);
  const Report report = Verify(true);
  EXPECT_EQ(report.verdict, Verdict::kValidWithRecovery) << ReportText(report);
  EXPECT_EQ(report.overrides, 1u);
  EXPECT_EQ(report.origin, "test.example/audit-2");
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
