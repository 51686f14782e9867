// The search index: it answers like the segments, says what it covers, and whatever is done to its files,
// what comes out of a search is what the segments say.

#include <gtest/gtest.h>

#include <sodium.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <algorithm>

#include "audit/bytes.h"
#include "audit/note.h"
#include "audit/search.h"
#include "tests/audit/cases.h"

namespace portcullis::audit::test {
namespace {

class IndexTest : public CasesTest {
 protected:
  static constexpr uint8_t kRequests = 40;

  void SetUp() override {
    CasesTest::SetUp();
    const auto writer = StartWriter();
    for (uint8_t i = 0; i < kRequests; ++i) {
      const std::string who = i % 5 == 0 ? "alice" : i % 2 == 0 ? "bob" : "carol";
      Exchange(*writer, static_cast<uint8_t>(i + 1), who, "a question", "an answer");
    }
    for (int i = 0; i < 300; ++i) {
      Event event = MakeEvent(Kind::kAdmin);
      event.subject = "officer";
      event.tenant = i % 3 == 0 ? "north" : "south";
      event.tags = {"model:" + std::to_string(i % 7), "operation:x"};
      event.outcome = static_cast<uint16_t>(i % 4);
      event.policy_hash[0] = static_cast<uint8_t>(1 + i % 2);
      Append(*writer, {event});
    }
    ASSERT_TRUE(writer->Stop());
  }

  std::filesystem::path database() const { return log() / "index" / "search.db"; }
  std::filesystem::path sum() const { return log() / "index" / "search.sum"; }

  std::vector<SearchTerm> Term(const char* label, const std::string& text) const {
    const auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadOnly);
    EXPECT_TRUE(store);
    return {SearchTerm::Make(*store.value(), label, text).value()};
  }
  Query Of(const std::string& who) const {
    Query query;
    query.terms.push_back(Term("subject", who));
    return query;
  }
  struct Answer {
    std::vector<uint64_t> seqs;
    SearchOutcome outcome;
    std::optional<Error> error;
  };
  Answer Ask(const Query& query, bool use_index = true, uint64_t limit = 0, uint64_t extend_after = 0) const {
    SearchOptions options;
    options.log_folder = log();
    options.key = ReadLogKey(log()).value();
    options.query = query;
    options.limit = limit;
    options.use_index = use_index;
    options.extend_after = extend_after;
    Answer answer;
    auto outcome = SearchLog(options, [&](const Leaf& leaf, const Hash&) { answer.seqs.push_back(leaf.seq); });
    if (outcome) answer.outcome = std::move(outcome.value());
    else answer.error = outcome.error();
    return answer;
  }
  uint64_t Size() const { return Read().leaves.size(); }

  // The search finds what it found before, says that the index was no good, and the next one has a good one.
  void ExpectRebuilt(const std::vector<uint64_t>& expected, const std::string& what) const {
    const Answer warned = Ask(Of("alice"));
    ASSERT_FALSE(warned.error) << what << ": " << warned.error->message;
    EXPECT_EQ(warned.seqs, expected) << what;
    ASSERT_EQ(warned.outcome.warnings.size(), 1u) << what;
    EXPECT_NE(warned.outcome.warnings[0].find("built anew"), std::string::npos) << what << warned.outcome.warnings[0];
    EXPECT_EQ(warned.outcome.indexed, Size()) << what;
    const Answer again = Ask(Of("alice"));
    EXPECT_EQ(again.seqs, expected) << what;
    EXPECT_TRUE(again.outcome.warnings.empty()) << what << again.outcome.warnings[0];
  }
  // What somebody who knows the format does: changes rows and makes the sum fit.
  void Doctor(const std::string& sql) const {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(database().c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
    const std::string bytes = Slurp(database());
    Hash hash;
    crypto_generichash(hash.data(), hash.size(), AsBytes(bytes).data(), bytes.size(), nullptr, 0);
    struct stat info {};
    ASSERT_EQ(::stat(database().c_str(), &info), 0);
    Spill(sum(), "portcullis audit index v1 " + std::to_string(info.st_dev) + " " + std::to_string(info.st_ino) +
                     " " + Hex(hash) + "\n");
  }
};

TEST_F(IndexTest, AnswersLikeTheSegments) {
  std::vector<Query> queries(12);
  queries[0].terms = {Term("subject", "alice")};
  queries[1].terms = {Term("subject", "officer"), Term("tenant", "north")};
  queries[2].terms = {Term("tag", "model:3"), Term("tag", "operation:x")};
  queries[3].kinds = {Kind::kReq, Kind::kResp};
  queries[4].kinds = {Kind::kAdmin};
  queries[4].outcome = 2;
  const Collector records = Read();
  const auto response = std::find_if(records.leaves.begin(), records.leaves.end(),
                                     [](const Leaf& leaf) { return leaf.kind == Kind::kResp; });
  queries[5].request = response->request_id;
  queries[6].parent = response->parent_seq;
  queries[7].policy.emplace().fill(0);
  (*queries[7].policy)[0] = 1;
  queries[8].begin_us = records.leaves[100].wall_us;
  queries[9].end_us = records.leaves[100].wall_us;
  auto any = Term("subject", "alice");
  any.push_back(Term("subject", "bob").front());
  queries[10].terms = {any};
  queries[11].terms = {Term("subject", "nobody")};
  for (size_t i = 0; i < queries.size(); ++i) {
    const Answer by_index = Ask(queries[i]), by_segments = Ask(queries[i], false);
    ASSERT_FALSE(by_index.error) << i << by_index.error->message;
    EXPECT_TRUE(by_index.outcome.warnings.empty()) << i << by_index.outcome.warnings[0];
    EXPECT_EQ(by_index.outcome.indexed, Size()) << i;
    EXPECT_EQ(by_index.outcome.read, 0u) << i;
    EXPECT_EQ(by_index.outcome.indexed_root, Verify().root) << i;
    EXPECT_EQ(by_index.seqs, by_segments.seqs) << i;
    EXPECT_EQ(by_index.seqs.empty(), i == 11) << i;
    EXPECT_EQ(by_segments.outcome.indexed, 0u);
  }
  EXPECT_EQ(Ask(queries[4], true, 3).seqs.size(), 3u);
  const std::string bytes = Slurp(database());
  for (const char* name : {"alice", "officer", "north", "model:"}) EXPECT_EQ(bytes.find(name), std::string::npos) << name;
}

TEST_F(IndexTest, WhatLiesAfterTheIndexIsRead) {
  const auto before = Ask(Of("alice")).seqs;
  {
    const auto writer = StartWriter();
    Exchange(*writer, 200, "alice", "q", "a");
    // Beside a working writer, and beyond its last checkpoint.
    const Answer live = Ask(Of("alice"), true, 0, 1000);
    ASSERT_FALSE(live.error) << live.error->message;
    EXPECT_EQ(live.seqs.size(), before.size() + 4);  // KEY, REQ, DECISION, RESP
    ASSERT_TRUE(writer->Stop());
  }
  const Answer later = Ask(Of("alice"), true, 0, 1000);
  EXPECT_TRUE(later.outcome.warnings.empty());
  EXPECT_EQ(later.outcome.indexed + later.outcome.read, Size());
  EXPECT_GT(later.outcome.read, 0u);
  EXPECT_EQ(later.seqs, Ask(Of("alice"), false).seqs);
  const Answer extended = Ask(Of("alice"));
  EXPECT_TRUE(extended.outcome.warnings.empty());
  EXPECT_EQ(extended.outcome.indexed, Size());
  EXPECT_EQ(extended.outcome.read, 0u);
  EXPECT_EQ(extended.seqs, later.seqs);
}

TEST_F(IndexTest, ASmallLogGetsNoIndexUnasked) {
  const Answer answer = Ask(Of("alice"), true, 0, 4096);
  EXPECT_FALSE(answer.seqs.empty());
  EXPECT_EQ(answer.outcome.indexed, 0u);
  EXPECT_FALSE(std::filesystem::exists(database()));
}

TEST_F(IndexTest, Case26AFlippedTruncatedOrCutOffIndexIsRebuiltWithAWarning) {
  const auto expected = Ask(Of("alice")).seqs;
  ASSERT_FALSE(expected.empty());
  const size_t size = std::filesystem::file_size(database());
  ASSERT_GT(size, 40'000u);
  for (const size_t at : {size_t{0}, size_t{20}, size_t{100}, size_t{4096}, size / 3, size / 2, size * 3 / 4, size - 1}) {
    std::string bytes = Slurp(database());
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    Spill(database(), bytes);
    ExpectRebuilt(expected, "a flip at " + std::to_string(at));
  }
  for (const size_t keep : {size_t{0}, size_t{4096}, size / 2}) {
    Spill(database(), Slurp(database()).substr(0, keep));
    ExpectRebuilt(expected, "cut to " + std::to_string(keep));
  }
  std::filesystem::remove(database());
  ExpectRebuilt(expected, "the database deleted");
  std::filesystem::remove(sum());
  ExpectRebuilt(expected, "the sum deleted");
  for (const char* name : {"search.db-journal", "search.db-wal"}) {
    Spill(log() / "index" / name, "what an update left");
    ExpectRebuilt(expected, name);
    EXPECT_FALSE(std::filesystem::exists(log() / "index" / name));
  }
}

TEST_F(IndexTest, Case26ADeletedJournalOfAHalfDoneUpdateIsSeen) {
  const auto expected = Ask(Of("alice")).seqs;
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(database().c_str(), &db), SQLITE_OK);
  // A cache of one page: the changes reach the file before the end of the transaction.
  ASSERT_EQ(sqlite3_exec(db, "PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN; DELETE FROM term; DELETE FROM request;",
                         nullptr, nullptr, nullptr), SQLITE_OK);
  const std::string half_done = Slurp(database());
  ASSERT_TRUE(std::filesystem::exists(log() / "index" / "search.db-journal"));
  ASSERT_EQ(sqlite3_exec(db, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  ASSERT_NE(half_done, Slurp(database()));
  Spill(database(), half_done);
  ExpectRebuilt(expected, "half an update without its journal");
}

TEST_F(IndexTest, Case03AnIndexThatDisagreesWithTheSegmentsIsRebuilt) {
  const auto expected = Ask(Of("alice")).seqs;
  const std::string first = std::to_string(expected[0]), last = std::to_string(expected.back());
  Doctor("UPDATE record SET place=place+1 WHERE seq=" + first);
  ExpectRebuilt(expected, "another place");
  Doctor("UPDATE record SET place=(SELECT place FROM record WHERE seq=" + last + ") WHERE seq=" + first);
  ExpectRebuilt(expected, "another record's place");
  Doctor("UPDATE record SET segment=77 WHERE seq=" + first);
  ExpectRebuilt(expected, "a segment that is not there");
  Doctor("UPDATE term SET seq=(SELECT max(seq) FROM record) WHERE seq=" + first + " AND role=0");
  ExpectRebuilt(expected, "a record of somebody else");
  Doctor("UPDATE meta SET value=zeroblob(length(value))");
  ExpectRebuilt(expected, "another log");
  Doctor("DELETE FROM meta");
  ExpectRebuilt(expected, "no cover");
  Doctor("DROP TABLE term");
  ExpectRebuilt(expected, "a missing table");
}

TEST_F(IndexTest, AnIndexFromElsewhereIsNotUsed) {
  const auto expected = Ask(Of("alice")).seqs;
  const std::string bytes = Slurp(database());
  std::filesystem::rename(database(), log() / "index" / "old");
  Spill(database(), bytes);
  ::chmod(database().c_str(), 0600);
  ExpectRebuilt(expected, "a copy");
  ::chmod(database().c_str(), 0644);
  ExpectRebuilt(expected, "a file that others may read");
}

TEST_F(IndexTest, AnIndexAheadOfTheCheckpointIsNotUsedAndSaysSo) {
  const std::string old_checkpoint = Slurp(log() / "checkpoint");
  {
    const auto writer = StartWriter();
    Append(*writer, {MakeEvent(Kind::kAdmin)});
    ASSERT_TRUE(writer->Stop());
  }
  const auto expected = Ask(Of("alice")).seqs;
  Spill(log() / "checkpoint", old_checkpoint);
  const Answer answer = Ask(Of("alice"));
  ASSERT_FALSE(answer.error) << answer.error->message;
  EXPECT_EQ(answer.seqs, expected);
  ASSERT_EQ(answer.outcome.warnings.size(), 1u);
  EXPECT_NE(answer.outcome.warnings[0].find("verify the log"), std::string::npos);
}

TEST_F(IndexTest, ALogThatEndsBeforeItsCheckpointIsNoAnswer) {
  const auto size = std::filesystem::file_size(segment());
  {
    const auto writer = StartWriter();
    Exchange(*writer, 99, "alice", "a question", "an answer");
    ASSERT_TRUE(writer->Stop());
  }
  EXPECT_FALSE(Ask(Of("alice"), false).error);
  const std::string whole = Slurp(segment());
  std::filesystem::resize_file(segment(), size);
  for (const bool use_index : {false, true}) {
    const Answer answer = Ask(Of("alice"), use_index);
    ASSERT_TRUE(answer.error) << use_index;
    EXPECT_EQ(answer.error->code, Code::kRolledBack) << answer.error->message;
  }
  Spill(segment(), whole);
  std::filesystem::remove(log() / "checkpoint");
  EXPECT_TRUE(Ask(Of("alice"), false).error);
}

TEST_F(IndexTest, ErasureMovesPlacesAndTheIndexFollows) {
  const auto before = Ask(Of("carol")).seqs;
  {
    const auto writer = StartWriter();
    ASSERT_TRUE(Act(*writer, "erase", {{"subject", "alice"}, {"reason", "article 17"}}));
    ASSERT_TRUE(writer->Stop());
  }
  for (const char* who : {"carol", "alice", "bob"}) {
    const Answer after = Ask(Of(who));
    ASSERT_FALSE(after.error) << after.error->message;
    EXPECT_TRUE(after.outcome.warnings.empty()) << after.outcome.warnings[0];
    EXPECT_EQ(after.seqs, Ask(Of(who), false).seqs) << who;
    EXPECT_EQ(after.outcome.indexed, Size());
  }
  EXPECT_EQ(Ask(Of("carol")).seqs, before);
}

TEST_F(IndexTest, ADamagedLogIsNoBetterWithAnIndex) {
  const auto seqs = Ask(Of("alice")).seqs;
  std::string content = Slurp(segment());
  // One bit in the ciphertext of the second of alice's records.
  for (std::string_view rest = content; !rest.empty();) {
    const Frame frame = ParseFrame(rest).frame;
    if (frame.type == FrameType::kRecord && DecodeLeaf(frame.body.substr(0, kLeafSize)).value().seq == seqs[1]) {
      const size_t at = content.size() - rest.size() + frame.size - 5;
      content[at] = static_cast<char>(content[at] ^ 1);
      break;
    }
    rest.remove_prefix(frame.size);
  }
  Spill(segment(), content);
  const Answer answer = Ask(Of("alice"));
  ASSERT_TRUE(answer.error);
  EXPECT_EQ(answer.error->code, Code::kTampered);
}

TEST_F(IndexTest, WhereNoIndexCanBeTheLogIsRead) {
  Spill(log() / "index", "in the way");
  const Answer answer = Ask(Of("alice"));
  ASSERT_FALSE(answer.error) << answer.error->message;
  EXPECT_EQ(answer.seqs, Ask(Of("alice"), false).seqs);
  EXPECT_EQ(answer.outcome.indexed, 0u);
  ASSERT_EQ(answer.outcome.warnings.size(), 1u);
  EXPECT_NE(answer.outcome.warnings[0].find("the whole log was read"), std::string::npos);
}

TEST_F(IndexTest, DamagedTilesMeanReadingTheLog) {
  const auto expected = Ask(Of("alice")).seqs;
  const auto tile = log() / "tile" / "0" / "000";
  std::string bytes = Slurp(tile);
  bytes[200] = static_cast<char>(bytes[200] ^ 1);
  Spill(tile, bytes);
  const Answer answer = Ask(Of("alice"));
  ASSERT_FALSE(answer.error) << answer.error->message;
  EXPECT_EQ(answer.seqs, expected);
  ASSERT_EQ(answer.outcome.warnings.size(), 1u);
  EXPECT_NE(answer.outcome.warnings[0].find("tiles"), std::string::npos);
}

TEST_F(IndexTest, OneSearchAtATimeHasTheIndex) {
  ASSERT_FALSE(Ask(Of("alice")).error);
  const auto held = SearchIndex::Open(log(), ReadLogKey(log()).value());
  ASSERT_TRUE(held) << held.error().message;
  const Answer answer = Ask(Of("alice"));
  ASSERT_EQ(answer.outcome.warnings.size(), 1u);
  EXPECT_NE(answer.outcome.warnings[0].find("another search has it"), std::string::npos);
  EXPECT_EQ(answer.seqs, Ask(Of("alice"), false).seqs);
}

}  // namespace
}  // namespace portcullis::audit::test
