// Items that have to differ from those before them, whatever these are: masks and answers that look back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>

#include "inference/sample/grammar/distinct_items.h"
#include "inference/sample/grammar/schema.h"
#include "inference/sample/grammar/token_mask.h"
#include "inference/sample/guide.h"
#include "inference/sample/random.h"
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

bool Alive(const std::string& schema, std::string_view text) {
  const auto g = Compile(schema);
  grammar::Matcher matcher(*g);
  return matcher.Walk(matcher.Start(), text) != grammar::kDead;
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

// What stands for the same number however it goes on is refused before it is begun.
TEST(DistinctItems, NumbersThatDifferHaveNoExponents) {
  EXPECT_FALSE(Alive(kNumbers, "[0, 0e"));
  EXPECT_FALSE(Alive(kNumbers, "[0, 0.000000000000000"));
  EXPECT_TRUE(Alive(kNumbers, "[0, 0.0000000000000"));
  EXPECT_TRUE(Takes(kNumbers, "[0, 0.00000000000001, -0.5]"));
  EXPECT_TRUE(Takes(R"({"type":"array","items":{"type":"number"}})", "[0, 0e5]"));
}

TEST(DistinctItems, TheSameNumberWrittenInTwoWays) {
  for (const std::string_view text : {"469585e-22, 469585.0e-22", "0.1, 1e-1", "12345678901234567890123, 1234567890123456789012.3e1"}) {
    size_t read = 0;
    EXPECT_FALSE(grammar::DistinctItems().Differs(text, 0, 0, read)) << text;
  }
  size_t read = 0;
  EXPECT_TRUE(grammar::DistinctItems().Differs("469585e-22, 469586e-22", 0, 0, read));
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
                            R"({"type":"integer","maximum":1000})", R"({"type":"integer","minimum":-3})",
                            R"({"type":"integer","minimum":999999999999990})", R"({"type":"number","exclusiveMinimum":1e300})", R"({"type":["string","null"]})",
                            R"({"type":"object"})", "{}", "true",
                            R"({"$ref":"#/$defs/s","maxLength":3})"}) {
    grammar::Grammar g;
    EXPECT_THAT(RefusalOf(std::string(R"({"type":"array","uniqueItems":true,"items":)") + items + R"(,"$defs":{"s":{"type":"string"}}})", g),
                testing::HasSubstr("#/uniqueItems")) << items;
  }
  EXPECT_TRUE(Takes(R"({"type":"array","uniqueItems":true,"items":{"$ref":"#/$defs/s"},"$defs":{"s":{"type":"string"}}})", R"(["a"])"));
}

// Also where tokens begin such an array, end it, or hold one.
TEST(DistinctItems, MasksAgreeWithWalkingEveryToken) {
  json::value file = json::parse(TestTokenizerJson());
  TokenId vocab_size = kTestVocab;
  for (const char* piece : {R"(["a","a")", R"(["a","b")", R"(["a","b"],)", R"(["a","a"],)", R"(","a")", R"(","b")", R"("a")", R"(a"])",
                            R"(a"],["a")", R"(":["a","a"])", R"(":["a","b"])", R"("u":["a")", R"("t":"a")", R"(],["a","a"])"}) {
    file.at("model").at("vocab").as_object()[piece] = vocab_size++;
  }
  const std::string text = json::serialize(file);
  const auto tokenizer = Tokenizer::FromJson({text, "{}", {}, {}});
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  const Vocab& vocab = tokenizer.value()->vocab();
  const std::string rows = std::string(R"({"type":"array","items":)") + kTexts + "}";
  const std::string object = std::string(R"({"type":"object","properties":{"t":{"type":"string"},"u":)") + kTexts + R"(,"v":)" + rows + "}}";
  grammar::SharedMasks shared(vocab);
  for (const std::string& schema : {rows, object}) {
    const auto g = Compile(schema);
    Random random(5);
    size_t within = 0, without = 0;
    for (int round = 0; round < 40; ++round) {
      grammar::Matcher matcher(*g);
      grammar::MaskBuilder builder(*g, matcher, shared);
      grammar::SetId set = matcher.Start();
      for (int step = 0; step < 30; ++step) {
        const size_t before = matcher.text_size();
        const grammar::TokenMask* mask = builder.MaskOf(set);
        ASSERT_NE(mask, nullptr);
        ASSERT_EQ(matcher.text_size(), before);
        ++(matcher.LooksBack(set) ? within : without);
        std::vector<TokenId> allowed;
        for (TokenId id = 0; id < vocab_size; ++id) {
          const bool good = vocab.Kind(id) == TokenKind::kNormal && matcher.Walk(set, vocab.Bytes(id)) != grammar::kDead;
          matcher.Rewind(before);
          ASSERT_EQ(mask->Has(id), good) << schema << " token " << id << " step " << step;
          for (int chances = id >= kTestVocab ? 40 : 1; good && chances > 0; --chances) allowed.push_back(id);
        }
        if (allowed.empty()) break;
        set = matcher.Walk(set, vocab.Bytes(allowed[random.Next() % allowed.size()]));
      }
    }
    EXPECT_GT(within, 20u) << schema;
    EXPECT_GT(without, 20u) << schema;
  }
}

// Elsewhere in the value a mask costs what it costs without such an array.
TEST(DistinctItems, OnlyMasksOfTheArrayAreMadeEachTime) {
  const auto tokenizer = TestTokenizer("");
  grammar::SharedMasks shared(tokenizer->vocab());
  const auto plain = Compile(R"({"type":"string"})");
  grammar::Matcher string(*plain);
  const grammar::SetId inside = string.Walk(string.Start(), "\"a");
  ASSERT_NE(grammar::MaskBuilder(*plain, string, shared).MaskOf(inside), nullptr);
  const auto g = Compile(std::string(R"({"type":"object","properties":{"t":{"type":"string"},"u":)") + kTexts + R"(},"required":["t","u"]})");
  grammar::Matcher matcher(*g);
  const grammar::SetId away = matcher.Walk(matcher.Start(), R"({"t": "a)");
  const grammar::SetId within = matcher.Walk(away, R"(", "u": ["b)");
  ASSERT_NE(within, grammar::kDead);
  constexpr uint64_t kLittle = 100;
  EXPECT_NE(grammar::MaskBuilder(*g, matcher, shared, kLittle).MaskOf(away), nullptr);
  EXPECT_EQ(grammar::MaskBuilder(*g, matcher, shared, kLittle).MaskOf(within), nullptr);
}

// A model of few words has to say something else in the end, token by token.
TEST(DistinctItems, AnAnswerLooksBack) {
  const auto tokenizer = TestTokenizer("");
  for (uint64_t seed = 1; seed <= 45; ++seed) {
    const bool zeros = seed % 3 == 0;  // it likes numbers that are all the same: 0, -0, 0.0, 0e-0
    const size_t count = zeros ? 8 : 12;
    SamplingOptions options;
    options.seed = seed;
    auto plan = std::make_shared<GuidePlan>();
    plan->tokenizer = tokenizer.get();
    plan->masks = std::make_shared<grammar::SharedMasks>(tokenizer->vocab());
    plan->answer = Compile(R"({"type":"array","uniqueItems":true,"minItems":)" + std::to_string(count) + R"(,"maxItems":)" +
                           std::to_string(count) + (seed % 3 == 1 ? R"(,"items":{"type":"string"}})" : R"(,"items":{"type":"number"}})"));
    options.guide = plan;
    for (const char c : std::string_view(zeros ? "0.e-" : "a1\",")) options.logit_bias.emplace_back(c, 40.0f);
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
    ASSERT_EQ(items.as_array().size(), count);
    std::set<std::string> seen;
    for (const json::value& item : items.as_array()) {
      const std::string key = json::serialize(item);
      EXPECT_TRUE(seen.insert(key).second) << text;
    }
  }
}

}  // namespace
}  // namespace portcullis::inference
