// The JSON forms of policies and schemas: there and back, and what is refused with which words.
#include <gtest/gtest.h>

#include "policy/cedar/batch.h"
#include "policy/cedar/policy_json.h"
#include "policy/cedar/print.h"
#include "policy/cedar/schema.h"
#include "policy/cedar/schema_write.h"
#include "tests/policy/cedar_helpers.h"

namespace portcullis::policy::cedar {
namespace {

// Every form of expression in one condition.
constexpr std::string_view kEverything = R"(@id("all") @bare forbid(
  principal is A::User in Group::"g\"\\", action in [Action::"a", N::Action::"b"], resource)
  when { (if principal has a.b && !(context.x < 1) then 1 + 2 - 3 * -4 else -(5)) >= 0 }
  unless { ["x", {k: [], "k k": ip("::1")}].contains(principal["odd name"].plain) ||
           "a*b" like "a\**\u{e9}" || principal.getTag("t") != resource ||
           context.t.offset(duration("1d")) < datetime("2024-01-01") || principal is X in Y::"z" };)";

std::string FirstJson(std::string_view text) {
  return ToJson(PolicySet::Parse(text, "p").value().policies()[0]);
}

TEST(PolicyJson, ThereAndBackIsTheSamePolicy) {
  const std::string json = FirstJson(kEverything);
  const Result<PolicySet> read =
      PolicySet::ParseJson(R"({"staticPolicies":{"policy0":)" + json + "}}", "p.json");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(ToJson(read.value().policies()[0]), json);
  EXPECT_EQ(FirstJson(PrintPolicy(read.value().policies()[0])), json);
}

TEST(PolicyJson, LongChainsStayFlat) {
  std::string condition = "true";
  for (int i = 0; i < 200; ++i) condition += " && context.n == " + std::to_string(i);
  const std::string json = FirstJson("permit(principal,action,resource) when {" + condition + "};");
  const Result<PolicySet> read =
      PolicySet::ParseJson(R"({"staticPolicies":{"p":)" + json + "}}", "p.json");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(ToJson(read.value().policies()[0]), json);
}

std::string ConditionError(const std::string& body) {
  const Result<PolicySet> set = PolicySet::ParseJson(
      R"({"staticPolicies":{"p":{"effect":"permit","principal":{"op":"All"},"action":{"op":"All"},)"
      R"("resource":{"op":"All"},"conditions":[{"kind":"when","body":)" +
          body + "}]}}}",
      "p.json");
  return set ? "" : set.error().message;
}

TEST(PolicyJson, RefusalsNameThePath) {
  EXPECT_EQ(ConditionError(R"({"==":{"left":{"Value":1},"right":{"Value":2}}})"), "");
  EXPECT_EQ(ConditionError(R"({"==":{"left":{"Value":1}}})"),
            R"(p.json.staticPolicies.p.conditions[0].body.==: lacks the member "right")");
  for (const char* wrong :
       {R"({"Var":"me"})", R"({"Value":null})", R"({"Value":1.5})", R"({"Value":1,"Var":"action"})",
        R"({"like":{"left":{"Value":"a"},"pattern":"a*"}})", R"({"nothing":[]})",
        R"({"has":{"left":{"Var":"context"},"attr":[]}})", R"({"isInRange":1})", R"([])", "1",
        R"({"Slot":"?principal"})", R"({"is":{"left":{"Var":"action"},"entity_type":"a b"}})"}) {
    EXPECT_NE(ConditionError(wrong), "") << wrong;
  }
}

TEST(PolicyJson, DepthBombsAreRefused) {
  std::string body = R"({"Value":true})";
  for (int i = 0; i < 300; ++i) body = R"({"!":{"arg":)" + body + "}}";
  EXPECT_NE(ConditionError(body), "");
}

constexpr std::string_view kSchema = R"(
  @doc("of all") namespace Gw {
    type Address = { street: String, "post code"?: Long };
    entity Team;
    entity User in [Team] = { home: Address, since?: datetime, @note ips: Set<ipaddr> } tags Long;
    entity Colour enum ["red", "green"];
    action read, "write it" in [all] appliesTo {
      principal: User, resource: [Team, Colour], context: { why: Colour } };
    action all;
  }
  entity Outside;)";

TEST(SchemaJson, BothSyntaxesMeanTheSame) {
  const WrittenSchema written = ReadSchemaText(kSchema, "s").value();
  const std::string json = SchemaJson(written);
  const Result<Schema> from_json = Schema::ParseAny(json, "s.json");
  ASSERT_TRUE(from_json) << from_json.error().message;
  const Schema from_text = Schema::Parse(kSchema, "s").value();
  ASSERT_EQ(from_json.value().entity_types().size(), from_text.entity_types().size());
  for (const auto& [name, type] : from_text.entity_types()) {
    const EntityType* other = from_json.value().FindEntityType(name);
    ASSERT_NE(other, nullptr) << name;
    EXPECT_EQ(other->attributes, type.attributes) << name;
    EXPECT_EQ(other->ancestors, type.ancestors) << name;
    EXPECT_EQ(other->members, type.members) << name;
    EXPECT_EQ(other->tags == nullptr, type.tags == nullptr) << name;
  }
  for (const auto& [uid, action] : from_text.actions()) {
    const Action* other = from_json.value().FindAction(uid);
    ASSERT_NE(other, nullptr) << ToText(uid);
    EXPECT_EQ(other->ancestors, action.ancestors);
    EXPECT_EQ(other->principals, action.principals);
    EXPECT_EQ(other->resources, action.resources);
    EXPECT_EQ(*other->context, *action.context);
  }
  const std::string text = SchemaText(written).value();
  EXPECT_EQ(SchemaJson(ReadSchemaText(text, "again").value()), json) << text;
}

TEST(SchemaJson, OfAnAttributeDeclaredTwiceTheLastCounts) {
  const auto json = [](std::string_view text) { return SchemaJson(ReadSchemaText(text, "schema").value()); };
  const std::string twice = json("entity A {a: Long, b: {c: Bool, c?: Long}, \"a\": String};");
  EXPECT_EQ(twice, json("entity A {b: {c?: Long}, a: String};"));
  EXPECT_TRUE(Schema::ParseAny(twice, "json"));
}

TEST(SchemaJson, RefusalsNameThePath) {
  const auto error = [](std::string_view json) {
    const Result<Schema> schema = Schema::ParseAny(json, "s.json");
    return schema ? std::string() : schema.error().message;
  };
  EXPECT_EQ(error(R"({"":{"entityTypes":{},"actions":{}}})"), "");
  EXPECT_EQ(error(R"({"N":{"entityTypes":{"A":{"shape":{"type":"Record","attributes":{
                    "x":{"type":"Nope"}}}}},"actions":{}}})"),
            "s.json.N.entityTypes.A.shape.attributes.x: there is no type `Nope`");
  for (const char* wrong :
       {R"({"":{"entityTypes":{}}})", R"({"":{"entityTypes":{"if":{}},"actions":{}}})",
        R"({"a b":{"entityTypes":{},"actions":{}}})",
        R"({"":{"entityTypes":{"A":{"enum":[]}},"actions":{}}})",
        R"({"":{"entityTypes":{"A":{"enum":["x"],"tags":{"type":"Long"}}},"actions":{}}})",
        R"({"":{"entityTypes":{"A":{"shape":{"type":"Long"}}},"actions":{}}})",
        R"({"":{"commonTypes":{"T":{"type":"T"}},"entityTypes":{},"actions":{}}})",
        R"({"":{"entityTypes":{},"actions":{"a":{"memberOf":[{"id":"b"}]}}}})",
        R"({"":{"entityTypes":{},"actions":{"a":{"attributes":{"x":1}}}}})",
        R"({"":{"entityTypes":{"A":{"shape":{"type":"Record","attributes":{},
           "additionalAttributes":true}}},"actions":{}}})"}) {
    EXPECT_NE(error(wrong), "") << wrong;
  }
}

TEST(Batch, ConvertsAndFormatsALine) {
  Batch batch;
  const Batch::Answer json =
      batch.Convert(R"({"policies":"permit(principal,action,resource);","to":"json"})");
  EXPECT_EQ(json.json,
            R"({"json":{"staticPolicies":{"policy0":{"effect":"permit","principal":{"op":"All"},)"
            R"("action":{"op":"All"},"resource":{"op":"All"},"conditions":[]}},"templates":{},)"
            R"("templateLinks":[]}})");
  EXPECT_FALSE(batch.Convert(R"({"policies":"permit(","to":"json"})").answered);
  EXPECT_FALSE(batch.Convert(R"({"policies":"","to":"xml"})").answered);
  EXPECT_EQ(batch.Format(R"({"policies":"permit(principal,action,resource);"})").json,
            R"({"text":"permit (principal, action, resource);\n"})");
}

}  // namespace
}  // namespace portcullis::policy::cedar
