// What a start makes of the log it finds: crashes, torn tails, damage, another history, another writer.

#include <gtest/gtest.h>

#include <algorithm>
#include <future>

#include "audit/index.h"
#include "tests/audit/fixture.h"

namespace portcullis::audit::test {
namespace {

using RecoveryTest = LogTest;

TEST_F(RecoveryTest, ACrashLeavesEveryAcknowledgedRecord) {
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

TEST_F(RecoveryTest, AnOrderlyEndClosesWhatIsOpen) {
  const auto writer = StartWriter();
  ASSERT_TRUE(Append(*writer, RequestEvents(2, "bob", "left open")).durable);
  ASSERT_TRUE(writer->Stop());
  const Collector records = Read();
  EXPECT_EQ(records.leaves[records.leaves.size() - 2].kind, Kind::kAbort);
  EXPECT_EQ(records.leaves.back().kind, Kind::kStop);
  EXPECT_EQ(Verify().verdict, Verdict::kValidSelfAttested) << ReportText(Verify());
}

TEST_F(RecoveryTest, ATornTailIsCutKeptAndTold) {
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

TEST_F(RecoveryTest, Case34ATornBatchOfEveryLengthIsCut) {
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

TEST_F(RecoveryTest, DamageBehindASignedBatchIsNotCut) {
  MakeLog(2);
  std::string bad = Slurp(segment());
  bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
  Spill(segment(), bad);
  std::filesystem::remove_all(log() / "tile");  // so that the start reads everything
  const auto writer = Writer::Start(Options());
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, Code::kTampered);
  EXPECT_EQ(Slurp(segment()), bad);
}

TEST_F(RecoveryTest, OneWriterAtATime) {
  const auto writer = StartWriter();
  const auto second = Writer::Start(Options());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kLocked);
}

TEST_F(RecoveryTest, Case10AnOldSignerStateIsNoExcuseAndANewerOneIsBelieved) {
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

TEST_F(RecoveryTest, Case43ASymbolicLinkIsNotFollowed) {
  MakeLog(1);
  std::filesystem::rename(segment(), log() / "elsewhere");
  std::filesystem::create_symlink(log() / "elsewhere", segment());
  EXPECT_FALSE(Writer::Start(Options()));
  EXPECT_FALSE(IsValid(Verify().verdict));
}

TEST_F(RecoveryTest, Case43ALinkInPlaceOfAFolderOfTheLogIsNotFollowed) {
  MakeLog(1);
  for (const char* name : {"segments", "tile", "torn"}) {
    const auto folder = log() / name, elsewhere = dir_.path() / (std::string("elsewhere-") + name);
    std::filesystem::create_directory(log() / "torn");
    std::filesystem::rename(folder, elsewhere);
    std::filesystem::create_directory_symlink(elsewhere, folder);
    const auto refused = Writer::Start(Options());
    ASSERT_FALSE(refused) << name;
    EXPECT_NE(refused.error().message.find(std::string(name) + "` is a symbolic link"), std::string::npos)
        << refused.error().message;
    EXPECT_EQ(Verify().verdict == Verdict::kTampered, std::string(name) == "segments");
    std::filesystem::remove(folder);
    std::filesystem::rename(elsewhere, folder);
  }
  ASSERT_NE(StartWriter(), nullptr);
  const auto index = log() / "index", elsewhere = dir_.path() / "elsewhere-index";
  std::filesystem::create_directory(elsewhere);
  std::filesystem::create_directory_symlink(elsewhere, index);
  const auto refused = SearchIndex::Create(log(), ReadLogKey(log()).value());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("index` is a symbolic link"), std::string::npos) << refused.error().message;
  EXPECT_TRUE(std::filesystem::is_empty(elsewhere));
  std::filesystem::remove(index);
  // Files: the place of a link is not written through, whatever it points to.
  for (const auto& file : {log() / "checkpoint.tmp", log() / "lock", keys() / "keystore.db"}) {
    const auto target = dir_.path() / "target";
    std::filesystem::remove(file);
    std::filesystem::remove(target);
    Spill(target, "as it was");
    std::filesystem::create_symlink(target, file);
    EXPECT_FALSE(Writer::Start(Options())) << file;
    EXPECT_EQ(Slurp(target), "as it was") << file;
    std::filesystem::remove(file);
  }
}

// Put in place of a folder while the log is written: what begins there afterwards is not written through it.
TEST_F(RecoveryTest, Case43ALinkInPlaceOfAFolderOfARunningLogIsNotFollowed) {
  const auto count = [](const std::filesystem::path& folder) {
    return std::distance(std::filesystem::recursive_directory_iterator(folder), {});
  };
  for (const std::string name : {"segments", "tile", "tile/0"}) {
    SCOPED_TRACE(name);
    const auto folder = log() / name, elsewhere = dir_.path() / "moved";
    const auto writer = StartWriter();
    ASSERT_NE(writer, nullptr);
    Exchange(*writer, 1, "alice", "a question", "an answer");
    std::filesystem::create_directories(folder);
    std::filesystem::rename(folder, elsewhere);
    std::filesystem::create_directory_symlink(elsewhere, folder);
    const auto before = count(elsewhere);
    // An erasure begins a segment; the checkpoints of an end write tiles.
    std::promise<ActReply> done;
    writer->SubmitAct({1, "erase", {{"subject", "alice"}, {"reason", "a test"}}}, 1000,
                      [&](ActReply reply) { done.set_value(std::move(reply)); });
    const ActReply reply = done.get_future().get();
    EXPECT_EQ(reply.error_code == 0, name != "segments") << reply.error;
    if (name == "segments") {
      EXPECT_NE(reply.error.find("a symbolic link is in the way"), std::string::npos) << reply.error;
    }
    (void)writer->Stop();
    EXPECT_EQ(count(elsewhere), before);
    std::filesystem::remove(folder);
    std::filesystem::rename(elsewhere, folder);
  }
}

}  // namespace
}  // namespace portcullis::audit::test
