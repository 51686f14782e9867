// `portcullis model generate`: continues a prompt or answers it; prints the text as it comes.
#include <boost/json.hpp>
#include <condition_variable>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <random>

#include "gateway/cli/model.h"
#include "inference/engine.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;
using inference::Result;

struct GenerateOptions : ModelOptions {
  std::string prompt;
  int64_t max_tokens = 256;
  std::optional<float> temperature;
  std::optional<uint64_t> seed;
  std::vector<std::string> stops;
  bool chat = false;
  bool special = false;
};

// Prints or collects the answer; Wait gives its end.
class Printer final : public inference::Sink {
 public:
  explicit Printer(bool print) : print_(print) {}

  void OnDelta(inference::Delta delta) override {
    if (print_) {
      const bool ends = !reasoning.empty() && content.empty() && !delta.content.empty();
      std::cerr << delta.reasoning << (ends ? "\n" : "") << std::flush;
      std::cout << delta.content << std::flush;
    }
    reasoning += delta.reasoning;
    content += delta.content;
  }
  void OnFinish(inference::FinishReason reason, const inference::Usage& used) override {
    const std::lock_guard lock(mutex_);
    finish = reason;
    usage = used;
    done_.notify_one();
  }
  void OnError(const inference::Error& failure) override {
    const std::lock_guard lock(mutex_);
    error = failure;
    done_.notify_one();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return finish.has_value() || error.has_value(); });
  }

  // Read after Wait only.
  std::string reasoning, content;
  std::optional<inference::FinishReason> finish;
  std::optional<inference::Error> error;
  inference::Usage usage;

 private:
  bool print_;
  std::mutex mutex_;
  std::condition_variable done_;
};

Result<void> Generate(const Context& context, const GenerateOptions& options) {
  BOOST_OUTCOME_TRY(auto model, LoadModel(options, inference::Precision::kFast));
  BOOST_OUTCOME_TRY(auto sampling, inference::LoadSamplingDefaults(*model));
  if (options.temperature) sampling.temperature = *options.temperature;
  sampling.seed = options.seed ? *options.seed : std::random_device{}();
  BOOST_OUTCOME_TRY(auto tokenizer, inference::LoadTokenizer(*model));
  inference::EngineOptions engine_options;
  engine_options.scheduler.max_running = 1;
  BOOST_OUTCOME_TRY(const auto engine, inference::Engine::Create(
                                           std::move(model), std::move(tokenizer), engine_options));
  inference::Prompt prompt;
  if (options.chat) {
    const inference::ChatMessage message{inference::MessageRole::kUser, options.prompt};
    BOOST_OUTCOME_TRY(prompt, engine->RenderChat(std::span(&message, 1), {}));
  } else {
    BOOST_OUTCOME_TRY(
        prompt, engine->RenderText(options.prompt, options.special ? inference::Specials::kParse
                                                                   : inference::Specials::kAsText));
  }
  // What the context leaves is enough: a story may be asked for without counting its prompt.
  BOOST_OUTCOME_TRY(const int64_t least, engine->AnswerRoom(prompt.tokens.size(), 1));
  const int64_t rest = engine->context_length() - static_cast<int64_t>(prompt.tokens.size());

  inference::GenerateRequest request;
  request.max_tokens = std::max(least, std::min(options.max_tokens, rest));
  request.sampling = sampling;
  request.answer.split_reasoning = options.chat;
  request.answer.thinking_open = prompt.thinking_open;
  request.answer.at_start = options.chat;
  request.answer.stops = options.stops;
  request.prompt = std::move(prompt.tokens);
  std::vector<inference::GenerateRequest> requests;
  requests.push_back(std::move(request));
  const auto printer = std::make_shared<Printer>(!context.json);
  if (!context.json && !options.chat) std::cout << options.prompt << std::flush;
  BOOST_OUTCOME_TRY(const auto generation, engine->Generate(std::move(requests), {printer}));
  printer->Wait();
  if (printer->error) return *printer->error;
  if (!context.json) {
    std::cout << '\n';
    return boost::outcome_v2::success();
  }
  json::object body;
  body["schema"] = "portcullis.model.generate/1";
  body["prompt"] = options.prompt;
  if (options.chat) body["reasoning"] = printer->reasoning;
  body["text"] = printer->content;
  body["finish_reason"] = printer->finish == inference::FinishReason::kLength ? "length" : "stop";
  body["prompt_tokens"] = printer->usage.prompt_tokens;
  body["completion_tokens"] = printer->usage.completion_tokens;
  body["seed"] = sampling.seed;
  std::cout << json::serialize(body) << '\n';
  return boost::outcome_v2::success();
}

}  // namespace

void AddModelGenerate(CLI::App& model, Context& context) {
  const auto [app, options] = AddModelCommand<GenerateOptions>(
      model, context, "generate", "continue a prompt, or answer it with --chat", Generate);
  app->add_option("--prompt", options->prompt, "the text to continue or answer")->required();
  app->add_option("--max-tokens", options->max_tokens, "most tokens to write")
      ->check(CLI::Range(1, 1 << 30));
  app->add_option("--temperature", options->temperature, "0: always the likeliest token")
      ->check(CLI::Range(0.0f, 2.0f));
  app->add_option("--seed", options->seed, "same seed, same text");
  app->add_option("--stop", options->stops, "stop before this text; may be repeated");
  app->add_flag("--chat", options->chat,
                "as a conversation, by the model's template; reasoning goes to standard error");
  app->add_flag("--special", options->special,
                "read control tokens written in the prompt (without --chat)");
}

}  // namespace portcullis::cli
