// Texts that a schema allows and refuses, as the writers of schemas ask for them: pydantic's and zod's
// formats, bounds and patterns with look-aheads; and what such patterns may cost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "tests/inference/compiled_schema.h"

namespace portcullis::inference {
namespace {

namespace json = boost::json;

std::string Quoted(std::string_view text) { return json::serialize(json::value(text)); }

void Check(const json::object& schema, std::initializer_list<std::string_view> good,
           std::initializer_list<std::string_view> bad) {
  const Compiled made(schema);
  ASSERT_EQ(made.refusal, "") << json::serialize(schema);
  for (const auto text : good) EXPECT_TRUE(made.Takes(Quoted(text))) << json::serialize(schema) << " " << text;
  for (const auto text : bad) EXPECT_FALSE(made.Takes(Quoted(text))) << json::serialize(schema) << " " << text;
}

json::object Pattern(std::string_view pattern) { return {{"type", "string"}, {"pattern", pattern}}; }
json::object Format(std::string_view format) { return {{"type", "string"}, {"format", format}}; }
json::object Both(std::string_view format, std::string_view pattern) {
  return {{"type", "string"}, {"format", format}, {"pattern", pattern}};
}

TEST(GrammarText, LookAheadsAtTheStart) {
  Check(Pattern(R"(^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$)"), {"1", "-0.5", "+12.", ".5"}, {"", "-", ".", "-.", "1.2.3", "x"});
  Check(Pattern(R"(^(?=.*[A-Z])(?=.*\d).{3,5}$)"), {"aB3", "1xxZ"}, {"ab3", "aBc", "B3", "aaaB33"});
  Check(Pattern(R"(^(?!a|b$|[)\]]|\().*c)"), {"c", "bc", "xc"}, {"ac", "b", ")c", "]c", "(c"});
  Check(Pattern("^(?!x)"), {"", "ax"}, {"x", "xa"});
  Check({{"type", "string"}, {"not", {{"pattern", "^(?!x)a*"}}}, {"maxLength", 3}}, {"x", "xab"}, {"", "a", "b"});
  Check({{"enum", {"good", "bad"}}, {"pattern", "^(?!b)"}}, {"good"}, {"bad"});
  for (const char* elsewhere : {"(?!x)a", "^a(?!x)", "^(?!x)a|b", "^((?!x)a)", "^(?<!x)a", "^(?!x)*a", "^(?!(?=x))a",
                                "^(?!x", "^(?!x)a)"}) {
    EXPECT_NE(Compiled(Pattern(elsewhere)).refusal, "") << elsewhere;
  }
}

TEST(GrammarText, EmailsAsZodAsksForThem) {
  constexpr std::string_view kZod =
      R"(^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$)";
  Check(Both("email", kZod), {"a.b@example.org"}, {".a@example.org", "a..b@example.org", "a@example", ""});
  json::object bounded = Both("email", kZod);
  bounded["maxLength"] = 254;
  Check(bounded, {"a.b@example.org"}, {"a@example"});
}

TEST(GrammarText, BoundsThatAFormatKeepsByItselfCostNothing) {
  json::object url = {{"type", "string"}, {"format", "uri"}, {"minLength", 1}, {"maxLength", 2083}};
  Check(url, {"https://example.org/a?b=c"}, {"", "example.org"});
  const auto states = [](const json::object& schema) { return Compiled(schema).grammar.size(); };
  EXPECT_EQ(states(url), states(Format("uri")));
  // What it does not keep is kept by counting.
  url["maxLength"] = 12;
  Check(url, {"https://ab.c"}, {"https://ab.cd"});
  Check({{"type", "string"}, {"pattern", "^a*b?$"}, {"minLength", 2}, {"maxLength", 3}}, {"aa", "ab", "aab"},
        {"", "b", "aaab"});
  Check({{"type", "string"}, {"pattern", "^(ab|abcd)$"}, {"minLength", 3}, {"maxLength", 4}}, {"abcd"}, {"ab"});
  Check({{"type", "string"}, {"pattern", "^(ab|abcd)$"}, {"minLength", 2}, {"maxLength", 3}}, {"ab"}, {"abcd"});
}

TEST(GrammarText, FormatsBesideThePatternsThatSpellThemOut) {
  Check(Both("nanoid", "^[a-zA-Z0-9_-]{3}$"), {"a-Z"}, {"a-Zz"});
  EXPECT_THAT(Compiled(Format("nanoid")).refusal, testing::HasSubstr("#/format"));
  constexpr std::string_view kZodTime = R"(^(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?$)";
  Check(Both("time", kZodTime), {"10:00", "10:00:30", "10:00:30.5"}, {"24:00", "10:00Z"});
  json::object listed = Both("time", kZodTime);
  listed["enum"] = {"10:00", "24:00", "10:00Z"};
  Check(listed, {"10:00"}, {"24:00", "10:00Z"});
  listed["pattern"] = "^1";
  listed["enum"] = {"10:00", "10:00:30Z"};
  Check(listed, {"10:00:30Z"}, {"10:00"});
  // Where a pattern leaves room for the zone that the format asks for, it is asked for.
  Check(Both("time", "^1"), {"10:00:30Z"}, {"10:00:30", "20:00:30Z"});
  Check(Both("date-time", R"(^[^Z+]{19}$)"), {"2024-05-06T10:00:30"}, {"2024-05-06T10:00"});
}

TEST(GrammarText, PydanticsFormats) {
  constexpr const char* kFour = "123e4567-e89b-42d3-a456-426614174000";
  Check(Format("uuid4"), {kFour}, {"123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-42d3-c456-426614174000"});
  Check(Format("uuid1"), {"123e4567-e89b-12d3-a456-426614174000"}, {kFour});
  Check(Format("ipvanyaddress"), {"10.0.0.1", "::1"}, {"10.0.0.256", "x"});
  Check(Format("base64url"), {"", "ab-_", "aQ==", "abA="}, {"a", "ab+/", "ab==", "abd="});
  Check(Format("base64"), {"", "ab+/", "aQ==", "abA="}, {"a", "ab-_", "ab==", "abd="});
  Check(Format("regex"), {"", R"(^a+(b|c\.)*[^a-z0]{3}$)"}, {"(", "[b", "a**", "(?<x"});
  for (const char* any : {"path", "file-path", "directory-path", "json-string"}) Check(Format(any), {"", "/a b"}, {});
}

TEST(GrammarText, HostileLookAheadsArePaidFor) {
  std::string many = "^";
  for (int i = 0; i < 300; ++i) many += "(?!)";
  EXPECT_THAT(Compiled(Pattern(many)).refusal, testing::HasSubstr("look-around"));
  const Compiled doubling(Pattern("^(?=.*a.{18}b)(?=.*b.{18}c)(?!.*c.{18}a).*$"));
  EXPECT_THAT(doubling.refusal, testing::HasSubstr("too large"));
  EXPECT_LT(doubling.effort, grammar::kSchemaEffort);
  EXPECT_GT(doubling.effort, -grammar::kSchemaEffort);
  // Each value of a list is judged anew.
  json::array values;
  for (int i = 0; i < 2000; ++i) values.emplace_back(std::to_string(i));
  const Compiled judged({{"enum", values}, {"pattern", "^(?!.*a.{9}b).*$"}});
  EXPECT_THAT(judged.refusal, testing::HasSubstr("too long to compile"));
  EXPECT_GT(judged.effort, -grammar::kSchemaEffort);
}

}  // namespace
}  // namespace portcullis::inference
