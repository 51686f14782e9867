// Sets of many policies, the index over their heads, and stores laid over each other. The index
// must never change an answer: every request is asked twice, with the set and policy by policy.
#include <gtest/gtest.h>

#include <random>

#include "tests/policy/cedar_helpers.h"

namespace portcullis::policy::cedar {
namespace {

PolicySet Parse(const std::string& text) { return PolicySet::Parse(text, "m.cedar").value(); }

TEST(Authorize, ForbidWinsAndReasonsAreTheDeterminingPolicies) {
  const PolicySet set = Parse(
      "permit(principal,action,resource);"
      "permit(principal,action,resource) when {context.n == 1};"
      "forbid(principal,action,resource) when {context.n == 2};"
      "forbid(principal,action,resource) when {context.missing == 2};");
  Request request = SmallRequest();
  Response response = Authorize(set, SmallStore(), request);
  EXPECT_TRUE(response.allow);
  EXPECT_EQ(response.reasons, (std::vector<std::string>{"policy0", "policy1"}));
  EXPECT_EQ(response.errors, std::vector<std::string>{"policy3"});
  request.context = Value::Record({{"n", Value::Long(2)}});
  response = Authorize(set, SmallStore(), request);
  EXPECT_FALSE(response.allow);
  EXPECT_EQ(response.reasons, std::vector<std::string>{"policy2"});
}

TEST(Authorize, AnEmptySetDenies) {
  const Response response = Authorize(PolicySet(), SmallStore(), SmallRequest());
  EXPECT_FALSE(response.allow);
  EXPECT_TRUE(response.reasons.empty());
}

TEST(Authorize, TheRequestsOwnEntitiesComeFirst) {
  const PolicySet set = Parse(
      "permit(principal in Group::\"all\", action, resource)"
      " when { principal.level == 7 };");
  Entities own;
  own.Add({{"User", "carol"}, {{"level", Value::Long(7)}}, {{"Group", "staff"}}, {}});
  Request request = SmallRequest();
  request.principal = {"User", "carol"};
  EXPECT_FALSE(Authorize(set, SmallStore(), request).allow);
  EXPECT_TRUE(Authorize(set, SmallStore(), own, request).allow);

  // An entity of the request hides the one of the base store, parents and all.
  own.Add({{"User", "alice"}, {{"level", Value::Long(7)}}, {}, {}});
  request.principal = {"User", "alice"};
  EXPECT_FALSE(Authorize(set, SmallStore(), own, request).allow);

  // It may also stand between two entities of the base store.
  own.Add({{"Group", "staff"}, {}, {{"Group", "guests"}}, {}});
  request.principal = {"User", "carol"};
  EXPECT_FALSE(Authorize(set, SmallStore(), own, request).allow);
}

TEST(Authorize, TheIndexChangesNoAnswer) {
  std::mt19937 random(7);
  const auto pick = [&](int below) {
    return static_cast<int>(random() % static_cast<unsigned>(below));
  };
  const auto uid = [&](const std::string& type) {
    return type + "::\"" + std::to_string(pick(6)) + "\"";
  };
  const auto scope = [&](const std::string& name, const std::string& type) {
    switch (pick(5)) {
      case 0:
        return name + " == " + uid(type);
      case 1:
        return name + " in " + uid("G");
      case 2:
        return name + " is " + type;
      case 3:
        return name + " is " + type + " in " + uid("G");
      default:
        return name;
    }
  };
  for (int round = 0; round < 60; ++round) {
    Entities store;
    for (const char* type : {"U", "R"}) {
      for (int i = 0; i < 6; ++i) {
        store.Add({{type, std::to_string(i)}, {}, {{"G", std::to_string(pick(6))}}, {}});
      }
    }
    for (int i = 0; i < 6; ++i) {  // only upwards, so that there is no cycle
      Entity group{{"G", std::to_string(i)}, {}, {}, {}};
      if (i < 5) group.parents.push_back({"G", std::to_string(i + 1 + pick(5 - i))});
      store.Add(std::move(group));
    }
    ASSERT_TRUE(store.Close());
    std::vector<std::string> texts;
    std::string all;
    for (int i = 0; i < 40; ++i) {
      std::string action = "action";
      if (pick(3) == 0) action = "action == Action::\"" + std::to_string(pick(3)) + "\"";
      if (pick(4) == 0) action = "action in [Action::\"0\", Action::\"1\"]";
      texts.push_back(std::string(pick(4) == 0 ? "forbid" : "permit") + "(" +
                      scope("principal", "U") + ", " + action + ", " + scope("resource", "R") +
                      ")" + (pick(8) == 0 ? " when { context.missing }" : "") + ";\n");
      all += texts.back();
    }
    const PolicySet set = Parse(all);
    for (int i = 0; i < 20; ++i) {
      Request request;
      request.principal = {"U", std::to_string(pick(7))};
      request.action = {"Action", std::to_string(pick(3))};
      request.resource = {"R", std::to_string(pick(7))};
      const Response whole = Authorize(set, store, request);
      std::vector<std::string> permits, forbids, errors;
      for (size_t k = 0; k < texts.size(); ++k) {
        std::string probe = texts[k];
        const bool forbid = probe.starts_with("forbid");
        if (forbid) probe.replace(0, 6, "permit");
        const Response single = Authorize(Parse(probe), store, request);
        const std::string id = "policy" + std::to_string(k);
        if (!single.errors.empty()) errors.push_back(id);
        if (single.allow) (forbid ? forbids : permits).push_back(id);
      }
      EXPECT_EQ(whole.allow, forbids.empty() && !permits.empty());
      EXPECT_EQ(whole.reasons, forbids.empty() ? permits : forbids);
      EXPECT_EQ(whole.errors, errors);
    }
  }
}

}  // namespace
}  // namespace portcullis::policy::cedar
