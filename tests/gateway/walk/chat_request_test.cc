#include "gateway/classify/chat_request.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace portcullis::gateway {
namespace {

namespace json = boost::json;

Result<ChatCall> Parse(const std::string& text) { return ParseChat(json::parse(text), ChatLimits{}); }

std::string With(const std::string& more) {
  return R"({"model":"m","messages":[{"role":"user","content":"hi"}])" + more + "}";
}

TEST(ChatRequest, AsksTheEngineForAStreamWithUsage) {
  auto call = Parse(With(""));
  ASSERT_TRUE(call);
  EXPECT_FALSE(call.value().stream);
  EXPECT_EQ(call.value().body.at("stream"), true);
  EXPECT_EQ(call.value().body.at("stream_options").at("include_usage"), true);
  EXPECT_EQ(call.value().body.at("max_tokens"), ChatLimits{}.max_tokens_default);
}

TEST(ChatRequest, PassesOnlyWhatItKnows) {
  auto call = Parse(With(R"(,"api_base":"http://evil","user":"u","metadata":{"purpose":"legal"},"x":[1])"));
  ASSERT_TRUE(call);
  EXPECT_EQ(call.value().purpose, "legal");
  for (const char* key : {"api_base", "user", "metadata", "x"}) {
    EXPECT_FALSE(call.value().body.contains(key)) << key;
  }
}

TEST(ChatRequest, JoinsPartsAndRenamesDeveloper) {
  auto call = Parse(R"({"model":"m","messages":[
      {"role":"developer","content":[{"type":"text","text":"4111 1111"},{"type":"text","text":" 1111 1111"}]},
      {"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"c","content":"ok"}]})");
  ASSERT_TRUE(call) << call.error().message;
  const auto& messages = call.value().body.at("messages").as_array();
  EXPECT_EQ(messages[0].at("role"), "system");
  EXPECT_EQ(messages[0].at("content"), "4111 1111 1111 1111");
  EXPECT_TRUE(messages[1].at("content").is_null());
}

struct Bad {
  const char* more;
  const char* param;
};

TEST(ChatRequest, NamesTheFieldThatIsWrong) {
  const Bad cases[] = {
      {R"(,"temperature":"hot")", "temperature"},
      {R"(,"temperature":2.1)", "temperature"},
      {R"(,"temperature":-0.1)", "temperature"},
      {R"(,"top_p":1.5)", "top_p"},
      {R"(,"n":5)", "n"},
      {R"(,"n":0)", "n"},
      {R"(,"n":1.5)", "n"},
      {R"(,"max_tokens":0)", "max_tokens"},
      {R"(,"max_tokens":99999999999)", "max_tokens"},
      {R"(,"max_tokens":18446744073709551615)", "max_tokens"},
      {R"(,"max_completion_tokens":-1)", "max_completion_tokens"},
      {R"(,"stop":["a","b","c","d","e"])", "stop"},
      {R"(,"stop":[""])", "stop"},
      {R"(,"stop":7)", "stop"},
      {R"(,"stream":"yes")", "stream"},
      {R"(,"stream_options":{"include_usage":true})", "stream_options"},
      {R"(,"logit_bias":{"x":1})", "logit_bias"},
      {R"(,"logit_bias":{"1":101})", "logit_bias"},
      {R"(,"logprobs":true,"logit_bias":{"1":1})", "logit_bias"},
      {R"(,"top_logprobs":3)", "top_logprobs"},
      {R"(,"logprobs":true,"top_logprobs":21)", "top_logprobs"},
      {R"(,"tools":{})", "tools"},
      {R"(,"tools":[{"type":"function"}])", "tools[0]"},
      {R"(,"response_format":{"type":"xml"})", "response_format.type"},
      {R"(,"reasoning_effort":"extreme")", "reasoning_effort"},
      {R"(,"thinking":{"type":"maybe"})", "thinking.type"},
      {R"(,"metadata":{"a":1})", "metadata"},
      {R"(,"metadata":{"purpose":"fun"})", "metadata.purpose"},
      {R"(,"user":5)", "user"},
      {R"(,"seed":1.5)", "seed"},
  };
  for (const Bad& bad : cases) {
    auto call = Parse(With(bad.more));
    ASSERT_FALSE(call) << bad.more;
    EXPECT_EQ(call.error().code, Code::kInvalidParameter) << bad.more;
    EXPECT_EQ(call.error().param, bad.param) << bad.more;
  }
}

TEST(ChatRequest, NamesTheMessageThatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"model":"m"})", "messages"},
      {R"({"model":"m","messages":[]})", "messages"},
      {R"({"model":"m","messages":"hi"})", "messages"},
      {R"({"messages":[{"role":"user","content":"hi"}]})", "model"},
      {R"({"model":7,"messages":[{"role":"user","content":"hi"}]})", "model"},
      {R"({"model":"m","messages":[7]})", "messages[0]"},
      {R"({"model":"m","messages":[{"role":"root","content":"x"}]})", "messages[0].role"},
      {R"({"model":"m","messages":[{"role":"user"}]})", "messages[0].content"},
      {R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url"}]}]})",
       "messages[0].content[0].type"},
      {R"({"model":"m","messages":[{"role":"tool","content":"x"}]})", "messages[0].tool_call_id"},
      {R"({"model":"m","messages":[{"role":"user","content":"x","tool_calls":[]}]})",
       "messages[0].tool_calls"},
  };
  for (const auto& [text, param] : cases) {
    auto call = Parse(text);
    ASSERT_FALSE(call) << text;
    EXPECT_EQ(call.error().param, param) << text;
  }
  EXPECT_EQ(Parse("[]").error().code, Code::kBadRequest);
}

}  // namespace
}  // namespace portcullis::gateway
