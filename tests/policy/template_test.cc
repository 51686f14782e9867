// Templates and links: what decides, what is refused, and what the JSON form of a set says of both.
#include <gtest/gtest.h>

#include "policy/cedar/batch.h"
#include "policy/cedar/json.h"
#include "policy/cedar/policy_json.h"
#include "policy/cedar/validate.h"
#include "tests/policy/cedar_helpers.h"

namespace portcullis::policy::cedar {
namespace {

constexpr std::string_view kTemplate =
    "permit(principal in ?principal, action, resource == ?resource) when { context.n == 1 };";

Result<PolicySet> Linked(std::vector<TemplateLink> links) {
  return PolicySet::Parse({{"t.cedar", std::string(kTemplate)}}, Templates::kKeep, links);
}

TEST(Template, AloneDecidesNothing) {
  const PolicySet set = PolicySet::Parse(kTemplate, "t.cedar", Templates::kKeep).value();
  EXPECT_EQ(set.size(), 0u);
  EXPECT_EQ(set.templates().size(), 1u);
  EXPECT_FALSE(Authorize(set, SmallStore(), SmallRequest()).allow);
}

TEST(Template, IsRefusedWhereNoneIsExpected) {
  const Result<PolicySet> set = PolicySet::Parse(kTemplate, "t.cedar");
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, Code::kUnsupported);
  EXPECT_NE(set.error().message.find("t.cedar:1:18"), std::string::npos) << set.error().message;
}

TEST(Template, ALinkDecidesUnderItsOwnId) {
  const Result<PolicySet> set =
      Linked({{"policy0", "staff", EntityUid{"Group", "staff"}, EntityUid{"Photo", "sun"}},
              {"policy0", "other", EntityUid{"Group", "none"}, EntityUid{"Photo", "sun"}}});
  ASSERT_TRUE(set) << set.error().message;
  const Response response = Authorize(set.value(), SmallStore(), SmallRequest());
  EXPECT_TRUE(response.allow);
  EXPECT_EQ(response.reasons, std::vector<std::string>{"staff"});
}

TEST(Template, EverySlotAndNoOtherIsFilled) {
  const EntityUid group{"Group", "staff"};
  EXPECT_FALSE(Linked({{"policy0", "a", group, std::nullopt}}));
  EXPECT_FALSE(Linked({{"policy0", "policy0", group, group}}));
  EXPECT_FALSE(Linked({{"policy0", "a", group, group}, {"policy0", "a", group, group}}));
  EXPECT_FALSE(Linked({{"policy9", "a", group, group}}));
  EXPECT_FALSE(PolicySet::Parse({{"t", "permit(principal == ?principal, action, resource);"}},
                                Templates::kKeep, {{"policy0", "a", group, group}}));
}

TEST(Template, SlotsStandOnlyInTheHeadOfTheirOwn) {
  EXPECT_NE(ParseError("permit(principal == ?resource, action, resource);"), "");
  EXPECT_NE(ParseError("permit(principal, action == ?action, resource);"), "");
  EXPECT_NE(ParseError("permit(principal, action, resource) when { ?principal == principal };"),
            "");
}

TEST(Template, ASetInJsonHoldsAllThree) {
  constexpr std::string_view kSet = R"({
    "staticPolicies": {"own": "forbid(principal == User::\"eve\", action, resource);"},
    "templates": {"t": {"effect": "permit", "principal": {"op": "==", "slot": "?principal"},
                        "action": {"op": "All"}, "resource": {"op": "All"}, "conditions": []}},
    "templateLinks": [{"templateId": "t", "newId": "alice",
                       "values": {"?principal": {"type": "User", "id": "alice"}}}]})";
  const Result<PolicySet> set = PolicySet::ParseJson(kSet, "set.json");
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(Authorize(set.value(), SmallStore(), SmallRequest()).reasons,
            std::vector<std::string>{"alice"});
  const Result<PolicySet> again = PolicySet::ParseJson(ToJson(set.value()), "again.json");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(ToJson(again.value()), ToJson(set.value()));
}

// The text was read with links beside it; alone it is another question, and null is none.
TEST(Template, ABatchLineIsNotAnsweredByTheLinksOfTheLineBefore) {
  const auto line = [](const std::string& policies, const std::string& more) {
    return R"({"policies":)" + policies + more + R"(,"entities":[],"request":{)" +
           R"("principal":{"type":"U","id":"a"},"action":{"type":"A","id":"x"},)" +
           R"("resource":{"type":"R","id":"r"}}})";
  };
  const std::string text = R"("permit(principal == ?principal, action, resource);")";
  const std::string links = R"(,"templateLinks":[{"templateId":"policy0","newId":"l",)"
                            R"("values":{"?principal":{"type":"U","id":"a"}}}])";
  Batch batch;
  const Batch::Answer linked = batch.Authorize(line(text, links));
  EXPECT_TRUE(linked.answered && linked.yes) << linked.json;
  for (const std::string& policies : {std::string("null"), text}) {
    ASSERT_TRUE(batch.Authorize(line(text, links)).yes);
    const Batch::Answer alone = batch.Authorize(line(policies, ""));
    EXPECT_FALSE(alone.answered) << alone.json;
  }
}

TEST(Template, ValidationTriesEveryTypeOfASlotAndEveryLink) {
  const Schema schema = Schema::Parse(R"(
      entity Team; entity User in [Team] { age: Long }; entity Robot; entity Photo;
      action view appliesTo { principal: [User, Robot], resource: Photo };)",
                                      "s")
                            .value();
  const auto errors = [&](const std::string& text, std::vector<TemplateLink> links) {
    const PolicySet set = PolicySet::Parse({{"t", text}}, Templates::kKeep, links).value();
    return Validate(set, schema).errors.size();
  };
  const std::string good = "permit(principal in ?principal, action, resource) when { true };";
  EXPECT_EQ(errors(good, {{"policy0", "l", EntityUid{"Team", "a"}, std::nullopt}}), 0u);
  EXPECT_EQ(errors(good, {{"policy0", "l", EntityUid{"Unknown", "a"}, std::nullopt}}), 2u);
  EXPECT_EQ(errors(good, {{"policy0", "l", EntityUid{"Photo", "a"}, std::nullopt}}), 1u);
  EXPECT_GT(
      errors("permit(principal == ?principal, action, resource) when { principal.age > 1 };", {}),
      0u);
  EXPECT_EQ(errors("permit(principal is User in ?principal, action, resource) "
                   "when { principal.age > 1 };",
                   {}),
            0u);
}

}  // namespace
}  // namespace portcullis::policy::cedar
