#include "inference/engine.h"

#include <algorithm>
#include <utility>

#include "inference/sample/defaults.h"

namespace portcullis::inference {
namespace {

constexpr int64_t kDefaultAnswer = 4096;
constexpr int64_t kReasonedAnswer = 32768;

std::string WindowNote(const ModelInfo& info, int64_t context_length) {
  if (info.sliding_window == 0 || context_length < info.sliding_window) return {};
  return " (it ends with `sliding_window` of the model's configuration, beyond which attention is "
         "not computed here)";
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> LoadTokenizer(const Model& model) {
  if (model.gguf() != nullptr) return Tokenizer::FromGguf(*model.gguf());
  return Tokenizer::FromFolder(model.info().path);
}

Result<SamplingOptions> LoadSamplingDefaults(const Model& model) {
  if (model.gguf() != nullptr) return SamplingDefaultsOfGguf(*model.gguf());
  return SamplingDefaultsOfFolder(model.info().path);
}

Engine::Engine(std::unique_ptr<Model> model, std::unique_ptr<Tokenizer> tokenizer,
               ChatTemplate chat_template, const EngineOptions& options)
    : model_(std::move(model)),
      tokenizer_(std::move(tokenizer)),
      template_(std::move(chat_template)),
      name_(options.name.empty() ? model_->info().name : options.name),
      context_length_(std::min(model_->info().context_length, PoolTokens(*model_))),
      scheduler_(*model_, *tokenizer_, options.scheduler) {
  if (options.context_length > 0) {
    context_length_ = std::min(context_length_, options.context_length);
  }
}

Result<std::unique_ptr<Engine>> Engine::Create(std::unique_ptr<Model> model,
                                               std::unique_ptr<Tokenizer> tokenizer,
                                               const EngineOptions& options) {
  BOOST_OUTCOME_TRY(auto chat_template, ChatTemplate::Recognise(*tokenizer));
  const auto vocab = static_cast<size_t>(model->info().vocab_size);
  const bool too_large = std::any_of(tokenizer->ends().begin(), tokenizer->ends().end(),
                                     [&](TokenId id) { return static_cast<size_t>(id) >= vocab; });
  if (too_large ||
      (tokenizer->bos() != kNoToken && static_cast<size_t>(tokenizer->bos()) >= vocab)) {
    return Error{Code::kBadTokenizer,
                 "the tokenizer's begin or end token is outside the model's vocabulary of " +
                     std::to_string(vocab) + ": the files do not belong together"};
  }
  return std::unique_ptr<Engine>(
      new Engine(std::move(model), std::move(tokenizer), std::move(chat_template), options));
}

Result<Prompt> Engine::RenderChat(std::span<const ChatMessage> messages,
                                  const ChatOptions& options) const {
  return template_.Render(*tokenizer_, messages, options);
}

Result<Prompt> Engine::RenderText(std::string_view text, Specials specials) const {
  Prompt prompt;
  if (tokenizer_->add_bos()) prompt.tokens.push_back(tokenizer_->bos());
  BOOST_OUTCOME_TRY(tokenizer_->Encode(text, specials, prompt.tokens));
  return prompt;
}

Result<int64_t> Engine::AnswerRoom(size_t prompt_tokens, int64_t wanted) const {
  const int64_t rest = context_length_ - static_cast<int64_t>(prompt_tokens);
  const int64_t needed = std::max<int64_t>(wanted, 1);
  if (rest < needed) {
    return Error{Code::kContextLength,
                 "this model's context is " + std::to_string(context_length_) + " tokens" +
                     WindowNote(model_->info(), context_length_) + "; the request needs " +
                     std::to_string(static_cast<int64_t>(prompt_tokens) + needed) + " (" +
                     std::to_string(prompt_tokens) + " in the prompt, " + std::to_string(needed) +
                     " for the answer)"};
  }
  if (wanted > 0) return wanted;
  return std::min(rest, template_.reasons() ? kReasonedAnswer : kDefaultAnswer);
}

Result<void> Engine::CheckTokens(std::span<const TokenId> tokens) const {
  const auto vocab = static_cast<size_t>(info().vocab_size);
  for (const TokenId id : tokens) {
    if (id < 0 || static_cast<size_t>(id) >= vocab) {
      return Error{Code::kInvalidArgument, "token " + std::to_string(id) +
                                               " is outside the model's vocabulary of " +
                                               std::to_string(vocab)};
    }
  }
  return boost::outcome_v2::success();
}

Result<std::vector<Generation>> Engine::Generate(std::vector<GenerateRequest> requests,
                                                 std::vector<std::shared_ptr<Sink>> sinks) {
  for (const GenerateRequest& request : requests) {
    BOOST_OUTCOME_TRY(CheckTokens(request.prompt));
  }
  return scheduler_.Submit(std::move(requests), std::move(sinks));
}

Result<std::vector<Generation>> Engine::Embed(std::vector<EmbedRequest> requests,
                                              std::vector<std::shared_ptr<EmbedSink>> sinks) {
  for (const EmbedRequest& request : requests) {
    BOOST_OUTCOME_TRY(CheckTokens(request.tokens));
  }
  return scheduler_.SubmitEmbedding(std::move(requests), std::move(sinks));
}

}  // namespace portcullis::inference
