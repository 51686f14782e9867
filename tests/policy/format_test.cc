// The layout of policies: the style, the comments, and that formatting twice changes nothing.
#include <gtest/gtest.h>

#include "policy/cedar/format.h"
#include "policy/cedar/text_warnings.h"
#include "policy/cedar/validate.h"

namespace portcullis::policy::cedar {
namespace {

std::string Formatted(std::string_view text) {
  const Result<std::string> once = FormatPolicies(text, "f.cedar");
  if (!once) return "error: " + once.error().message;
  const Result<std::string> twice = FormatPolicies(once.value(), "f.cedar");
  EXPECT_TRUE(twice && twice.value() == once.value()) << once.value();
  return once.value();
}

TEST(Format, HeadsAndConditions) {
  EXPECT_EQ(Formatted("permit(principal,action,resource)when{true};"),
            "permit (principal, action, resource)\nwhen { true };\n");
  EXPECT_EQ(Formatted("@id(\"x\")@flag forbid(principal==A::\"a\",action in[Action::\"b\",],"
                      "resource is C in D::\"d\",);"),
            "@id(\"x\")\n@flag\nforbid (\n  principal == A::\"a\",\n  action in [Action::\"b\"],\n"
            "  resource is C in D::\"d\"\n);\n");
}

TEST(Format, LongConditionsBreakAtTheirOperators) {
  EXPECT_EQ(Formatted("permit(principal,action,resource) when {context.first_attribute == 1 && "
                      "context.second_attribute == 2 && [1,2].contains(context.third_one)};"),
            "permit (principal, action, resource)\nwhen\n{\n"
            "  context.first_attribute == 1 &&\n"
            "  context.second_attribute == 2 &&\n"
            "  [1, 2].contains(context.third_one)\n};\n");
}

TEST(Format, EveryCommentIsKept) {
  const std::string text = Formatted(
      "// 1\npermit( // 2\nprincipal, // 3\n// 4\naction,resource // 5\n,) // 6\nwhen // 7\n{ // "
      "8\n"
      "a // no variable\n};");
  EXPECT_EQ(text.substr(0, 6), "error:");  // `a` is no expression
  const std::string kept = Formatted(
      "// 1\npermit( // 2\nprincipal, // 3\n// 4\naction,resource // 5\n, // 6\n) // 7\nwhen // 8\n"
      "{ // 9\n[ // 10\n1, // 11\n] // 12\n== // 13\n[2] // 14\n} // 15\n; // 16\n\n// 17\n");
  size_t at = 0;
  for (int i = 1; i <= 17; ++i) {
    at = kept.find("// " + std::to_string(i) + "\n", at);
    ASSERT_NE(at, std::string::npos) << i << "\n" << kept;
  }
}

TEST(Format, PoliciesStandApart) {
  EXPECT_EQ(Formatted("permit(principal,action,resource);forbid(principal,action,resource);"),
            "permit (principal, action, resource);\n\nforbid (principal, action, resource);\n");
  EXPECT_EQ(Formatted(""), "");
  EXPECT_EQ(Formatted("  // only this\n"), "// only this\n");
}

TEST(Format, TextThatDoesNotParseIsLeftAlone) {
  const Result<std::string> formatted = FormatPolicies("permit(principal, action resource);", "f");
  ASSERT_FALSE(formatted);
  EXPECT_NE(formatted.error().message.find("f:1:26: expected"), std::string::npos)
      << formatted.error().message;
}

TEST(TextWarnings, WhatReadsDifferently) {
  EXPECT_EQ(SuspicionOf("plain", true), "");
  EXPECT_EQ(SuspicionOf("Straße und Überfall", false), "");
  EXPECT_EQ(SuspicionOf("東京とソウル", false), "");
  EXPECT_NE(SuspicionOf("\u0430dmin", false), "");       // Cyrillic а, Latin dmin
  EXPECT_NE(SuspicionOf("user\u202Enimda", false), "");  // right-to-left override
  EXPECT_NE(SuspicionOf("ad\u200Bmin", true), "");       // zero width space
  EXPECT_NE(SuspicionOf("\uFF41dmin", true), "");        // full width a
}

TEST(TextWarnings, ComeFromValidation) {
  const Schema schema =
      Schema::Parse("entity U { n: String }; action a appliesTo { principal: U, resource: U };",
                    "s")
          .value();
  const PolicySet set =
      PolicySet::Parse(
          "permit(principal, action, resource) when { principal.n == \"\u0430dmin\" };", "p")
          .value();
  const Findings findings = Validate(set, schema);
  EXPECT_TRUE(findings.errors.empty());
  ASSERT_EQ(findings.warnings.size(), 1u);
  EXPECT_NE(findings.warnings[0].message.find("several scripts"), std::string::npos);
}

}  // namespace
}  // namespace portcullis::policy::cedar
