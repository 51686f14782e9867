// Shredding one part of one record: the tree that gives shares, what opens after it, for whom, and after a crash.

#include <gtest/gtest.h>
#include <sodium.h>
#include <sqlite3.h>

#include <algorithm>
#include <random>
#include <thread>

#include "audit/erase.h"
#include "audit/part_release.h"
#include "audit/prover.h"
#include "audit/reader.h"
#include "audit/release.h"
#include "audit/subject_key.h"
#include "tests/audit/cases.h"

namespace portcullis::audit::test {
namespace {

using Share = std::array<uint8_t, kNodeSize>;

// The tree as the format states it, one level after another, from the root in the encoding.
Share Directly(const certs::SecretBytes& encoded, TreePoint point) {
  Share node;
  std::copy_n(encoded.data() + kNodeSize + 4, kNodeSize, node.begin());
  for (unsigned level = 0; level < 32; ++level) {
    std::string message = "portcullis node v1";
    message.push_back(static_cast<char>(level));
    message.push_back(static_cast<char>((point >> (62 - 2 * level)) & 3));
    Share below;
    crypto_generichash(below.data(), below.size(), reinterpret_cast<const uint8_t*>(message.data()), message.size(),
                       node.data(), node.size());
    node = below;
  }
  return node;
}

TEST(SubjectKeyTree, SharesAreThoseOfTheFormatAndPuncturesTakeThatOneOnly) {
  certs::InitSodium();
  SubjectKey key = SubjectKey::Random();
  const SubjectKey whole = key.Copy();
  std::mt19937_64 dice(7);
  // Close neighbours and far ones: chains, indexes and parts of a log of some million records.
  std::vector<TreePoint> points;
  while (points.size() < 600) {
    const TreePoint point = PointOf(dice() % 3'000'000, static_cast<uint32_t>(dice() % 40), static_cast<PartType>(1 + dice() % 6));
    points.push_back(point);
    points.push_back(point ^ (1 + dice() % 15));
  }
  std::sort(points.begin(), points.end());
  points.erase(std::unique(points.begin(), points.end()), points.end());
  std::shuffle(points.begin(), points.end(), dice);
  const auto expect = [&](size_t punctured) {
    for (size_t i = 0; i < points.size(); ++i) {
      Share share{};
      const bool there = key.Node(points[i], kTreeDepth, share);
      ASSERT_EQ(there, i >= punctured) << i;
      ASSERT_EQ(key.Punctured(points[i]), i < punctured);
      if (!there) continue;
      ASSERT_EQ(share, Directly(whole.encoded(), points[i])) << i;
    }
  };
  expect(0);
  for (size_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(key.Puncture(points[i])) << i;
    EXPECT_EQ(key.Puncture(points[i]).error().code, Code::kExists);
  }
  expect(200);
  // What is stored is all there is: no node of it lies above a punctured point.
  auto stored = SubjectKey::Decode(certs::SecretBytes::CopyOf(key.encoded().bytes()));
  ASSERT_TRUE(stored) << stored.error().message;
  EXPECT_EQ(stored.value().punctures(), 200u);
  EXPECT_TRUE(std::equal(whole.wrap().begin(), whole.wrap().end(), stored.value().wrap().begin()));
  key = std::move(stored.value());
  expect(200);
  const std::string_view bytes(reinterpret_cast<const char*>(key.encoded().data()), key.encoded().size());
  for (size_t i = 0; i < 200; ++i) {
    for (unsigned depth = 0; depth <= kTreeDepth; ++depth) {
      Share above;
      ASSERT_TRUE(whole.Node(points[i], depth, above));
      ASSERT_EQ(bytes.find(std::string_view(reinterpret_cast<const char*>(above.data()), above.size())), std::string_view::npos);
    }
  }
  Share node;
  EXPECT_FALSE(key.Node(points[0], kRecordDepth, node));
  EXPECT_TRUE(key.Node(PointOfChain(4'000'000), kChainDepth, node));  // chains that begin later are whole
}

TEST(SubjectKeyTree, APunctureIsBoundedAndWhatIsMalformedIsRefused) {
  certs::InitSodium();
  SubjectKey key = SubjectKey::Random();
  for (uint64_t i = 0; i < kMaxPunctures; ++i) ASSERT_TRUE(key.Puncture(PointOf(i * 977, 3, PartType::kPrompt))) << i;
  const auto refused = key.Puncture(PointOf(5, 0, PartType::kAnswer));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTooLarge);
  EXPECT_LT(key.encoded().size(), 4u << 20);
  RecordProperty("bytes_after_1000", static_cast<int>(key.encoded().size()));
  SubjectKey small = SubjectKey::Random();
  ASSERT_TRUE(small.Puncture(PointOf(9, 0, PartType::kPrompt)));
  ASSERT_TRUE(small.Puncture(PointOf(9, 0, PartType::kAnswer)));
  const auto good = small.encoded().bytes();
  const auto decode = [&](size_t size, size_t flip) {
    certs::SecretBytes bad(size);
    std::copy_n(good.begin(), std::min(size, good.size()), bad.data());
    if (flip < size) bad.data()[flip] ^= 0x80;
    return SubjectKey::Decode(std::move(bad)).has_value();
  };
  EXPECT_TRUE(decode(good.size(), SIZE_MAX));
  for (const size_t size : {size_t{0}, size_t{35}, size_t{36}, size_t{40}, good.size() - 1, good.size() + 1, good.size() + 32}) {
    EXPECT_FALSE(decode(size, SIZE_MAX)) << size;
  }
  EXPECT_FALSE(decode(good.size(), kNodeSize));          // another count
  EXPECT_FALSE(decode(good.size(), kNodeSize + 4));      // points out of order
}

class ShredTest : public CasesTest {
 protected:
  // Two records of alice's, one of bob's, with several parts each.
  void Write(Writer& writer) {
    for (const char* subject : {"alice", "alice", "bob"}) {
      Event event = MakeEvent(Kind::kAdmin);
      event.subject = subject;
      event.parts = {{PartType::kMetadata, "{}"}, {PartType::kPrompt, "the question"}, {PartType::kAnswer, "the answer"},
                     {PartType::kReasoning, std::string((1u << 20) + 77, 'r')}};
      seqs_.push_back(Append(writer, {event}).seqs.at(0));
    }
  }
  static Result<std::string> Shred(Writer& writer, uint64_t seq, const std::string& part) {
    return Act(writer, "shred", {{"record", std::to_string(seq)}, {"part", part}, {"reason", "a complaint"}});
  }
  Result<Opened> Open(uint64_t seq, SubjectKeySource* keys) const {
    const auto secret = ReadAuditorSecret(auditor());
    BOOST_OUTCOME_TRY(const LoadedRecord record, LoadRecord(log(), ReadLogKey(log()).value(), seq));
    RecordOpener opener(kOrigin, keys, {&secret.value()});
    opener.TakeKey(record.key_leaf, record.key_payload);
    return opener.Open(record.leaf, record.payload);
  }
  static std::string Kinds(const Opened& opened) {
    std::string text;
    for (const Part& part : opened.parts) text += std::string(PartName(part.type)) + " ";
    for (const PartType part : opened.shredded) text += "!" + std::string(PartName(part)) + " ";
    return text;
  }
  std::string OpenedByStore(uint64_t seq) const {
    const auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadOnly);
    EXPECT_TRUE(store) << store.error().message;
    const auto opened = Open(seq, store.value().get());
    return opened ? Kinds(opened.value()) : opened.error().message;
  }
  Result<std::string> Release(Writer& writer) {
    return Act(writer, "release", {{"subject", "alice"}, {"auditor", "auditor-1"}, {"reason", "case"}});
  }
  std::string OpenedByRelease(uint64_t seq, const std::string& file) const {
    const auto secret = ReadAuditorSecret(auditor());
    ReleasedKeys released;
    const auto added = released.Add(file, kOrigin, secret.value());
    EXPECT_TRUE(added) << added.error().message;
    const auto opened = Open(seq, &released);
    return opened ? Kinds(opened.value()) : opened.error().message;
  }

  static constexpr uint16_t kPromptGone = kShredBase + static_cast<uint16_t>(PartType::kPrompt);
  std::vector<uint64_t> seqs_;
};

TEST_F(ShredTest, OnePartIsGoneForEverAndNothingElse) {
  std::string before, after;
  const auto writer = StartWriter();
  Write(*writer);
  Snapshot("before");
  before = Release(*writer).value();
  const auto leaves = Read().hashes;
  const auto done = Shred(*writer, seqs_[0], "prompt");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_NE(done.value().find("\"records\":1"), std::string::npos) << done.value();
  after = Release(*writer).value();
  EXPECT_EQ(Shred(*writer, seqs_[0], "prompt").error().code, Code::kNotFound);
  EXPECT_EQ(Shred(*writer, seqs_[0], "tools").error().code, Code::kNotFound);
  EXPECT_EQ(Shred(*writer, 0, "metadata").error().code, Code::kPermission);  // BOOT
  EXPECT_EQ(Shred(*writer, 99999, "prompt").error().code, Code::kNotFound);
  EXPECT_EQ(Shred(*writer, seqs_[0], "wrap_set").error().code, Code::kInvalidArgument);
  Exchange(*writer, 5, "alice", "a later question", "a later answer");
  ASSERT_TRUE(Shred(*writer, seqs_[0], "reasoning"));  // in a record that has lost a part already
  ASSERT_TRUE(writer->Stop());

  EXPECT_EQ(OpenedByStore(seqs_[0]), "metadata answer !prompt !reasoning ");
  EXPECT_EQ(OpenedByStore(seqs_[1]), "metadata prompt answer reasoning ");
  EXPECT_EQ(OpenedByRelease(seqs_[0], after), "metadata answer !prompt !reasoning ");
  EXPECT_EQ(OpenedByRelease(seqs_[0], before), "metadata answer !prompt !reasoning ");  // its ciphertext is gone
  const Report report = Verify(true);
  EXPECT_EQ(report.verdict, Verdict::kValidSelfAttested) << ReportText(report);
  EXPECT_EQ(report.shredded, 2u);
  EXPECT_EQ(Count(Kind::kErase, kPromptGone), 1u);
  const auto hashes = Read().hashes;
  EXPECT_TRUE(std::equal(leaves.begin(), leaves.end(), hashes.begin()));
  const auto by = ShreddedBy(log(), ReadLogKey(log()).value(), seqs_[0]);
  ASSERT_EQ(by.size(), 2u);
  const Leaf told = Read().leaves.at(by.at(PartType::kPrompt));
  EXPECT_EQ(told.kind, Kind::kErase);
  EXPECT_EQ(told.parent_seq, seqs_[0]);

  // The segments as they were: a release made before opens the part, one made after does not, nor does the store.
  PutBack("before");
  EXPECT_EQ(OpenedByRelease(seqs_[0], before), "metadata prompt answer reasoning ");
  EXPECT_EQ(OpenedByRelease(seqs_[0], after), "metadata answer reasoning !prompt ");
}

TEST_F(ShredTest, FilesOfTheVersionBeforeAreRefusedByName) {
  auto writer = StartWriter();
  Write(*writer);
  const std::string file = Release(*writer).value();
  ASSERT_TRUE(writer->Stop());
  writer.reset();
  const auto secret = ReadAuditorSecret(auditor());
  std::string older = file;
  older.replace(older.find("v3"), 2, "v2");
  const auto release = ReleasedKeys().Add(older, kOrigin, secret.value());
  ASSERT_FALSE(release);
  EXPECT_NE(release.error().message.find("reads version 3"), std::string::npos) << release.error().message;
  std::string leaf = EncodeLeaf(Read().leaves[0]);
  leaf[0] = 2;
  EXPECT_NE(DecodeLeaf(leaf).error().message.find("reads version 3"), std::string::npos);
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((keys() / "keystore.db").c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, "PRAGMA user_version=2", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  const auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadWrite);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Code::kBadFormat);
  EXPECT_NE(store.error().message.find("of version 2"), std::string::npos) << store.error().message;
}

TEST_F(ShredTest, AnOlderCopyOfTheKeyStoreOpensNothingWithoutItsSalt) {
  auto writer = StartWriter();
  Write(*writer);
  Snapshot("before");
  ASSERT_TRUE(Shred(*writer, seqs_[0], "prompt"));
  ASSERT_TRUE(writer->Stop());
  writer.reset();
  const auto old = dir_.path() / "before";
  std::filesystem::copy(old / "keys" / "keystore.db", keys() / "keystore.db", std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(OpenKeyStore(keys(), KeyStore::Mode::kReadOnly).error().code, Code::kTampered);
  EXPECT_EQ(Writer::Start(Options()).error().code, Code::kTampered);
  std::filesystem::copy(old / "keys" / "store.salt", keys() / "store.salt", std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(Writer::Start(Options()).error().code, Code::kRolledBack);
}

TEST_F(ShredTest, AHoldOnTheSubjectOrOnEverybodyRefusesAndRecords) {
  const auto writer = StartWriter();
  Write(*writer);
  for (const char* whom : {"alice", "*"}) {
    const auto hold = Act(*writer, "hold", {{"subject", whom}, {"reason", "case"}});
    ASSERT_TRUE(hold);
    EXPECT_EQ(Shred(*writer, seqs_[0], "answer").error().code, Code::kHeld);
    ASSERT_TRUE(Act(*writer, "lift", {{"hold", hold.value()}, {"reason", "over"}}));
  }
  EXPECT_EQ(Count(Kind::kErase, static_cast<uint16_t>(EraseOutcome::kRefusedByHold)), 2u);
  const auto hold = Act(*writer, "hold", {{"subject", "alice"}, {"reason", "case"}});
  ASSERT_TRUE(Shred(*writer, seqs_[2], "answer"));  // bob's
  ASSERT_TRUE(writer->Stop());
  EXPECT_EQ(OpenedByStore(seqs_[0]), "metadata prompt answer reasoning ");
  EXPECT_EQ(OpenedByStore(seqs_[2]), "metadata prompt reasoning !answer ");
  EXPECT_EQ(Verify(true).verdict, Verdict::kValidSelfAttested) << ReportText(Verify(true));
}

TEST_F(ShredTest, AShreddedPartIsNotReleasedAndAnErasureTakesTheRest) {
  auto writer = StartWriter();
  Write(*writer);
  ASSERT_TRUE(MakeAuditorKey(dir_.path() / "lawyer"));
  ASSERT_TRUE(Shred(*writer, seqs_[0], "answer"));
  ASSERT_TRUE(writer->Stop());
  writer.reset();
  {
    const auto key = ReadLogKey(log()).value();
    const auto record = LoadRecord(log(), key, seqs_[0]).value();
    const auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadOnly);
    const auto secret = ReadAuditorSecret(auditor());
    RecordOpener opener(key.name, store.value().get(), {&secret.value()});
    opener.TakeKey(record.key_leaf, record.key_payload);
    const auto gone = opener.PartKey(record.leaf, PartType::kAnswer);
    ASSERT_FALSE(gone);
    EXPECT_NE(gone.error().message.find("was shredded"), std::string::npos);
    const auto lawyer = ReadAuditorPublic(dir_.path() / "lawyer.pub").value();
    const auto proof = Prover::Open(log(), key).value().Prove(seqs_[0], record.leaf_hash).value().value();
    const auto part_key = opener.PartKey(record.leaf, PartType::kPrompt);
    ASSERT_TRUE(part_key);
    const auto give = [&](PartType type) {
      return SealPartRelease(key.name, lawyer, record.leaf, record.payload, type, part_key.value(), proof);
    };
    EXPECT_EQ(give(PartType::kAnswer).error().code, Code::kNotFound);
    const auto file = give(PartType::kPrompt);  // the others can still be given away
    ASSERT_TRUE(file) << file.error().message;
    const auto opened = OpenPartRelease(file.value(), key, ReadAuditorSecret(dir_.path() / "lawyer").value());
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(opened.value().part.bytes, "the question");
  }
  const auto again = StartWriter();
  ASSERT_TRUE(Act(*again, "erase", {{"subject", "alice"}, {"reason", "article 17"}}));
  EXPECT_EQ(Shred(*again, seqs_[1], "prompt").error().code, Code::kNotFound);
  ASSERT_TRUE(again->Stop());
  const Report report = Verify(true);
  EXPECT_EQ(report.verdict, Verdict::kValidSelfAttested) << ReportText(report);
  EXPECT_EQ(report.shredded, 0u);  // erased as a whole now
}

TEST_F(ShredTest, APuncturedKeyThatNoRecordTellsOfIsSeen) {
  {
    const auto writer = StartWriter();
    Write(*writer);
    ASSERT_TRUE(writer->Stop());
  }
  const Leaf leaf = Read().leaves.at(seqs_[1]);
  {
    auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadWrite);
    const PartShredding part{SubjectKeyOf(leaf), leaf.seq, PointOf(leaf.chain, leaf.chain_index, PartType::kAnswer)};
    ASSERT_TRUE(store.value()->PuncturePart(part, 0));
    ASSERT_TRUE(store.value()->Rekey());
  }
  const Report report = Verify(true);
  EXPECT_EQ(report.verdict, Verdict::kIncomplete) << ReportText(report);
  EXPECT_EQ(report.first_bad_seq, seqs_[1]);
}

// As a crash leaves the key store: noted; cut off before the commit of the puncture; punctured.
TEST_F(ShredTest, ACrashAtEachStepIsTakenUpAtTheNextStart) {
  {
    const auto writer = StartWriter();
    Write(*writer);
    ASSERT_TRUE(writer->Stop());
  }
  const Leaf leaf = Read().leaves.at(seqs_[0]);
  const PartShredding part{SubjectKeyOf(leaf), leaf.seq, PointOf(leaf.chain, leaf.chain_index, PartType::kPrompt)};
  Snapshot("fresh");
  for (int step = 0; step < 3; ++step) {
    PutBack("fresh");
    {
      auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadWrite);
      ASSERT_TRUE(store.value()->BeginShredding(part, 1));
      ASSERT_TRUE(store.value()->Commit());
      const bool punctured = step < 1 || store.value()->PuncturePart(part, 1);
      const bool ended = step < 2 || store.value()->Rekey();  // otherwise cut off before the end
      ASSERT_TRUE(punctured && ended);
    }
    {
      const auto writer = StartWriter();
      ASSERT_NE(writer, nullptr);
      while (Count(Kind::kErase, static_cast<uint16_t>(EraseOutcome::kDone)) == 0) std::this_thread::yield();
      ASSERT_TRUE(writer->Stop());
    }
    EXPECT_EQ(OpenedByStore(seqs_[0]), "metadata answer reasoning !prompt ") << step;
    EXPECT_TRUE(OpenKeyStore(keys(), KeyStore::Mode::kReadOnly).value()->PendingErasures().value().empty()) << step;
    if (step >= 2) continue;  // there ERASE was never told: this test cut it out
    const Report report = Verify(true);
    EXPECT_EQ(report.verdict, Verdict::kValidSelfAttested) << step << ReportText(report);
    EXPECT_EQ(report.shredded, 1u);
  }
}

}  // namespace
}  // namespace portcullis::audit::test
