// Items that have to differ from those before them, whatever these are: masks and answers that look back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>

#include "inference/sample/grammar/schema.h"
#include "inference/sample/guide.h"
#include "inference/sample/sampler.h"
#include "tests/inference/serve_helpers.h"

namespace portcullis::inference {
namespace {

namespace json = boost::json;

std::string RefusalOf(const std::string& schema, grammar::Grammar& g) {
  int64_t effort = grammar::kSchemaEffort;
  const auto root = grammar::CompileSchema(g, json::parse(schema), grammar::Grammar::kReturn, effort);
  if (!root) return root.error().message;
  g.set_root(root.value());
  const auto finished = g.Finish();
  return finished ? "" : finished.error().message;
}

std::shared_ptr<const grammar::Grammar> Compile(const std::string& schema) {
  auto g = std::make_shared<grammar::Grammar>();
  EXPECT_EQ(RefusalOf(schema, *g), "") << schema;
  return g;
}

bool Takes(const std::string& schema, std::string_view text) {
  const auto g = Compile(schema);
  grammar::Matcher matcher(*g);
  const grammar::SetId end = matcher.Walk(matcher.Start(), text);
  return end != grammar::kDead && matcher.Ends(end);
}

constexpr const char* kTexts = R"({"type":"array","items":{"type":"string"},"uniqueItems":true})";
constexpr const char* kNumbers = R"({"type":"array","items":{"type":"number"},"uniqueItems":true,"minItems":2})";

TEST(DistinctItems, OfTextsAndNumbers) {
  for (const char* good : {R"([])", R"(["a"])", R"(["a", "b"])", R"(["a","aa","aaa"])", R"(["","a"])", R"(["a,", "a"])",
                           R"(["\"", "\\"])"}) {
    EXPECT_TRUE(Takes(kTexts, good)) << good;
  }
  for (const char* bad : {R"(["a", "a"])", R"(["a","b","a"])", R"(["a","\u0061"])", R"(["",""])", R"(["a\n", "a\u000a"])"}) {
    EXPECT_FALSE(Takes(kTexts, bad)) << bad;
  }
  for (const char* good : {"[1, 2]", "[1, 11, 111]", "[1.5, 1.25]", "[-1, 1]", "[0, 10]"}) EXPECT_TRUE(Takes(kNumbers, good)) << good;
  for (const char* bad : {"[1]", "[1, 1]", "[1, 1.0]", "[0, -0]", "[1, 2, 3, 2]"}) EXPECT_FALSE(Takes(kNumbers, bad)) << bad;
  EXPECT_TRUE(Takes(R"({"type":"array","items":{"type":["string","integer"],"minLength":1},"uniqueItems":true})", R"(["1", 1])"));
}

TEST(DistinctItems, EachArrayByItself) {
  const std::string rows = std::string(R"({"type":"array","items":)") + kTexts + "}";
  EXPECT_TRUE(Takes(rows, R"([["a", "b"], ["a", "b"], []])"));
  EXPECT_FALSE(Takes(rows, R"([["a"], ["b", "b"]])"));
  const std::string object = std::string(R"({"type":"object","properties":{"x":)") + kTexts + R"(,"y":)" + kTexts +
                             R"(,"z":{"type":"array","items":{"type":"string"}}}})";
  EXPECT_TRUE(Takes(object, R"({"x": ["a"], "y": ["a", "b"], "z": ["a", "a"]})"));
  EXPECT_FALSE(Takes(object, R"({"x": ["a"], "y": ["a", "a"]})"));
}

TEST(DistinctItems, FewWholeNumbersAreListed) {
  constexpr const char* kDice = R"({"type":"array","items":{"type":"integer","minimum":1,"maximum":6},"uniqueItems":true,"minItems":6})";
  EXPECT_TRUE(Takes(kDice, "[6, 1, 2, 5, 4, 3]"));
  EXPECT_FALSE(Takes(kDice, "[6, 1, 2, 5, 4, 6]"));
  grammar::Grammar g;
  EXPECT_NE(RefusalOf(R"({"type":"array","items":{"type":"integer","minimum":1,"maximum":6},"uniqueItems":true,"minItems":7})", g), "");
}

// Where an item that is the same has no way on, the answer would be stuck.
TEST(DistinctItems, WhatRunsOutIsRefused) {
  for (const char* items : {R"({"type":"string","maxLength":3})", R"({"type":"string","pattern":"^a"})", R"({"type":"string","format":"uuid"})",
                            R"({"type":"integer","maximum":1000})", R"({"type":"integer","minimum":-3})", R"({"type":["string","null"]})",
                            R"({"type":"object"})", "{}", "true", R"({"$ref":"#/$defs/s","maxLength":3})"}) {
    grammar::Grammar g;
    EXPECT_THAT(RefusalOf(std::string(R"({"type":"array","uniqueItems":true,"items":)") + items + R"(,"$defs":{"s":{"type":"string"}}})", g),
                testing::HasSubstr("#/uniqueItems")) << items;
  }
  EXPECT_TRUE(Takes(R"({"type":"array","uniqueItems":true,"items":{"$ref":"#/$defs/s"},"$defs":{"s":{"type":"string"}}})", R"(["a"])"));
}

// A model of few words has to say something else in the end, token by token.
TEST(DistinctItems, AnAnswerLooksBack) {
  const auto tokenizer = TestTokenizer("");
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SamplingOptions options;
    options.seed = seed;
    auto plan = std::make_shared<GuidePlan>();
    plan->tokenizer = tokenizer.get();
    plan->masks = std::make_shared<grammar::SharedMasks>(tokenizer->vocab());
    plan->answer = Compile(std::string(R"({"type":"array","uniqueItems":true,"minItems":12,"maxItems":12,"items":{"type":)") +
                           (seed % 2 == 0 ? R"("number"}})" : R"("string"}})"));
    options.guide = plan;
    for (const char c : std::string_view("a1\",")) options.logit_bias.emplace_back(c, 40.0f);
    options.logit_bias.emplace_back(kHello, 40.0f);
    Sampler sampler(options, {}, kTestVocab);
    std::string text;
    json::value items;
    for (json::error_code error = json::error::incomplete; error;) {
      std::vector<float> logits(kTestVocab, 0.0f);
      const TokenId id = sampler.Next(logits).id;
      ASSERT_NE(id, kNoToken) << text;
      text += tokenizer->vocab().Bytes(id);
      ASSERT_LT(text.size(), 1000u) << text;
      items = json::parse(text, error);
    }
    ASSERT_EQ(items.as_array().size(), 12u);
    std::set<std::string> seen;
    for (const json::value& item : items.as_array()) {
      const std::string key = item.is_string() ? json::serialize(item) : std::to_string(item.to_number<double>());
      EXPECT_TRUE(seen.insert(key).second) << text;
    }
  }
}

}  // namespace
}  // namespace portcullis::inference
