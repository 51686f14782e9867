// Hostile schemas: small ones that would take much. Each is refused, or its answer is, within the effort,
// the states and the memory that one request is given.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <boost/json/parse.hpp>
#include <limits>

#include "inference/sample/grammar/schema.h"
#include "inference/sample/guide.h"
#include "inference/sample/sampler.h"
#include "tests/inference/serve_helpers.h"

namespace portcullis::inference {
namespace {

namespace json = boost::json;

constexpr size_t kMaxStates = 200'000;
constexpr size_t kMegabyte = size_t{1} << 20;

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PORTCULLIS_KEEPS_FREED_MEMORY
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PORTCULLIS_KEEPS_FREED_MEMORY
#endif

// The most memory this process ever had; 0 where that is a sanitizer's.
size_t MostMemory() {
#ifdef PORTCULLIS_KEEPS_FREED_MEMORY
  return 0;
#endif
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<size_t>(usage.ru_maxrss) * 1024;
}

struct Compiled {
  std::shared_ptr<grammar::Grammar> grammar = std::make_shared<grammar::Grammar>();
  int64_t effort = grammar::kSchemaEffort;  // left
  std::string refusal;
  size_t grown = 0;  // bytes above what any test of this process used before, so a test that runs behind others may see less

  int64_t spent() const { return grammar::kSchemaEffort - effort; }
};

Compiled Compile(const json::value& schema) {
  Compiled out;
  const size_t before = MostMemory();
  const auto root = grammar::CompileSchema(*out.grammar, schema, grammar::Grammar::kReturn, out.effort);
  if (root) {
    out.grammar->set_root(root.value());
    const auto finished = out.grammar->Finish();
    if (!finished) out.refusal = finished.error().message;
  } else {
    out.refusal = root.error().message;
  }
  out.grown = MostMemory() - before;
  EXPECT_LE(out.grammar->size(), kMaxStates + 1);
  EXPECT_LT(out.spent(), grammar::kSchemaEffort * 2);
  EXPECT_LT(out.grown, 512 * kMegabyte);
  return out;
}

template <class Make>
json::array List(int count, const Make& make) {
  json::array out;
  for (int i = 0; i < count; ++i) out.push_back(make(i));
  return out;
}

TEST(GrammarBounds, StatesEndAtTheLimit) {
  const json::object distinct = {
      {"type", "array"},
      {"uniqueItems", true},
      {"items", {{"enum", List(200, [](int i) { return json::value(i); })}}},
      {"anyOf", List(250, [](int i) { return json::value{{"minItems", i}}; })}};
  const json::object holes = {
      {"type", "integer"},
      {"multipleOf", 997},
      {"not", {{"enum", List(2000, [](int i) { return json::value(i * 997); })}}}};
  const json::object longest = {
      {"type", "object"},
      {"maxProperties", 256},
      {"properties", json::object{{std::string(100'000, 'n'), true}}},
      {"additionalProperties", true}};
  for (const json::object& schema : {distinct, holes, longest}) {
    EXPECT_THAT(Compile(schema).refusal, testing::AnyOf(testing::HasSubstr("too large"),
                                                        testing::HasSubstr("200,000 states"),
                                                        testing::HasSubstr("too long")));
  }
}

TEST(GrammarBounds, ReadingAPatternIsPaidForEachTime) {
  const std::string pattern = "([" + std::string(850, 'a') + "]{1000}){9}";
  EXPECT_THAT(Compile({{"enum", List(100, [](int i) { return json::value(std::to_string(i)); })},
                       {"pattern", pattern}})
                  .refusal,
              testing::HasSubstr("too long to compile"));
  EXPECT_GE(Compile({{"enum", {"a"}}, {"pattern", "^([a-c]{1000}){2}$"}}).spent(), 40'000);
  // Many nodes, few atoms, and refused in the end.
  const std::string hollow = "(" + std::string(1990, '|') + "){12}";
  EXPECT_THAT(Compile({{"enum", List(2000, [](int) { return json::value(""); })}, {"pattern", hollow}}).refusal,
              testing::HasSubstr("too long to compile"));
}

TEST(GrammarBounds, EdgesCountAsStates) {
  std::string odd = "^[";
  for (char c = '#'; c < 'y'; c = static_cast<char>(c + 2)) {
    if (c != ']' && c != '[' && c != '-') odd += c;
  }
  const json::value text = {{"type", "string"}, {"pattern", odd + "]*$"}, {"minLength", 49'900}};
  const Compiled made = Compile({{"anyOf", List(4, [&](int) { return text; })}});
  EXPECT_THAT(made.refusal, testing::AnyOf(testing::HasSubstr("too large"), testing::HasSubstr("states")));
  EXPECT_LT(made.grown, 80 * kMegabyte);
}

TEST(GrammarBounds, PatternsThatHoldTogetherHaveOneLimit) {
  const std::string wide = "(" + std::string(80, '|') + "){240}";
  const Compiled made = Compile({{"allOf", List(20, [&](int i) {
    return json::value{{"type", "string"}, {"pattern", wide}, {"minLength", i}};
  })}});
  EXPECT_THAT(made.refusal, testing::AnyOf(testing::HasSubstr("hold together are too large"),
                                           testing::HasSubstr("too long to compile")));
  EXPECT_LT(made.grown, 80 * kMegabyte);
}

TEST(GrammarBounds, PathsArePaidForAndShownInPart) {
  const std::string name = std::string(199, 'n') + "ü" + std::string(60'000, 'n');
  const auto branch = [](int i) { return json::value{{"minLength", i}}; };
  const json::object choices = {{"anyOf", List(16, branch)}};
  json::object wide;
  wide["allOf"] = {choices, choices, {{"anyOf", List(16, [](int i) { return json::value{{"maxLength", i}}; })}}};
  const Compiled made = Compile({{"type", "object"}, {"properties", json::object{{name, wide}}}});
  EXPECT_THAT(made.refusal, testing::HasSubstr("too long to compile"));
  EXPECT_LT(made.refusal.size(), 400u);
  EXPECT_LT(made.grown, 200 * kMegabyte);
}

TEST(GrammarBounds, PointersArePaidForByTheirLength) {
  const std::string key(4000, 'k');
  const json::value reference = {{"$ref", "#/$defs/" + key}};
  const Compiled made = Compile({{"oneOf", List(60, [&](int) { return reference; })},
                                 {"$defs", json::object{{key, {{"type", "string"}}}}}});
  EXPECT_GE(made.spent(), 60 * 59 * 1000);
}

TEST(GrammarBounds, JudgingIsPaidForByKeywordsAndSizes) {
  const json::array values = List(2000, [](int i) { return json::value(i); });
  json::object annotated = {{"enum", values}};
  for (int i = 0; i < 500; ++i) annotated["x-" + std::to_string(i)] = 0;
  EXPECT_GE(Compile(annotated).spent(), 2000 * 500 * 10);

  json::object large;
  json::array names;
  for (int i = 0; i < 5000; ++i) {
    large[std::to_string(i)] = 0;
    names.emplace_back(std::to_string(i));
  }
  const Compiled required =
      Compile({{"enum", {large}},
               {"allOf", {{{"anyOf", List(100, [](int) { return json::value{{"$ref", "#/$defs/r"}}; })}}}},
               {"$defs", {{"r", {{"required", names}}}}}});
  EXPECT_GE(required.spent(), 100 * 5000);

  EXPECT_THAT(Compile({{"enum", values}, {"type", List(1000, [](int) { return json::value("string"); })}}).refusal,
              testing::HasSubstr("/type`"));
}

TEST(GrammarBounds, ExcludedTextsArePaidFor) {
  const Compiled made =
      Compile({{"type", "string"}, {"not", {{"enum", {std::string(4 * kMegabyte, 't')}}}}});
  EXPECT_THAT(made.refusal, testing::HasSubstr("too long together"));
  EXPECT_LT(made.grown, 100 * kMegabyte);
}

// Each `[` of a text has a hundred readings for each that there were.
std::shared_ptr<const grammar::Grammar> Explosive() {
  json::object definitions = {{"d0", {{"type", "null"}}}};
  for (int depth = 1; depth <= 4; ++depth) {
    const std::string inner = "#/$defs/d" + std::to_string(depth - 1);
    definitions["d" + std::to_string(depth)] = {{"anyOf", List(100, [&](int i) {
                                                   return json::value{{"type", "array"},
                                                                      {"items", {{"$ref", inner}}},
                                                                      {"minItems", 1},
                                                                      {"maxItems", i + 1}};
                                                 })}};
  }
  const Compiled made = Compile({{"$ref", "#/$defs/d4"}, {"$defs", definitions}});
  EXPECT_EQ(made.refusal, "");
  return made.grammar;
}

TEST(GrammarBounds, AMatcherThatOverranSaysSo) {
  const auto g = Explosive();
  const size_t before = MostMemory();
  grammar::Matcher unbounded(*g);
  EXPECT_EQ(unbounded.Walk(unbounded.Start(), "[[[["), grammar::kDead);
  EXPECT_TRUE(unbounded.overran());
  EXPECT_LT(unbounded.bytes(), 130 * kMegabyte);
  EXPECT_LT(MostMemory() - before, 512 * kMegabyte);

  grammar::Matcher matcher(*g);
  const grammar::SetId start = matcher.Start();
  matcher.Allow(10);
  EXPECT_EQ(matcher.Step(start, '['), grammar::kDead);
  EXPECT_TRUE(matcher.overran());
  matcher.Allow(1'000'000);
  EXPECT_EQ(matcher.Step(start, '['), grammar::kDead);  // nor is it remembered otherwise
  EXPECT_FALSE(matcher.Ends(start));
}

TEST(GrammarBounds, AMaskThatCostsTooMuchIsNone) {
  const auto tokenizer = TestTokenizer("");
  grammar::SharedMasks shared(tokenizer->vocab());
  const auto g = Explosive();
  grammar::Matcher matcher(*g);
  const grammar::SetId inside = matcher.Walk(matcher.Start(), "[");
  ASSERT_NE(inside, grammar::kDead);
  grammar::MaskBuilder few(*g, matcher, shared, 100);
  EXPECT_EQ(few.MaskOf(inside), nullptr);
}

std::shared_ptr<GuidePlan> PlanOf(const Tokenizer& tokenizer, std::shared_ptr<const grammar::Grammar> g) {
  auto plan = std::make_shared<GuidePlan>();
  plan->tokenizer = &tokenizer;
  plan->masks = std::make_shared<grammar::SharedMasks>(tokenizer.vocab());
  plan->answer = std::move(g);
  return plan;
}

TEST(GuideBounds, OverrunClosesTheAnswer) {
  const auto tokenizer = TestTokenizer("");
  const auto plan = PlanOf(*tokenizer, Explosive());
  Guide guide(plan);
  EXPECT_NE(guide.Mask(), nullptr);
  for (int i = 0; i < 6; ++i) guide.Accept('[');
  for (int i = 0; i < 2; ++i) {  // and stays closed, whatever else comes
    EXPECT_EQ(guide.Mask(), nullptr);
    EXPECT_TRUE(guide.too_costly());
    EXPECT_FALSE(guide.MayEnd());
    guide.Accept('x');
  }
}

TEST(GuideBounds, TheSamplerGivesNoTokenOutsideTheGrammar) {
  const auto tokenizer = TestTokenizer("");
  SamplingOptions options;
  options.temperature = 0;
  options.guide = PlanOf(*tokenizer, Explosive());
  options.logit_bias = {{'[', 100.0f}};
  Sampler costly(options, {}, kTestVocab);
  TokenId last = '[';
  for (int i = 0; i < 6 && last == '['; ++i) {
    std::vector<float> logits(kTestVocab, 0.0f);
    last = costly.Next(logits).id;
  }
  EXPECT_EQ(last, kNoToken);

  options.guide = PlanOf(*tokenizer, Compile({{"enum", {"a"}}}).grammar);
  options.logit_bias.clear();
  Sampler sampler(options, {}, kTestVocab);
  std::vector<float> odd(kTestVocab, std::numeric_limits<float>::quiet_NaN());
  EXPECT_EQ(sampler.Next(odd).id, kNoToken);
}

// Nesting ends at the matcher's depth, where nothing complete can follow: that is no end of the answer.
TEST(GuideBounds, WhereNothingCanFollowTheAnswerDoesNotEnd) {
  const auto tokenizer = TestTokenizer("");
  const json::value nest = {{"anyOf", {{{"type", "array"}, {"items", {{"$ref", "#/$defs/a"}}}, {"minItems", 1}},
                                       {{"const", "x"}}}}};
  const Compiled made = Compile({{"$ref", "#/$defs/a"}, {"$defs", {{"a", nest}}}});
  ASSERT_EQ(made.refusal, "");
  SamplingOptions options;
  options.temperature = 0;
  options.guide = PlanOf(*tokenizer, made.grammar);
  options.logit_bias = {{'[', 50.0f}};
  Sampler sampler(options, {}, kTestVocab);
  TokenId last = '[';
  int taken = 0;
  for (; taken < 1000 && last == '['; ++taken) {
    std::vector<float> logits(kTestVocab, 0.0f);
    last = sampler.Next(logits).id;
  }
  EXPECT_GT(taken, 100);
  EXPECT_LT(taken, 1000);
  EXPECT_TRUE(last == kNoToken || last == '"') << last;
}

TEST(GuideBounds, WhatBreaksTheAnswerClosesIt) {
  const auto tokenizer = TestTokenizer("");
  auto plan = PlanOf(*tokenizer, Compile({{"enum", {"a"}}}).grammar);
  plan->thinking_open = true;
  plan->thinking_budget = -1;
  Guide guide(plan);
  for (const char c : std::string_view("so </think>")) guide.Accept(static_cast<TokenId>(c));
  EXPECT_NE(guide.Mask(), nullptr);
  guide.Accept('T');  // what the mask forbids
  EXPECT_EQ(guide.Mask(), nullptr);
  EXPECT_TRUE(guide.too_costly());
  EXPECT_FALSE(guide.MayEnd());
}

// 2^14 readings that live side by side for the whole of a long constant.
TEST(GuideBounds, ALongAnswerIsForgottenAsItGoes) {
  constexpr int kDoublings = 14, kCharacters = 300;
  json::object definitions = {{"d0", {{"const", std::string(1000, 'c')}}}};
  for (int depth = 1; depth <= kDoublings; ++depth) {
    const json::value inner = {{"$ref", "#/$defs/d" + std::to_string(depth - 1)}};
    definitions["d" + std::to_string(depth)] = {
        {"anyOf", {{{"type", "array"}, {"items", inner}, {"minItems", 1}},
                   {{"type", "array"}, {"items", inner}, {"minItems", 2}}}}};
  }
  const Compiled made =
      Compile({{"$ref", "#/$defs/d" + std::to_string(kDoublings)}, {"$defs", definitions}});
  ASSERT_EQ(made.refusal, "");
  const auto tokenizer = TestTokenizer("");
  Guide guide(PlanOf(*tokenizer, made.grammar));
  for (int i = 0; i < kDoublings; ++i) guide.Accept('[');
  guide.Accept('"');
  const size_t before = MostMemory();
  for (int i = 0; i < kCharacters; ++i) guide.Accept('c');
  EXPECT_LT(MostMemory() - before, 100 * kMegabyte);
  EXPECT_FALSE(guide.MayEnd());
}

}  // namespace
}  // namespace portcullis::inference
