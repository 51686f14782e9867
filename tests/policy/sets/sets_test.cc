// The shipped policy sets: each is strictly valid, passes its own tests, explains itself, and takes
// nothing back that another set forbids when several are combined.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "policy/cedar/ast.h"
#include "policy/cedar/scenario.h"
#include "policy/cedar/validate.h"
#include "policy/revise/compiled.h"

namespace portcullis::policy::revise {
namespace {

namespace fs = std::filesystem;

fs::path Sets() { return fs::path(PORTCULLIS_SOURCE_DIR) / "policy/sets"; }

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(Sets())) {
    if (entry.is_directory()) names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Read(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class ShippedSet : public testing::TestWithParam<std::string> {
 protected:
  fs::path Dir() const { return Sets() / GetParam(); }
};

INSTANTIATE_TEST_SUITE_P(All, ShippedSet, testing::ValuesIn(Names()), [](const auto& param) {
  std::string name = param.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST_P(ShippedSet, PassesItsTests) {
  const auto results = cedar::RunScenarios(Dir());
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_GE(results.value().size(), 8u);
  std::set<std::string> names;
  for (const cedar::CaseResult& result : results.value()) {
    EXPECT_TRUE(result.passed) << result.where << ": " << result.message;
    EXPECT_TRUE(names.insert(result.name).second) << "two cases are called " << result.name;
  }
}

TEST_P(ShippedSet, IsStrictlyValidAndFitsTheGateway) {
  const Content content = ReadContent(Dir()).value();
  const auto compiled = Compiled::Make(content);
  ASSERT_TRUE(compiled) << compiled.error().message;
  const cedar::Findings findings =
      cedar::Validate(compiled.value()->policies, compiled.value()->schema);
  EXPECT_TRUE(findings.warnings.empty()) << findings.warnings[0].message;
  EXPECT_EQ(content.schema, ReadContent(Sets() / "default").value().schema);
}

TEST_P(ShippedSet, EveryRuleHasANameATestAndALineOnThePage) {
  const auto compiled = Compiled::Make(ReadContent(Dir()).value()).value();
  const std::string page = Read(Dir() / "README.md");
  std::string tests;
  for (const auto& entry : fs::directory_iterator(Dir() / "tests")) {
    if (entry.path().extension() == ".test") tests += Read(entry.path());
  }
  for (const std::string& id : compiled->policies.Ids()) {
    const std::string label(compiled->policies.Label(id));
    EXPECT_NE(label, id) << "a rule without @id";
    EXPECT_NE(tests.find(label), std::string::npos) << label << " is in no test";
    if (GetParam() != "default") {
      EXPECT_NE(page.find("`" + label + "`"), std::string::npos) << label << " is not on the page";
    }
  }
}

TEST_P(ShippedSet, OnlyTheDefaultSetAllowsAnything) {
  const auto compiled = Compiled::Make(ReadContent(Dir()).value()).value();
  if (GetParam() == "default") return;
  for (const cedar::Policy& policy : compiled->policies.policies()) {
    EXPECT_EQ(policy.effect, cedar::Effect::kForbid) << compiled->policies.Label(policy.id);
  }
}

TEST_P(ShippedSet, CombinesWithTheDefaultSetAndStillForbids) {
  const NamedContent parts[] = {{"default", ReadContent(Sets() / "default").value()},
                                {GetParam() + "-set", ReadContent(Dir()).value()}};
  Content both = Combine(parts).value();
  both.tests.clear();
  const CheckReport report = Check(both);
  EXPECT_TRUE(report.ok()) << report.errors.front();
}

TEST(ShippedSets, AllTogetherAreOneValidRevision) {
  std::vector<NamedContent> parts;
  for (const std::string& name : Names())
    parts.push_back({name, ReadContent(Sets() / name).value()});
  Content all = Combine(parts).value();
  all.tests.clear();
  const CheckReport report = Check(all);
  ASSERT_TRUE(report.ok()) << report.errors.front();

  // Whatever one set refuses is refused by all of them together.
  const auto& together = *report.compiled;
  for (const NamedContent& part : parts) {
    const auto alone = Compiled::Make(part.content).value();
    DecisionFacts facts;
    facts.principal = "somebody";
    facts.now_ms = 1'800'000'000'000;
    facts.sites = {"builtin"};
    facts.ladder = {Treatment::kForward};
    for (const char* home : {"DE", "US", "CN", "IN", "KR"}) {
      for (const char* data :
           {"Contact", "Financial", "GovernmentId", "Health", "Secret", "Classified"}) {
        facts.home = facts.device_jurisdiction = home;
        facts.subject = {home};
        facts.detected = {data};
        const Outcome one = alone->Decide(facts);
        if (one.policies.empty() || one.allowed()) continue;
        EXPECT_FALSE(together.Decide(facts).allowed()) << part.name << " " << home << " " << data;
      }
    }
  }
}

TEST(ShippedSets, TheNamedLawsAreThere) {
  EXPECT_THAT(Names(), testing::IsSupersetOf({"default", "departments", "four-eyes", "gdpr",
                                              "government-devices", "localisation", "secrets",
                                              "us-bulk-data"}));
}

}  // namespace
}  // namespace portcullis::policy::revise
