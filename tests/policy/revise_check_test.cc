// The examination of a draft comes to an end, whatever the draft is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/revise/compiled.h"
#include "tests/policy/revise_support.h"

namespace portcullis::policy::revise {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(Check, TestsComeToAnEnd) {
  Content content = DefaultContent();
  std::string cases;
  for (int i = 0; i < 1'000; ++i) cases += "case a\n expect = deny\n";
  content.tests.push_back({"a.test", cases});
  const CheckReport failing = Check(content);
  EXPECT_EQ(failing.tests, 50u);
  EXPECT_THAT(failing.errors.back(), HasSubstr("the rest was not run"));
  content.policies.push_back({"z.cedar", "// " + std::string(2u << 20, 'x')});
  EXPECT_THAT(Check(content).errors.front(), HasSubstr("too many tests"));
}

// `like` looks at all of a text: few cases are many, where each rule is asked of a large one.
TEST(Check, TestsOfLargeValuesComeToAnEnd) {
  std::string rules;
  for (int i = 0; i < 16'000; ++i) {
    rules += "forbid(principal,action,resource)when{context has legalBasis&&"
             "context.legalBasis like\"*aab*\"};\n";
  }
  const std::string letters(1u << 20, 'a');
  std::string cases = "base\n context.legalBasis = \"" + letters + "\"\n";
  for (int i = 0; i < 7; ++i) cases += "case a\n expect = deny\n";
  Content content = DefaultContent(rules);
  content.tests.push_back({"a.test", cases});
  EXPECT_THAT(Check(content).errors.front(), HasSubstr("too large values"));

  content = DefaultContent(rules);
  content.entities.insert(content.entities.rfind(']'),
                          R"(,{"uid":{"type":"Gw::Department","id":")" + letters +
                              R"("},"attrs":{},"parents":[]})");
  EXPECT_THAT(Check(content).errors, IsEmpty()) << "an id is no attribute";

  // In a set that a rule is asked of as a whole.
  std::string places;
  for (int i = 0; i < 3'000; ++i) {
    places += (i == 0 ? "" : ",") + std::string(R"({"type":"Gw::Jurisdiction","id":"J)") +
              std::to_string(i) + "\"}";
  }
  content.entities.insert(content.entities.rfind(']'),
                          R"(,{"uid":{"type":"Gw::User","id":"x"},"attrs":{"home":{"type":)"
                          R"("Gw::Jurisdiction","id":"DE"},"clearance":0,"citizenships":[)" +
                              places + R"(]},"parents":[]})");
  EXPECT_THAT(Check(content).errors.front(), HasSubstr("the attributes of an entity"));

  // Read again for each case.
  content = DefaultContent();
  cases = "base\n principal = Gw::User::\"" + std::string(15'000, 'a') +
          "\"\n action = Gw::Action::\"forward\"\n resource = Gw::Backend::\"x\"\n"
          " context = {detected: [], leaving: [], topSeverity: 0, scanComplete: true, subject: [],"
          " subjects: 0, subjectsYtd: 0, clientIp: ip(\"10.1.2.3\"), zone: Gw::Zone::\"office\","
          " device: {managed: true, government: false, jurisdiction: Gw::Jurisdiction::\"DE\"},"
          " purpose: Gw::Purpose::\"other\", now: datetime(\"2026-03-01\")}\n"
          " errors = adequate-site-clean, on-premises\n";
  for (int i = 0; i < 1'000; ++i) cases += "case a\n expect = deny\n";
  for (int i = 0; i < 3; ++i) content.tests.push_back({"a" + std::to_string(i) + ".test", cases});
  EXPECT_THAT(Check(content).errors.front(), HasSubstr("a1.test: too many tests"));
}

}  // namespace
}  // namespace portcullis::policy::revise
