// Policy text: what is accepted, what is refused, and how the refusal reads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/cedar/text.h"
#include "policy/cedar/validate.h"
#include "tests/policy/cedar_helpers.h"

namespace portcullis::policy::cedar {
namespace {

using testing::HasSubstr;

TEST(Parser, AcceptsEveryHead) {
  for (const char* good :
       {"", "// only a comment", "permit(principal, action, resource);",
        "permit(principal, action, resource,);",
        "forbid(principal == U::\"a\", action == Action::\"x\", resource in R::\"r\");",
        "permit(principal is A::B in G::\"g\", action in [N::Action::\"x\",], resource is R);",
        "permit(principal, action in [], resource);",
        "permit(principal == (U::\"a\"), action in Action::\"a\", resource);",
        "@id(\"a\") @note @if(\"reserved words may name annotations\") "
        "permit(principal,action,resource);",
        "permit(principal, action, resource) when {true} unless {false} when {true};",
        "permit(principal, action, resource)\u00a0;",
        "permit(principal, action, resource) when {{a: 1,} == {\"a\": 1} && [1,].contains(1,)};"}) {
    EXPECT_EQ(ParseError(good), "") << good;
  }
}

TEST(Parser, RefusesWhatCedarRefuses) {
  for (const char* bad :
       {"permit(principal, action, resource)",
        "permit(action, principal, resource);",
        "permit(principal, action);",
        "permit(principal, action, resource, context);",
        "permit(principal, action, resource) {};",
        "permit(principal, action == U::\"x\", resource);",
        "permit(principal, action is Action, resource);",
        "permit(principal in [U::\"a\"], action, resource);",
        "permit(principal == U, action, resource);",
        "permit(principal == \"U\", action, resource);",
        "permit(principal != U::\"a\", action, resource);",
        "permit(principal == principal, action, resource);",
        "permit(principal is U == G::\"x\", action, resource);",
        "permit(principal, action in [[Action::\"a\"]], resource);",
        "permit(principal, action, resource) when {};",
        "permit(principal, action, resource) if {true};",
        "@id(\"a\") @id(\"b\") permit(principal, action, resource);",
        "@id() permit(principal, action, resource);",
        "allow(principal, action, resource);",
        "permit(principal is __cedar::U, action, resource);",
        "\ufeffpermit(principal,action,resource);",
        "permit(principal, action, resource) when {{a: 1, \"a\": 2} == {}};",
        "permit(principal, action, resource) when {A::B};",
        "permit(principal, action, resource) when {context.__cedar == 1};",
        "permit(principal, action, resource) when {1 + if true then 1 else 2 == 2};",
        "permit(principal, action, resource) when {if true then 1};",
        "permit(principal, action, resource) when {1 / 2 == 0};",
        "permit(principal, action, resource) when {\"x\"};;",
        "permit(principal, action, resource) when {principal()};",
        "permit(principal, action, resource) when {context[1] == 1};",
        "permit(principal, action, resource) when {/* no */ true};",
        "#",
        "permit(\"x"}) {
    EXPECT_NE(ParseError(bad), "") << bad;
  }
  EXPECT_NE(ParseError(std::string("permit(principal, action, resource) when {\"\xff\" == 1};")),
            "");
}

TEST(Parser, TemplatesAreRefusedWithAReason) {
  const Result<PolicySet> set =
      PolicySet::Parse("permit(principal == ?principal, action, resource);", "t.cedar");
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, Code::kUnsupported);
  EXPECT_THAT(set.error().message, HasSubstr("template"));
  EXPECT_NE(ParseError("permit(principal == ?resource, action, resource);"), "");
}

TEST(Parser, ErrorsShowTheLine) {
  EXPECT_EQ(ParseError("permit(principal, action, resource)\nwhen { context.a == };"),
            "p.cedar:2:21: expected an expression, found `}`\n"
            "  when { context.a == };\n"
            "                      ^");
}

TEST(Parser, ColumnsCountCharactersNotBytes) {
  EXPECT_THAT(ParseError("permit(principal, action, resource) when { \"äöü\" == };"),
              HasSubstr("p.cedar:1:53: "));
}

TEST(Parser, WhatAMessageShowsIsCutBetweenCharacters) {
  const std::string head = "permit(principal, action, resource) when { ";
  std::string long_string = "\"";
  for (int i = 0; i < 60; ++i) long_string += "\U0001F600";
  for (const std::string& bad :
       {head + "\U0001F600 };", head + "\"\\\U0001F600\" };", head + "true " + long_string + "\" };",
        head + "true \"a" + long_string.substr(1) + "\" };",
        head + "true \"ab" + long_string.substr(1) + "\" };"}) {
    const std::string error = ParseError(bad);
    EXPECT_NE(error, "") << bad;
    EXPECT_TRUE(IsValidUtf8(error)) << error;
  }
  for (const char* bad : {"entity A; \U0001F600", "entity \u00e9;", "action a appliesTo {\u20ac};"}) {
    const Result<Schema> schema = Schema::Parse(bad, "s");
    ASSERT_FALSE(schema) << bad;
    EXPECT_TRUE(IsValidUtf8(schema.error().message)) << schema.error().message;
  }
}

TEST(Parser, LongLinesAreCut) {
  const std::string error = ParseError("permit(principal, action, resource) when { \"" +
                                       std::string(5000, 'x') + "\" == };");
  EXPECT_LT(error.size(), 600u);
}

TEST(Parser, DepthBombsAreRefusedNotFatal) {
  const std::string head = "permit(principal, action, resource) when { ";
  const auto repeat = [](const std::string& text, size_t times) {
    std::string out;
    for (size_t i = 0; i < times; ++i) out += text;
    return out;
  };
  constexpr size_t kMany = 200'000;
  EXPECT_THAT(ParseError(head + repeat("(", kMany)), HasSubstr("nested deeper"));
  EXPECT_THAT(ParseError(head + repeat("[", kMany)), HasSubstr("nested deeper"));
  EXPECT_THAT(ParseError(head + repeat("{a:", kMany)), HasSubstr("nested deeper"));
  EXPECT_THAT(ParseError(head + repeat("if true then true else ", kMany)),
              HasSubstr("nested deeper"));
  EXPECT_THAT(ParseError(head + "context" + repeat(".a", kMany) + " };"),
              HasSubstr("nested deeper"));
  EXPECT_NE(ParseError("permit(principal == " + repeat("(", kMany)), "");
  std::string paths = "context";  // every level doubles what the expression stands for
  for (int i = 0; i < 100; ++i) paths = "(" + paths + " has a.b)";
  EXPECT_THAT(ParseError(head + paths + "};"), HasSubstr("nested deeper"));
  EXPECT_THAT(ParseError(head + "context has a" + repeat(".a", kMany) + "};"),
              HasSubstr("nested deeper"));
  // Long is not deep.
  EXPECT_EQ(ParseError(head + "true" + repeat(" && true", kMany) + " };"), "");
  EXPECT_EQ(ParseError(head + "1" + repeat(" + 1", kMany) + " == 1 };"), "");
  EXPECT_EQ(ParseError(head + repeat("(", 190) + "true" + repeat(")", 190) + " };"), "");
}

TEST(Parser, TheDeepestTreesAreEvaluatedAndValidated) {
  std::string chain = "context";
  for (int i = 0; i < kMaxDepth - 3; ++i) chain += ".r";
  EXPECT_EQ(Ask(chain + " == 1"), Answer::kError);
  std::string nested = "context.n == 1";
  for (int i = 0; i < kMaxNesting - 5; ++i) nested = "!(" + nested + ")";
  EXPECT_EQ(Ask(nested), (kMaxNesting - 5) % 2 == 0 ? Answer::kTrue : Answer::kFalse);
  const Schema schema = Schema::Parse(
                            "entity U, P; type R = {n?: Long, r?: {n?: Long}};"
                            "action view appliesTo {principal: U, resource: P, context: R};",
                            "s")
                            .value();
  for (const std::string& condition : {chain + " == 1", nested}) {
    const PolicySet set =
        PolicySet::Parse("permit(principal,action,resource) when {" + condition + "};", "d")
            .value();
    EXPECT_FALSE(Validate(set, schema).errors.empty());
  }
}

TEST(Parser, NestedIsInIsEvaluatedOnce) {
  std::string object = "principal";
  for (int i = 0; i < 60; ++i) {
    object = "(if (" + object + ") is User in Group::\"all\" then principal else principal)";
  }
  EXPECT_EQ(Ask(object + " == principal"), Answer::kTrue);  // 2^60 evaluations would not end
}

TEST(Parser, AnnotationsAndLabels) {
  const PolicySet set =
      PolicySet::Parse(
          "@id(\"first\") @advice(\"say \\\"hi\\\"\") permit(principal,action,resource);\n"
          "forbid(principal,action,resource);",
          "a.cedar")
          .value();
  ASSERT_EQ(set.size(), 2u);
  EXPECT_EQ(set.Annotations("policy0")->at("advice"), "say \"hi\"");
  EXPECT_EQ(set.Label("policy0"), "first");
  EXPECT_EQ(set.Label("policy1"), "policy1");
  EXPECT_EQ(set.Where("policy1"), "a.cedar:2");
  for (const char* id : {"policy2", "policy", "policy01", "policy-1", "", "first", "policy1 "}) {
    EXPECT_EQ(set.Annotations(id), nullptr) << id;
  }
}

TEST(Parser, SeveralFilesCountOn) {
  const PolicySet set = PolicySet::Parse({{"a", "permit(principal,action,resource);"},
                                          {"b", "\nforbid(principal,action,resource);"}})
                            .value();
  EXPECT_EQ(set.Ids(), (std::vector<std::string>{"policy0", "policy1"}));
  EXPECT_EQ(set.Where("policy1"), "b:2");
}

}  // namespace
}  // namespace portcullis::policy::cedar
