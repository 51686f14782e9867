// The shipped policy set passes its own tests, strictly validates, and the runner can fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "policy/cedar/scenario.h"
#include "policy/cedar/validate.h"

namespace portcullis::policy::cedar {
namespace {

using testing::HasSubstr;

std::filesystem::path DefaultSet() {
  return std::filesystem::path(PORTCULLIS_SOURCE_DIR) / "policy/sets/default";
}

TEST(DefaultSet, PassesItsTests) {
  const Result<std::vector<CaseResult>> results = RunScenarios(DefaultSet());
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_GE(results.value().size(), 12u);
  for (const CaseResult& result : results.value()) {
    EXPECT_TRUE(result.passed) << result.where << ": " << result.message;
  }
}

TEST(DefaultSet, IsValid) {
  const Folder folder = LoadFolder(DefaultSet()).value();
  ASSERT_NE(folder.schema, nullptr);
  const Findings findings = Validate(folder.policies, *folder.schema);
  EXPECT_TRUE(findings.errors.empty()) << findings.errors[0].message;
  EXPECT_TRUE(findings.warnings.empty()) << findings.warnings[0].message;
}

TEST(DefaultSet, EveryPolicyHasAName) {
  const Folder folder = LoadFolder(DefaultSet()).value();
  for (const std::string& id : folder.policies.Ids()) EXPECT_NE(folder.policies.Label(id), id);
}

TEST(Scenario, AWrongExpectationFails) {
  const Folder folder = LoadFolder(DefaultSet()).value();
  const std::vector<Scenario> cases =
      ParseScenarios(
          "case wrong\n"
          "  principal = Gw::User::\"x\"\n  action = Gw::Action::\"reidentify\"\n"
          "  resource = Gw::Backend::\"builtin\"\n  expect = allow\n",
          "t.test")
          .value();
  ASSERT_EQ(cases.size(), 1u);
  const CaseResult result = RunScenario(cases[0], "t.test", folder);
  EXPECT_FALSE(result.passed);  // the context lacks what the schema asks for
  EXPECT_THAT(result.message, HasSubstr("context"));
}

TEST(Scenario, MalformedFilesSayWhere) {
  const auto error = [](const std::string& text) {
    const auto cases = ParseScenarios(text, "t.test");
    return cases ? std::string() : cases.error().message;
  };
  EXPECT_EQ(error("case a\n"), "t.test:1: the case needs `expect = allow` or `expect = deny`");
  EXPECT_EQ(error("\nnonsense\n"), "t.test:2: expected `base`, `case NAME` or `key = value`");
  EXPECT_EQ(error("case a\n  colour = 1\n"), "t.test:2: unknown key `colour`");
  EXPECT_EQ(error("case a\n  expect = deny\nbase\n"),
            "t.test:3: `base` comes before the first case");
  EXPECT_EQ(error("case a\n expect = maybe\n"),
            "t.test:1: the case needs `expect = allow` or `expect = deny`");
}

// What a test file may cost is bounded, however it is written: by time for a value of many lines,
// by memory for many copies of a large base.
TEST(Scenario, LargeFilesAreReadInTimeOrRefused) {
  std::string tall = "base\n context = [\n";
  for (int i = 0; i < 90'000; ++i) tall += "x\n";
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(ParseScenarios(tall, "t.test"));
  const auto refused = ParseScenarios(tall + std::string(20'000, '\n'), "t.test");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("more than 100,000 lines"));

  std::string wide = "base\n context.a = \"" + std::string(1 << 20, 'x') + "\"\n expect = deny\n";
  for (int i = 0; i < 10; ++i) wide += "case a\n";
  EXPECT_TRUE(ParseScenarios(wide, "t.test"));
  for (int i = 0; i < 3'000; ++i) wide += "case a\n";
  const auto copies = ParseScenarios(wide, "t.test");
  ASSERT_FALSE(copies);
  EXPECT_THAT(copies.error().message, HasSubstr("hold too much"));
}

TEST(Scenario, ValuesGoOnUntilTheirBracketsClose) {
  const auto cases = ParseScenarios(
      "case a\n context = [1,\n  \"]\\\"[\",\n\n  2]  \n expect = deny\ncase b\n expect = allow\n",
      "t.test");
  ASSERT_TRUE(cases) << cases.error().message;
  ASSERT_EQ(cases.value().size(), 2u);
  EXPECT_EQ(cases.value()[0].settings.at("context").text, "[1,\n  \"]\\\"[\",\n\n  2]");
  EXPECT_EQ(cases.value()[1].line, 7u);
}

TEST(Scenario, ExpressionErrorsPointIntoTheFile) {
  const Folder folder = LoadFolder(DefaultSet()).value();
  const std::vector<Scenario> cases =
      ParseScenarios("case a\n  principal = Gw::User::x\n  expect = deny\n", "t.test").value();
  EXPECT_THAT(RunScenario(cases[0], "t.test", folder).message, HasSubstr("t.test:2:"));
}

}  // namespace
}  // namespace portcullis::policy::cedar
