// What the verifier must find. Each attack is made on the files of a real, closed log.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "audit/composer.h"
#include "audit/daykey.h"
#include "audit/note.h"
#include "audit/proof.h"
#include "audit/reader.h"
#include "audit/scan.h"
#include "audit/signer.h"
#include "tests/audit/fixture.h"

namespace portcullis::audit::test {
namespace {

class VerifyTest : public LogTest {
 protected:
  // The frames of segment 0, cut apart.
  std::vector<std::string> Frames() const {
    const std::string content = Slurp(segment());
    std::vector<std::string> frames;
    std::string_view rest = content;
    while (!rest.empty()) {
      const ParsedFrame parsed = ParseFrame(rest);
      EXPECT_EQ(parsed.state, FrameState::kWhole);
      if (parsed.state != FrameState::kWhole) break;
      frames.emplace_back(rest.substr(0, parsed.frame.size));
      rest.remove_prefix(parsed.frame.size);
    }
    return frames;
  }
  void Put(const std::vector<std::string>& frames) const {
    std::string content;
    for (const std::string& frame : frames) content += frame;
    Spill(segment(), content);
  }
  static FrameType TypeOf(const std::string& frame) { return ParseFrame(frame).frame.type; }
  static Leaf LeafOf(const std::string& frame) {
    return DecodeLeaf(ParseFrame(frame).frame.body.substr(0, kLeafSize)).value();
  }
  static size_t Find(const std::vector<std::string>& frames, FrameType type, size_t from = 0) {
    while (from < frames.size() && TypeOf(frames[from]) != type) ++from;
    return from;
  }
  static std::string Rewrap(FrameType type, std::string body) { return EncodeFrame(type, body); }
  static std::string BodyOf(const std::string& frame) { return std::string(ParseFrame(frame).frame.body); }
};

TEST_F(VerifyTest, AGoodLogIsValidAndOpensForTheAuditor) {
  MakeLog(3);
  const Report report = Verify(true);
  EXPECT_EQ(report.verdict, Verdict::kValidSelfAttested) << ReportText(report);
  // BOOT, KEY, 3 x (REQ, DECISION, RESP), STOP
  EXPECT_EQ(report.records, 12u);
  EXPECT_EQ(report.requests, 3u);
  EXPECT_EQ(report.decrypted, 9u);
  EXPECT_EQ(report.checkpoint_size, 12u);
  EXPECT_NE(ReportJson(report).find("\"verdict\":\"VALID-SELF-ATTESTED\""), std::string::npos);
}

TEST_F(VerifyTest, AnEmptyLogIsValid) {
  EXPECT_EQ(Verify().verdict, Verdict::kValidSelfAttested);
}

TEST_F(VerifyTest, Case01And02EveryFlippedBitOfEverySegmentIsFound) {
  MakeLog(1);
  const std::string good = Slurp(segment());
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << (i % 8)));
    Spill(segment(), bad);
    const Report report = Verify();
    ASSERT_FALSE(IsValid(report.verdict)) << "byte " << i;
    ASSERT_TRUE(report.first_bad_seq) << "byte " << i;
  }
  Spill(segment(), good);
  EXPECT_TRUE(IsValid(Verify().verdict));
}

TEST_F(VerifyTest, AFlipNamesTheRecord) {
  MakeLog(2);
  const auto frames = Frames();
  for (size_t i = 0; i < frames.size(); ++i) {
    if (TypeOf(frames[i]) != FrameType::kRecord) continue;
    auto bad = frames;
    bad[i].back() = static_cast<char>(bad[i].back() ^ 1);
    Put(bad);
    const Report report = Verify();
    EXPECT_EQ(report.verdict, Verdict::kTampered);
    EXPECT_EQ(report.first_bad_seq, LeafOf(frames[i]).seq);
  }
}

// The attacker repairs the crc: the hashes remain.
TEST_F(VerifyTest, Case01And02AChangedLeafOrCiphertextWithAGoodCrcIsFound) {
  MakeLog(2);
  const auto frames = Frames();
  for (size_t i = 0; i < frames.size(); ++i) {
    const std::string body = BodyOf(frames[i]);
    for (size_t at = 0; at < body.size(); at += 5) {
      std::string changed = body;
      changed[at] = static_cast<char>(changed[at] ^ 2);
      auto bad = frames;
      bad[i] = Rewrap(TypeOf(frames[i]), changed);
      Put(bad);
      const Report report = Verify();
      ASSERT_EQ(report.verdict, Verdict::kTampered) << i << " " << at << ReportText(report);
      ASSERT_TRUE(report.first_bad_seq);
    }
  }
}

TEST_F(VerifyTest, Case05To08And22DeletionSwapReplayInsertionAndMovedPayload) {
  MakeLog(3);
  const auto frames = Frames();
  const size_t first = Find(frames, FrameType::kRecord, Find(frames, FrameType::kBatch) + 1);
  auto bad = frames;  // deleted
  bad.erase(bad.begin() + static_cast<std::ptrdiff_t>(first));
  Put(bad);
  EXPECT_EQ(Verify().verdict, Verdict::kTampered);
  EXPECT_EQ(Verify().first_bad_seq, LeafOf(frames[first]).seq);
  bad = frames;  // swapped
  std::swap(bad[first], bad[first + 1]);
  Put(bad);
  EXPECT_EQ(Verify().verdict, Verdict::kTampered);
  bad = frames;  // replayed
  bad.insert(bad.begin() + static_cast<std::ptrdiff_t>(first) + 1, frames[first]);
  Put(bad);
  EXPECT_EQ(Verify().verdict, Verdict::kTampered);
  bad = frames;  // a whole batch replayed
  const size_t end = Find(frames, FrameType::kBatch, first);
  bad.insert(bad.begin() + static_cast<std::ptrdiff_t>(end) + 1,
             frames.begin() + static_cast<std::ptrdiff_t>(first),
             frames.begin() + static_cast<std::ptrdiff_t>(end) + 1);
  Put(bad);
  EXPECT_EQ(Verify().verdict, Verdict::kTampered);
  bad = frames;  // a whole batch removed
  bad.erase(bad.begin() + static_cast<std::ptrdiff_t>(first),
            bad.begin() + static_cast<std::ptrdiff_t>(end) + 1);
  Put(bad);
  EXPECT_EQ(Verify().verdict, Verdict::kTampered);
  bad = frames;  // back-dated: an old time in a new record
  std::string body = BodyOf(frames[first]);
  body[48] = static_cast<char>(body[48] ^ 1);
  bad[first] = Rewrap(FrameType::kRecord, body);
  Put(bad);
  EXPECT_EQ(Verify().verdict, Verdict::kTampered);
  bad = frames;  // the payload of one record under the leaf of another
  bad[first] = Rewrap(FrameType::kRecord, BodyOf(frames[first]).substr(0, kLeafSize) +
                                              BodyOf(frames[first + 1]).substr(kLeafSize));
  Put(bad);
  EXPECT_EQ(Verify().verdict, Verdict::kTampered);
}

TEST_F(VerifyTest, Case09And10ATailCutIsRolledBackAndTheSignerRefuses) {
  MakeLog(3);
  auto frames = Frames();
  frames.pop_back();
  while (TypeOf(frames.back()) != FrameType::kBatch) frames.pop_back();
  Put(frames);
  const Report report = Verify();
  EXPECT_EQ(report.verdict, Verdict::kRolledBack) << ReportText(report);
  EXPECT_EQ(report.first_bad_seq, report.records);
  // and the writer refuses to go on from there
  const auto writer = Writer::Start(Options());
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, Code::kRolledBack);
}

TEST_F(VerifyTest, Case18AMissingUnsignedOrForgedCheckpointIsNamed) {
  MakeLog(1);
  const std::string note = Slurp(log() / "checkpoint");
  std::filesystem::remove(log() / "checkpoint");
  EXPECT_EQ(Verify().verdict, Verdict::kIncomplete);
  Spill(log() / "checkpoint", note.substr(0, note.find("\n\n") + 2));  // unsigned
  EXPECT_EQ(Verify().verdict, Verdict::kTampered);
  std::string forged = note;
  forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
  Spill(log() / "checkpoint", forged);
  EXPECT_EQ(Verify().verdict, Verdict::kTampered);
}

TEST_F(VerifyTest, Case14And15AnotherHistoryUnderTheSameKeyIsAFork) {
  MakeLog(1);
  auto signer = Signer::Open(keys(), "test.example/audit");
  ASSERT_TRUE(signer);
  certs::SecretBytes secret;
  ASSERT_TRUE(LoadEd25519(keys() / "log.key", secret));
  const Checkpoint other{"test.example/audit", signer.value().size(), LeafHash("another history")};
  Spill(log() / "checkpoint", SignCheckpoint(other, signer.value().key(), secret));
  EXPECT_EQ(Verify().verdict, Verdict::kForked);
}

TEST_F(VerifyTest, Case16AnotherKeyOrOriginIsRefused) {
  MakeLog(1);
  VerifyOptions options;
  options.log_folder = log();
  VerifierKey stranger = ReadLogKey(log()).value();
  stranger.key.fill(9);
  options.key = stranger;
  EXPECT_FALSE(IsValid(VerifyLog(options).verdict));
  options.key = ReadLogKey(log()).value();
  options.key->name = "other.example";
  EXPECT_FALSE(IsValid(VerifyLog(options).verdict));
}

TEST_F(VerifyTest, Case12SegmentsRemovedAreFound) {
  {
    // Another key of the day begins a new segment.
    MakeLog(1);
    std::filesystem::remove(keys() / ("day-" + DayName(DayOf(ReadSystemClock().wall_us)) + ".key"));
    MakeLog(1);
  }
  ASSERT_TRUE(std::filesystem::exists(segment(1)));
  ASSERT_TRUE(IsValid(Verify().verdict)) << ReportText(Verify());
  const std::string first = Slurp(segment(0)), second = Slurp(segment(1));
  std::filesystem::remove(segment(1));
  EXPECT_EQ(Verify().verdict, Verdict::kRolledBack);
  Spill(segment(1), second);
  std::filesystem::remove(segment(0));
  EXPECT_EQ(Verify().verdict, Verdict::kTampered);
  EXPECT_EQ(Verify().first_bad_seq, 0u);
  Spill(segment(0), second);  // one in the place of the other
  EXPECT_EQ(Verify().verdict, Verdict::kTampered);
  Spill(segment(0), first + second);
  EXPECT_EQ(Verify().verdict, Verdict::kTampered);
}

TEST_F(VerifyTest, BytesAfterTheEndAreFound) {
  MakeLog(1);
  const std::string good = Slurp(segment());
  for (const std::string& extra : {std::string(1, '\0'), std::string("PCLF"), std::string(4096, '\0')}) {
    Spill(segment(), good + extra);
    EXPECT_EQ(Verify().verdict == Verdict::kIncomplete || Verify().verdict == Verdict::kTampered, true);
    EXPECT_EQ(Verify().first_bad_seq, Verify().records);
  }
}

TEST_F(VerifyTest, TilesThatLeadNowhereAreAWarning) {
  MakeLog(1);
  std::filesystem::remove_all(log() / "tile");
  std::filesystem::create_directory_symlink("tile", log() / "tile");
  const Report report = Verify();
  EXPECT_EQ(report.verdict, Verdict::kValidSelfAttested) << ReportText(report);
  EXPECT_EQ(report.warnings.size(), 1u);
}

TEST_F(VerifyTest, ARecordIsFoundAndOpened) {
  MakeLog(2);
  const auto key = ReadLogKey(log());
  auto secret = ReadAuditorSecret(auditor());
  auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadOnly);
  ASSERT_TRUE(key && secret && store);
  auto record = LoadRecord(log(), key.value(), 5);  // BOOT KEY REQ DECISION RESP, then the second REQ
  ASSERT_TRUE(record) << record.error().message;
  EXPECT_EQ(record.value().leaf.kind, Kind::kReq);
  RecordOpener opener(key.value().name, store.value().get(), {&secret.value()});
  opener.TakeKey(record.value().key_leaf, record.value().key_payload);
  const auto parts = opener.Open(record.value().leaf, record.value().payload);
  ASSERT_TRUE(parts) << parts.error().message;
  EXPECT_EQ(parts.value().parts[1].bytes, "prompt 1");
  EXPECT_FALSE(LoadRecord(log(), key.value(), 99));

  const TempDir other;  // an auditor that the log does not know
  ASSERT_TRUE(MakeAuditorKey(other.path() / "a"));
  auto stranger = ReadAuditorSecret(other.path() / "a");
  RecordOpener refused(key.value().name, store.value().get(), {&stranger.value()});
  refused.TakeKey(record.value().key_leaf, record.value().key_payload);
  EXPECT_FALSE(refused.Open(record.value().leaf, record.value().payload));
}

TEST_F(VerifyTest, Case27AMissingSubjectKeyIsIncomplete) {
  MakeLog(1);
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((keys() / "keystore.db").c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, "DELETE FROM subject_key", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  EXPECT_TRUE(IsValid(Verify().verdict));  // the proofs stand
  EXPECT_EQ(Verify(true).verdict, Verdict::kIncomplete);
  // Nobody needs an auditor's key to see that a key is gone.
  auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadOnly);
  ASSERT_TRUE(store);
  VerifyOptions options;
  options.log_folder = log();
  options.keys = store.value().get();
  EXPECT_EQ(VerifyLog(options).verdict, Verdict::kIncomplete);
}

}  // namespace
}  // namespace portcullis::audit::test
