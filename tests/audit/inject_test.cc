// Every system call of the write path fails once, and the process is killed at every one of them, the first, the
// second and so on to the last: in each run every acknowledged record is there afterwards, the next start works, and
// the verdict is one of the good ones. The calls are counted from auditd's start to its end, key store and signer
// included. A thousand runs; ctest has them in shards.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "audit/daykey.h"
#include "audit/reader.h"
#include "tests/audit/fixture.h"
#include "tests/audit/process.h"

namespace portcullis::audit::test {
namespace {

constexpr int kMaxCalls = 1000;  // of one kind, in one run; far more than there are
constexpr int kMissed = 3;       // runs in a row without such a call: there are no more (a run may have one less)

const std::string kTorn("PCLF\0\0\x10\0crc!\x02\0\0\0torn in the middle of a record", 46);

struct Outcome {
  std::vector<Ack> acks;
  bool hit = false;       // the run did not end as without injection
  bool killed = false;
  bool injected = false;  // there was such a call
};

class InjectTest : public LogTest {
 protected:
  void SetUp() override {
#ifdef PORTCULLIS_SANITIZED
    GTEST_SKIP() << "a preloaded library and a sanitizer's runtime do not go together";
#endif
    LogTest::SetUp();
    MakeLog(1);
    std::filesystem::create_directory(dir_.path() / "fresh");
    for (const char* folder : {"audit", "keys"}) {
      std::filesystem::copy(dir_.path() / folder, dir_.path() / "fresh" / folder,
                            std::filesystem::copy_options::recursive);
    }
    // As at the first start of a day, so that its key is made under fire too and the one before destroyed, with a
    // torn tail, so that it is cut.
    const uint32_t today = DayOf(ReadSystemClock().wall_us);
    const auto name = [&](uint32_t day) { return dir_.path() / "fresh" / "keys" / ("day-" + DayName(day) + ".key"); };
    if (std::filesystem::exists(name(today))) std::filesystem::rename(name(today), name(today - 1));
    else Spill(name(today - 1), std::string(100, 'k'));
    const auto last = dir_.path() / "fresh" / "audit" / "segments" / segment().filename();
    Spill(last, Slurp(last) + kTorn);
  }
  void TearDown() override {
    ::unsetenv("PORTCULLIS_INJECT");
    ::unsetenv("LD_PRELOAD");
  }
  std::filesystem::path told() const { return dir_.path() / "injected"; }
  void Fresh() const {
    std::filesystem::remove(told());
    for (const char* folder : {"audit", "keys"}) {
      std::filesystem::remove_all(dir_.path() / folder);
      std::filesystem::copy(dir_.path() / "fresh" / folder, dir_.path() / folder,
                            std::filesystem::copy_options::recursive);
    }
  }
  // A start, two requests of a new subject, a part shredded, an erasure, a rotation of the key store, an orderly end; as far as it gets.
  Outcome Run(const std::string& plan) const {
    Outcome outcome = RunUnder(plan);
    outcome.injected = std::filesystem::exists(told());
    return outcome;
  }
  Outcome RunUnder(const std::string& plan) const {
    Outcome outcome;
    ::setenv("PORTCULLIS_INJECT", plan.c_str(), 1);
    ::setenv("PORTCULLIS_INJECT_TOLD", told().c_str(), 1);
    ::setenv("LD_PRELOAD", PORTCULLIS_INJECT_LIBRARY, 1);
    Auditd auditd(dir_.path());
    ::unsetenv("LD_PRELOAD");
    if (!auditd.Ready()) {
      outcome.hit = true;
      outcome.killed = auditd.Wait() == 128 + SIGKILL;
      return outcome;
    }
    auto client = auditd.Connect();
    for (uint8_t i = 1; client && i <= 2; ++i) {
      auto begun = client.value().Append(RequestEvents(i, "subject", "prompt"));
      if (!begun) {
        outcome.hit = true;
        continue;
      }
      outcome.acks.push_back(begun.value());
      const Event response = ResponseEvent(i, begun.value().seqs[0], "subject", "answer");
      auto ended = client.value().Append({&response, 1});
      if (ended) outcome.acks.push_back(ended.value());
      outcome.hit = outcome.hit || !ended;
    }
    if (client && !outcome.acks.empty()) {
      const std::string seq = std::to_string(outcome.acks[0].seqs[0]);
      outcome.hit = !client.value().Act("shred", {{"record", seq}, {"part", "prompt"}, {"reason", "test"}}) || outcome.hit;
    }
    if (client) outcome.hit = !client.value().Act("erase", {{"subject", "alice"}, {"reason", "test"}}) || outcome.hit;
    if (client) outcome.hit = !client.value().Act("rotate", {}) || outcome.hit;
    auditd.Kill(SIGTERM);
    const int status = auditd.Wait();
    outcome.hit = status != 0 || outcome.hit;
    outcome.killed = status == 128 + SIGKILL;
    return outcome;
  }
  // The highest generation of the key store that a CONFIG record tells of.
  class TakesGenerations : public ScanVisitor {
   public:
    explicit TakesGenerations(SubjectKeySource* keys, const certs::SecretBytes* secret)
        : opener_("test.example/audit", keys, {secret}) {}
    void OnRecord(const ScannedRecord& record) override {
      if (record.leaf.kind == Kind::kKey) opener_.TakeKey(record.leaf, record.payload);
      if (record.leaf.kind != Kind::kConfig) return;
      const auto opened = opener_.Open(record.leaf, record.payload);
      ASSERT_TRUE(opened) << opened.error().message;
      static constexpr std::string_view kName = "\"generation\":";
      const std::string& facts = opened.value().parts.at(0).bytes;
      ASSERT_NE(facts.find(kName), std::string::npos) << facts;
      highest = std::max(highest, uint64_t{std::stoull(facts.substr(facts.find(kName) + kName.size()))});
    }
    uint64_t highest = 0;

   private:
    RecordOpener opener_;
  };
  // Beside auditd, which ends in the background what was begun; one that is just between two salts is asked again.
  bool NothingIsPending() const {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < limit) {
      const auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadOnly);
      const auto pending = store ? store.value()->PendingErasures() : Result<KeyStore::Erasures>(store.error());
      const auto rotating = store ? store.value()->Rotating() : Result<bool>(store.error());
      if (pending && pending.value().empty() && rotating && !rotating.value()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  void ExpectWhole(const Outcome& outcome, const std::string& plan) const {
    Auditd again(dir_.path());
    const auto ready = again.Ready();
    ASSERT_TRUE(ready) << plan << "\n" << Slurp(again.words());
    ASSERT_TRUE(NothingIsPending()) << plan << ": an erasure or rotation is not ended";
    again.Kill(SIGTERM);
    ASSERT_EQ(again.Wait(), 0) << plan;
    const std::vector<Hash> hashes = Read().hashes;
    for (const Ack& ack : outcome.acks) {
      for (size_t i = 0; i < ack.seqs.size(); ++i) {
        ASSERT_LT(ack.seqs[i], hashes.size()) << plan << ": an acknowledged record is lost";
        ASSERT_EQ(hashes[ack.seqs[i]], ack.leaf_hashes[i]) << plan;
      }
    }
    const Report report = Verify(true);
    ASSERT_TRUE(IsValid(report.verdict)) << plan << "\n" << ReportText(report);
    const auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadOnly);
    const std::vector<Leaf> leaves = Read().leaves;
    // An erasure or shredding that was begun is said to be done, in the end.
    const auto last = [&leaves](auto is) {
      return std::find_if(leaves.rbegin(), leaves.rend(),
                          [&](const Leaf& leaf) { return leaf.kind == Kind::kErase && is(leaf.outcome); });
    };
    const auto done = last([](uint16_t how) { return how == static_cast<uint16_t>(EraseOutcome::kDone); });
    const auto begun = last([](uint16_t how) {
      return how == static_cast<uint16_t>(EraseOutcome::kBegun) || ShreddedPart(how);
    });
    ASSERT_TRUE(begun == leaves.rend() || (done != leaves.rend() && done->seq > begun->seq))
        << plan << ": no ERASE says that it is done";
    // So is a rotation that is recorded.
    const auto secret = ReadAuditorSecret(auditor());
    TakesGenerations told_of(store.value().get(), &secret.value());
    ASSERT_FALSE(ScanLog(log(), ReadLogKey(log()).value(), {}, &told_of).fault) << plan;
    ASSERT_GE(store.value()->generation(), told_of.highest) << plan;
    // A part that the log says is shredded has no key any more.
    for (const Leaf& told : leaves) {
      const auto part = ShreddedPart(told.outcome);
      if (told.kind != Kind::kErase || !part) continue;
      const Leaf& leaf = leaves.at(told.parent_seq);
      const auto key = store.value()->KeyOf(SubjectKeyOf(leaf));
      ASSERT_TRUE(key) << plan;
      ASSERT_TRUE(key.value().Punctured(PointOf(leaf.chain, leaf.chain_index, *part))) << plan;
    }
  }
};

class EveryCallTest : public InjectTest, public ::testing::WithParamInterface<std::tuple<const char*, int>> {};

// The n-th call for every n until there is none. The number is what it fails with; 0: killed.
TEST_P(EveryCallTest, Case32And33And34EveryCallFailsOrKillsOnce) {
  const auto [call, error] = GetParam();
  const std::string plan = std::string(call) + ":";
  const std::string what = ":" + (error == 0 ? "kill" : std::to_string(error));
  int missed = 0, hits = 0;
  for (int n = 1; n < kMaxCalls && missed < kMissed; ++n) {
    Fresh();
    const std::string at = plan + std::to_string(n) + what;
    const Outcome outcome = Run(at);
    ExpectWhole(outcome, at);
    if (HasFatalFailure()) return;
    missed = outcome.injected ? 0 : missed + 1;
    hits += outcome.injected;
    EXPECT_EQ(outcome.killed, error == 0 && outcome.injected) << at;
    EXPECT_TRUE(outcome.injected || !outcome.hit) << at << ": fails without an injection";
  }
  EXPECT_EQ(missed, kMissed) << "more calls than are tried";
  EXPECT_GT(hits, 0);
  RecordProperty("calls", hits);
}

TEST_F(InjectTest, AWriteThatFailsAndCannotBeUndoneEndsTheWriter) {
  int ended = 0;
  for (int n = 1; n <= 12; ++n) {
    const std::string plan = "writev:" + std::to_string(n) + ":" + std::to_string(ENOSPC) + ",ftruncate:0:" + std::to_string(EIO);
    Fresh();
    // The tail is whole here: nothing is to be cut at the start.
    const auto last = log() / "segments" / segment().filename();
    std::filesystem::resize_file(last, std::filesystem::file_size(last) - kTorn.size());
    const Outcome outcome = Run(plan);
    ended += outcome.hit;
    ExpectWhole(outcome, plan);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(ended, 3);
}

// The key store is under its new salt and that is not in place: nobody serves until a start has put it there, however
// the disk words it.
TEST_F(InjectTest, WhereTheNewSaltIsNotInPlaceAuditdEnds) {
  {
    const auto store = OpenKeyStore(dir_.path() / "fresh" / "keys", KeyStore::Mode::kReadWrite);
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE(store.value()->NoteRotation());
    ASSERT_TRUE(store.value()->Commit());
  }
  int aside = 0;
  bool hit = true;
  for (int n = 1; n < kMaxCalls && hit; ++n) {
    Fresh();
    const std::string plan = "rename:" + std::to_string(n) + ":" + std::to_string(ENOSPC);
    ::setenv("PORTCULLIS_INJECT", plan.c_str(), 1);
    ::setenv("PORTCULLIS_INJECT_TOLD", told().c_str(), 1);
    ::setenv("LD_PRELOAD", PORTCULLIS_INJECT_LIBRARY, 1);
    {
      Auditd auditd(dir_.path());
      ::unsetenv("LD_PRELOAD");
      const bool serves = auditd.Ready().has_value();
      hit = std::filesystem::exists(told());
      const bool is_aside = std::filesystem::exists(keys() / "store.salt.next");
      EXPECT_FALSE(serves && is_aside) << plan << "\n" << Slurp(auditd.words());
      aside += is_aside;
    }
    Outcome nothing;
    ExpectWhole(nothing, plan);
    if (HasFatalFailure()) return;
  }
  EXPECT_EQ(aside, 1);
}

const char* NameOf(int error) { return error == 0 ? "kill" : error == EIO ? "EIO" : "ENOSPC"; }

INSTANTIATE_TEST_SUITE_P(Calls, EveryCallTest,
                         ::testing::Combine(::testing::Values("open", "write", "writev", "pwrite", "ftruncate", "fdatasync",
                                                              "fsync", "rename", "unlink"),
                                            ::testing::Values(0, EIO)),
                         [](const auto& about) { return std::get<0>(about.param) + std::string("_") + NameOf(std::get<1>(about.param)); });
INSTANTIATE_TEST_SUITE_P(CallsThatNeedRoom, EveryCallTest,
                         ::testing::Combine(::testing::Values("write", "writev", "pwrite"), ::testing::Values(ENOSPC)),
                         [](const auto& about) { return std::get<0>(about.param) + std::string("_") + NameOf(std::get<1>(about.param)); });

}  // namespace
}  // namespace portcullis::audit::test
