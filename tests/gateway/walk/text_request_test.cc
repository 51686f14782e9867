#include "gateway/classify/text_request.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace portcullis::gateway {
namespace {

namespace json = boost::json;

Result<ChatCall> Text(const std::string& fields) {
  return ParseText(json::parse(R"({"model":"m")" + fields + "}"), ChatLimits{});
}
Result<ChatCall> Embedding(const std::string& fields) {
  return ParseEmbedding(json::parse(R"({"model":"m")" + fields + "}"), ChatLimits{});
}

std::string Wrong(const Result<ChatCall>& call) {
  EXPECT_FALSE(call);
  return call ? "" : call.error().param;
}

TEST(TextRequest, CountsAnswersOverPromptsAndChoices) {
  const auto call = Text(R"(,"prompt":["a","b"],"n":2,"max_tokens":5,"echo":true,"logprobs":3,"evil":1)");
  ASSERT_TRUE(call);
  EXPECT_EQ(call.value().kind, CallKind::kText);
  EXPECT_EQ(call.value().choices, 4u);
  EXPECT_EQ(call.value().body.at("n"), 2);
  EXPECT_EQ(call.value().body.at("prompt"), json::value({"a", "b"}));
  EXPECT_EQ(call.value().body.at("logprobs"), 3);
  EXPECT_FALSE(call.value().body.contains("evil"));
  EXPECT_TRUE(call.value().logprobs);
  EXPECT_FALSE(call.value().unreadable);
}

TEST(TextRequest, TokenIdsAreMarkedUnreadable) {
  EXPECT_TRUE(Text(R"(,"prompt":[1,2,3])").value().unreadable);
  EXPECT_TRUE(Text(R"(,"prompt":["a",[1]])").value().unreadable);
  EXPECT_TRUE(Embedding(R"(,"input":[[1],[2]])").value().unreadable);
}

TEST(TextRequest, NamesTheFieldThatIsWrong) {
  EXPECT_EQ(Wrong(Text("")), "prompt");
  EXPECT_EQ(Wrong(Text(R"(,"prompt":[])")), "prompt");
  EXPECT_EQ(Wrong(Text(R"(,"prompt":[-1])")), "prompt");
  EXPECT_EQ(Wrong(Text(R"(,"prompt":{"a":1})")), "prompt");
  EXPECT_EQ(Wrong(Text(R"(,"prompt":"x","suffix":"y")")), "suffix");
  EXPECT_EQ(Wrong(Text(R"(,"prompt":"x","suffix":1)")), "suffix");
  EXPECT_EQ(Wrong(Text(R"(,"prompt":"x","best_of":2)")), "best_of");
  EXPECT_TRUE(Text(R"(,"prompt":"x","best_of":1)"));
  EXPECT_EQ(Wrong(Text(R"(,"prompt":"x","temperature":3)")), "temperature");
  EXPECT_EQ(Wrong(Text(R"(,"prompt":"x","logprobs":1,"max_tokens":16385)")), "max_tokens");
  EXPECT_EQ(Wrong(Text(R"(,"prompt":"x","logprobs":1,"logit_bias":{"1":2})")), "logit_bias");
  EXPECT_EQ(Wrong(Embedding(R"(,"input":7)")), "input");
  EXPECT_EQ(Wrong(Embedding(R"(,"input":"x","dimensions":0)")), "dimensions");
}

TEST(TextRequest, EmbeddingsGoUpstreamAsTheyCame) {
  const auto call = Embedding(R"(,"input":["a","b"],"encoding_format":"base64","user":"u")");
  ASSERT_TRUE(call);
  EXPECT_EQ(call.value().choices, 2u);
  EXPECT_EQ(call.value().max_tokens, 0u);
  EXPECT_EQ(call.value().body.at("encoding_format"), "base64");
  EXPECT_FALSE(call.value().body.contains("user"));
}

}  // namespace
}  // namespace portcullis::gateway
