// The shipped policy sets: each is strictly valid, passes its own tests, explains itself, and takes
// nothing back that another set forbids when several are combined.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

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

// Asks what the tests of one set ask, of a combined set among the entities of that set: whatever a
// rule of the set refuses there, it must refuse among others. Returns how many were asked.
size_t StillRefuses(const std::string& set, const Content& combined) {
  const fs::path dir = Sets() / set;
  Content content = combined;
  const auto entities = JoinEntities(combined.entities, Read(dir / "tests/entities.json"), set);
  if (!entities) {
    ADD_FAILURE() << entities.error().message;
    return 0;
  }
  content.entities = entities.value();
  const auto compiled = Compiled::Make(content);
  if (!compiled) {
    ADD_FAILURE() << set << ": " << compiled.error().message;
    return 0;
  }
  size_t asked = 0;
  for (const auto& entry : fs::directory_iterator(dir / "tests")) {
    if (entry.path().extension() != ".test") continue;
    const std::string file = entry.path().string();
    const std::vector<cedar::Scenario> cases = cedar::ParseScenarios(Read(file), file).value();
    for (const cedar::Scenario& scenario : cases) {
      const auto because = scenario.settings.find("because");
      if (because == scenario.settings.end() || because->second.text == "nothing" ||
          scenario.settings.at("expect").text != "deny") {
        continue;
      }
      const auto request = cedar::RequestOf(scenario, file);
      if (!request) {
        ADD_FAILURE() << request.error().message;
        continue;
      }
      const cedar::PolicySet& policies = compiled.value()->policies;
      const cedar::Response answer =
          cedar::Authorize(policies, compiled.value()->entities, request.value());
      std::set<std::string> deniers;
      for (const std::string& id : answer.reasons) deniers.emplace(policies.Label(id));
      ++asked;
      EXPECT_FALSE(answer.allow) << set << ": " << scenario.name;
      std::istringstream labels(because->second.text);
      for (std::string label; std::getline(labels >> std::ws, label, ',');) {
        EXPECT_TRUE(deniers.contains(label)) << set << ": " << scenario.name << ": " << label;
      }
    }
  }
  return asked;
}

TEST_P(ShippedSet, CombinesWithTheDefaultSetAndStillForbids) {
  const NamedContent parts[] = {{"default", ReadContent(Sets() / "default").value()},
                                {GetParam() + "-set", ReadContent(Dir()).value()}};
  Content both = Combine(parts).value();
  both.tests.clear();
  const CheckReport report = Check(both);
  EXPECT_TRUE(report.ok()) << report.errors.front();
  EXPECT_GT(StillRefuses(GetParam(), both), 3u);
}

TEST(ShippedSets, AllTogetherAreOneValidRevision) {
  std::vector<NamedContent> parts;
  for (const std::string& name : Names())
    parts.push_back({name, ReadContent(Sets() / name).value()});
  Content all = Combine(parts).value();
  all.tests.clear();
  const CheckReport report = Check(all);
  ASSERT_TRUE(report.ok()) << report.errors.front();
  for (const NamedContent& part : parts) EXPECT_GT(StillRefuses(part.name, all), 3u) << part.name;
}

TEST(ShippedSets, TheNamedLawsAreThere) {
  EXPECT_THAT(Names(), testing::IsSupersetOf({"default", "departments", "four-eyes", "gdpr",
                                              "government-devices", "localisation", "secrets",
                                              "us-bulk-data"}));
}

}  // namespace
}  // namespace portcullis::policy::revise
