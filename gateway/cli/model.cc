// `portcullis model …`: look at a model and run it offline, without the engine's process. Thin: the
// work is in inference/. `logits` and `--json` print one JSON document; `generate` prints the text
// as it comes. Unusable files and arguments are exit code 1.
#include <boost/json.hpp>
#include <charconv>
#include <condition_variable>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <random>

#include "gateway/cli/command.h"
#include "inference/engine.h"
#include "inference/sample/defaults.h"

namespace portcullis::cli {
namespace {

namespace json = boost::json;
using inference::Result;

struct Options {
  std::string model;
  std::string tokens;
  std::string prompt;
  int64_t max_tokens = 256;
  std::optional<float> temperature;
  std::optional<uint64_t> seed;
  std::vector<std::string> stops;
  bool chat = false;
  bool special = false;
  int threads = 0;
};

Result<std::unique_ptr<inference::Model>> LoadModel(const Options& options, bool hash) {
  inference::LoadOptions load;
  load.threads = options.threads;
  load.hash = hash;
  return inference::Model::Load(options.model, load);
}

Result<std::vector<int32_t>> ParseTokens(std::string_view text) {
  std::vector<int32_t> tokens;
  while (true) {
    const std::string_view item = text.substr(0, text.find(','));
    int32_t id = 0;
    const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), id);
    if (error != std::errc() || end != item.data() + item.size()) {
      return inference::Error{inference::Code::kInvalidArgument,
                              "--tokens: `" + std::string(item.substr(0, 40)) +
                                  "` is not a token id; write them as 1,2,3"};
    }
    tokens.push_back(id);
    if (item.size() == text.size()) return tokens;
    text.remove_prefix(item.size() + 1);
  }
}

Result<void> Info(const Context& context, const Options& options) {
  BOOST_OUTCOME_TRY(const auto model, LoadModel(options, true));
  const inference::ModelInfo& info = model->info();
  const auto tokenizer = inference::LoadTokenizer(*model);
  std::string chat = "none: " + (tokenizer ? std::string() : tokenizer.error().message);
  if (tokenizer) {
    const auto known = inference::ChatTemplate::Recognise(*tokenizer.value());
    chat = known ? std::string(known.value().family_name()) : "unknown: " + known.error().message;
  }
  json::object body;
  body["schema"] = "portcullis.model.info/1";
  body["name"] = info.name;
  body["architecture"] = info.architecture;
  body["weight_type"] = info.weight_type;
  body["parameters"] = info.parameters;
  body["bytes"] = info.bytes;
  body["layers"] = info.layers;
  body["hidden_size"] = info.hidden_size;
  body["vocab_size"] = info.vocab_size;
  body["context_length"] = info.context_length;
  body["kv_bytes_at_full_context"] = model->SequenceBytes(info.context_length);
  body["chat_template"] = chat;
  body["sha256"] = info.sha256;
  if (context.json) {
    std::cout << json::serialize(body) << '\n';
    return boost::outcome_v2::success();
  }
  for (const auto& entry : body) {
    if (entry.key() == "schema") continue;
    const json::value& value = entry.value();
    std::cout << std::string(entry.key()) << ": "
              << (value.is_string() ? std::string(value.get_string()) : json::serialize(value))
              << '\n';
  }
  return boost::outcome_v2::success();
}

Result<void> Logits(const Context& context, const Options& options) {
  BOOST_OUTCOME_TRY(const auto tokens, ParseTokens(options.tokens));
  BOOST_OUTCOME_TRY(const auto model, LoadModel(options, false));
  BOOST_OUTCOME_TRY(auto sequence, model->NewSequence(static_cast<int64_t>(tokens.size())));
  std::vector<float> logits(static_cast<size_t>(model->info().vocab_size));
  const inference::Step step{sequence.get(), tokens, inference::LogitRows::kLast};
  BOOST_OUTCOME_TRY(model->Forward(std::span(&step, 1), logits));
  std::string out =
      context.json ? R"({"schema":"portcullis.model.logits/1","logits":[)" : R"({"logits":[)";
  for (size_t i = 0; i < logits.size(); ++i) {
    char number[32];
    const auto end = std::to_chars(number, number + sizeof number, logits[i]).ptr;
    if (i > 0) out += ',';
    out.append(number, end);
  }
  std::cout << out << "]}\n";
  return boost::outcome_v2::success();
}

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

Result<void> Generate(const Context& context, const Options& options) {
  BOOST_OUTCOME_TRY(auto sampling, inference::LoadSamplingDefaults(options.model));
  if (options.temperature) sampling.temperature = *options.temperature;
  sampling.seed = options.seed ? *options.seed : std::random_device{}();
  BOOST_OUTCOME_TRY(auto model, LoadModel(options, false));
  BOOST_OUTCOME_TRY(auto tokenizer, inference::LoadTokenizer(*model));
  inference::EngineOptions engine_options;
  engine_options.scheduler.max_running = 1;
  engine_options.scheduler.kv_bytes = int64_t{1} << 40;
  BOOST_OUTCOME_TRY(const auto engine, inference::Engine::Create(
                                           std::move(model), std::move(tokenizer), engine_options));
  inference::Prompt prompt;
  if (options.chat) {
    const inference::ChatMessage message{inference::Role::kUser, options.prompt};
    BOOST_OUTCOME_TRY(prompt, engine->RenderChat(std::span(&message, 1), true));
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

void AddModel(CLI::App& app, Context& context) {
  auto options = std::make_shared<Options>();
  CLI::App* model = app.add_subcommand("model", "look at a model and run it offline");
  model->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, auto action) {
    CLI::App* command = model->add_subcommand(name, help);
    command->add_option("--model", options->model, "model folder (safetensors) or GGUF file")
        ->required();
    command->add_option("--threads", options->threads, "computing threads; 0: one a core")
        ->check(CLI::Range(0, 1024));
    command->callback([options, action, &context] {
      const auto result = action(context, *options);
      if (!result) Fail(context, kUsage, result.error().message);
    });
    return command;
  };
  add("info", "what the files say about the model", Info);

  CLI::App* logits =
      add("logits", "the logits after the last of the given tokens, as JSON", Logits);
  logits->add_option("--tokens", options->tokens, "token ids, as 1,2,3")->required();

  CLI::App* generate = add("generate", "continue a prompt, or answer it with --chat", Generate);
  generate->add_option("--prompt", options->prompt, "the text to continue or answer")->required();
  generate->add_option("--max-tokens", options->max_tokens, "most tokens to write")
      ->check(CLI::Range(1, 1 << 30));
  generate->add_option("--temperature", options->temperature, "0: always the likeliest token")
      ->check(CLI::Range(0.0f, 2.0f));
  generate->add_option("--seed", options->seed, "same seed, same text");
  generate->add_option("--stop", options->stops, "stop before this text; may be repeated");
  generate->add_flag(
      "--chat", options->chat,
      "as a conversation, by the model's template; reasoning goes to standard error");
  generate->add_flag("--special", options->special,
                     "read control tokens written in the prompt (without --chat)");
}

}  // namespace portcullis::cli
