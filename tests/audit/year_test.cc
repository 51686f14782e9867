// A year's tag key is destroyed: refused while it would hide what must be found, recorded, gone from the key store
// and from copies of it; a crash at any point of it is taken up; all proofs verify.

#include <gtest/gtest.h>

#include "audit/composer.h"
#include "audit/tags.h"
#include "tests/audit/cases.h"

namespace portcullis::audit::test {
namespace {

constexpr uint64_t kMid2024 = 1'720'000'000'000'000, kMid2026 = 1'783'000'000'000'000;

class YearTest : public CasesTest {
 protected:
  WriterOptions At(uint64_t wall_us) const {
    WriterOptions options = Options();
    options.heartbeat_seconds = 0;
    options.clock = [wall_us] { return ClockReading{wall_us, 1'000'000, ClockState::kSynchronised}; };
    return options;
  }
  // Records of alice in 2024.
  void SetUp() override {
    CasesTest::SetUp();
    const auto writer = StartWriter(At(kMid2024));
    Exchange(*writer, 1, "alice", "a question", "an answer");
    ASSERT_TRUE(writer->Stop());
  }
  std::unique_ptr<KeyStore> Store() const {
    auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadOnly);
    EXPECT_TRUE(store) << store.error().message;
    return std::move(store.value());
  }
  size_t Found(const std::string& name) const {
    const auto store = Store();
    const auto term = SearchTerm::Make(*store, "subject", name);
    const auto leaves = Read().leaves;
    return static_cast<size_t>(std::ranges::count_if(leaves, [&](const Leaf& leaf) { return term.value().Matches(leaf); }));
  }
  size_t Count(uint16_t outcome) const {
    const auto leaves = Read().leaves;
    return static_cast<size_t>(std::ranges::count_if(leaves, [&](const Leaf& leaf) { return leaf.kind == Kind::kErase && leaf.outcome == outcome; }));
  }
  static Result<std::string> Destroy(Writer& writer, const std::string& year = "2024") {
    return Act(writer, "destroy-year", {{"year", year}, {"reason", "article 17"}});
  }
};

TEST_F(YearTest, AfterItNobodyIsFoundByNameAndEverythingVerifies) {
  EXPECT_GT(Found("alice"), 2u);
  {
    const auto writer = StartWriter(At(kMid2026));
    Exchange(*writer, 2, "carol", "a later question", "an answer");
    const auto early = Destroy(*writer);
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error().code, Code::kPermission) << early.error().message;  // alice's key is there
    ASSERT_TRUE(Act(*writer, "erase", {{"subject", "alice"}, {"reason", "article 17"}}));
    EXPECT_GT(Found("alice"), 2u);  // an erasure alone leaves who asked, when
    for (const char* year : {"2026", "2027", "20x4", ""}) {
      const auto wrong = Destroy(*writer, year);
      ASSERT_FALSE(wrong);
      EXPECT_EQ(wrong.error().code, Code::kInvalidArgument) << year;
    }
    EXPECT_EQ(Destroy(*writer, "2023").error().code, Code::kNotFound);
    Snapshot("before");
    const auto done = Destroy(*writer);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(Destroy(*writer).error().code, Code::kNotFound);
    // The log's own records stay known as such.
    EXPECT_EQ(Act(*writer, "erase", {{"subject", "portcullis:system"}, {"reason", "x"}}).error().code, Code::kPermission);
    ASSERT_TRUE(writer->Stop());
  }
  EXPECT_EQ(Count(2024), 1u);
  EXPECT_EQ(Found("carol"), 4u);  // of this year, found as before: KEY, REQ, DECISION, RESP
  EXPECT_EQ(Found("alice"), Count(static_cast<uint16_t>(EraseOutcome::kBegun)) - 1);
  EXPECT_EQ(Store()->Epochs().value(), std::vector<uint32_t>{2026});
  EXPECT_EQ(Store()->DestroyedYears().value().size(), 1u);
  const Report report = Verify(true);
  EXPECT_TRUE(IsValid(report.verdict)) << ReportText(report);
  EXPECT_EQ(report.years, std::set<uint32_t>{2024});
  EXPECT_NE(ReportText(report).find("tag keys destroyed: 2024"), std::string::npos);
  EXPECT_NE(ReportJson(report).find("\"tag_keys_destroyed\":[2024]"), std::string::npos);
  // The database of before opens nothing with the salt of now.
  std::filesystem::copy(dir_.path() / "before" / "keys" / "keystore.db", keys() / "keystore.db",
                        std::filesystem::copy_options::overwrite_existing);
  EXPECT_FALSE(OpenKeyStore(keys(), KeyStore::Mode::kReadOnly));
}

TEST_F(YearTest, AHoldRefusesItAndTheAttemptIsRecorded) {
  const auto writer = StartWriter(At(kMid2026));
  ASSERT_TRUE(Act(*writer, "erase", {{"subject", "alice"}, {"reason", "article 17"}}));
  const auto hold = Act(*writer, "hold", {{"subject", "bob"}, {"reason", "case 12"}});
  ASSERT_TRUE(hold);
  EXPECT_EQ(Destroy(*writer).error().code, Code::kHeld);
  EXPECT_EQ(Count(static_cast<uint16_t>(EraseOutcome::kRefusedByHold)), 1u);
  EXPECT_EQ(Count(2024), 0u);
  ASSERT_TRUE(Act(*writer, "lift", {{"hold", hold.value()}, {"reason", "over"}}));
  EXPECT_TRUE(Destroy(*writer));
  ASSERT_TRUE(writer->Stop());
  EXPECT_TRUE(IsValid(Verify(true).verdict)) << ReportText(Verify(true));
}

// As a crash leaves it: the note is durable, and the ERASE perhaps; the key is still there.
TEST_F(YearTest, AStartGoesOnWithWhatWasNoted) {
  {
    const auto writer = StartWriter(At(kMid2026));
    ASSERT_TRUE(Act(*writer, "erase", {{"subject", "alice"}, {"reason", "article 17"}}));
    ASSERT_TRUE(writer->Stop());
  }
  {
    auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadWrite);
    ASSERT_TRUE(store.value()->BeginYear(2024));
    ASSERT_TRUE(store.value()->Commit());
  }
  for (int start = 0; start < 2; ++start) {
    const auto writer = StartWriter(At(kMid2026));
    ASSERT_TRUE(writer->Stop());
    EXPECT_EQ(Count(2024), 1u);
    EXPECT_EQ(Store()->Epochs().value(), std::vector<uint32_t>{2026});
    EXPECT_TRUE(Store()->PendingErasures().value().empty());
  }
  EXPECT_TRUE(IsValid(Verify(true).verdict)) << ReportText(Verify(true));
}

}  // namespace
}  // namespace portcullis::audit::test
