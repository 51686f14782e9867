// auditd on a disk that is really full, a tmpfs: what an administrator does is done and recorded out of the reserve, or
// refused before anything is told; a start needs no room that the reserve has.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>

#include <fstream>
#include <map>

#include "tests/audit/fixture.h"
#include "tests/audit/process.h"

namespace portcullis::audit::test {
namespace {

class FullDiskTest : public LogTest {
 protected:
  void SetUp() override {
    LogTest::SetUp();
    std::filesystem::create_directory(mounted());
    is_mounted_ = ::mount("tmpfs", mounted().c_str(), "tmpfs", 0, "size=16m") == 0;
    if (!is_mounted_) {
      GTEST_SKIP() << "mounting a tmpfs needs root; writer_faults_test covers the reserve with injected errors";
    }
    for (const char* folder : {"audit", "keys"}) {
      std::filesystem::copy(dir_.path() / folder, mounted() / folder, std::filesystem::copy_options::recursive);
    }
  }
  // Also where a test that failed has left somebody in there.
  void TearDown() override {
    if (!is_mounted_) return;
    EXPECT_EQ(::umount2(mounted().c_str(), MNT_DETACH), 0);
  }
  // A key store that is larger than the reserve.
  void GrowKeyStore() const {
    const auto store = OpenKeyStore(mounted() / "keys", KeyStore::Mode::kReadWrite);
    ASSERT_TRUE(store);
    for (uint32_t i = 0; i < 8000; ++i) {
      SubjectKeyId id{{}, 0, 2000};
      for (size_t byte = 0; byte < 4; ++byte) id.subject[byte] = static_cast<uint8_t>(i * 2654435761u >> 8 * byte);
      ASSERT_TRUE(store.value()->SubjectKeyOrCreate(id));
    }
    ASSERT_TRUE(store.value()->Commit());
    ASSERT_GT(std::filesystem::file_size(KeyStorePath(mounted() / "keys")), uint64_t{1} << 20);
  }
  void MountKeys() const {
    ASSERT_EQ(::mount("tmpfs", (mounted() / "keys").c_str(), "tmpfs", 0, "size=8m,mode=700"), 0);
    std::filesystem::copy(dir_.path() / "keys", mounted() / "keys", std::filesystem::copy_options::recursive);
  }
  void BeginErasure() const {
    const auto store = OpenKeyStore(mounted() / "keys", KeyStore::Mode::kReadWrite);
    ASSERT_TRUE(store);
    SubjectKeyId id{{}, 0, 2000};
    ASSERT_TRUE(store.value()->BeginErasure(id, 1));
    ASSERT_TRUE(store.value()->Commit());
  }
  // So many requests that no answer ends, and a crash.
  void LeaveOpen(int count) const {
    Auditd auditd = Start();
    ASSERT_TRUE(auditd.Ready()) << Slurp(auditd.words());
    auto client = auditd.Connect();
    for (int i = 0; i < count; ++i) {
      std::vector<Event> events = RequestEvents(1, "alice", "p");
      for (Event& event : events) {
        event.request_id[0] = static_cast<uint8_t>(i >> 8);
        event.request_id[1] = static_cast<uint8_t>(i);
      }
      ASSERT_TRUE(client.value().Append(events)) << i;
    }
    auditd.Kill(SIGKILL);
    auditd.Wait();
  }
  std::map<std::string, uint64_t> Sizes() const {
    std::map<std::string, uint64_t> sizes;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(mounted() / "audit")) {
      if (entry.is_regular_file()) sizes[entry.path()] = entry.file_size();
    }
    return sizes;
  }
  std::filesystem::path mounted() const { return dir_.path() / "small"; }
  std::filesystem::path reserve() const { return mounted() / "audit" / "reserve.acts"; }
  void Fill(const std::string& folder = ".") const {
    std::ofstream filler(mounted() / folder / "filler", std::ios::binary | std::ios::app);
    const std::string block(4096, 'f');
    while (filler.write(block.data(), 4096).flush()) continue;
  }
  static void EndInOrder(Auditd& auditd) {
    auditd.Kill(SIGTERM);
    EXPECT_EQ(auditd.Wait(), 0) << Slurp(auditd.words());
  }
  void StartAndEnd() const {
    Auditd auditd = Start();
    ASSERT_TRUE(auditd.Ready()) << Slurp(auditd.words());
    EndInOrder(auditd);
  }
  Auditd Start() const { return Auditd(mounted(), {"--min-free-bytes", "0", "--heartbeat", "0"}); }
  Report VerifyMounted() const {
    VerifyOptions options;
    options.log_folder = mounted() / "audit";
    return VerifyLog(options);
  }

 private:
  bool is_mounted_ = false;
};

// A disk that somebody else has filled to the last byte: requests are refused, what an administrator does is
// recorded until the reserve for it is used up, STOP has its own, and it goes on when there is room.
TEST_F(FullDiskTest, Case31ActsAreRecordedOutOfTheReserve) {
  // As soon as the turn is over in which auditd takes back what it did not need.
  const auto fill_between_turns = [&](Client& client) {
    ASSERT_TRUE(client.Act("holds", {}));
    Fill();
  };
  std::vector<Ack> acks;
  const auto act = [&acks](Client& client) {
    Event event = MakeEvent(Kind::kAdmin);
    event.subject = "officer";
    event.parts = {{PartType::kMetadata, std::string(40'000, 'x')}};
    auto ack = client.Append({&event, 1});
    if (ack) acks.push_back(ack.value());
    return ack;
  };
  {
    Auditd auditd = Start();
    ASSERT_TRUE(auditd.Ready()) << Slurp(auditd.words());
    auto client = auditd.Connect();
    ASSERT_TRUE(client);
    ASSERT_TRUE(client.value().Append(RequestEvents(9, "bob", "before")));
    Fill();
    const auto refused = client.value().Append(RequestEvents(1, "alice", "p"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kDiskLow) << refused.error().message;
    // An officer of whom there is no key yet, so that the key store has to write as well; then a hold.
    ASSERT_TRUE(act(client.value())) << Slurp(auditd.words());
    EXPECT_LT(std::filesystem::file_size(reserve()), uint64_t{1} << 20);
    const auto hold = client.value().Act("hold", {{"subject", "bob"}, {"reason", "the disk is full"}});
    EXPECT_TRUE(hold) << hold.error().message;
    EXPECT_FALSE(client.value().Append(RequestEvents(2, "alice", "p")));
    // Until it is used up: clear words, nothing is lost, and STOP's part was not touched.
    Result<Ack> last = act(client.value());
    for (int i = 0; i < 100 && last; ++i) {
      fill_between_turns(client.value());
      last = act(client.value());
    }
    ASSERT_FALSE(last);
    EXPECT_EQ(last.error().code, Code::kDiskLow);
    EXPECT_NE(last.error().message.find("used up"), std::string::npos) << last.error().message;
    EXPECT_GT(acks.size(), 6u);
    EXPECT_EQ(std::filesystem::file_size(mounted() / "audit" / "reserve"), uint64_t{1} << 20);
    // What is left serves smaller acts; then those are refused as well.
    Result<std::string> held = std::string();
    for (int i = 0; i < 100 && held; ++i) {
      fill_between_turns(client.value());
      held = client.value().Act("hold", {{"subject", "carol"}, {"reason", "x"}});
    }
    fill_between_turns(client.value());
    const auto none = client.value().Act("hold", {{"subject", "alice"}, {"reason", "x"}});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Code::kDiskLow) << none.error().message;
    EndInOrder(auditd);
  }
  EXPECT_EQ(VerifyMounted().verdict, Verdict::kValidSelfAttested) << ReportText(VerifyMounted());
  std::filesystem::remove(mounted() / "filler");
  {
    Auditd auditd = Start();
    ASSERT_TRUE(auditd.Ready()) << Slurp(auditd.words());
    auto client = auditd.Connect();
    Fill();
    EXPECT_TRUE(act(client.value()));
    EXPECT_LT(std::filesystem::file_size(reserve()), uint64_t{1} << 20);
    std::filesystem::remove(mounted() / "filler");
    EXPECT_TRUE(client.value().Append(RequestEvents(3, "alice", "p")));  // goes on by itself
    EXPECT_EQ(std::filesystem::file_size(reserve()), uint64_t{1} << 20);
    EXPECT_EQ(client.value().Act("holds", {}).value().find("alice"), std::string::npos);
    EndInOrder(auditd);
  }
  const Report report = VerifyMounted();
  EXPECT_EQ(report.verdict, Verdict::kValidSelfAttested) << ReportText(report);
  Collector records;
  const auto folder = mounted() / "audit";
  ScanLog(folder, ReadLogKey(folder).value(), {}, &records);
  for (const Ack& ack : acks) EXPECT_EQ(records.hashes.at(ack.seqs[0]), ack.leaf_hashes[0]);
}

TEST_F(FullDiskTest, AnActThatBeginsInTheKeyStoreHasTheReserveFromTheFirst) {
  Auditd auditd = Start();
  ASSERT_TRUE(auditd.Ready()) << Slurp(auditd.words());
  auto client = auditd.Connect();
  ASSERT_TRUE(client);
  ASSERT_TRUE(client.value().Append(RequestEvents(1, "alice", "p")));
  Fill();
  const auto hold = client.value().Act("hold", {{"subject", "bob"}, {"reason", "the disk is full"}});
  EXPECT_TRUE(hold) << hold.error().message;
  Fill();
  const auto erased = client.value().Act("erase", {{"subject", "alice"}, {"reason", "article 17"}});
  EXPECT_TRUE(erased) << erased.error().message;
  EndInOrder(auditd);
  EXPECT_TRUE(IsValid(VerifyMounted().verdict)) << ReportText(VerifyMounted());
}

TEST_F(FullDiskTest, WhatTheReserveCannotReencryptIsRefusedAndAuditdGoesOn) {
  ASSERT_NO_FATAL_FAILURE(GrowKeyStore());
  {
    Auditd auditd = Start();
    ASSERT_TRUE(auditd.Ready()) << Slurp(auditd.words());
    auto client = auditd.Connect();
    ASSERT_TRUE(client);
    ASSERT_TRUE(client.value().Append(RequestEvents(1, "alice", "p")));
    Fill();
    for (const char* act : {"erase", "rotate"}) {
      const auto refused = client.value().Act(act, {{"subject", "alice"}, {"reason", "article 17"}});
      ASSERT_FALSE(refused) << act;
      EXPECT_EQ(refused.error().code, Code::kDiskLow) << act << refused.error().message;
      EXPECT_TRUE(client.value().Act("holds", {})) << act << Slurp(auditd.words());
    }
    auditd.Kill(SIGKILL);
    auditd.Wait();
  }
  Auditd again = Start();
  ASSERT_TRUE(again.Ready()) << Slurp(again.words());
  std::filesystem::remove(mounted() / "filler");
  auto client = again.Connect();
  const auto erased = client.value().Act("erase", {{"subject", "alice"}, {"reason", "article 17"}});
  EXPECT_TRUE(erased) << erased.error().message;
  EndInOrder(again);
  EXPECT_TRUE(IsValid(VerifyMounted().verdict)) << ReportText(VerifyMounted());
}

// Where the key store lies is what counts: a full disk of the keys refuses in words of it, a full one of the log is no
// hindrance.
TEST_F(FullDiskTest, AKeysFolderOnADiskOfItsOwnIsAskedForItsOwnRoom) {
  ASSERT_NO_FATAL_FAILURE(MountKeys());
  ASSERT_NO_FATAL_FAILURE(GrowKeyStore());
  Auditd auditd = Start();
  ASSERT_TRUE(auditd.Ready()) << Slurp(auditd.words());
  auto client = auditd.Connect();
  ASSERT_TRUE(client);
  for (uint8_t i = 1; i <= 2; ++i) ASSERT_TRUE(client.value().Append(RequestEvents(i, i == 1 ? "alice" : "bob", "p")));
  Fill("keys");
  const auto refused = client.value().Act("erase", {{"subject", "alice"}, {"reason", "article 17"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kDiskLow) << refused.error().message;
  EXPECT_NE(refused.error().message.find("bytes of its disk"), std::string::npos) << refused.error().message;
  EXPECT_TRUE(client.value().Act("holds", {})) << Slurp(auditd.words());
  std::filesystem::remove(mounted() / "keys" / "filler");
  EXPECT_TRUE(client.value().Act("erase", {{"subject", "alice"}, {"reason", "article 17"}})) << Slurp(auditd.words());
  Fill();
  const auto erased = client.value().Act("erase", {{"subject", "bob"}, {"reason", "article 17"}});
  EXPECT_TRUE(erased) << erased.error().message;
  EndInOrder(auditd);
  EXPECT_TRUE(IsValid(VerifyMounted().verdict)) << ReportText(VerifyMounted());
}

// Such a start is tried again and again: none of them may use up anything.
TEST_F(FullDiskTest, AStartThatCannotEndAnErasureWritesNothing) {
  ASSERT_NO_FATAL_FAILURE(GrowKeyStore());
  ASSERT_NO_FATAL_FAILURE(StartAndEnd());
  ASSERT_NO_FATAL_FAILURE(BeginErasure());
  Fill();
  const auto before = Sizes();
  for (int i = 0; i < 2; ++i) {
    Auditd refused = Start();
    EXPECT_FALSE(refused.Ready());
    EXPECT_NE(Slurp(refused.words()).find("re-encrypting the key store takes"), std::string::npos) << Slurp(refused.words());
    EXPECT_EQ(Sizes(), before);
  }
  std::filesystem::remove(mounted() / "filler");
  ASSERT_NO_FATAL_FAILURE(StartAndEnd());
  EXPECT_TRUE(IsValid(VerifyMounted().verdict)) << ReportText(VerifyMounted());
}

// Where the keys are elsewhere the log's reserve is no help against their full disk, and stays.
TEST_F(FullDiskTest, AStartThatTheKeysDiskRefusesLeavesTheLogsReserve) {
  ASSERT_NO_FATAL_FAILURE(MountKeys());
  ASSERT_NO_FATAL_FAILURE(StartAndEnd());
  ASSERT_NO_FATAL_FAILURE(BeginErasure());
  Fill();
  Fill("keys");
  const auto before = Sizes();
  Auditd refused = Start();
  EXPECT_FALSE(refused.Ready());
  EXPECT_NE(Slurp(refused.words()).find("re-encrypting the key store takes"), std::string::npos) << Slurp(refused.words());
  EXPECT_EQ(Sizes(), before);
}

// More of them than there is room for in what an act gets, and so many that only what they really take is there.
TEST_F(FullDiskTest, AStartHasTheReserveForAllRequestsThatACrashLeftOpen) {
  ASSERT_NO_FATAL_FAILURE(LeaveOpen(1800));
  Fill();
  ASSERT_NO_FATAL_FAILURE(StartAndEnd());
  const Report report = VerifyMounted();
  EXPECT_TRUE(IsValid(report.verdict)) << ReportText(report);
  EXPECT_EQ(report.open_requests, 0u);
}

TEST_F(FullDiskTest, AStartWhoseRecordsTheReserveCannotTakeUsesNothingUp) {
  ASSERT_NO_FATAL_FAILURE(LeaveOpen(3000));
  Fill();
  const auto before = Sizes();
  for (int i = 0; i < 2; ++i) {
    Auditd refused = Start();
    EXPECT_FALSE(refused.Ready());
    EXPECT_NE(Slurp(refused.words()).find("this start writes 3002 records"), std::string::npos) << Slurp(refused.words());
    EXPECT_EQ(Sizes(), before);
  }
  std::filesystem::remove(mounted() / "filler");
  ASSERT_NO_FATAL_FAILURE(StartAndEnd());
  EXPECT_EQ(VerifyMounted().open_requests, 0u);
}

TEST_F(FullDiskTest, AStartAfterACrashUsesTheReserve) {
  {
    Auditd auditd = Start();
    ASSERT_TRUE(auditd.Ready()) << Slurp(auditd.words());
    auto client = auditd.Connect();
    ASSERT_TRUE(client.value().Append(RequestEvents(1, "alice", "p")));
    auditd.Kill(SIGKILL);
    auditd.Wait();
  }
  Fill();
  ASSERT_EQ(std::filesystem::file_size(reserve()), uint64_t{1} << 20);
  Auditd again = Start();
  ASSERT_TRUE(again.Ready()) << Slurp(again.words());
  EXPECT_LT(std::filesystem::file_size(reserve()), uint64_t{1} << 20);
  EndInOrder(again);
  EXPECT_TRUE(IsValid(VerifyMounted().verdict)) << ReportText(VerifyMounted());
}

}  // namespace
}  // namespace portcullis::audit::test
