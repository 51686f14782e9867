// The engine in one object: a model, its tokenizer and chat template, and the scheduler that runs
// them. Start reading here; serve/ puts HTTP in front of it, engine_main.cc a process around it.
// Thread-safe once built. Failure: typed errors (error.h), on submission or through the sink.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "inference/arch/model.h"
#include "inference/schedule/scheduler.h"
#include "inference/tokenizer/template.h"
#include "inference/tokenizer/tokenizer.h"

namespace portcullis::inference {

struct EngineOptions {
  std::string name;            // served name; empty: the model's own
  int64_t context_length = 0;  // 0: the model's; never more than that
  SchedulerOptions scheduler;
};

class Engine {
 public:
  static Result<std::unique_ptr<Engine>> Create(std::unique_ptr<Model> model,
                                                std::unique_ptr<Tokenizer> tokenizer,
                                                const EngineOptions& options);

  const ModelInfo& info() const { return model_->info(); }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const ChatTemplate& chat_template() const { return template_; }
  const std::string& name() const { return name_; }
  // Of prompt and answer together: what the model, the options and the memory for pages allow.
  int64_t context_length() const { return context_length_; }

  // The prompt of a conversation, ready to be answered.
  Result<Prompt> RenderChat(std::span<const ChatMessage> messages,
                            const ChatOptions& options) const;
  // The prompt of a plain continuation: the begin token where the model wants one, then the text.
  Result<Prompt> RenderText(std::string_view text, Specials specials) const;
  // The room for an answer: `wanted`, or where that is 0 what remains, at most 4096 tokens, of a
  // model that reasons before it answers 32768. kContextLength where the prompt leaves too little.
  Result<int64_t> AnswerRoom(size_t prompt_tokens, int64_t wanted) const;

  bool Admits(const Caller& caller) { return scheduler_.Admits(caller); }
  // See Scheduler::Submit.
  Result<std::vector<Generation>> Generate(std::vector<GenerateRequest> requests,
                                           std::vector<std::shared_ptr<Sink>> sinks);
  // See Scheduler::SubmitEmbedding.
  Result<std::vector<Generation>> Embed(std::vector<EmbedRequest> requests,
                                        std::vector<std::shared_ptr<EmbedSink>> sinks);
  bool Drain(std::chrono::steady_clock::time_point deadline) { return scheduler_.Drain(deadline); }
  SchedulerCounters counters() const { return scheduler_.counters(); }

 private:
  Engine(std::unique_ptr<Model> model, std::unique_ptr<Tokenizer> tokenizer,
         ChatTemplate chat_template, const EngineOptions& options);
  Result<void> CheckTokens(std::span<const TokenId> tokens) const;

  std::unique_ptr<Model> model_;
  std::unique_ptr<Tokenizer> tokenizer_;
  ChatTemplate template_;
  std::string name_;
  int64_t context_length_;
  Scheduler scheduler_;  // last: it uses all of the above
};

// What belongs to a loaded model, from its GGUF file or its folder: the tokenizer, and the sampling
// that its makers recommend.
Result<std::unique_ptr<Tokenizer>> LoadTokenizer(const Model& model);
Result<SamplingOptions> LoadSamplingDefaults(const Model& model);

}  // namespace portcullis::inference
