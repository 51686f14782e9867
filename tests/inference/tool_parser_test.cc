// Calls of tools found in an answer's text, in every family's format and cut anywhere.
#include "inference/sample/tool_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portcullis::inference {
namespace {

struct Told {
  std::string content;
  std::vector<std::pair<std::string, std::string>> calls;  // name, arguments
};

// The text in pieces of `size` bytes.
Told Parse(ToolFormat format, std::string_view text, size_t size) {
  ToolParser parser(format, {"f", "g"});
  Told told;
  const auto take = [&](const ToolParser::Parts& parts) {
    told.content += parts.content;
    for (const CallDelta& delta : parts.calls) {
      if (!delta.name.empty()) told.calls.emplace_back(delta.name, "");
      EXPECT_EQ(static_cast<size_t>(delta.index) + 1, told.calls.size());
      told.calls.back().second += delta.arguments;
    }
  };
  for (; !text.empty(); text.remove_prefix(std::min(size, text.size()))) {
    take(parser.Push(text.substr(0, size)));
  }
  take(parser.Finish());
  return told;
}

void Expect(ToolFormat format, std::string_view text, const Told& told) {
  for (const size_t size : {1u, 2u, 3u, 7u, 1000u}) {
    const Told got = Parse(format, text, size);
    EXPECT_EQ(got.content, told.content) << text << " in pieces of " << size;
    EXPECT_EQ(got.calls, told.calls) << text << " in pieces of " << size;
  }
}

TEST(ToolParser, Tagged) {
  Expect(ToolFormat::kTagged, "Let me see.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"}\\\"\"}}\n</tool_call>",
         {"Let me see.", {{"f", "{\"a\": \"}\\\"\"}"}}});
  Expect(ToolFormat::kTagged,
         "<tool_call>{\"arguments\": {\"a\": [1]}, \"id\": 7, \"name\": \"f\"}</tool_call>\n"
         "<tool_call>{\"name\": \"g\"}</tool_call>",
         {"", {{"f", "{\"a\": [1]}"}, {"g", "{}"}}});
  Expect(ToolFormat::kTagged, "<tool_call>{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}</tool_call>",
         {"", {{"f", "{\"x\":1}"}}});
  Expect(ToolFormat::kTagged, "no call <tool, none", {"no call <tool, none", {}});
  Expect(ToolFormat::kTagged, "<tool_call>not json</tool_call>", {"<tool_call>not json</tool_call>", {}});
  Expect(ToolFormat::kTagged, "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\"", {"", {{"f", "{\"a\""}}});
  Expect(ToolFormat::kTagged, "text  \n ", {"text  \n ", {}});
}

TEST(ToolParser, KnowsTheMarksOfItsFormat) {
  const ToolParser tagged(ToolFormat::kTagged, {});
  EXPECT_TRUE(tagged.IsMark("<tool_call>"));
  EXPECT_TRUE(tagged.IsMark("</tool_call>"));
  EXPECT_FALSE(tagged.IsMark("<|python_tag|>"));
  const ToolParser deepseek(ToolFormat::kDeepSeek, {});
  for (const char* mark : {"<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>",
                           "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"}) {
    EXPECT_TRUE(deepseek.IsMark(mark)) << mark;
  }
  EXPECT_FALSE(deepseek.IsMark("<｜tool▁outputs▁begin｜>"));
  const ToolParser bare(ToolFormat::kBareJson, {});
  EXPECT_TRUE(bare.IsMark("<|python_tag|>"));
  EXPECT_FALSE(bare.IsMark("<|reserved_special_token_4|>"));
}

TEST(ToolParser, DeepSeek) {
  Expect(ToolFormat::kDeepSeek,
         "Ok\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{\"a\": 1}\n```"
         "<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{}\n```<｜tool▁call▁end｜>"
         "<｜tool▁calls▁end｜>",
         {"Ok", {{"f", "{\"a\": 1}"}, {"g", "{}"}}});
  Expect(ToolFormat::kDeepSeekPlain,
         "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{\"a\": {}}<｜tool▁call▁end｜>"
         "<｜tool▁call▁begin｜>g<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
         {"", {{"f", "{\"a\": {}}"}, {"g", "{}"}}});
  Expect(ToolFormat::kDeepSeek, "plain <｜words｜>", {"plain <｜words｜>", {}});
}

TEST(ToolParser, BareJson) {
  Expect(ToolFormat::kBareJson, R"({"name": "f", "parameters": {"a": null}})", {"", {{"f", R"({"a": null})"}}});
  Expect(ToolFormat::kBareJson, R"(<|python_tag|>{"name": "g", "parameters": {}})", {"", {{"g", "{}"}}});
  Expect(ToolFormat::kBareJson, R"({"name": "other", "parameters": {}})",
         {R"({"name": "other", "parameters": {}})", {}});
  Expect(ToolFormat::kBareJson, R"({"answer": 4})", {R"({"answer": 4})", {}});
  Expect(ToolFormat::kBareJson, "Just words {\"name\": \"f\"}", {"Just words {\"name\": \"f\"}", {}});
}

}  // namespace
}  // namespace portcullis::inference
