// Answers questions of the oracle tests, one JSON object a line in and out: token ids, rendered
// chat templates, random texts that a schema allows, the tokenizer's speed, and the step of a
// grammar. What a question names wrongly is answered with {"error"}.
#include <boost/json.hpp>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>

#include "inference/model/gguf.h"
#include "inference/sample/sampler.h"
#include "inference/sample/tool_grammar.h"
#include "inference/tokenizer/jinja/evaluate.h"
#include "inference/tokenizer/template.h"
#include "tests/inference/oracle/vocabulary_file.h"

namespace portcullis::inference {
namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

struct Model {
  std::unique_ptr<gguf::File> file;
  std::unique_ptr<Tokenizer> tokenizer;
  std::shared_ptr<grammar::SharedMasks> masks;
};

Model& Load(const std::string& path) {
  static std::map<std::string, Model> models;
  Model& model = models[path];
  if (model.tokenizer) return model;
  if (path.ends_with(".gguf")) {
    auto file = gguf::File::Open(path);
    if (!file) throw std::runtime_error(file.error().message);
    model.file = std::move(file).value();
  }
  auto tokenizer = model.file ? Tokenizer::FromGguf(*model.file) : Tokenizer::FromFolder(path);
  if (!tokenizer) throw std::runtime_error(tokenizer.error().message);
  model.tokenizer = std::move(tokenizer).value();
  return model;
}

std::string Text(const json::object& question, const char* key) {
  const json::value* value = question.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

json::array Ids(const std::vector<TokenId>& tokens) { return json::array(tokens.begin(), tokens.end()); }

json::object Encode(const json::object& question) {
  const Tokenizer& tokenizer = *Load(Text(question, "model")).tokenizer;
  const bool parse = question.contains("specials");
  json::array all, decoded;
  for (const json::value& text : question.at("texts").as_array()) {
    std::vector<TokenId> tokens;
    const auto done =
        tokenizer.Encode(text.as_string(), parse ? Specials::kParse : Specials::kAsText, tokens);
    if (!done) throw std::runtime_error(done.error().message);
    Detokenizer detokenizer(tokenizer, true);
    std::string back;
    for (const TokenId id : tokens) back += detokenizer.Push(id);
    back += detokenizer.Finish();
    all.push_back(Ids(tokens));
    decoded.push_back(json::string(back));
  }
  return {{"ids", std::move(all)}, {"decoded", std::move(decoded)}};
}

json::object Speed(const json::object& question) {
  const Tokenizer& tokenizer = *Load(Text(question, "model")).tokenizer;
  const json::array& texts = question.at("texts").as_array();
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    size_t bytes = 0;
    const auto begin = Clock::now();
    for (const json::value& text : texts) {
      std::vector<TokenId> tokens;
      const auto done = tokenizer.Encode(text.as_string(), Specials::kAsText, tokens);
      if (!done) throw std::runtime_error(done.error().message);
      bytes += text.as_string().size();
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    best = std::max(best, static_cast<double>(bytes) / 1e6 / seconds);
  }
  return {{"megabytes_per_second", best}};
}

ChatMessage Message(const json::object& from) {
  static const std::map<std::string, MessageRole> kRoles = {{"system", MessageRole::kSystem},
                                                            {"user", MessageRole::kUser},
                                                            {"assistant", MessageRole::kAssistant},
                                                            {"tool", MessageRole::kTool}};
  ChatMessage message;
  message.role = kRoles.at(Text(from, "role"));
  message.content = Text(from, "content");
  message.reasoning = Text(from, "reasoning_content");
  message.tool_call_id = Text(from, "tool_call_id");
  if (const json::value* calls = from.if_contains("tool_calls")) {
    for (const json::value& call : calls->as_array()) {
      const json::object& function = call.at("function").as_object();
      const json::value& arguments = function.at("arguments");
      message.tool_calls.push_back(
          {Text(call.as_object(), "id"), Text(function, "name"),
           arguments.is_string() ? std::string(arguments.get_string()) : json::serialize(arguments)});
    }
  }
  return message;
}

json::object Render(const json::object& question) {
  const Tokenizer& tokenizer = *Load(Text(question, "model")).tokenizer;
  const auto chat = ChatTemplate::Recognise(tokenizer);
  if (!chat) throw std::runtime_error(chat.error().message);
  std::vector<ChatMessage> messages;
  for (const json::value& message : question.at("messages").as_array()) {
    messages.push_back(Message(message.as_object()));
  }
  ChatOptions options;
  if (const json::value* tools = question.if_contains("tools")) options.tools = tools->as_array();
  if (const json::value* thinking = question.if_contains("thinking")) options.thinking = thinking->as_bool();
  options.generation_prompt = question.at("generation_prompt").as_bool();
  const auto text = chat.value().RenderText(tokenizer, messages, options);
  if (!text) throw std::runtime_error(text.error().message);
  const auto prompt = chat.value().Render(tokenizer, messages, options);
  if (!prompt) throw std::runtime_error(prompt.error().message);
  json::object answer{{"text", text.value().bytes}, {"ids", Ids(prompt.value().tokens)}};
  answer["family"] = chat.value().family_name();
  return answer;
}

// A text that the schema allows, from weights that know nothing: structure is favoured more and more,
// so that most texts end.
json::object Sample(const json::object& question) {
  Model& model = Load(Text(question, "model"));
  const Tokenizer& tokenizer = *model.tokenizer;
  if (!model.masks) model.masks = std::make_shared<grammar::SharedMasks>(tokenizer.vocab());
  AnswerGrammarOptions wanted;
  wanted.schema = &question.at("schema");
  auto grammar = AnswerGrammar(tokenizer, wanted);
  if (!grammar) return {{"refused", grammar.error().message}};
  auto plan = std::make_shared<GuidePlan>();
  plan->tokenizer = &tokenizer;
  plan->masks = model.masks;
  plan->answer = std::move(grammar).value();
  SamplingOptions options;
  options.guide = plan;
  options.seed = static_cast<uint64_t>(question.at("seed").as_int64());
  std::vector<float> closing(tokenizer.size());
  for (size_t i = 0; i < closing.size(); ++i) {
    const std::string_view bytes = tokenizer.vocab().Bytes(static_cast<TokenId>(i));
    const bool closes = bytes.find_first_of("\"}]") != std::string_view::npos &&
                        bytes.find_first_of("{[") == std::string_view::npos;
    closing[i] = closes ? 1.0f : bytes.size() > 1 && bytes[0] == ',' ? -1.0f : 0.0f;
  }
  for (const TokenId id : tokenizer.ends()) closing[static_cast<size_t>(id)] = 1.5f;
  Sampler sampler(options, {}, tokenizer.size());
  Random random(options.seed + 7);
  Detokenizer detokenizer(tokenizer, true);
  std::vector<float> logits(tokenizer.size());
  std::string text;
  double seconds = 0;
  const int64_t most = question.at("tokens").as_int64();
  int64_t tokens = 0;
  bool ended = false;
  for (; tokens < most && !ended; ++tokens) {
    const float push = static_cast<float>(tokens) * 0.4f;
    for (size_t i = 0; i < logits.size(); ++i) {
      logits[i] = static_cast<float>(random.Uniform()) * 4 + closing[i] * push;
    }
    const auto begin = Clock::now();
    const TokenId id = sampler.Next(logits).id;
    seconds += std::chrono::duration<double>(Clock::now() - begin).count();
    ended = tokenizer.IsEnd(id);
    if (!ended) text += detokenizer.Push(id);
  }
  text += detokenizer.Finish();
  return {{"text", text}, {"ended", ended}, {"tokens", tokens}, {"seconds", seconds}};
}

json::object WriteVocabulary(const json::object& question) {
  const auto done = WriteVocabularyFile(Text(question, "model"), Text(question, "pre"), Text(question, "path"));
  if (!done) throw std::runtime_error(done.error().message);
  return {{"ok", true}};
}

json::object Answer(const std::string& line) {
  try {
    const json::value value = json::parse(line);
    const json::object& question = value.as_object();
    const std::string kind = Text(question, "ask");
    if (kind == "encode") return Encode(question);
    if (kind == "speed") return Speed(question);
    if (kind == "render") return Render(question);
    if (kind == "sample") return Sample(question);
    if (kind == "gguf") return WriteVocabulary(question);
    return {{"error", "there is no question `" + kind + "`"}};
  } catch (const std::exception& failure) {
    return {{"error", failure.what()}};
  }
}

}  // namespace
}  // namespace portcullis::inference

int main() {
  std::ios::sync_with_stdio(false);
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << boost::json::serialize(portcullis::inference::Answer(line)) << "\n" << std::flush;
  }
}
