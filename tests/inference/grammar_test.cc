// Constrained answers: texts a schema allows and refuses, masks beside walking every token, the
// guide's phases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "inference/sample/grammar/schema.h"
#include "inference/sample/guide.h"
#include "inference/sample/tool_grammar.h"
#include "tests/inference/serve_helpers.h"

namespace portcullis::inference {
namespace {

std::shared_ptr<const grammar::Grammar> Compile(const std::string& schema) {
  auto g = std::make_shared<grammar::Grammar>();
  const boost::json::value value = boost::json::parse(schema);
  int64_t effort = grammar::kSchemaEffort;
  const auto root = grammar::CompileSchema(*g, value, grammar::Grammar::kReturn, effort);
  EXPECT_TRUE(root.has_value()) << root.error().message;
  g->set_root(root.value());
  EXPECT_TRUE(g->Finish().has_value()) << schema;
  return g;
}

bool Takes(const std::string& schema, std::string_view text) {
  const auto g = Compile(schema);
  grammar::Matcher matcher(*g);
  const grammar::SetId end = matcher.Walk(matcher.Start(), text);
  return end != grammar::kDead && matcher.Ends(end);
}

TEST(Grammar, Values) {
  EXPECT_TRUE(Takes("true", R"({"a": [1, -2.5e3, "x\u00e9\n", {}, [], null, true]})"));
  EXPECT_FALSE(Takes("true", R"({"a" 1})"));
  EXPECT_FALSE(Takes("true", R"("\ud800")"));
  EXPECT_TRUE(Takes("true", R"("\ud83d\ude42")"));
  EXPECT_FALSE(Takes("true", "\"\xff\""));
  EXPECT_FALSE(Takes("true", "01"));
}

TEST(Grammar, APositionSurvivesRenewal) {
  const auto g = Compile("true");
  const std::string text = R"({"a": [1, {"b": ["x", [2]]}], "c": "d"})";
  grammar::Matcher matcher(*g);
  grammar::SetId set = matcher.Start();
  for (const char c : text) {
    set = matcher.Renew(matcher.Step(set, static_cast<uint8_t>(c)));
    ASSERT_NE(set, grammar::kDead) << c;
    EXPECT_EQ(matcher.sets(), 1u);
  }
  EXPECT_TRUE(matcher.Ends(set));
  EXPECT_EQ(matcher.Step(set, '}'), grammar::kDead);
}

TEST(Grammar, ObjectsKeepTheirOrderAndTheirRequiredNames) {
  const std::string schema = R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"},
      "c":{"type":"null"}},"required":["b"]})";
  EXPECT_TRUE(Takes(schema, R"({"a": 1, "b": "x", "c": null})"));
  EXPECT_TRUE(Takes(schema, R"({"b":"x"})"));
  EXPECT_TRUE(Takes(schema, "{\n  \"b\": \"x\",\n  \"c\": null\n}"));
  EXPECT_FALSE(Takes(schema, R"({"a": 1})"));
  EXPECT_FALSE(Takes(schema, R"({"b": "x", "a": 1})"));
  EXPECT_FALSE(Takes(schema, R"({"b": "x", "d": 1})"));
  EXPECT_FALSE(Takes(schema, R"({, "b": "x"})"));
}

TEST(Grammar, CountsAndBounds) {
  EXPECT_TRUE(Takes(R"({"type":"string","minLength":2,"maxLength":3})", R"("äb")"));
  EXPECT_FALSE(Takes(R"({"type":"string","minLength":2,"maxLength":3})", R"("a")"));
  EXPECT_FALSE(Takes(R"({"type":"string","minLength":2,"maxLength":3})", R"("abcd")"));
  EXPECT_TRUE(Takes(R"({"type":"array","items":{"type":"array","items":true,"maxItems":1},"minItems":2})", "[[1],[]]"));
  EXPECT_FALSE(Takes(R"({"type":"array","items":true,"minItems":2})", "[1]"));
  for (const auto& [text, good] : std::initializer_list<std::pair<const char*, bool>>{
           {"-5", true}, {"-6", false}, {"0", true}, {"17", true}, {"18", false}, {"170", false}, {"9", true}}) {
    EXPECT_EQ(Takes(R"({"type":"integer","minimum":-5,"maximum":17})", text), good) << text;
  }
  for (const auto& [text, good] : std::initializer_list<std::pair<const char*, bool>>{
           {"0.5", false}, {"0.51", true}, {"1", true}, {"1.25", true}, {"1.251", false}, {"0.50", false},
           {"1.2500", true}, {"-1", false}, {"0.5001", true}}) {
    EXPECT_EQ(Takes(R"({"type":"number","exclusiveMinimum":0.5,"maximum":1.25})", text), good) << text;
  }
  EXPECT_TRUE(Takes(R"({"type":"integer","multipleOf":7,"minimum":10})", "14"));
  EXPECT_FALSE(Takes(R"({"type":"integer","multipleOf":7,"minimum":10})", "15"));
}

TEST(Grammar, Patterns) {
  EXPECT_TRUE(Takes(R"({"type":"string","pattern":"^a+b?$"})", R"("aab")"));
  EXPECT_FALSE(Takes(R"({"type":"string","pattern":"^a+b?$"})", R"("b")"));
  EXPECT_TRUE(Takes(R"({"type":"string","pattern":"b"})", R"("abc")"));
  EXPECT_TRUE(Takes(R"({"type":"string","pattern":"^\"\\\\$"})", R"("\"\\")"));
  EXPECT_TRUE(Takes(R"({"type":"string","pattern":"^\\d{3}$","maxLength":3})", R"("123")"));
  EXPECT_TRUE(Takes(R"({"type":"string","format":"date"})", R"("2024-12-31")"));
  EXPECT_FALSE(Takes(R"({"type":"string","format":"date"})", R"("2024-02-30")"));
}

TEST(Grammar, RecursionNeedsAnEnd) {
  EXPECT_TRUE(Takes(R"({"type":"object","properties":{"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}}})",
                    R"({"next": {"next": null}})"));
  grammar::Grammar g;
  const auto schema = boost::json::parse(R"({"anyOf":[{"$ref":"#"}]})");
  int64_t effort = grammar::kSchemaEffort;
  const auto root = grammar::CompileSchema(g, schema, grammar::Grammar::kReturn, effort);
  ASSERT_TRUE(root.has_value());
  g.set_root(root.value());
  EXPECT_FALSE(g.Finish().has_value());
}

TEST(Grammar, SchemasAreJoined) {
  const std::string schema = R"({"allOf":[{"type":"object","properties":{"a":{"type":"integer","minimum":3}}},
      {"properties":{"a":{"maximum":5},"b":{"type":"null"}},"required":["b"]}]})";
  EXPECT_TRUE(Takes(schema, R"({"a": 4, "b": null})"));
  EXPECT_FALSE(Takes(schema, R"({"a": 6, "b": null})"));
  EXPECT_FALSE(Takes(schema, R"({"a": 2, "b": null})"));
  EXPECT_FALSE(Takes(schema, R"({"a": 4})"));
  const std::string texts = R"({"allOf":[{"type":"string","pattern":"a"},{"pattern":"b$"}],"not":{"pattern":"^c"}})";
  EXPECT_TRUE(Takes(texts, R"("xab")"));
  EXPECT_FALSE(Takes(texts, R"("cab")"));
  EXPECT_FALSE(Takes(texts, R"("xb")"));
}

TEST(Grammar, WhatMustNotHold) {
  EXPECT_TRUE(Takes(R"({"type":"integer","not":{"enum":[1,3]}})", "2"));
  EXPECT_FALSE(Takes(R"({"type":"integer","not":{"enum":[1,3]}})", "3"));
  EXPECT_TRUE(Takes(R"({"type":"integer","not":{"enum":[1,3]}})", "13"));
  EXPECT_FALSE(Takes(R"({"not":{"type":["string","object"]}})", R"("x")"));
  EXPECT_TRUE(Takes(R"({"not":{"type":["string","object"]}})", "[{}]"));
  const std::string schema = R"({"type":"object","properties":{"a":{"type":"integer"},"b":true},"not":{"required":["a","b"]}})";
  EXPECT_TRUE(Takes(schema, R"({"a": 1})"));
  EXPECT_TRUE(Takes(schema, R"({"b": 1})"));
  EXPECT_FALSE(Takes(schema, R"({"a": 1, "b": 1})"));
}

TEST(Grammar, ConditionsChoose) {
  const std::string schema = R"({"type":"object","properties":{"kind":{"enum":["a","b"]},"size":{"type":"integer"}},
      "required":["kind"],"if":{"properties":{"kind":{"const":"a"}}},"then":{"required":["size"]},
      "else":{"properties":{"size":false}}})";
  EXPECT_TRUE(Takes(schema, R"({"kind": "a", "size": 1})"));
  EXPECT_FALSE(Takes(schema, R"({"kind": "a"})"));
  EXPECT_TRUE(Takes(schema, R"({"kind": "b"})"));
  EXPECT_FALSE(Takes(schema, R"({"kind": "b", "size": 1})"));
}

TEST(Grammar, FreeNamesNeverOverruleNamedOnes) {
  const std::string schema = R"({"type":"object","properties":{"id":{"type":"integer"}},
      "patternProperties":{"^x":{"type":"boolean"}},"additionalProperties":{"type":"null"},"maxProperties":3})";
  EXPECT_TRUE(Takes(schema, R"({"id": 1, "x1": true, "y": null})"));
  EXPECT_FALSE(Takes(schema, R"({"id": 1, "id": null})"));
  EXPECT_FALSE(Takes(schema, R"({"id": 1, "\u0069d": null})"));
  EXPECT_FALSE(Takes(schema, R"({"x1": null})"));
  EXPECT_FALSE(Takes(schema, R"({"y": true})"));
  EXPECT_FALSE(Takes(schema, R"({"id": 1, "x1": true, "y": null, "z": null})"));
}

TEST(Grammar, ItemsFoundAndDistinct) {
  const std::string found = R"({"type":"array","items":{"type":"integer"},"contains":{"type":"integer","minimum":10},
      "maxContains":1,"maxItems":2})";
  EXPECT_TRUE(Takes(found, "[1, 10]"));
  EXPECT_FALSE(Takes(found, "[10, 11]"));
  EXPECT_FALSE(Takes(found, "[1, 2"));
  const std::string distinct = R"({"type":"array","items":{"enum":["a","b","c"]},"uniqueItems":true,"minItems":2})";
  EXPECT_TRUE(Takes(distinct, R"(["c", "a"])"));
  EXPECT_FALSE(Takes(distinct, R"(["c", "c"])"));
  EXPECT_FALSE(Takes(distinct, R"(["c"])"));
}

TEST(Grammar, RefusalsNameThePlace) {
  grammar::Grammar g;
  const auto schema = boost::json::parse(R"({"type":"object","properties":{"a":{"uniqueItems":true}}})");
  int64_t effort = grammar::kSchemaEffort;
  const auto root = grammar::CompileSchema(g, schema, grammar::Grammar::kReturn, effort);
  ASSERT_FALSE(root.has_value());
  EXPECT_THAT(root.error().message, testing::HasSubstr("`#/properties/a/uniqueItems`"));
}

int64_t EffortOf(const std::string& schema) {
  grammar::Grammar g;
  int64_t effort = grammar::kSchemaEffort;
  const auto root = grammar::CompileSchema(g, boost::json::parse(schema), grammar::Grammar::kReturn, effort);
  return grammar::kSchemaEffort - effort;
}

TEST(Grammar, NoSchemaTakesLongToCompile) {
  std::string doubling = R"({"$ref":"#/$defs/a0","$defs":{)";
  for (int i = 0; i < 40; ++i) {
    const std::string next = R"({"$ref":"#/$defs/a)" + std::to_string(i + 1) + "\"}";
    doubling += "\"a" + std::to_string(i) + R"(":{"allOf":[)" + next + "," + next + "]},";
  }
  doubling += R"("a40":{"type":"string"}}})";
  std::string odd = R"({"enum":[1)", even = R"({"enum":[0)", list = R"({"type":"array","enum":[[0]])";
  for (int i = 1; i < 20'000; ++i) {
    odd += "," + std::to_string(2 * i + 1);
    even += "," + std::to_string(2 * i);
  }
  const std::string apart = R"({"oneOf":[)" + odd + "]}," + even + "]}]}";
  const std::string both = R"({"allOf":[)" + odd + "]}," + even + "]}]}";
  const std::string groups = R"({"type":"object","patternProperties":{"^(.?){900}[a-m]$":true,"^(.?){900}[b-n]$":true,
      "^(.?){900}[c-o]$":true,"^(.?){900}[d-p]$":true}})";
  // Beyond its budget a compilation ends at the next place that looks at it.
  for (const std::string& schema : {doubling, apart, both, groups, std::string(R"({"pattern":"^(.?){1000}$"})"),
                                    std::string(R"({"pattern":"^((a?){1000}){2}b$"})")}) {
    EXPECT_LT(EffortOf(schema), grammar::kSchemaEffort * 2) << schema.substr(0, 80);
  }
  grammar::Grammar g;
  int64_t effort = grammar::kSchemaEffort;
  const auto refused = grammar::CompileSchema(g, boost::json::parse(doubling), grammar::Grammar::kReturn, effort);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, testing::HasSubstr("#/$defs/"));
}

TEST(Grammar, APatternIsAtOnePlaceAtATime) {
  const auto g = Compile(R"({"type":"string","pattern":"^(a?){200}b.*c$"})");
  grammar::Matcher matcher(*g);
  grammar::SetId set = matcher.Start();
  for (const char c : std::string(R"("aaaaaabxcxc)")) {
    set = matcher.Step(set, static_cast<uint8_t>(c));
    ASSERT_NE(set, grammar::kDead);
    EXPECT_LE(matcher.Frames(set).size(), 1u);
  }
}

TEST(ToolGrammar, TheToolsOfARequestShareOneBudget) {
  const auto tokenizer = TestTokenizer("");
  AnswerGrammarOptions wanted;
  const std::string schema =
      R"({"$defs":{"x":{"type":"object","properties":{"x":{"$ref":"#/$defs/x"}},"required":["x"]}},"type":"object",
      "properties":{"b":{"$ref":"#/$defs/x"},"a":{"type":"string","pattern":"^[^a-c]{900}.*$"}},"required":["b","a"]})";
  for (int i = 0; i < 128; ++i) {
    wanted.tools.push_back(boost::json::parse(R"({"type":"function","function":{"name":"f)" + std::to_string(i) +
                                              R"(","parameters":)" + schema + "}}"));
  }
  const auto grammar = AnswerGrammar(*tokenizer, wanted);
  ASSERT_FALSE(grammar.has_value());
  EXPECT_EQ(grammar.error().code, Code::kTooLarge);
}

TEST(TokenMask, GivesUpBeyondItsWork) {
  const auto tokenizer = TestTokenizer("");
  std::string schema = R"({"anyOf":[)";
  for (int i = 0; i < 100; ++i) {
    schema += std::string(i == 0 ? "" : ",") + R"({"type":"string","pattern":"^.*x)" + std::to_string(i) + R"($"})";
  }
  const auto g = Compile(schema + "]}");
  grammar::SharedMasks shared(tokenizer->vocab());
  grammar::Matcher matcher(*g);
  const grammar::SetId inside = matcher.Walk(matcher.Start(), "\"a");
  ASSERT_GE(matcher.Frames(inside).size(), 100u);
  grammar::MaskBuilder bounded(*g, matcher, shared, 100);
  EXPECT_EQ(bounded.MaskOf(inside), nullptr);
  grammar::MaskBuilder patient(*g, matcher, shared);
  ASSERT_NE(patient.MaskOf(inside), nullptr);
  EXPECT_TRUE(patient.MaskOf(inside)->Has('x'));
}

// Every mask must say what walking each token through the grammar says.
TEST(TokenMask, AgreesWithWalkingEveryToken) {
  const auto tokenizer = TestTokenizer("");
  grammar::SharedMasks shared(tokenizer->vocab());
  std::string many = R"({"enum":["hello")";  // more readings at once than are looked at one by one
  for (int i = 0; i < 60; ++i) many += ",\"h" + std::to_string(i * 7) + "\"";
  many += "]}";
  for (const char* schema :
       {"true", R"({"type":"object","properties":{"hello":{"type":"string","maxLength":4},"b":{"type":"number"}}})",
        R"({"type":"array","items":{"enum":["hello","hell",1]},"minItems":1})", many.c_str()}) {
    const auto g = Compile(schema);
    grammar::Matcher matcher(*g);
    grammar::MaskBuilder builder(*g, matcher, shared);
    Random random(3);
    for (int round = 0; round < 20; ++round) {
      grammar::SetId set = matcher.Start();
      for (int step = 0; step < 30; ++step) {
        const grammar::TokenMask* mask = builder.MaskOf(set);
        ASSERT_NE(mask, nullptr);
        std::vector<TokenId> allowed;
        for (TokenId id = 0; id < kTestVocab; ++id) {
          const bool text = tokenizer->vocab().Kind(id) == TokenKind::kNormal;
          const bool good = text && matcher.Walk(set, tokenizer->vocab().Bytes(id)) != grammar::kDead;
          ASSERT_EQ(mask->Has(id), good) << schema << " token " << id << " step " << step;
          if (good) allowed.push_back(id);
        }
        if (allowed.empty()) break;
        set = matcher.Walk(set, tokenizer->vocab().Bytes(allowed[random.Next() % allowed.size()]));
      }
    }
  }
}

std::shared_ptr<GuidePlan> Plan(const Tokenizer& tokenizer) {
  auto plan = std::make_shared<GuidePlan>();
  plan->tokenizer = &tokenizer;
  plan->masks = std::make_shared<grammar::SharedMasks>(tokenizer.vocab());
  return plan;
}

TEST(Guide, ForcesTheEndOfReasoningAtItsBudget) {
  const auto tokenizer = TestTokenizer(kR1Template);
  auto plan = Plan(*tokenizer);
  plan->thinking_open = true;
  plan->thinking_budget = 2;
  plan->answer = Compile(R"({"type":"boolean"})");
  Guide guide(plan);
  EXPECT_FALSE(guide.MayEnd());
  guide.Accept('a');
  EXPECT_EQ(guide.Forced(), kNoToken);
  EXPECT_EQ(guide.Mask(), nullptr);
  guide.Accept('b');
  EXPECT_EQ(guide.Forced(), kThinkClose);
  guide.Accept(kThinkClose);
  ASSERT_NE(guide.Mask(), nullptr);
  EXPECT_TRUE(guide.Mask()->Has('t') && guide.Mask()->Has('f'));
  EXPECT_FALSE(guide.Mask()->Has('x'));
  for (const char c : std::string("true")) guide.Accept(c);
  EXPECT_TRUE(guide.MayEnd());
}

TEST(Guide, SamplerKeepsToTheGrammarWhateverTheWeights) {
  const auto tokenizer = TestTokenizer("");
  auto plan = Plan(*tokenizer);
  plan->answer = Compile(R"({"enum":["hello","help"]})");
  SamplingOptions options;
  options.temperature = 0;
  options.guide = plan;
  options.logit_bias = {{'x', 100.0f}};
  Sampler sampler(options, {}, kTestVocab);
  std::string text;
  for (int i = 0; i < 20; ++i) {
    std::vector<float> logits(kTestVocab, 0.0f);
    logits['x'] = 50;
    const TokenId id = sampler.Next(logits).id;
    if (id == kEos) break;
    text += tokenizer->vocab().Bytes(id);
  }
  EXPECT_THAT(text, testing::AnyOf("\"hello\"", "\"help\""));
}

TEST(Guide, CallsAreBoundOnceTheirMarkStands) {
  const auto tokenizer = TestTokenizer("");
  auto plan = Plan(*tokenizer);
  AnswerGrammarOptions wanted;
  wanted.tools = {boost::json::parse(
      R"({"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"boolean"}}}}})")};
  wanted.after_mark = true;
  plan->call = AnswerGrammar(*tokenizer, wanted).value();
  plan->call_marks = {"<tool_call>"};
  Guide guide(plan);
  for (const char c : std::string("Well. <tool_call")) guide.Accept(c);
  EXPECT_EQ(guide.Mask(), nullptr);
  guide.Accept('>');
  ASSERT_NE(guide.Mask(), nullptr);
  EXPECT_FALSE(guide.MayEnd());
  for (const char c : std::string("{\"name\": \"f\", \"arguments\": {")) {
    ASSERT_TRUE(guide.Mask()->Has(c)) << c;
    guide.Accept(c);
  }
  EXPECT_TRUE(guide.Mask()->Has('"') && guide.Mask()->Has('}'));
  EXPECT_FALSE(guide.Mask()->Has('a'));
}

TEST(ToolGrammar, StrictToolsWithBadSchemasAreRefused) {
  const auto tokenizer = TestTokenizer("");
  AnswerGrammarOptions wanted;
  wanted.tools = {boost::json::parse(
      R"({"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"array","uniqueItems":true}}})")};
  const auto grammar = AnswerGrammar(*tokenizer, wanted);
  ASSERT_FALSE(grammar.has_value());
  EXPECT_THAT(grammar.error().message, testing::StartsWith("tool `f`"));
}

}  // namespace
}  // namespace portcullis::inference
