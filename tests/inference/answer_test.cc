// Stop strings over token borders, the split of reasoning from content, the end of an answer.
#include "inference/sample/answer.h"

#include <gtest/gtest.h>

#include "tests/inference/serve_helpers.h"

namespace portcullis::inference {
namespace {

TEST(StopStrings, CutTheStopHoweverItIsSplit) {
  const std::string text = "one two STOP three";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    StopStrings stops({"STOP", "never"});
    std::string shown = stops.Push(text.substr(0, cut));
    EXPECT_EQ(shown.find('S'), std::string::npos) << "part of a stop string was shown";
    shown += stops.Push(text.substr(cut));
    shown += stops.Finish();
    EXPECT_EQ(shown, "one two ") << cut;
    EXPECT_TRUE(stops.stopped());
  }
}

TEST(StopStrings, HoldBackOnlyWhatMayBecomeOne) {
  StopStrings stops({"\n\n", "abab"});
  EXPECT_EQ(stops.Push("x\n"), "x");
  EXPECT_EQ(stops.Push("y"), "\ny");
  EXPECT_EQ(stops.Push("aba"), "");
  EXPECT_EQ(stops.Push("c"), "abac");
  EXPECT_EQ(stops.Push("ab"), "");
  EXPECT_EQ(stops.Finish(), "ab");
}

TEST(ReasoningSplit, MarksAsTextInPiecesOfAnySize) {
  const std::string text = "<think>\nFirst, 1 < 2.\n\nThen.\n</think>\n\nIt is </b> so.";
  for (size_t step = 1; step <= text.size(); ++step) {
    ReasoningSplit split(false, true);
    std::string reasoning, content;
    const auto add = [&](const ReasoningSplit::Parts& parts) {
      reasoning += parts.reasoning;
      content += parts.content;
    };
    for (size_t at = 0; at < text.size(); at += step) add(split.Push(text.substr(at, step)));
    add(split.Finish());
    EXPECT_EQ(reasoning, "First, 1 < 2.\n\nThen.") << step;
    EXPECT_EQ(content, "It is </b> so.") << step;
  }
}

TEST(ReasoningSplit, OpenFromThePromptAndNeverClosed) {
  ReasoningSplit split(true, true);
  const auto first = split.Push("\nstill thinking \n");
  EXPECT_EQ(first.reasoning, "still thinking");
  EXPECT_EQ(split.Push("on </th").reasoning, " \non");
  EXPECT_EQ(split.Finish().reasoning, " </th");
  EXPECT_TRUE(split.thinking());
}

TEST(ReasoningSplit, TextWithoutMarksIsContent) {
  ReasoningSplit split(false, true);
  EXPECT_EQ(split.Push("  <thi").content, "");
  EXPECT_EQ(split.Push("s> x").content, "  <this> x");
}

class AnswerTest : public testing::Test {
 protected:
  void Run(const std::vector<TokenId>& ids, AnswerOptions options) {
    Answer answer(*tokenizer_, std::move(options));
    for (const TokenId id : ids) {
      if (!answer.done()) Add(answer.Push({id, 0, {}}));
    }
    Add(answer.Finish());
    done_ = answer.done();
    reasoning_tokens_ = answer.reasoning_tokens();
  }
  void Add(const Delta& delta) {
    content_ += delta.content;
    reasoning_ += delta.reasoning;
  }

  std::unique_ptr<Tokenizer> tokenizer_ = TestTokenizer("");
  std::string content_, reasoning_;
  bool done_ = false;
  int64_t reasoning_tokens_ = 0;
};

TEST_F(AnswerTest, MarksAsTokens) {
  AnswerOptions options;
  options.split_reasoning = true;
  options.thinking_open = true;
  Run({'\n', 'h', 'm', kThinkClose, '\n', '\n', kHello, kEos, 'x'}, options);
  EXPECT_EQ(reasoning_, "hm");
  EXPECT_EQ(content_, "hello");
  EXPECT_EQ(reasoning_tokens_, 4);
  EXPECT_TRUE(done_);
}

TEST_F(AnswerTest, AStopStringInTheReasoningDoesNotStop) {
  AnswerOptions options;
  options.split_reasoning = true;
  options.thinking_open = true;
  options.stops = {"he"};
  Run({kHello, kThinkClose, 'a', kHello, 'b'}, options);
  EXPECT_EQ(reasoning_, "hello");
  EXPECT_EQ(content_, "a");
  EXPECT_TRUE(done_);
}

// Tools make the marks of calls seen, not the vocabulary's other special tokens.
TEST_F(AnswerTest, SpecialTokensStayHiddenWithTools) {
  AnswerOptions options;
  options.split_reasoning = true;
  options.tools = ToolFormat::kTagged;
  options.tool_names = {"f"};
  Run({kHello, kImStart, 'a', kBos, 'b', kImEnd, kEos}, options);
  EXPECT_EQ(content_, "helloab");
}

TEST_F(AnswerTest, HalfACharacterAtTheEndBecomesAReplacement) {
  Run({'a', 0xE4, 0xBD}, {});
  EXPECT_EQ(content_, "a\uFFFD");
  EXPECT_FALSE(done_);
}

}  // namespace
}  // namespace portcullis::inference
