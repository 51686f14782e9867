// Erasure with proofs intact, holds, retention, releases: what opens for whom, and what nobody opens again.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

#include "audit/proof.h"
#include "audit/reader.h"
#include "audit/release.h"
#include "tests/audit/cases.h"
#include "tests/audit/faulty_ops.h"

namespace portcullis::audit::test {
namespace {

TEST_F(CasesTest, Case28AForgedEraseIsRefused) {
  EXPECT_TRUE(IsInternal(Kind::kErase));  // the socket takes none (auditd_test)
  // A payload taken out without an ERASE record.
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

// The disk is full just when an erasure is done: the next start tells it.
TEST_F(CasesTest, ThatAnErasureIsDoneIsToldAtTheNextStartAtTheLatest) {
  class FullForDone : public WriteOps {
   public:
    ssize_t Writev(int fd, const iovec* parts, int count) override {
      std::string bytes;
      for (int i = 0; i < count; ++i) bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
      for (std::string_view rest = bytes; !rest.empty();) {
        const ParsedFrame parsed = ParseFrame(rest);
        if (parsed.state != FrameState::kWhole) break;
        if (parsed.frame.type == FrameType::kRecord) {
          const Leaf leaf = DecodeLeaf(parsed.frame.body.substr(0, kLeafSize)).value();
          if (leaf.kind == Kind::kErase && leaf.outcome == static_cast<uint16_t>(EraseOutcome::kDone)) return errno = ENOSPC, -1;
        }
        rest.remove_prefix(parsed.frame.size);
      }
      return WriteOps::Writev(fd, parts, count);
    }
  } ops;
  constexpr auto kDone = static_cast<uint16_t>(EraseOutcome::kDone);
  {
    WriterOptions options = Options();
    options.ops = &ops;
    const auto writer = StartWriter(std::move(options));
    Exchange(*writer, 1, "alice", "q", "a");
    const auto erased = Act(*writer, "erase", {{"subject", "alice"}, {"reason", "article 17"}});
    ASSERT_FALSE(erased);
    EXPECT_EQ(erased.error().code, Code::kDiskLow) << erased.error().message;
    ASSERT_TRUE(writer->Stop());
    EXPECT_EQ(Count(Kind::kErase, kDone), 0u);
  }
  const auto writer = StartWriter();
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (Count(Kind::kErase, kDone) == 0 && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  EXPECT_EQ(Count(Kind::kErase, kDone), 1u);
  ASSERT_TRUE(writer->Stop());
  EXPECT_TRUE(IsValid(Verify(true).verdict)) << ReportText(Verify(true));
}

TEST_F(CasesTest, AHoldThatCouldNotBeRecordedIsNotInForce) {
  FaultyOps ops;
  WriterOptions options = Options();
  options.ops = &ops;
  const auto writer = StartWriter(std::move(options));
  Exchange(*writer, 1, "alice", "q", "a");
  ops.full = true;
  const auto refused = Act(*writer, "hold", {{"subject", "alice"}, {"reason", "case 4711"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDiskLow) << refused.error().message;
  ops.full = false;
  EXPECT_EQ(Act(*writer, "holds", {}).value(), "[]");
  EXPECT_TRUE(Act(*writer, "erase", {{"subject", "alice"}, {"reason", "article 17"}}));
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(Count(Kind::kHold, static_cast<uint16_t>(HoldOutcome::kPlaced)), 0u);
}

TEST_F(CasesTest, AnErasureIsFinishedThoughNoCheckpointCanBeWritten) {
  WriterOptions options = Options();
  options.checkpoint_interval = std::chrono::hours(1);  // but for those that an act asks for
  const auto writer = StartWriter(std::move(options));
  Exchange(*writer, 1, "alice", "q", "a");
  // A folder in its place: the checkpoint cannot be replaced.
  std::filesystem::rename(log() / "checkpoint", log() / "aside");
  std::filesystem::create_directory(log() / "checkpoint");
  const auto erased = Act(*writer, "erase", {{"subject", "alice"}, {"reason", "article 17"}});
  EXPECT_TRUE(erased) << erased.error().message;
  EXPECT_FALSE(std::filesystem::exists(log() / "checkpoint.tmp"));  // what could not be put in place does not stay
  std::filesystem::remove(log() / "checkpoint");
  std::filesystem::rename(log() / "aside", log() / "checkpoint");
  ASSERT_TRUE(writer->Stop());
  const Report report = Verify(true);
  EXPECT_TRUE(IsValid(report.verdict)) << ReportText(report);
  EXPECT_EQ(report.erased, 4u);
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
  while (Count(Kind::kErase, static_cast<uint16_t>(EraseOutcome::kDone)) == 0) std::this_thread::yield();
  ASSERT_TRUE(writer->Stop());
  const Report report = Verify(true);
  EXPECT_EQ(report.verdict, Verdict::kValidSelfAttested) << ReportText(report);
  EXPECT_EQ(report.erased, 3u);  // KEY, REQ and DECISION of alice; bob is held, carol's time has not come
}

// What a failure in the middle has noted must not be taken for an erasure at the next start.
TEST_F(CasesTest, AnExpiryThatFailsLeavesNothingNoted) {
  ASSERT_TRUE(OpenKeyStore(keys(), KeyStore::Mode::kReadWrite));
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((keys() / "keystore.db").c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, "CREATE TRIGGER full BEFORE INSERT ON erasing WHEN (SELECT count(*) FROM erasing) > 0 "
                             "BEGIN SELECT RAISE(ABORT, 'full'); END", nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
  std::atomic<uint64_t> day = 20'650;
  std::atomic<int> failures = 0;
  WriterOptions options = Options();
  options.expiry_interval = std::chrono::milliseconds(5);
  options.clock = [&day] {
    const ClockReading real = ReadSystemClock();
    return ClockReading{day * kDayUs + 5'000'000, real.mono_us, ClockState::kSynchronised};
  };
  options.log = [&failures](const std::string& line) {
    if (line.find("expired keys were not destroyed") != std::string::npos) ++failures;
  };
  const auto writer = StartWriter(options);
  for (uint8_t i = 1; i <= 2; ++i) {
    std::vector<Event> events = RequestEvents(i, "subject " + std::to_string(i), "short");
    for (Event& event : events) event.retention_days = 30;
    Append(*writer, events);
  }
  day += 30 + 7;
  while (failures == 0) std::this_thread::yield();
  ASSERT_TRUE(Append(*writer, {MakeEvent(Kind::kAdmin)}).durable);
  ASSERT_TRUE(writer->Stop());
  const auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadOnly);
  ASSERT_TRUE(store);
  EXPECT_TRUE(store.value()->PendingErasures().value().empty());
  EXPECT_EQ(Verify(true).erased, 0u);
  EXPECT_TRUE(IsValid(Verify(true).verdict)) << ReportText(Verify(true));
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
  const auto open = [&](uint64_t seq) -> Result<Opened> {
    BOOST_OUTCOME_TRY(const LoadedRecord record, LoadRecord(log(), ReadLogKey(log()).value(), seq));
    RecordOpener opener(kOrigin, &keys, {&secret.value()});
    opener.TakeKey(record.key_leaf, record.key_payload);
    return opener.Open(record.leaf, record.payload);
  };
  const auto opened = open(alice[0].seqs[0]);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened.value().parts[1].bytes, "alice's question");
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
  const Report closed = VerifyKeys(store.value().get(), general.value());
  EXPECT_TRUE(IsValid(closed.verdict)) << ReportText(closed);  // what is for others is no fault, and stays closed
  EXPECT_GT(closed.for_others, 0u);
  VerifyOptions both;
  both.log_folder = log();
  both.keys = store.value().get();
  both.auditor_secrets = {&general.value(), &berlin.value()};
  EXPECT_TRUE(IsValid(VerifyLog(both).verdict)) << ReportText(VerifyLog(both));
}

}  // namespace
}  // namespace portcullis::audit::test
