// Strict validation: the verdicts of cedar-wasm 4.10 on one schema.
#include <gtest/gtest.h>

#include "policy/cedar/validate.h"
#include "tests/policy/cedar_helpers.h"

namespace portcullis::policy::cedar {
namespace {

constexpr std::string_view kSchema =
    "entity G in [G]; entity E enum [\"p\", \"q\"]; entity W {b: String}; entity R {a: Long};"
    "entity U in [G] {a: Long, o?: Long, m: U, s: Set<Long>, r: {x: Long, y?: {z?: Long}}, e?: E,"
    " ip: ipaddr} tags String;"
    "action v, w appliesTo {principal: U, resource: R, context: {n: Long, q?: Bool, d: datetime}};"
    "action grp; action x in [grp] appliesTo {principal: [U, W], resource: R, context: {n: Long}};";

std::string Verdict(const std::string& text) {
  const Schema schema = Schema::Parse(kSchema, "s").value();
  const Result<PolicySet> policies = PolicySet::Parse(text, "v.cedar");
  if (!policies) return policies.error().message;
  const Findings findings = Validate(policies.value(), schema);
  return findings.errors.empty() ? "" : findings.errors[0].message;
}
std::string Condition(const std::string& condition) {
  return Verdict("permit(principal, action == Action::\"v\", resource) when { " + condition +
                 " };");
}

TEST(Validate, AcceptsWhatCedarAccepts) {
  for (const char* good :
       {"principal.a == 1",
        "principal has o && principal.o == 1",
        "principal has zz",
        "if principal has o then principal.o == 1 else false",
        "principal has r.y.z && principal.r.y.z == 1",
        "principal == resource",
        "1 == \"a\"",
        "{a: 1} == {a: 2}",
        "principal in resource",
        "G::\"a\" in principal",
        "principal is R",
        "action in Action::\"grp\"",
        "context has q && context.q",
        "context.d < context.d",
        "principal.ip.isInRange(ip(\"10.0.0.0/8\"))",
        "principal.hasTag(\"a\") && principal.getTag(\"a\") == \"x\"",
        "resource.hasTag(\"a\")",
        "principal has e && principal.e == E::\"p\"",
        "(if true then 1 else \"b\") == 1",
        "false && principal.zz",
        "true || principal.zz",
        "false && ip(\"x\").isIpv4()",
        "{a: 1} has a || principal.zz",
        "U::\"x\" == U::\"x\" || principal.zz",
        "action == Action::\"v\" || principal.zz",
        "principal is U || principal.zz",
        "principal != resource || principal.zz",
        "(principal.a == 1 || true) || principal.zz",
        "[true].contains(principal.a == 1)",
        "{x: true} == {x: principal.a == 1}",
        "(if principal has o then principal.a == 1 else principal has o) && principal.o == 1",
        "((principal has o) || false) && principal.o == 1",
        "context has n || principal.zz",
        "action in [Action::\"v\"] || principal.zz",
        "principal has r.x",
        "principal has o && (principal has o || principal.zz)"}) {
    EXPECT_EQ(Condition(good), "") << good;
  }
}

TEST(Validate, RefusesWhatCedarRefuses) {
  for (const char* bad : {"principal.o == 1",
                          "principal.zz == 1",
                          "principal has o || principal.o == 1",
                          "!(principal has o) || principal.o == 1",
                          "principal == 1",
                          "principal.a == \"x\"",
                          "[] == [1]",
                          "[].isEmpty()",
                          "[1, \"a\"].contains(1)",
                          "[1].contains(\"a\")",
                          "{a: 1} == {a: \"x\"}",
                          "{a: 1} == {a: 1, b: 2}",
                          "principal in [G::\"a\", U::\"b\"]",
                          "principal in []",
                          "principal in principal.s",
                          "principal in Zed::\"a\"",
                          "principal is Zed",
                          "action == Action::\"nope\"",
                          "action.a == 1",
                          "context.q",
                          "context.n < context.d",
                          "datetime(\"bad\") < context.d",
                          "datetime(principal.a) < context.d",
                          "ip(if true then \"1.1.1.1\" else \"2.2.2.2\").isIpv4()",
                          "ip(\"1.1.1.1\", \"a\").isIpv4()",
                          "principal.getTag(\"a\") == \"x\"",
                          "resource.getTag(\"a\") == \"x\"",
                          "principal.hasTag(\"a\") && principal.getTag(\"b\") == \"x\"",
                          "principal.hasTag(1)",
                          "principal has e && principal.e == E::\"zz\"",
                          "(if false then 1 else \"b\") == 1",
                          "(if principal.a == 1 then 1 else \"b\") == 1",
                          "true && principal.zz",
                          "1",
                          "principal.a",
                          "principal.a like \"x\"",
                          "principal.a + \"x\" == 2",
                          "!principal.a",
                          "principal has a.b",
                          "principal.s.containsAll([\"a\"])",
                          "principal.a.contains(1)",
                          "principal.m has o && principal.o == 1",
                          "principal has a || principal.zz",
                          "(principal has o || principal.a == 1) && principal.o == 1",
                          "(if principal has o then true else false) && principal.o == 1",
                          "principal.r == {x: 1}",
                          "\"a\" < \"b\"",
                          "principal.r.y.z == 1",
                          "false && Zed::\"a\" == principal",
                          "principal has r.y && principal.r.y.z == 1",
                          "[1, 2] == [1, 2] || principal.zz",
                          "(if principal.a == 1 then principal else resource).a == 1"}) {
    EXPECT_NE(Condition(bad), "") << bad;
  }
}

TEST(Validate, Heads) {
  for (const char* good :
       {"permit(principal, action, resource);",
        "permit(principal, action, resource) when {principal is U && principal.a == 1};",
        "permit(principal is W, action, resource) when {principal.b == \"x\"};",
        "permit(principal in G::\"x\", action, resource) when {principal.a == 1};",
        "permit(principal, action in Action::\"grp\", resource) when {context.n == 1};",
        "permit(principal, action, resource) when {context has d && context.d == context.d};",
        "permit(principal, action, resource) when {false} when {principal.zz};"}) {
    EXPECT_EQ(Verdict(good), "") << good;
  }
  for (const char* bad :
       {"permit(principal, action, resource) when {principal.a == 1};",
        "permit(principal is W, action == Action::\"v\", resource);",
        "permit(principal is G, action, resource);", "permit(principal is Zed, action, resource);",
        "permit(principal in R::\"x\", action, resource);",
        "permit(principal, action == Action::\"grp\", resource);",
        "permit(principal, action == Action::\"nope\", resource);",
        "permit(principal, action in [], resource);",
        "permit(principal == E::\"zz\", action, resource);",
        "permit(principal is U in R::\"x\", action, resource);",
        "permit(principal, action in Action::\"grp\", resource) when {context.d == context.d};",
        "permit(principal, action, resource) unless {principal.zz};"}) {
    EXPECT_NE(Verdict(bad), "") << bad;
  }
}

TEST(Validate, ErrorsShowThePlace) {
  EXPECT_EQ(Verdict("permit(principal is U, action, resource)\nwhen { principal.zz == 1 };"),
            "v.cedar:2:17: U has no attribute `zz`\n"
            "  when { principal.zz == 1 };\n"
            "                  ^");
}

TEST(Validate, ErrorsHaveAnEnd) {
  std::string text;
  for (int i = 0; i < 1500; ++i) text += "permit(principal == Unknown::\"x\", action, resource);\n";
  const Findings findings =
      Validate(PolicySet::Parse(text, "p").value(), Schema::Parse(kSchema, "s").value());
  EXPECT_GE(findings.errors.size(), 1000u);
  EXPECT_LT(findings.errors.size(), 1010u);
}

TEST(Validate, ImpossiblePoliciesAreAWarning) {
  const Schema schema = Schema::Parse(kSchema, "s").value();
  const PolicySet policies =
      PolicySet::Parse("permit(principal, action, resource) when { false };", "v").value();
  const Findings findings = Validate(policies, schema);
  EXPECT_TRUE(findings.errors.empty());
  EXPECT_EQ(findings.warnings.size(), 1u);
}

TEST(Validate, ActionsOfSeveralNamespacesDoNotShareAList) {
  const Schema schema = Schema::Parse(
                            "entity U; action a appliesTo {principal: U, resource: U};"
                            "namespace N { action b appliesTo {principal: U, resource: U}; }",
                            "s")
                            .value();
  const PolicySet mixed =
      PolicySet::Parse("permit(principal, action in [Action::\"a\", N::Action::\"b\"], resource);",
                       "p")
          .value();
  EXPECT_EQ(Validate(mixed, schema).errors.size(), 1u);
  EXPECT_TRUE(Validate(mixed, schema, Mode::kPermissive).errors.empty());
}

TEST(Validate, PermissiveTakesWhatStrictRefuses) {
  const Schema schema = Schema::Parse(kSchema, "s").value();
  const auto verdicts = [&](const std::string& condition) {
    const PolicySet policies =
        PolicySet::Parse(
            "permit(principal, action == Action::\"v\", resource) when { " + condition + " };", "p")
            .value();
    return std::pair(Validate(policies, schema).errors.empty(),
                     Validate(policies, schema, Mode::kPermissive).errors.empty());
  };
  const std::pair permissive_only(false, true), neither(false, false), both(true, true);
  EXPECT_EQ(verdicts("principal.s == []"), permissive_only);
  EXPECT_EQ(verdicts("principal.a == \"one\""), permissive_only);
  EXPECT_EQ(verdicts("(if principal.a > 1 then principal else resource).a == 1"), permissive_only);
  EXPECT_EQ(verdicts("(if principal.a > 1 then principal else resource) has m"), permissive_only);
  EXPECT_EQ(verdicts("(if principal.a > 1 then principal else resource).m == principal"), neither);
  EXPECT_EQ(verdicts("(if principal.a > 1 then {x: 1, y: 2} else {x: 3}).x == 1"), permissive_only);
  EXPECT_EQ(verdicts("(if principal.a > 1 then {x: 1, y: 2} else {x: 3}).y == 1"), neither);
  EXPECT_EQ(verdicts("principal.a == 1"), both);
  EXPECT_EQ(verdicts("ip(\"bad\").isIpv4()"), neither);
  EXPECT_EQ(verdicts("principal.hasTag(\"ip\") && ip(principal.getTag(\"ip\")).isIpv4()"),
            permissive_only);
}

}  // namespace
}  // namespace portcullis::policy::cedar
