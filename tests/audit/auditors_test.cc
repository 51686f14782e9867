// Several auditors: of jurisdictions of their own, two who must act together, each with a release of his own. What
// one of them opens alone, and that the rest is no fault of the log.

#include <gtest/gtest.h>

#include <list>

#include "audit/release.h"
#include "tests/audit/cases.h"

namespace portcullis::audit::test {
namespace {

using Secrets = std::vector<const certs::SecretBytes*>;

class AuditorsTest : public CasesTest {
 protected:
  // `legal` for everybody, `berlin` and `munich` together for DE.
  void SetUp() override {
    CasesTest::SetUp();
    AuditorPolicy policy;
    for (const auto& [name, jurisdiction] : {std::pair{"legal", "*"}, {"berlin", "DE"}, {"munich", "DE"}}) {
      ASSERT_TRUE(MakeAuditorKey(dir_.path() / name));
      policy.auditors.push_back({name, jurisdiction, ReadAuditorPublic(dir_.path() / (std::string(name) + ".pub")).value()});
    }
    policy.two_person = {"DE"};
    ASSERT_TRUE(InstallAuditors(keys(), kOrigin, policy));
    writer_ = StartWriter();
    ASSERT_NE(writer_, nullptr);
    for (const auto& [request, subject, jurisdiction] : {std::tuple{1, "alice", ""}, {2, "bob", "DE"}}) {
      auto events = RequestEvents(static_cast<uint8_t>(request), subject, "a question");
      for (Event& event : events) event.jurisdiction = jurisdiction;
      const Ack begun = Append(*writer_, events);
      ASSERT_TRUE(begun.durable) << begun.error;
      Event answer = ResponseEvent(static_cast<uint8_t>(request), begun.seqs[0], subject, "an answer");
      answer.jurisdiction = jurisdiction;
      ASSERT_TRUE(Append(*writer_, {answer}).durable);
    }
  }
  const certs::SecretBytes* Secret(const std::string& name) {
    return &secrets_.emplace_back(std::move(ReadAuditorSecret(dir_.path() / name).value()));
  }
  Report VerifyWith(const Secrets& secrets) const {
    const auto store = OpenKeyStore(keys(), KeyStore::Mode::kReadOnly);
    VerifyOptions options;
    options.log_folder = log();
    options.keys = store.value().get();
    options.auditor_secrets = secrets;
    return VerifyLog(options);
  }
  std::filesystem::path Release(const std::string& auditor) {
    const auto file = Act(*writer_, "release", {{"subject", "bob"}, {"auditor", auditor}, {"reason", "case 7"}});
    EXPECT_TRUE(file) << file.error().message;
    Spill(dir_.path() / (auditor + ".release"), file.value());
    return dir_.path() / (auditor + ".release");
  }

  std::unique_ptr<Writer> writer_;
  std::list<certs::SecretBytes> secrets_;
};

TEST_F(AuditorsTest, WhatIsSealedToOthersIsNotOpenedAndNoFault) {
  ASSERT_TRUE(writer_->Stop());
  const Report legal = VerifyWith({Secret("legal")});
  EXPECT_TRUE(IsValid(legal.verdict)) << ReportText(legal);
  EXPECT_EQ(legal.for_others, 3u);  // bob's
  EXPECT_GE(legal.decrypted, 3u);   // alice's, and the log's own
  EXPECT_NE(ReportText(legal).find("3 records decrypts, which are sealed to other auditors"), std::string::npos) << ReportText(legal);
  const Report half = VerifyWith({Secret("berlin")});
  EXPECT_TRUE(IsValid(half.verdict)) << ReportText(half);
  EXPECT_EQ(half.decrypted, 0u);
  EXPECT_EQ(half.for_others, legal.for_others + legal.decrypted);
  const Report both = VerifyWith({Secret("berlin"), Secret("munich")});
  EXPECT_TRUE(IsValid(both.verdict)) << ReportText(both);
  EXPECT_EQ(both.decrypted, 3u);
  const Report all = VerifyWith({Secret("munich"), Secret("legal"), Secret("berlin")});
  EXPECT_TRUE(IsValid(all.verdict)) << ReportText(all);
  EXPECT_EQ(all.for_others, 0u);
  EXPECT_EQ(all.decrypted, half.for_others);
}

TEST_F(AuditorsTest, TwoOpenWithAReleaseOfEach) {
  const auto berlin = Release("berlin"), munich = Release("munich");
  ASSERT_TRUE(writer_->Stop());
  const Secrets both = {Secret("berlin"), Secret("munich")};
  for (const auto& files : {std::vector{berlin, munich}, {munich, berlin}, {munich}}) {
    ReleasedKeys released;
    for (const auto& file : files) {
      const auto added = released.AddFile(file, kOrigin, both);
      ASSERT_TRUE(added) << added.error().message;
    }
    VerifyOptions options;
    options.log_folder = log();
    options.keys = &released;
    options.auditor_secrets = both;
    options.all_keys = false;
    const Report report = VerifyLog(options);
    EXPECT_TRUE(IsValid(report.verdict)) << ReportText(report);
    EXPECT_EQ(report.decrypted, 3u);
  }
  ReleasedKeys released;
  const auto foreign = released.AddFile(munich, kOrigin, Secrets{Secret("legal"), both[0]});
  ASSERT_FALSE(foreign);
  EXPECT_NE(foreign.error().message.find("munich.release"), std::string::npos) << foreign.error().message;
  EXPECT_FALSE(released.AddFile(munich, kOrigin, {}));
  EXPECT_EQ(released.size(), 0u);
}

}  // namespace
}  // namespace portcullis::audit::test
