// Requests: what is taken, what is refused, and which field is named.
#include "inference/serve/call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portcullis::inference {
namespace {

std::string Chat(const std::string& fields) {
  return R"({"model":"m","messages":[{"role":"user","content":"Hi"}])" + fields + "}";
}

// The field that a refusal names; "" when accepted.
std::string Refused(const std::string& body) {
  const auto call = ReadChatCall(body, {});
  if (call.has_value()) return "";
  EXPECT_EQ(call.error().status, 400u);
  return call.error().param.empty() ? call.error().code : call.error().param;
}

TEST(Call, ReadsEveryField) {
  const auto result = ReadChatCall(
      R"({"model":"m","stream":true,"stream_options":{"include_usage":true},"n":2,"max_tokens":7,
      "temperature":0.5,"top_p":0.9,"top_k":5,"min_p":0.1,"seed":-3,"stop":["a","b"],
      "presence_penalty":1,"frequency_penalty":-1,"logit_bias":{"5":-100},"logprobs":true,
      "top_logprobs":3,"thinking":{"type":"disabled"},"response_format":{"type":"text"},"tools":[],
      "unknown":{"x":1},"messages":[{"role":"developer","content":"S"},
      {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
      {"role":"assistant","content":null}]})",
      {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  const Call& call = result.value();
  EXPECT_TRUE(call.stream && call.include_usage && call.sampling.logprobs && call.chat_options.thinking == false);
  EXPECT_EQ(call.choices, 2);
  EXPECT_EQ(call.max_tokens, 7);
  EXPECT_EQ(call.sampling.top_k, 5);
  EXPECT_EQ(call.sampling.seed, static_cast<uint64_t>(-3));
  EXPECT_EQ(call.sampling.logit_bias[0], std::make_pair(5, -100.0f));
  EXPECT_THAT(call.stops, testing::ElementsAre("a", "b"));
  ASSERT_EQ(call.messages.size(), 3u);
  EXPECT_EQ(call.messages[0].role, MessageRole::kSystem);
  EXPECT_EQ(call.messages[1].content, "ab");
}

TEST(Call, NamesTheFieldAtFault) {
  EXPECT_EQ(Refused(Chat("")), "");
  EXPECT_EQ(Refused(Chat(R"(,"temperature":2.1)")), "temperature");
  EXPECT_EQ(Refused(Chat(R"(,"temperature":"1")")), "temperature");
  EXPECT_EQ(Refused(Chat(R"(,"n":5)")), "n");
  EXPECT_EQ(Refused(Chat(R"(,"n":1.5)")), "n");
  EXPECT_EQ(Refused(Chat(R"(,"max_tokens":0)")), "max_tokens");
  EXPECT_EQ(Refused(Chat(R"(,"max_tokens":1e300)")), "max_tokens");
  EXPECT_EQ(Refused(Chat(R"(,"stop":["a","b","c","d","e"])")), "stop");
  EXPECT_EQ(Refused(Chat(R"(,"stop":[""])")), "stop");
  EXPECT_EQ(Refused(Chat(R"(,"logit_bias":{"x":1})")), "logit_bias");
  EXPECT_EQ(Refused(Chat(R"(,"top_logprobs":2)")), "top_logprobs");
  EXPECT_EQ(Refused(Chat(R"(,"tools":[{"type":"function"}])")), "tools");
  EXPECT_EQ(Refused(Chat(R"(,"tools":[{"type":"function","function":{"name":"a b"}}])")), "tools");
  EXPECT_EQ(Refused(Chat(R"(,"tool_choice":"required")")), "tool_choice");
  EXPECT_EQ(Refused(Chat(R"(,"response_format":{"type":"json_schema"})")), "response_format");
  EXPECT_EQ(Refused(Chat(R"(,"response_format":{"type":"xml"})")), "response_format");
  EXPECT_EQ(Refused(Chat(R"(,"reasoning_effort":"much")")), "reasoning_effort");
  EXPECT_EQ(Refused(Chat(R"(,"thinking":{"type":"enabled","budget_tokens":-1})")),
            "thinking.budget_tokens");
  EXPECT_EQ(Refused(R"({"model":"m","messages":[{"role":"tool","content":"x"}]})"),
            "messages[0].tool_call_id");
  EXPECT_EQ(Refused(R"({"model":"m","messages":[{"role":"assistant","tool_calls":[{}]}]})"),
            "messages[0].tool_calls[0]");
  EXPECT_EQ(Refused(Chat(R"(,"thinking":{"type":"maybe"})")), "thinking.type");
  EXPECT_EQ(Refused(R"({"model":"m"})"), "messages");
  EXPECT_EQ(Refused(R"({"model":"m","messages":[]})"), "messages");
  EXPECT_EQ(Refused(R"({"messages":[{"role":"user","content":"x"}]})"), "model");
  EXPECT_EQ(Refused(R"({"model":"m","messages":[{"role":"user"}]})"), "messages[0].content");
  EXPECT_EQ(Refused(R"({"model":"m","messages":[{"role":"robot","content":"x"}]})"),
            "messages[0].role");
  EXPECT_EQ(
      Refused(R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]})"),
      "messages[0].content");
}

TEST(Call, RefusesBadJson) {
  EXPECT_EQ(Refused("{"), "invalid_json");
  EXPECT_EQ(Refused("[]"), "invalid_json");
  EXPECT_EQ(Refused("{\"model\":\"\xff\"}"), "invalid_json");
  EXPECT_EQ(Refused(Chat(",\"x\":" + std::string(70, '[') + std::string(70, ']'))), "invalid_json");
}

TEST(Call, ReadsToolsFormatsAndBudgets) {
  const auto result = ReadChatCall(
      R"({"model":"m","messages":[{"role":"user","content":"x"},
      {"role":"assistant","content":null,"reasoning_content":"r","tool_calls":[{"id":"c","type":"function",
      "function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"y"}],
      "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],
      "tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,
      "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"integer"}}},
      "reasoning_effort":"low","max_reasoning_tokens":10})",
      {});
  ASSERT_TRUE(result.has_value()) << result.error().message;
  const Call& call = result.value();
  EXPECT_EQ(call.chat_options.tools.size(), 1u);
  EXPECT_EQ(call.tool_choice, ToolChoice::kNamed);
  EXPECT_EQ(call.tool_name, "f");
  EXPECT_FALSE(call.parallel_tool_calls);
  EXPECT_EQ(call.format, AnswerFormat::kJsonSchema);
  EXPECT_EQ(call.schema.at("type"), "integer");
  EXPECT_EQ(call.thinking_budget, 10);
  EXPECT_EQ(call.messages[1].tool_calls[0].name, "f");
  EXPECT_EQ(call.messages[1].reasoning, "r");
  EXPECT_EQ(call.messages[2].role, MessageRole::kTool);
}

TEST(Call, ToolChoiceNoneHidesTheTools) {
  const auto result = ReadChatCall(
      Chat(R"(,"tool_choice":"none","tools":[{"type":"function","function":{"name":"f"}}])"), {});
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(result.value().chat_options.tools.empty());
}

TEST(Call, PlainPromptsComeInFourShapes) {
  const auto prompts = [](const std::string& prompt) {
    return ReadTextCall(R"({"model":"m","prompt":)" + prompt + "}", {}).value().prompts;
  };
  EXPECT_EQ(prompts(R"("x")")[0].text, "x");
  EXPECT_EQ(prompts(R"(["x","y"])")[1].text, "y");
  EXPECT_THAT(prompts("[1,2]")[0].tokens, testing::ElementsAre(1, 2));
  EXPECT_THAT(prompts("[[1],[2,3]]")[1].tokens, testing::ElementsAre(2, 3));
  for (const char* bad : {"[]", "[[]]", "7", "[-1]", "[1.5]", R"([1,"x"])"}) {
    EXPECT_FALSE(ReadTextCall(std::string(R"({"model":"m","prompt":)") + bad + "}", {}).has_value())
        << bad;
  }
  EXPECT_TRUE(ReadTextCall(R"({"model":"m","prompt":"x","echo":true})", {}).value().echo);
  EXPECT_FALSE(
      ReadTextCall(R"({"model":"m","prompt":"x","echo":true,"logprobs":1})", {}).has_value());
}

TEST(Call, Embeddings) {
  const auto call = ReadEmbedCall(
      R"({"model":"m","input":["a","b"],"encoding_format":"base64","pooling":"last","dimensions":4})");
  ASSERT_TRUE(call.has_value());
  EXPECT_EQ(call.value().inputs.size(), 2u);
  EXPECT_TRUE(call.value().base64);
  EXPECT_FALSE(call.value().mean);
  EXPECT_EQ(call.value().dimensions, 4);
  EXPECT_FALSE(ReadEmbedCall(R"({"model":"m","input":"a","encoding_format":"hex"})").has_value());
  EXPECT_FALSE(ReadEmbedCall(R"({"model":"m"})").has_value());
}

}  // namespace
}  // namespace portcullis::inference
