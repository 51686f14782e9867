#include "gateway/respond/chat_answer.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace portcullis::gateway {
namespace {

namespace json = boost::json;

constexpr const char* kCard = "4111 1111 1111 1111";

ChatAnswer Make(bool include_usage = true, bool logprobs = false) {
  AnswerOptions options{"chatcmpl-1", "m", 7, 1, include_usage, logprobs};
  return ChatAnswer(options, policy::BuiltinDetectors(),
                    policy::RedactionPolicy::Of({"Financial", "Secret"}).value());
}

std::string Delta(const char* field, const std::string& text) {
  return json::serialize(json::object{
      {"choices", {json::object{{"index", 0}, {"delta", {{field, text}}}, {"finish_reason", nullptr}}}}});
}

constexpr const char* kEnd = R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})";
constexpr const char* kUsage =
    R"({"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8,"completion_tokens_details":{"reasoning_tokens":1},"prompt_cache_hit_tokens":2}})";

std::string Joined(const std::vector<std::string>& chunks, const char* field) {
  std::string out;
  for (const auto& chunk : chunks) {
    const json::value value = json::parse(chunk);
    for (const auto& choice : value.at("choices").as_array()) {
      const auto& delta = choice.at("delta").as_object();
      if (const auto* text = delta.if_contains(field)) out += text->as_string();
    }
  }
  return out;
}

void Append(std::vector<std::string>& to, Result<std::vector<std::string>> from) {
  ASSERT_TRUE(from) << from.error().message;
  to.insert(to.end(), from.value().begin(), from.value().end());
}

TEST(ChatAnswer, StreamsInTheOrderOfTheWireFormat) {
  ChatAnswer answer = Make();
  const auto head = answer.Head();
  ASSERT_EQ(head.size(), 1u);
  EXPECT_EQ(json::parse(head[0]).at("choices").at(0).at("delta").at("role"), "assistant");
  EXPECT_TRUE(json::parse(head[0]).at("usage").is_null());

  std::vector<std::string> body;
  Append(body, answer.Feed(Delta("reasoning_content", "think ")));
  Append(body, answer.Feed(Delta("content", "hello ")));
  Append(body, answer.Feed(kEnd));
  Append(body, answer.Feed(kUsage));
  Append(body, answer.Finish());
  EXPECT_EQ(Joined(body, "reasoning_content"), "think ");
  EXPECT_EQ(Joined(body, "content"), "hello ");
  for (const auto& chunk : body) {
    EXPECT_FALSE(json::parse(chunk).at("choices").at(0).at("delta").as_object().contains("role"));
    EXPECT_EQ(json::parse(chunk).at("id"), "chatcmpl-1");
  }

  const auto tail = answer.Tail();
  ASSERT_EQ(tail.size(), 3u);
  EXPECT_EQ(json::parse(tail[0]).at("choices").at(0).at("finish_reason"), "stop");
  EXPECT_TRUE(json::parse(tail[0]).at("choices").at(0).at("delta").as_object().empty());
  const json::value usage = json::parse(tail[1]);
  EXPECT_TRUE(usage.at("choices").as_array().empty());
  EXPECT_EQ(usage.at("usage").at("prompt_cache_miss_tokens"), 3);
  EXPECT_EQ(usage.at("usage").at("completion_tokens_details").at("reasoning_tokens"), 1);
  EXPECT_EQ(tail[2], "[DONE]");
}

TEST(ChatAnswer, MasksACardNumberHoweverItIsCut) {
  const std::string text = std::string("pay with ") + kCard + " please";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    for (const char* field : {"content", "reasoning_content"}) {
      ChatAnswer answer = Make();
      std::vector<std::string> chunks;
      Append(chunks, answer.Feed(Delta(field, text.substr(0, cut))));
      Append(chunks, answer.Feed(Delta(field, text.substr(cut))));
      Append(chunks, answer.Feed(kEnd));
      Append(chunks, answer.Feed(kUsage));
      Append(chunks, answer.Finish());
      EXPECT_EQ(Joined(chunks, field), "pay with [redacted:pan] please") << cut << field;
    }
  }
}

TEST(ChatAnswer, LogprobsLeaveOnlyWithACleanAnswer) {
  const std::string with = R"({"choices":[{"index":0,"delta":{"content":")" + std::string("%") +
                           R"("},"logprobs":{"content":[{"token":"%","logprob":-1}]}}]})";
  for (const std::string& text : {std::string("fine"), std::string(kCard)}) {
    ChatAnswer answer = Make(true, true);
    std::string event = with;
    for (size_t at; (at = event.find('%')) != std::string::npos;) event.replace(at, 1, text);
    ASSERT_TRUE(answer.Feed(event));
    ASSERT_TRUE(answer.Feed(kEnd));
    ASSERT_TRUE(answer.Feed(kUsage));
    ASSERT_TRUE(answer.Finish());
    const std::string whole = json::serialize(answer.Whole());
    EXPECT_EQ(whole.find("\"logprob\"") != std::string::npos, text == "fine") << whole;
    EXPECT_EQ(whole.find("4111"), std::string::npos);
    for (const auto& chunk : answer.Tail()) EXPECT_EQ(chunk.find("4111"), std::string::npos);
  }
}

TEST(ChatAnswer, NeverInventsAnEnd) {
  ChatAnswer no_reason = Make();
  ASSERT_TRUE(no_reason.Feed(Delta("content", "x")));
  ASSERT_TRUE(no_reason.Feed(kUsage));
  EXPECT_EQ(no_reason.Finish().error().code, Code::kUpstreamError);
  ChatAnswer no_usage = Make();
  ASSERT_TRUE(no_usage.Feed(kEnd));
  EXPECT_EQ(no_usage.Finish().error().code, Code::kUpstreamError);
}

TEST(ChatAnswer, RefusesWhatNoEngineShouldSend) {
  for (const char* event : {"", "x", "[]", R"({"choices":7})", R"({"choices":[7]})",
                            R"({"choices":[{"index":1,"delta":{"content":"x"}}]})",
                            R"({"choices":[{"index":0,"delta":{},"finish_reason":"bored"}]})",
                            R"({"error":{"message":"out of memory"}})"}) {
    ChatAnswer answer = Make();
    auto fed = answer.Feed(event);
    ASSERT_FALSE(fed) << event;
    EXPECT_EQ(fed.error().code, Code::kUpstreamError);
  }
}

TEST(ChatAnswer, ToolCallsKeepTheirNameOnceAndTheirArgumentsFiltered) {
  ChatAnswer answer = Make();
  std::vector<std::string> chunks;
  Append(chunks, answer.Feed(
      R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"pay","arguments":"{\"card\":\"4111 1111 "}}]}}]})"));
  Append(chunks, answer.Feed(
      R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1111 1111\"}"}}]}}]})"));
  Append(chunks, answer.Feed(R"({"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]})"));
  Append(chunks, answer.Feed(kUsage));
  Append(chunks, answer.Finish());
  int names = 0;
  for (const auto& chunk : chunks) names += chunk.find("\"name\"") != std::string::npos;
  EXPECT_EQ(names, 1);
  const json::value call = answer.Whole().at("choices").at(0).at("message").at("tool_calls").at(0);
  EXPECT_EQ(call.at("function").at("arguments"), R"({"card":"[redacted:pan]"})");
}

TEST(ChatAnswer, PlainCompletionsAreFilteredToo) {
  AnswerOptions options{"cmpl-1", "m", 7, 2, true, true};
  options.text = true;
  ChatAnswer answer(options, policy::BuiltinDetectors(),
                    policy::RedactionPolicy::Of({"Financial", "Secret"}).value());
  std::vector<std::string> chunks = answer.Head();
  EXPECT_TRUE(chunks.empty());
  const auto feed = [&](const std::string& event) { Append(chunks, answer.Feed(event)); };
  feed(R"({"choices":[{"index":0,"text":"pay 4111 1111","logprobs":{"tokens":["x"],"token_logprobs":[-1],"top_logprobs":[{"x":-1}]},"finish_reason":null}]})");
  feed(R"({"choices":[{"index":0,"text":" 1111 1111 now","finish_reason":"stop"}]})");
  feed(R"({"choices":[{"index":1,"text":"fine","logprobs":{"tokens":["fine"],"token_logprobs":[-0.5]},"finish_reason":"length"}]})");
  feed(kUsage);
  Append(chunks, answer.Finish());
  std::string text;
  for (const std::string& chunk : chunks) {
    const json::value value = json::parse(chunk);
    EXPECT_EQ(value.at("object"), "text_completion");
    const json::object& choice = value.at("choices").at(0).as_object();
    if (choice.at("index") == 0) text += choice.at("text").as_string();
  }
  EXPECT_EQ(text.find("4111"), std::string::npos);
  EXPECT_TRUE(text.starts_with("pay ") && text.ends_with(" now")) << text;
  const json::object whole = answer.Whole();
  const json::array& choices = whole.at("choices").as_array();
  EXPECT_EQ(choices[0].at("text").as_string(), text);
  EXPECT_TRUE(choices[0].at("logprobs").is_null());
  EXPECT_EQ(choices[1].at("text"), "fine");
  EXPECT_EQ(choices[1].at("logprobs").at("tokens").at(0), "fine");
  EXPECT_EQ(choices[1].at("finish_reason"), "length");
}

TEST(ChatAnswer, TokenTextsThatAreHeldHaveABound) {
  json::object entry{{"token", std::string(900'000, 'x')}, {"logprob", -1.0}};
  const std::string event = json::serialize(json::object{
      {"choices", {json::object{{"index", 0},
                                {"delta", {{"content", ""}}},
                                {"logprobs", {{"content", {entry}}}}}}}});
  ChatAnswer answer = Make(true, true);
  Result<std::vector<std::string>> fed = std::vector<std::string>();
  int events = 0;
  for (; fed && events < 200; ++events) fed = answer.Feed(event);
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, Code::kUpstreamError);
  EXPECT_GT(events, 50);  // honest answers stay far below
  // Without logprobs nothing of it is kept.
  ChatAnswer plain = Make();
  for (int i = 0; i < 80; ++i) ASSERT_TRUE(plain.Feed(event));
}

}  // namespace
}  // namespace portcullis::gateway
