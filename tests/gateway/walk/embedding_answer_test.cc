// An engine's embeddings: what is not exactly what was asked for is the engine's error.
#include "gateway/infer/embedding_answer.h"

#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

namespace portcullis::gateway {
namespace {

ChatCall Asked(uint32_t inputs) {
  ChatCall call;
  call.kind = CallKind::kEmbedding;
  call.model = "m";
  call.choices = inputs;
  return call;
}

std::string Body(const std::string& data, const std::string& usage = R"({"prompt_tokens":5})") {
  return R"({"data":[)" + data + R"(],"usage":)" + usage + "}";
}

TEST(EmbeddingAnswer, IsRebuiltFromVectorsAndCounts) {
  const auto answer = ReadEmbeddings(
      Body(R"({"embedding":[0.5,-1],"index":9,"evil":"x"},{"embedding":"AACAPw=="})"), Asked(2));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer.value().prompt_tokens, 5u);
  EXPECT_EQ(boost::json::serialize(answer.value().document),
            R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[5E-1,-1]},)"
            R"({"object":"embedding","index":1,"embedding":"AACAPw=="}],"model":"m",)"
            R"("usage":{"prompt_tokens":5,"total_tokens":5}})");
}

TEST(EmbeddingAnswer, AnythingElseIsTheEnginesError) {
  const std::string good = R"({"embedding":[1]})";
  const std::vector<std::string> bodies = {
      "", "{", "[]", "{}", R"({"data":{}})", Body(""), Body(good + "," + good), Body("7"),
      Body(R"({"vector":[1]})"), Body(R"({"embedding":[]})"), Body(R"({"embedding":["1"]})"),
      Body(R"({"embedding":[[1]]})"), Body(R"({"embedding":""})"), Body(R"({"embedding":"AA A"})"),
      Body(R"({"embedding":"<b>"})"), Body(R"({"embedding":null})"), Body(good, "{}"),
      Body(good, "null"), Body(good, R"({"prompt_tokens":-1})"), Body(good, R"({"prompt_tokens":"5"})"),
      Body(good, R"({"prompt_tokens":1.5})"), Body(good) + "x"};
  for (const std::string& body : bodies) {
    const auto answer = ReadEmbeddings(body, Asked(1));
    ASSERT_FALSE(answer) << body;
    EXPECT_EQ(answer.error().code, Code::kUpstreamError) << body;
  }
  EXPECT_TRUE(ReadEmbeddings(Body(good), Asked(1)));
}

}  // namespace
}  // namespace portcullis::gateway
