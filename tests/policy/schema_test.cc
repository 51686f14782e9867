// Schema text: what is accepted and refused (verdicts of cedar-wasm 4.10), and conformance.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/cedar/batch.h"
#include "tests/policy/cedar_helpers.h"

namespace portcullis::policy::cedar {
namespace {

TEST(Schema, AcceptsWhatCedarAccepts) {
  for (const char* good :
       {"",
        "entity A, B;",
        "entity A in B; entity B in A;",
        "entity A = {a?: Long, \"b c\": String,};",
        "entity A {a: Set<Set<{x: Long}>>};",
        "entity A {a: __cedar::ipaddr, b: decimal};",
        "type ipaddr = String;",
        "entity Long; entity A {a: Long};",
        "entity principal;",
        "type A = Long; entity A; entity B {a: A};",
        "namespace N { entity A {a: B}; } entity B;",
        "namespace N { entity A {a: M::B}; } namespace M { entity B; }",
        "action a; action \"b c\" in a;",
        "action a in [Action::\"b\"]; action b attributes {};",
        "entity U; action a, b appliesTo {principal: [U, U], resource: U, context: {}};",
        "entity U; action a appliesTo {principal: U, resource: U, context: C}; type C = {a: Long};",
        "namespace N { action a in b; } action b;",
        "entity A enum [\"a\", \"a\"];",
        "entity A {a: Foo, \"a\": Long};",
        "entity A {a: Long} tags Set<Long>;",
        "entity A {a: Action}; action x;",
        "@doc(\"x\") namespace N { @y entity A {@z a: Long}; }"}) {
    const Result<Schema> schema = Schema::Parse(good, "s");
    EXPECT_TRUE(schema) << good << "\n" << schema.error().message;
  }
}

TEST(Schema, RefusesWhatCedarRefuses) {
  for (const char* bad :
       {"entity A in B;",
        "entity A {a: Foo};",
        "entity A {a: Boolean};",
        "type T = U; type U = T;",
        "type T = Set<T>;",
        "type Long = String;",
        "entity if;",
        "entity __cedar;",
        "entity Action;",
        "entity A; entity A;",
        "type T = Long; type T = Long;",
        "entity A,;",
        "namespace N { entity A; } namespace N { entity B; }",
        "namespace N { entity A; } entity A;",
        "namespace N { namespace M { } }",
        "action a appliesTo {};",
        "entity U; action a appliesTo {principal: U};",
        "entity U; action a appliesTo {principal: [], resource: U};",
        "entity U; action a appliesTo {principal: U, principal: U, resource: U};",
        "entity U; action a appliesTo {principal: U, resource: U, context: Long};",
        "action a in [c];",
        "action a in a;",
        "action a in b; action b in a;",
        "action a; action a;",
        "entity A enum [];",
        "entity A enum [\"a\",];",
        "entity A enum [\"a\"] tags Long;",
        "@d @d entity A;",
        "entity A {a: Set};",
        "entity A::B;",
        "namespace __cedar {}",
        "type T = Long; entity A in T;",
        "action x appliesTo {principal: Action, resource: Action};",
        "entity A {a: Long}",
        "entity A = T; type T = {};"}) {
    EXPECT_FALSE(Schema::Parse(bad, "s")) << bad;
  }
}

TEST(Schema, DeepAndSelfSimilarTypesAreHarmless) {
  std::string deep = "type T = ";
  for (int i = 0; i < 100'000; ++i) deep += "Set<";
  EXPECT_FALSE(Schema::Parse(deep, "s"));
  std::string doubling = "type T0 = Long;";
  for (int i = 1; i < 60; ++i) {
    const std::string before = "T" + std::to_string(i - 1);
    doubling += "type T" + std::to_string(i) + " = {a: " + before + ", b: " + before + "};";
  }
  const Result<Schema> schema = Schema::Parse(doubling + "entity A {x: T59};", "s");
  ASSERT_TRUE(schema) << schema.error().message;
  EXPECT_LT(ToText(*schema.value().FindEntityType("A")->attributes.at("x").type).size(), 20'000u);
}

TEST(Schema, AHierarchyTooDeepForItsSizeIsRefused) {
  const auto refused = [](const std::string& text) {
    const Result<Schema> schema = Schema::Parse(text, "s");
    ASSERT_FALSE(schema);
    EXPECT_EQ(schema.error().code, Code::kTooLarge);
    EXPECT_THAT(schema.error().message, testing::HasSubstr("too deep for so many names"));
  };
  std::string types = "entity T0;";
  std::string actions = "action a0;";
  for (int i = 1; i < 20'000; ++i) {
    const std::string above = std::to_string(i - 1);
    types += "entity T" + std::to_string(i) + " in [T" + above + "];";
    actions += "action a" + std::to_string(i) + " in [a" + above + "];";
  }
  refused(types);
  refused(actions);
  // Few names above each, but many ways there.
  std::string dense = "entity D0;";
  for (int i = 1; i < 300; ++i) {
    std::string above;
    for (int j = 0; j < i; ++j) above += (j == 0 ? "D" : ",D") + std::to_string(j);
    dense += "entity D" + std::to_string(i) + " in [" + above + "];";
  }
  refused(dense);
  EXPECT_TRUE(Schema::Parse(types.substr(0, types.find("entity T1000 ")), "s"));
}

constexpr std::string_view kSchema =
    "entity G; entity U in [G] {age: Long, from?: ipaddr, boss?: U} tags String;"
    "entity E enum [\"x\"]; entity R {e: E};"
    "action v appliesTo {principal: U, resource: R, context: {at: datetime, q?: Set<decimal>}};";

TEST(Conformance, ImplicitFormsFollowTheSchema) {
  const Schema schema = Schema::Parse(kSchema, "s").value();
  const Result<Entities> entities = Entities::ParseJson(
      R"([{"uid":{"type":"U","id":"a"},"attrs":{"age":1,"from":"10.0.0.1","boss":{"type":"U","id":"b"}},
           "parents":[{"type":"G","id":"g"}],"tags":{"t":"v"}}])",
      &schema);
  ASSERT_TRUE(entities) << entities.error().message;
  const Entities::Stored* stored = entities.value().Find({"U", "a"});
  ASSERT_NE(stored, nullptr);
  EXPECT_EQ(stored->attrs.Find("from")->kind(), Kind::kIp);
  EXPECT_EQ(stored->attrs.Find("boss")->kind(), Kind::kEntity);
}

TEST(Conformance, RefusesWhatTheSchemaDoesNotKnow) {
  const Schema schema = Schema::Parse(kSchema, "s").value();
  for (
      const char* bad :
      {R"({"uid":{"type":"U","id":"a"},"attrs":{},"parents":[]})",
       R"({"uid":{"type":"U","id":"a"},"attrs":{"age":"x"},"parents":[]})",
       R"({"uid":{"type":"U","id":"a"},"attrs":{"age":1,"more":1},"parents":[]})",
       R"({"uid":{"type":"U","id":"a"},"attrs":{"age":1},"parents":[{"type":"R","id":"r"}]})",
       R"({"uid":{"type":"U","id":"a"},"attrs":{"age":1},"parents":[],"tags":{"t":1}})",
       R"({"uid":{"type":"G","id":"a"},"attrs":{},"parents":[],"tags":{"t":"v"}})",
       R"({"uid":{"type":"E","id":"y"},"attrs":{},"parents":[]})",
       R"({"uid":{"type":"R","id":"r"},"attrs":{"e":{"__entity":{"type":"E","id":"y"}}},"parents":[]})",
       R"({"uid":{"type":"Z","id":"a"},"attrs":{},"parents":[]})"}) {
    EXPECT_FALSE(Entities::ParseJson("[" + std::string(bad) + "]", &schema)) << bad;
  }
}

TEST(Conformance, Requests) {
  const Schema schema = Schema::Parse(kSchema, "s").value();
  const auto good = [&](const std::string& principal, const std::string& context) {
    const Json json =
        ParseJson(
            R"({"principal":{"type":")" + principal +
                R"(","id":"a"},"action":{"type":"Action","id":"v"},"resource":{"type":"R","id":"r"},"context":)" +
                context + "}",
            "r")
            .value();
    return static_cast<bool>(RequestFromJson(json, &schema));
  };
  EXPECT_TRUE(good("U", R"({"at":"2024-01-01"})"));
  EXPECT_TRUE(good("U", R"({"at":"2024-01-01","q":["1.0"]})"));
  EXPECT_FALSE(good("U", "{}"));
  EXPECT_FALSE(good("U", R"({"at":1})"));
  EXPECT_FALSE(good("U", R"({"at":"2024-01-01","x":1})"));
  EXPECT_FALSE(good("R", R"({"at":"2024-01-01"})"));
}

TEST(Batch, AnswersAndRefusesLines) {
  Batch batch;
  const std::string question =
      R"({"policies":"permit(principal,action,resource);","entities":[],"request":)"
      R"({"principal":{"type":"U","id":"a"},"action":{"type":"Action","id":"v"},"resource":{"type":"R","id":"r"}}})";
  EXPECT_EQ(batch.Authorize(question).json,
            R"({"decision":"allow","reasons":["policy0"],"errors":[]})");
  for (const char* bad : {"", "{", "[]", "{}", R"({"policies":1})", R"({"policies":"nonsense"})",
                          R"({"policies":"","entities":[],"request":{}})"}) {
    const Batch::Answer answer = batch.Authorize(bad);
    EXPECT_FALSE(answer.answered) << bad;
    EXPECT_THAT(answer.json, testing::HasSubstr(R"("decision":"deny")")) << bad;
    EXPECT_FALSE(batch.Validate(bad).yes) << bad;
  }
}

}  // namespace
}  // namespace portcullis::policy::cedar
