// Recorded decisions asked again of a draft, the ladder that the gateway shares with it, and what
// contents consist of.
#include <gmock/gmock.h>

#include <boost/json/serialize.hpp>

#include "policy/revise/facts_json.h"
#include "policy/revise/replay.h"
#include "tests/policy/revise_support.h"

namespace portcullis::policy::revise {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::shared_ptr<const Compiled> Make(const Content& content) {
  auto compiled = Compiled::Make(content);
  EXPECT_TRUE(compiled) << compiled.error().message;
  return compiled.value();
}

TEST(Replay, CountsAndNamesWhatWouldChange) {
  const auto before = Make(DefaultContent());
  const auto draft = Make(DefaultContent(
      "@id(\"no-contact\") forbid(principal, action == Gw::Action::\"forward\", resource) when { "
      "context.detected.contains(Gw::DataClass::\"Contact\") };"));
  Replay replay(draft, nullptr);
  const auto record = [&](const DecisionFacts& facts) {
    const Outcome outcome = before->Decide(facts);
    boost::json::array policies(outcome.policies.begin(), outcome.policies.end());
    boost::json::object decision{{"treatment", ToString(outcome.treatment)},
                                 {"site", outcome.site},
                                 {"policies", std::move(policies)},
                                 {"facts", ToJson(facts)}};
    return boost::json::object{{"request_id", "req_1"},
                               {"parts", {{"decision", boost::json::serialize(decision)}}}};
  };
  DecisionFacts contact = PlainCall();
  contact.detected = {"Contact"};
  replay.AddLine(boost::json::serialize(record(PlainCall())));
  replay.AddLine(boost::json::serialize(record(contact)));
  replay.AddLine(R"({"kind":"REQ","seq":7})");
  replay.AddLine("");
  replay.AddLine("{nonsense");
  replay.AddLine(
      R"({"facts":{"version":1,"principal":"x","sites":["y"],"colour":1},"treatment":"forward"})");
  const ReplayReport& report = replay.report();
  EXPECT_EQ(report.replayed, 2u);
  EXPECT_EQ(report.changed, 1u);
  EXPECT_EQ(report.skipped, 1u);
  EXPECT_EQ(report.unusable, 2u);
  ASSERT_EQ(report.changes.size(), 1u);
  EXPECT_EQ(report.changes[0].line, 2u);
  EXPECT_EQ(report.changes[0].request, "req_1");
  EXPECT_EQ(
      report.changes[0].words,
      "alice, Contact: allowed at builtin → allowed after redaction at builtin, by no-contact");
  EXPECT_THAT(ToText(report), HasSubstr("1 of 2 recorded decisions would change"));
  EXPECT_THAT(report.problems.at(1), HasSubstr("there is no member `colour`"));
}

TEST(Replay, BareFactsAreComparedWithAnotherSet) {
  Replay replay(Make(RefusingContent()), Make(DefaultContent()));
  replay.AddLine(boost::json::serialize(ToJson(PlainCall())));
  EXPECT_EQ(replay.report().transitions.begin()->first, "allowed at builtin → refused, by closed");
  Replay alone(Make(RefusingContent()), nullptr);
  alone.AddLine(boost::json::serialize(ToJson(PlainCall())));
  EXPECT_EQ(alone.report().unusable, 1u);
}

TEST(Facts, SurviveTheWayThroughJson) {
  DecisionFacts facts = PlainCall();
  facts.workload = true;
  facts.departments = {"people"};
  facts.detected = {"Contact", "Secret"};
  facts.left_redacted = {"Secret"};
  facts.subject = {"DE"};
  facts.legal_basis = "art9-2-h";
  facts.ladder = {Treatment::kRedacted};
  EXPECT_EQ(FactsFromJson(ToJson(facts)).value(), facts);
  boost::json::object json = ToJson(facts);
  json["ladder"] = boost::json::array({"fly"});
  EXPECT_FALSE(FactsFromJson(json));
  json = ToJson(facts);
  json["subjects"] = "many";
  EXPECT_FALSE(FactsFromJson(json));
}

TEST(Ladder, GoesDownInOrderAndTakesTheFirstYes) {
  const auto set = Make(DefaultContent());
  DecisionFacts facts = PlainCall();
  EXPECT_EQ(set->Decide(facts).treatment, Treatment::kForward);
  facts.detected = {"Secret"};
  EXPECT_EQ(set->Decide(facts).treatment, Treatment::kRedacted);
  facts.ladder = {Treatment::kForward};  // an appliance that cannot redact does not promise it
  EXPECT_FALSE(set->Decide(facts).allowed());
  EXPECT_THAT(set->Decide(facts).policies,
              ElementsAre("secret-in-clear", "secret-or-marking-left"));
  facts = PlainCall();
  facts.sites = {"nowhere", "builtin"};
  const Outcome second = set->Decide(facts);
  EXPECT_EQ(second.site, "builtin");
  EXPECT_THAT(second.errors, IsEmpty());
}

TEST(Ladder, APolicyThatErrorsMeansNo) {
  const auto set = Make(DefaultContent(
      "@id(\"broken\") forbid(principal, action in Gw::Action::\"transfer\", resource) when { "
      "context.subjects + 9223372036854775807 > 0 && false };"));
  DecisionFacts facts = PlainCall();
  EXPECT_TRUE(set->Decide(facts).allowed());
  facts.subjects = 1;
  const Outcome outcome = set->Decide(facts);
  EXPECT_FALSE(outcome.allowed());
  EXPECT_THAT(outcome.errors, ElementsAre("broken"));
}

TEST(Ladder, ObligationsMergeToTheStrictest) {
  const auto set = Make(DefaultContent(
      "@log(\"metadata\") @retention(\"P30D\") @obligation(\"alert:dpo\") @advice(\"mind\") "
      "permit(principal, action == Gw::Action::\"forward\", resource == "
      "Gw::Backend::\"builtin\");"));
  const Obligations owed = set->Decide(PlainCall()).obligations;
  EXPECT_EQ(owed.log, RecordLevel::kMetadata);
  EXPECT_EQ(owed.retention_days, 30u);
  EXPECT_THAT(owed.alerts, ElementsAre("dpo"));
  EXPECT_THAT(owed.advice, ElementsAre("mind"));
}

TEST(Ladder, EachDenierHasItsSayWhateverItIsCalled) {
  const std::string rule = "@id(\"no\") forbid(principal, action in Gw::Action::\"transfer\", "
                           "resource);\n";
  const auto set = Make(DefaultContent("@log(\"sealed\")" + rule + "@log(\"none\")" + rule +
                                       "@obligation(\"alert:soc\")" + rule));
  const Outcome refused = set->Decide(PlainCall());
  EXPECT_THAT(refused.policies, ElementsAre("no"));
  EXPECT_EQ(refused.obligations.log, RecordLevel::kNone);
  EXPECT_THAT(refused.obligations.alerts, ElementsAre("soc"));
}

TEST(Content, CombinesSetsOfOneSchema) {
  const Content first = DefaultContent();
  Content second = DefaultContent();
  second.entities = R"([{"uid":{"type":"Gw::Jurisdiction","id":"US"},"attrs":{},"parents":[)"
                    R"({"type":"Gw::Jurisdiction","id":"adequate"}]}])";
  const NamedContent sets[] = {{"one", first}, {"two", second}};
  const Content both = Combine(sets).value();
  EXPECT_EQ(both.policies.at(0).name, "one/policy.cedar");
  EXPECT_EQ(both.policies.size(), 2u);
  const auto set = Make(both);
  const auto* us = set->entities.Find({"Gw::Jurisdiction", "US"});
  ASSERT_NE(us, nullptr);
  EXPECT_EQ(us->parents.size(), 1u);
  second.schema += "// another\n";
  const NamedContent strangers[] = {{"one", first}, {"two", second}};
  EXPECT_THAT(Combine(strangers).error().message, HasSubstr("another schema"));
  second = DefaultContent();
  second.entities =
      R"([{"uid":{"type":"Gw::Backend","id":"builtin"},"attrs":{"onPrem":false},"parents":[]}])";
  const NamedContent liars[] = {{"one", first}, {"two", second}};
  EXPECT_THAT(Combine(liars).error().message, HasSubstr("defined twice"));
}

TEST(Content, BytesAreStrictAndStandForOneContent) {
  const Content content = DefaultContent("// more");
  const std::string bytes = Encode(content);
  EXPECT_EQ(DecodeContent(bytes).value(), content);
  for (size_t cut : {size_t{0}, size_t{7}, bytes.size() / 2, bytes.size() - 1}) {
    EXPECT_FALSE(DecodeContent(bytes.substr(0, cut))) << cut;
  }
  EXPECT_FALSE(DecodeContent(bytes + "x"));
  Content moved = content;  // the same text under another name is another revision
  moved.policies.back().name = "zite.cedar";
  EXPECT_NE(HashOf(moved), HashOf(content));
  moved.policies.back().name = "../escape";
  EXPECT_TRUE(CheckForm(moved).has_error() || moved.policies.back().name < "policy.cedar");
  moved.policies.back().name = "a b";
  EXPECT_FALSE(CheckForm(moved));
  EXPECT_EQ(ContentFromJson(ToJson(content)).value(), content);
}

}  // namespace
}  // namespace portcullis::policy::revise
