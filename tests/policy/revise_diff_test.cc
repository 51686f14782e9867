// What a draft would change over all kinds of call: that every input of a decision is varied over
// what the rules name, that the answer speaks in groups, and that it claims no more than was done.
#include <gmock/gmock.h>

#include <boost/json/serialize.hpp>

#include "policy/revise/diff.h"
#include "tests/policy/revise_support.h"

namespace portcullis::policy::revise {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr int64_t kNow = 1'800'000'000'000;

std::shared_ptr<const Compiled> Make(const Content& content) {
  auto compiled = Compiled::Make(content);
  EXPECT_TRUE(compiled) << compiled.error().message;
  return compiled.value();
}

// The default set with three sites, as a configuration would state them.
Content WithSites(const std::string& more = "") {
  Content content = DefaultContent(more);
  const auto site = [](const std::string& id, const std::string& place) {
    const std::string at = R"({"__entity":{"type":"Gw::Jurisdiction","id":")" + place + "\"}}";
    return R"({"uid":{"type":"Gw::Backend","id":")" + id + R"("},"attrs":{"processing":)" + at +
           R"(,"storage":)" + at + R"(,"operator":)" + at + R"(,"keyHolder":)" + at +
           R"(,"modelOrigin":)" + at + R"(,"onPrem":false,"dpaSigned":true,"zeroRetention":true,)" +
           R"("retentionDays":0},"parents":[]})";
  };
  content.facts = "[" + site("cloud-fr", "FR") + "," + site("cloud-us", "US") + "]";
  return content;
}

DiffReport Diff(const Content& before, const Content& after) {
  return Compare({before, *Make(before)}, {after, *Make(after)}, kNow);
}

TEST(Diff, OnlyEqualSetsAreSaidToDecideEveryCallAlike) {
  const DiffReport same = Diff(WithSites(), WithSites("// only a comment"));
  EXPECT_TRUE(same.same);
  EXPECT_THAT(ToText(same), HasSubstr("no call is decided differently"));
  // A rule that changes nothing: said is what was compared, and that there is a new rule.
  const DiffReport report =
      Diff(WithSites(),
           WithSites("@id(\"again\") forbid(principal, action in "
                     "Gw::Action::\"transfer\", resource) unless { context.scanComplete };"));
  EXPECT_FALSE(report.same);
  EXPECT_EQ(report.changed, 0u);
  EXPECT_GT(report.cells, 500u);
  EXPECT_THAT(ToText(report), AllOf(HasSubstr("none of the " + std::to_string(report.cells) +
                                              " kinds of call that were compared"),
                                    HasSubstr("rule added: `again` (site.cedar:1)"),
                                    HasSubstr("for the sites that the sets know: builtin, "
                                              "cloud-fr, cloud-us\n"),
                                    Not(HasSubstr("no call is decided"))));
}

// What a proposer may write: wherever a rule hides its condition, the comparison finds the call.
TEST(Diff, EveryInputOfADecisionIsVariedOverWhatTheRulesName) {
  const std::string permit =
      "@id(\"new\") permit(principal, action in Gw::Action::\"transfer\", resource)";
  const std::string forbid =
      "@id(\"new\") forbid(principal, action in Gw::Action::\"transfer\", resource)";
  const std::string on_site = R"(resource == Gw::Backend::"cloud-us" && )";
  const std::pair<std::string, std::string> rules[] = {
      {R"(@id("new") permit(principal == Gw::User::"mallory", action in Gw::Action::"transfer", resource);)",
       "caller user mallory"},
      {R"(@id("new") permit(principal in Gw::Workload::"batch", action in Gw::Action::"transfer", resource);)",
       "caller application batch"},
      {R"(@id("new") permit(principal in Gw::Role::"policy-officer", action, resource is Gw::Backend);)",
       "role policy-officer"},
      {R"(@id("new") permit(principal is Gw::Workload, action in Gw::Action::"transfer", resource);)",
       "caller an application"},
      {permit + " when { " + on_site + "context.topSeverity > 2 };", "severity over 2"},
      {permit + " when { " + on_site + "2 == context.topSeverity };", "severity 2:"},
      {permit + " when { " + on_site +
           "principal has citizenships && principal.citizenships."
           R"(contains(Gw::Jurisdiction::"FR") };)",
       "citizenship FR"},
      {permit + " when { " + on_site +
           R"(context has consentRef && context.consentRef like "c-*7" };)",
       "consent c-7"},
      {permit + " when { " + on_site + R"(context has legalBasis && context.legalBasis != "no" };)",
       "legal basis any other"},
      {permit + " when { " + on_site + R"(context.clientIp.isInRange(ip("10.1.0.0/16")) };)",
       "address in 10.1.0.0/16"},
      {permit + " when { " + on_site + R"(context.clientIp == ip("2001:db8::7") };)",
       "address 2001:db8:0:0:0:0:0:7"},
      {permit + " when { " + on_site + R"(context.now > datetime("2030-01-01") };)",
       "time after 2030-01-01"},
      {permit + " when { " + on_site + R"(context.now.toTime() < duration("1h") };)",
       "time 2027-01-15 or 2027-01-15T00:00:00.001Z"},
      {permit + " when { " + on_site + R"(context.zone == Gw::Zone::"dmz" };)", "zone dmz"},
      {permit + " when { " + on_site + "!context.device.managed };", "device unmanaged"},
      {permit + " when { " + on_site +
           R"(context.device.jurisdiction == Gw::Jurisdiction::"FR" };)",
       "device in FR"},
      {forbid + R"( when { context["purpose"] == Gw::Purpose::"hr" };)", "purpose hr"},
      {forbid + " when { 1000 < context.subjects };", "people over 1000"},
      {forbid + " when { context.subjects * 2 + context.subjectsYtd >= 20000 };",
       "people 20000 or over 20000"},
      {forbid + " when { principal.clearance < -3 };", "clearance under -3"},
      {forbid + R"( when { context.subject.contains(Gw :: Jurisdiction :: "FR") };)", "in FR"},
      {forbid + R"( when { context.subject.contains(Gw::Jurisdiction::"\u{46}R") };)", "in FR"},
      {"// see [\n" + forbid + R"( when { context.subject.contains(Gw::Jurisdiction::"FR") };
       // Gw::Jurisdiction::"AT" ])",
       "in FR"},
      {forbid +
           R"( when { context.subject.containsAll([Gw::Jurisdiction::"FR", Gw::Jurisdiction::"US"]) };)",
       "in FR with US"},
      {forbid + R"( when { context.subject.contains(Gw::Jurisdiction::"FR") &&
       context.subject.contains(Gw::Jurisdiction::"DE") };)",
       "in DE with FR"},
      {forbid +
           R"( when { context.detected == [Gw::DataClass::"Contact", Gw::DataClass::"Network"] };)",
       "Contact with Network"},
      {forbid + R"( when { context.leaving.contains(Gw::DataClass::"Contact") };)",
       "left by the treatment everything"},
      {forbid +
           R"( when { principal in Gw::Department::"a" && principal in Gw::Department::"b" };)",
       "department a with b"},
      {forbid +
           R"( when { if principal.home == Gw::Jurisdiction::"FR" then context.subjects > 7 else false };)",
       "people over 7"},
  };
  for (const auto& [rule, words] : rules) {
    const DiffReport report = Diff(WithSites(), WithSites(rule));
    EXPECT_GT(report.changed, 0u) << rule << "\n" << ToText(report);
    std::string told;
    for (const Change& change : report.changes) told += change.words + "\n";
    EXPECT_THAT(told, HasSubstr(words)) << rule;
  }
}

TEST(Diff, AHiddenBranchOfARuleIsComparedOrSaidNotToBe) {
  const DiffReport named = Diff(
      WithSites(),
      WithSites(R"(@id("new") permit(principal, action in Gw::Action::"transfer", resource) when {
          resource.onPrem || principal == Gw::User::"mallory" };)"));
  EXPECT_THAT(ToText(named), HasSubstr("caller user mallory"));
  // All sites are asked: what holds of none of them hides nothing, what holds of all no condition.
  const DiffReport contradiction = Diff(
      DefaultContent(),
      DefaultContent(R"(@id("new") permit(principal, action in Gw::Action::"transfer", resource)
          when { resource.onPrem && context.subjects > 5 && context.subjects < 3 };)"));
  EXPECT_THAT(contradiction.not_compared, Contains(HasSubstr("`context.subjects < 3` is true")));
  // Nobody can enumerate these: a product of two numbers, a tag, text that nobody can guess.
  const std::pair<std::string, std::string> hidden[] = {
      {"context.subjects * context.subjects == 1018081",
       "`context.subjects * context.subjects == 1018081` is true"},
      {R"(principal is Gw::User && principal.hasTag("vip"))",
       R"(`principal.hasTag("vip")` is true)"},
      {R"(context has consentRef && context.consentRef like "a*" && context.consentRef like "*b")",
       R"(`context.consentRef like "*b"` is true)"},
  };
  for (const auto& [condition, words] : hidden) {
    const DiffReport report = Diff(
        WithSites(),
        WithSites(R"(@id("new") permit(principal, action in Gw::Action::"transfer", resource) when {
          resource.onPrem || ()" +
                  condition + ") };"));
    EXPECT_THAT(report.not_compared, Contains(AllOf(HasSubstr("calls in which"), HasSubstr(words),
                                                    HasSubstr("rule `new`, site.cedar:1"))))
        << ToText(report);
    EXPECT_THAT(ToText(report), HasSubstr("not compared: "));
  }
}

TEST(Diff, WhatDoesNotFitIsSaid) {
  std::string rules;
  for (int i = 0; i < 300; ++i) {
    rules += "forbid(principal == Gw::User::\"u" + std::to_string(i) +
             "\", action in Gw::Action::\"transfer\", resource) when { context.subjects > " +
             std::to_string(10 * i + 5) + " };\n";
  }
  const DiffReport report = Diff(WithSites(), WithSites(rules));
  EXPECT_LT(report.cells, 500'000u);
  EXPECT_THAT(report.not_compared, Contains(HasSubstr("too many kinds of call")));
  EXPECT_THAT(report.not_compared,
              Contains(AllOf(HasSubstr("other choices of people than `under 5` in combination"),
                             HasSubstr("caller"))));
  EXPECT_THAT(report.not_compared,
              Contains(HasSubstr("calls in which `context.subjects > 2995` is true")));
}

TEST(Diff, RulesAndEntitiesThatDifferAreNamed) {
  Content other = WithSites(
      "@id(\"extra\") permit(principal, action == "
      "Gw::Action::\"reidentify\", resource);");
  for (TextFile& file : other.policies) {
    const size_t at = file.text.find("principal != resource.author && ");
    if (at != std::string::npos) file.text.erase(at, 32);
    const size_t log = file.text.find("@id(\"classified-marking\")");
    if (log != std::string::npos) file.text.replace(log, 25, "@id(\"renamed\")");
  }
  other.entities.insert(
      other.entities.rfind(']'),
      R"(,{"uid":{"type":"Gw::Jurisdiction","id":"XX"},"attrs":{},"parents":[]})");
  const DiffReport report = Diff(WithSites(), other);
  EXPECT_THAT(report.rules, Contains(HasSubstr("changed: `four-eyes` (policy.cedar:")));
  EXPECT_THAT(report.rules, Contains(HasSubstr("added: `renamed`")));
  EXPECT_THAT(report.rules, Contains(HasSubstr("removed: `classified-marking`")));
  EXPECT_THAT(report.rules, Contains(HasSubstr("added: `extra`")));
  EXPECT_THAT(report.entities, ElementsAre("Gw::Jurisdiction::\"XX\" is new"));
  EXPECT_THAT(report.not_compared,
              Contains(AllOf(HasSubstr("`four-eyes`"), HasSubstr("not about the transfer"))));
}

// An appliance that cannot pseudonymise takes the next rung: a change there is a change.
TEST(Diff, WhatStandsBehindPseudonymsIsComparedToo) {
  const std::string pseudonyms =
      "@id(\"p\") permit(principal, action == "
      "Gw::Action::\"forwardPseudonymised\", resource == "
      "Gw::Backend::\"cloud-us\");\n";
  const DiffReport report = Diff(
      WithSites(pseudonyms), WithSites(pseudonyms + "@id(\"r\") permit(principal, action == "
                                                    "Gw::Action::\"forwardRedacted\", resource == "
                                                    "Gw::Backend::\"cloud-us\");"));
  EXPECT_THAT(ToText(report), HasSubstr("to cloud-us: allowed under pseudonyms → allowed under "
                                        "pseudonyms or after redaction, by r"));
}

TEST(Diff, OneRuleIsToldInOneSentence) {
  const DiffReport report =
      Diff(WithSites(),
           WithSites("@id(\"gdpr-ch5\") forbid(principal, action in Gw::Action::\"transfer\", "
                     "resource == Gw::Backend::\"cloud-fr\") when { "
                     "context.detected.contains(Gw::DataClass::\"Contact\") };"));
  ASSERT_EQ(report.changes.size(), 1u) << ToText(report);
  EXPECT_THAT(report.changes[0].words,
              AllOf(HasSubstr("Contact"), HasSubstr(" to cloud-fr"),
                    HasSubstr(": allowed after redaction → refused, by gdpr-ch5")));
  EXPECT_THAT(report.changes[0].where.at("class"), ElementsAre("Contact"));
  EXPECT_FALSE(report.changes[0].where.contains("home"));
}

TEST(Diff, PlacesAreToldByTheirGroup) {
  const DiffReport report = Diff(
      WithSites(),
      WithSites(
          "@id(\"no-germans\") forbid(principal, action in Gw::Action::\"transfer\", resource) "
          "when { context.subject.contains(Gw::Jurisdiction::\"DE\") };\n"
          "@id(\"no-eea-callers\") forbid(principal, action in Gw::Action::\"transfer\", "
          "resource == Gw::Backend::\"cloud-fr\") when { principal.home in "
          "Gw::Jurisdiction::\"EEA\" };"));
  std::vector<std::string> words;
  for (const Change& change : report.changes) words.push_back(change.words);
  EXPECT_LE(words.size(), 8u) << ToText(report);
  EXPECT_THAT(words, Contains(AllOf(HasSubstr("of people in DE"), HasSubstr("by no-germans"))));
  EXPECT_THAT(words, Contains(AllOf(HasSubstr("from callers in"), HasSubstr("EEA ("))));
}

TEST(Diff, DepartmentsAndPurposesVaryWhereThePoliciesSpeakOfThem) {
  const DiffReport report = Diff(
      WithSites(),
      WithSites("@id(\"hr-only\") forbid(principal, action in Gw::Action::\"transfer\", resource) "
                "when { context.purpose == Gw::Purpose::\"hr\" } unless { principal in "
                "Gw::Department::\"people\" };"));
  ASSERT_FALSE(report.changes.empty());
  EXPECT_THAT(report.changes[0].where.at("purpose"), ElementsAre("hr"));
  EXPECT_THAT(report.changes[0].where.at("department"), ElementsAre("no department"));
}

TEST(Diff, ANewAllowanceAndOtherObligationsAreTold) {
  const DiffReport opened = Diff(
      WithSites(), WithSites("@id(\"us-too\") permit(principal, action == Gw::Action::\"forward\", "
                             "resource == Gw::Backend::\"cloud-us\");"));
  EXPECT_THAT(ToText(opened), HasSubstr("refused → allowed, by us-too"));
  Content quiet = WithSites();
  for (TextFile& file : quiet.policies) {
    for (size_t at = file.text.find("@log(\"sealed\")"); at != std::string::npos;
         at = file.text.find("@log(\"sealed\")")) {
      file.text.replace(at, 14, "@log(\"none\")");
    }
  }
  const DiffReport logged = Diff(WithSites(), quiet);
  EXPECT_THAT(ToText(logged),
              HasSubstr("recorded: sealed, kept 90 days → allowed, recorded: none"));
}

TEST(Diff, WhatARefusalLeavesInTheLogIsTold) {
  const auto closed = [](const std::string& notes) {
    return WithSites(notes + " @id(\"closed\") forbid(principal, action in "
                             "Gw::Action::\"transfer\", resource == "
                             "Gw::Backend::\"cloud-us\");");
  };
  const DiffReport quiet = Diff(closed("@log(\"sealed\")"), closed("@log(\"none\")"));
  EXPECT_GT(quiet.changed, 0u);
  EXPECT_THAT(ToText(quiet),
              HasSubstr("to cloud-us: refused, recorded: sealed → refused, recorded: none, by "));
  const DiffReport gone = Diff(closed("@obligation(\"alert:soc\")"), WithSites());
  EXPECT_THAT(ToText(gone), AllOf(HasSubstr("refused, recorded: sealed, alert soc → refused, "
                                            "recorded: sealed, by "),
                                  HasSubstr("closed"), Not(HasSubstr("no rule permits more"))));
  EXPECT_EQ(Diff(closed(""), closed("@advice(\"ask\")")).changed, 0u) << "words for the caller";
}

TEST(Diff, TheJsonSaysTheSame) {
  const DiffReport report = Diff(WithSites(), RefusingContent());
  const boost::json::object json = ToJson(report);
  EXPECT_EQ(json.at("changed").to_number<size_t>(), report.changed);
  EXPECT_EQ(json.at("changes").as_array().size(), report.changes.size());
}

}  // namespace
}  // namespace portcullis::policy::revise
