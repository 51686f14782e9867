// Real models through the whole engine: the story that llama2.c and llama.cpp write, and the
// built-in model's own expectations.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>

#include "inference/engine.h"
#include "tests/inference/serve_helpers.h"

namespace portcullis::inference {
namespace {

const std::filesystem::path kStories =
    std::filesystem::path(PORTCULLIS_SHARED_DATA) / "models" / "stories260k";
const std::filesystem::path kNano =
    std::filesystem::path(PORTCULLIS_SOURCE_DIR) / "inference" / "nano" / "model";

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::unique_ptr<Engine> LoadEngine(const std::filesystem::path& path) {
  auto model = Model::Load(path, {});
  EXPECT_TRUE(model.has_value()) << model.error().message;
  if (!model) return nullptr;
  auto tokenizer = LoadTokenizer(*model.value());
  EXPECT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  if (!tokenizer) return nullptr;
  auto engine = Engine::Create(std::move(model).value(), std::move(tokenizer).value(), {});
  EXPECT_TRUE(engine.has_value()) << engine.error().message;
  return engine ? std::move(engine).value() : nullptr;
}

std::string Trim(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::shared_ptr<RecordingSink> Greedy(Engine& engine, const Prompt& prompt, int64_t max_tokens) {
  GenerateRequest request;
  request.prompt = prompt.tokens;
  request.max_tokens = max_tokens;
  request.sampling.temperature = 0;
  request.answer.split_reasoning = prompt.thinking_open;
  request.answer.thinking_open = prompt.thinking_open;
  std::vector<GenerateRequest> requests;
  requests.push_back(std::move(request));
  const auto sink = std::make_shared<RecordingSink>();
  const auto handles = engine.Generate(std::move(requests), {sink});
  EXPECT_TRUE(handles.has_value());
  EXPECT_TRUE(sink->Wait());
  return sink;
}

TEST(Engine, AnAnswerWithoutALimitIsLongerWhereTheModelReasons) {
  const auto room = [](const std::string& chat_template, int64_t context, int64_t wanted) {
    const auto engine = Engine::Create(std::make_unique<ScriptedModel>(Bytes("x"), context),
                                       TestTokenizer(chat_template), {});
    EXPECT_TRUE(engine.has_value());
    return engine.value()->AnswerRoom(100, wanted).value();
  };
  const std::string plain =
      "{% for m in messages %}{{'<|im_start|>' + m['role'] + m['content'] + '<|im_end|>'}}{% endfor %}";
  EXPECT_EQ(room(plain, 131072, 0), 4096);
  EXPECT_EQ(room(kR1Template, 131072, 0), 32768);
  EXPECT_EQ(room(kR1Template, 8192, 0), 8092);
  EXPECT_EQ(room(kR1Template, 131072, 50), 50);
  EXPECT_EQ(room(kR1Template, 131072, 100000), 100000);
}

TEST(Generate, StoriesAreTheOnesOthersWrite) {
  if (!std::filesystem::exists(kStories)) GTEST_SKIP() << "not here: " << kStories;
  const auto engine = LoadEngine(kStories / "stories260k-f32.gguf");
  ASSERT_NE(engine, nullptr);
  const std::string expected = Trim(ReadFile(kStories / "greedy.txt"));
  const std::string prompt = "Once upon a time";
  const auto rendered = engine->RenderText(prompt, Specials::kAsText);
  ASSERT_TRUE(rendered.has_value());
  const std::string story = prompt + Greedy(*engine, rendered.value(), 300)->content;
  EXPECT_EQ(story.substr(0, expected.size()), expected);
}

TEST(Generate, VocabularyOfStoriesComesBack) {
  if (!std::filesystem::exists(kStories)) GTEST_SKIP() << "not here: " << kStories;
  const auto engine = LoadEngine(kStories / "stories260k-f32.gguf");
  ASSERT_NE(engine, nullptr);
  for (const std::string text : {"Lily said, \"é你🙂 </s> <0x41>\"\n  two", " x", "▁"}) {
    std::vector<TokenId> ids;
    ASSERT_TRUE(engine->tokenizer().Encode(text, Specials::kAsText, ids).has_value());
    Detokenizer detokenizer(engine->tokenizer(), true);
    std::string back;
    for (const TokenId id : ids) {
      EXPECT_FALSE(engine->tokenizer().vocab().IsControl(id));
      back += detokenizer.Push(id);
    }
    EXPECT_EQ(back + detokenizer.Finish(), text == "▁" ? " " : text);
  }
}

TEST(Generate, BuiltInModelSaysWhatItsMakersExpect) {
  if (!std::filesystem::exists(kNano / "expected.json")) {
    GTEST_SKIP() << "the built-in model has no expectations yet: " << kNano / "expected.json";
  }
  const auto engine = LoadEngine(kNano);
  ASSERT_NE(engine, nullptr);
  const auto root = boost::json::parse(ReadFile(kNano / "expected.json"));
  const auto* cases = root.is_array() ? root.if_array() : root.at("cases").if_array();
  ASSERT_NE(cases, nullptr);
  ASSERT_FALSE(cases->empty());
  for (const auto& item : *cases) {
    std::vector<ChatMessage> messages;
    for (const auto& message : item.at("messages").as_array()) {
      const auto& role = message.at("role").as_string();
      messages.push_back({role == "user"     ? MessageRole::kUser
                          : role == "system" ? MessageRole::kSystem
                                             : MessageRole::kAssistant,
                          std::string(message.at("content").as_string())});
    }
    const auto prompt = engine->RenderChat(messages, {});
    ASSERT_TRUE(prompt.has_value());
    EXPECT_EQ(prompt.value().tokens,
              boost::json::value_to<std::vector<TokenId>>(item.at("prompt_tokens")));
    const auto expected = boost::json::value_to<std::vector<TokenId>>(item.at("completion_tokens"));
    const auto sink = Greedy(*engine, prompt.value(), static_cast<int64_t>(expected.size()));
    EXPECT_EQ(sink->reasoning, Trim(std::string(item.at("reasoning").as_string())));
    EXPECT_EQ(sink->content, std::string(item.at("answer").as_string()));
    EXPECT_EQ(sink->usage.completion_tokens, static_cast<int64_t>(expected.size()));
  }
}

}  // namespace
}  // namespace portcullis::inference
