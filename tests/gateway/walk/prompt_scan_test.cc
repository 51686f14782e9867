#include "gateway/classify/prompt_scan.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace portcullis::gateway {
namespace {

namespace json = boost::json;

TEST(PromptScan, SeesEveryStringOfEveryPlace) {
  for (const char* text : {
           R"({"messages":[{"role":"tool","content":"4111 1111 1111 1111"}]})",
           R"({"messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":"{\"c\":\"4111111111111111\"}"}}]}]})",
           R"({"metadata":{"4111111111111111":"x"}})",
           R"({"tools":[{"function":{"parameters":{"const":4111111111111111}}}]})",
           R"({"user":"4111-1111-1111-1111"})",
           R"(["a",["b",["4111 1111 1111 1111"]]])"}) {
    const ScanResult found = ScanStrings(json::parse(text), policy::BuiltinDetectors());
    EXPECT_TRUE(found.classes.contains("Financial")) << text;
    EXPECT_EQ(found.kinds.at("pan"), 1u) << text;
    EXPECT_TRUE(found.complete);
  }
}

TEST(PromptScan, RedactsKeysStringsAndLongNumbers) {
  json::value value = json::parse(
      R"({"4111111111111111":[4111111111111111,"a 4111 1111 1111 1111 b",12,true,null,1.5]})");
  ASSERT_TRUE(RedactStrings(value, policy::BuiltinDetectors()));
  EXPECT_EQ(json::serialize(value),
            R"({"[redacted:pan]":["[redacted:pan]","a [redacted:pan] b",12,true,null,1.5E0]})");
}

TEST(PromptScan, CleanTextStaysAsItIs) {
  const std::string text = R"({"messages":[{"role":"user","content":"What is 17 + 25? – naïve ✓"}]})";
  json::value value = json::parse(text);
  EXPECT_TRUE(ScanStrings(value, policy::BuiltinDetectors()).classes.empty());
  ASSERT_TRUE(RedactStrings(value, policy::BuiltinDetectors()));
  EXPECT_EQ(value, json::parse(text));
}

TEST(PromptScan, AMarkingCannotBeRedactedAway) {
  const ScanResult found =
      ScanStrings(json::parse(R"(["NATO SECRET\nplan"])"), policy::BuiltinDetectors());
  EXPECT_TRUE(found.classes.contains("Classified"));
  EXPECT_TRUE(found.Unredactable().contains("Classified"));
}

}  // namespace
}  // namespace portcullis::gateway
