// A new log key for a log that is well: two officers end the old log, its key names the new one, and whoever holds
// the old log's key alone can check the new log. A note that is not good proves nothing, and that is said.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "audit/heads.h"
#include "audit/override.h"
#include "audit/succession.h"
#include "tests/audit/cases.h"

namespace portcullis::audit::test {
namespace {

class SuccessionTest : public CasesTest {
 protected:
  void SetUp() override {
    CasesTest::SetUp();
    for (const char* name : {"one", "two"}) {
      ASSERT_TRUE(MakeOfficerKey(dir_.path() / name, std::string("test.example/officer-") + name));
    }
    Spill(keys() / "officers.pub", Slurp(dir_.path() / "one.pub") + Slurp(dir_.path() / "two.pub"));
  }
  // Where the old log lies.
  std::filesystem::path Rotate(const std::string& origin) const {
    const auto prepared = PrepareOverride(log(), origin, "the log key is a year old");
    EXPECT_TRUE(prepared) << prepared.error().message;
    const std::string once = SignOverride(OverrideText(prepared.value()), dir_.path() / "one").value();
    const auto aside = ApplyOverride(log(), keys(), SignOverride(once, dir_.path() / "two").value());
    EXPECT_TRUE(aside) << aside.error().message;
    return aside.value();
  }
  Report VerifyWith(const VerifierKey& key, const std::filesystem::path& folder) const {
    VerifyOptions options;
    options.log_folder = folder;
    options.key = key;
    return VerifyLog(options);
  }
  static bool Says(const std::vector<std::string>& lines, const std::string& words) {
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) { return line.find(words) != std::string::npos; });
  }
};

TEST_F(SuccessionTest, WhoHoldsTheOldKeyCanCheckTheNewLog) {
  MakeLog(2);
  const VerifierKey old_key = ReadLogKey(log()).value();
  const Report before = Verify();
  const auto aside = Rotate("test.example/audit-2");
  MakeLog(1);
  const VerifierKey new_key = ReadLogKey(log()).value();
  EXPECT_NE(new_key.key, old_key.key);
  const std::string place = "behind its " + std::to_string(before.records) + " records, root " + Base64(before.root);
  const Report by_old = VerifyWith(old_key, log());
  EXPECT_TRUE(IsValid(by_old.verdict)) << ReportText(by_old);
  EXPECT_EQ(by_old.key, FormatVerifierKey(new_key));
  EXPECT_TRUE(Says(by_old.notes, "has named this log's key")) << ReportText(by_old);
  EXPECT_TRUE(Says(by_old.notes, place)) << ReportText(by_old);
  const Report by_new = VerifyWith(new_key, log());
  EXPECT_TRUE(IsValid(by_new.verdict));
  EXPECT_TRUE(Says(by_new.notes, "this log continues `" + kOrigin + "`")) << ReportText(by_new);
  EXPECT_TRUE(Says(by_new.notes, place)) << ReportText(by_new);
  // The old log says what it said, under its own key only.
  EXPECT_EQ(VerifyWith(old_key, aside).verdict, before.verdict);
  EXPECT_EQ(VerifyWith(old_key, aside).root, before.root);
  EXPECT_EQ(VerifyWith(new_key, aside).verdict, Verdict::kTampered);
}

TEST_F(SuccessionTest, WhatWasKeptOfTheOldLogIsNoCheckpointOfTheNewOne) {
  MakeLog(1);
  const VerifierKey old_key = ReadLogKey(log()).value();
  const auto aside = Rotate("test.example/audit-2");
  MakeLog(1);
  VerifyOptions options;
  options.log_folder = log();
  for (const bool given : {true, false}) {
    if (given) options.key = old_key;
    else options.key.reset();
    const auto foreign = ReadSeen({aside / "checkpoint"}, options);
    ASSERT_FALSE(foreign);
    EXPECT_EQ(foreign.error().code, Code::kInvalidArgument) << foreign.error().message;
    EXPECT_TRUE(options.seen.empty());
  }
  options.key = old_key;
  const std::string own = Slurp(log() / "checkpoint");
  Spill(dir_.path() / "kept", own + "\n" + own);
  ASSERT_TRUE(ReadSeen({dir_.path() / "kept"}, options));
  EXPECT_EQ(options.seen, (std::vector<std::string>{own, own}));
  EXPECT_TRUE(IsValid(VerifyLog(options).verdict)) << ReportText(VerifyLog(options));
}

TEST_F(SuccessionTest, ANoteThatIsNotGoodProvesNothing) {
  MakeLog(1);
  const VerifierKey old_key = ReadLogKey(log()).value();
  Rotate("test.example/audit-2");
  MakeLog(1);
  const VerifierKey new_key = ReadLogKey(log()).value();
  const std::string good = Slurp(log() / "predecessor");
  ASSERT_TRUE(OpenSuccession(good));
  const auto expect_refused = [&](const std::string& note, const std::string& what) {
    Spill(log() / "predecessor", note);
    EXPECT_EQ(VerifyWith(old_key, log()).verdict, Verdict::kTampered) << what;
    const Report report = VerifyWith(new_key, log());
    EXPECT_TRUE(IsValid(report.verdict)) << what;
    EXPECT_TRUE(Says(report.warnings, "it does not show which log this one continues")) << what << ReportText(report);
    EXPECT_FALSE(Says(report.notes, "continues")) << what;
  };
  for (size_t at = 0; at < good.size(); at += 7) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    expect_refused(bad, "byte " + std::to_string(at));
  }
  const size_t last_line = good.rfind('\n', good.size() - 2) + 1;
  expect_refused(good.substr(0, last_line), "without the new key's signature");
  expect_refused("", "empty");
  // Whoever has no old key can only make a note of his own, which nobody's key follows.
  certs::SecretBytes other;
  const PublicKey stranger = LoadEd25519(dir_.path() / "one", other).value();
  expect_refused(MakeSuccession({VerifierKey{kOrigin, stranger}, {kOrigin, 1, {}}, VerifierKey{"test.example/audit-2", stranger}}, other, other),
                 "a stranger's");
}

// Wherever the making of the new log was cut off, the same note finishes it.
TEST_F(SuccessionTest, AnOverrideThatWasCutOffIsAppliedAgain) {
  MakeLog(1);
  const VerifierKey old_key = ReadLogKey(log()).value();
  const auto prepared = PrepareOverride(log(), "test.example/audit-2", "the log key is a year old");
  ASSERT_TRUE(prepared);
  const std::string once = SignOverride(OverrideText(prepared.value()), dir_.path() / "one").value();
  const std::string note = SignOverride(once, dir_.path() / "two").value();
  ASSERT_TRUE(ApplyOverride(log(), keys(), note));
  const std::vector<std::filesystem::path> parts = {log() / "log.pub", log() / "days", log() / "checkpoint", keys() / "signer.state",
                                                    log() / "segments", log() / "predecessor", keys() / "override.note"};
  for (size_t gone = 1; gone <= parts.size() + 1; ++gone) {
    for (size_t i = 0; i < std::min(gone, parts.size()); ++i) std::filesystem::remove_all(parts[i]);
    if (gone > parts.size()) std::filesystem::remove_all(log());
    const auto again = ApplyOverride(log(), keys(), note);
    ASSERT_TRUE(again) << gone << ": " << again.error().message;
    for (const auto& part : parts) EXPECT_TRUE(std::filesystem::exists(part)) << gone << " " << part;
  }
  // Of a log that is whole it is not about any more.
  EXPECT_FALSE(ApplyOverride(log(), keys(), note));
  MakeLog(1);
  const Report report = VerifyWith(old_key, log());
  EXPECT_TRUE(IsValid(report.verdict)) << ReportText(report);
  EXPECT_TRUE(Says(report.notes, "has named this log's key")) << ReportText(report);
}

TEST_F(SuccessionTest, AKeyThatWasLostNamesNobody) {
  MakeLog(1);
  const auto prepared = PrepareOverride(log(), "test.example/audit-2", "the key is lost");
  const std::string once = SignOverride(OverrideText(prepared.value()), dir_.path() / "one").value();
  std::filesystem::remove(keys() / "log.key");
  const auto applied = ApplyOverride(log(), keys(), SignOverride(once, dir_.path() / "two").value());
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_FALSE(std::filesystem::exists(log() / "predecessor"));
  MakeLog(1);
  EXPECT_TRUE(IsValid(Verify().verdict)) << ReportText(Verify());
}

}  // namespace
}  // namespace portcullis::audit::test
