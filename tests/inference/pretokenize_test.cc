// The splits of the supported families, with expectations worked out by hand from their patterns.
#include "inference/tokenizer/pretokenize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portcullis::inference {
namespace {

using testing::ElementsAre;

std::vector<std::string> Split(std::string_view name, const std::string& text) {
  const auto pre = PretokenizerByName(name);
  EXPECT_TRUE(pre.has_value());
  Regex::Scratch scratch;
  std::vector<std::string_view> pieces;
  EXPECT_TRUE(pre.value().Run(text, scratch, pieces).has_value());
  return {pieces.begin(), pieces.end()};
}

TEST(Pretokenize, DeepSeekCutsDigitsInThrees) {
  EXPECT_THAT(Split("deepseek-v3", "x 1234567"), ElementsAre("x", " ", "123", "456", "7"));
}

TEST(Pretokenize, DeepSeekKeepsHanAndKanaTogether) {
  EXPECT_THAT(Split("deepseek-v3", "你好カナabc"), ElementsAre("你好カナ", "abc"));
}

TEST(Pretokenize, DeepSeekPunctuationTakesAsciiLettersBehindIt) {
  EXPECT_THAT(Split("deepseek-v3", "don't foo.bar"), ElementsAre("don", "'t", " foo", ".bar"));
}

TEST(Pretokenize, DeepSeekPunctuationTakesLineEndsAndMarksStayWithLetters) {
  EXPECT_THAT(Split("deepseek-v3", "a!\r\nb"), ElementsAre("a", "!\r\n", "b"));
  EXPECT_THAT(Split("deepseek-v3", "e\u0301x"), ElementsAre("e\u0301x"));
}

TEST(Pretokenize, RunsOfSpacesLeaveOneForTheWord) {
  EXPECT_THAT(Split("deepseek-v3", "a   b"), ElementsAre("a", "  ", " b"));
  EXPECT_THAT(Split("llama-bpe", "a  \n b"), ElementsAre("a", "  \n", " b"));
}

TEST(Pretokenize, Llama3ContractionsIgnoreCaseAndQwenDigitsAreSingle) {
  EXPECT_THAT(Split("llama-bpe", "WE'LL 1234"), ElementsAre("WE", "'LL", " ", "123", "4"));
  EXPECT_THAT(Split("qwen2", "12"), ElementsAre("1", "2"));
}

TEST(Pretokenize, PiecesGiveBackTheText) {
  const std::string text = "Ünïcode\u3000\u00a0 \u2028x\u0085y 3½ 👩‍🚀\t\t\n\n end  ";
  for (const char* name : {"gpt-2", "llama-bpe", "qwen2", "deepseek-v3"}) {
    std::string joined;
    for (const std::string& piece : Split(name, text)) joined += piece;
    EXPECT_EQ(joined, text) << name;
  }
}

TEST(Pretokenize, UnknownNameIsRefusedByName) {
  const auto pre = PretokenizerByName("martian");
  ASSERT_FALSE(pre.has_value());
  EXPECT_EQ(pre.error().code, Code::kUnsupported);
  EXPECT_THAT(pre.error().message, testing::HasSubstr("martian"));
  for (const char* name : {"deepseek-llm", "deepseek-coder"}) {
    const auto older = PretokenizerByName(name);
    ASSERT_FALSE(older.has_value());
    EXPECT_EQ(older.error().code, Code::kUnsupported);
    EXPECT_THAT(older.error().message, testing::AllOf(testing::HasSubstr(name), testing::HasSubstr("DeepSeek-V2")));
  }
}

TEST(Regex, WhiteSpaceIsUnicodeWhiteSpace) {
  EXPECT_EQ(FromOniguruma(R"(a\s[^\s]\S\\s)"),
            R"(a[\t-\r\x{85}\p{Z}][^\t-\r\x{85}\p{Z}][^\t-\r\x{85}\p{Z}]\\s)");
  const auto space = Regex::Compile(R"(\s)");
  Regex::Scratch scratch;
  for (const char* blank : {"\u0085", "\u00a0", "\u3000", "\u2028"}) {
    EXPECT_TRUE(space.value().Find(blank, 0, scratch).value().has_value());
  }
  EXPECT_FALSE(space.value().Find("\u180e\u200b", 0, scratch).value().has_value());
}

TEST(Regex, EffortIsBounded) {
  const auto evil = Regex::Compile("(a+)+$");
  Regex::Scratch scratch;
  EXPECT_FALSE(evil.value().Find(std::string(64, 'a') + "b", 0, scratch).has_value());
}

TEST(Regex, BadPatternNamesItself) {
  const auto bad = Regex::Compile("(unclosed");
  ASSERT_FALSE(bad.has_value());
  EXPECT_THAT(bad.error().message, testing::HasSubstr("(unclosed"));
}

}  // namespace
}  // namespace portcullis::inference
