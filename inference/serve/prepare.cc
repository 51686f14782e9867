#include "inference/serve/prepare.h"

#include <utility>

namespace portcullis::inference {
namespace {

ApiError Located(const Error& error, const char* field) {
  ApiError out = ToApiError(error);
  if (out.param == "messages" || (out.param.empty() && out.status == 400)) out.param = field;
  return out;
}

std::string TextOf(const Engine& engine, const std::vector<TokenId>& tokens) {
  Detokenizer detokenizer(engine.tokenizer(), true);
  std::string text;
  for (const TokenId id : tokens) text += detokenizer.Push(id);
  return text + detokenizer.Finish();
}

}  // namespace

ApiError ClientLeft() { return {499, "the client left", "", "client_left"}; }

ApiResult<std::vector<TokenId>> InputTokens(const Engine& engine, const TextInput& input,
                                            const char* field) {
  if (!input.is_tokens) {
    auto prompt = engine.RenderText(input.text, Specials::kAsText);
    if (!prompt) return Located(prompt.error(), field);
    return std::move(prompt.value().tokens);
  }
  const Tokenizer& tokenizer = engine.tokenizer();
  for (size_t i = 0; i < input.tokens.size(); ++i) {
    const TokenId id = input.tokens[i];
    if (!tokenizer.vocab().Has(id) || id >= engine.info().vocab_size) {
      return BadField(field, "token " + std::to_string(id) + " is outside the vocabulary of " +
                                 std::to_string(tokenizer.size()));
    }
    const bool begin = i == 0 && id == tokenizer.bos();
    if (tokenizer.vocab().IsControl(id) && !begin) {
      return BadField(field, "token " + std::to_string(id) +
                                 " is a control token; callers may write text, not control tokens");
    }
  }
  return input.tokens;
}

ApiResult<Prepared> Prepare(const Engine& engine, Planner& planner, const Call& call,
                            const Caller& caller, const std::stop_token& gone) {
  Prepared out;
  const char* field = call.chat ? "messages" : "prompt";
  const size_t prompts = call.chat ? 1 : call.prompts.size();
  for (size_t p = 0; p < prompts; ++p) {
    if (gone.stop_requested()) return ClientLeft();
    Prompt prompt;
    if (call.chat) {
      auto rendered = engine.RenderChat(call.messages, call.chat_options);
      if (!rendered) return Located(rendered.error(), field);
      prompt = std::move(rendered).value();
    } else {
      BOOST_OUTCOME_TRY(prompt.tokens, InputTokens(engine, call.prompts[p], field));
    }
    const auto room = engine.AnswerRoom(prompt.tokens.size(), call.max_tokens);
    if (!room) return Located(room.error(), field);
    GenerateRequest request;
    static_cast<Caller&>(request) = caller;
    request.max_tokens = room.value();
    request.sampling = call.sampling;
    request.answer.split_reasoning = call.chat;
    request.answer.thinking_open = prompt.thinking_open;
    request.answer.at_start = call.chat;
    request.answer.report_tokens = call.sampling.logprobs;
    request.answer.stops = call.stops;
    if (gone.stop_requested()) return ClientLeft();
    BOOST_OUTCOME_TRY(planner.Plan(call, prompt, request.sampling, request.answer));
    std::string echo;
    if (call.echo) echo = call.prompts[p].is_tokens ? TextOf(engine, prompt.tokens) : call.prompts[p].text;
    request.prompt = std::move(prompt.tokens);
    for (int i = 0; i < call.choices; ++i) {
      out.requests.push_back(request);
      out.requests.back().sampling.seed += static_cast<uint64_t>(i);
      out.echoes.push_back(echo);
    }
  }
  return out;
}

}  // namespace portcullis::inference
