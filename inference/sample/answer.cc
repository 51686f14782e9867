#include "inference/sample/answer.h"

#include <iterator>
#include <utility>

namespace portcullis::inference {

Answer::Answer(const Tokenizer& tokenizer, AnswerOptions options)
    : tokenizer_(tokenizer),
      split_reasoning_(options.split_reasoning),
      report_tokens_(options.report_tokens),
      think_open_(tokenizer.Control("<think>")),
      think_close_(tokenizer.Control("</think>")),
      detokenizer_(tokenizer, options.at_start),
      split_(options.thinking_open, think_close_ == kNoToken),
      stops_(std::move(options.stops)) {
  if (options.tools) tools_.emplace(*options.tools, std::move(options.tool_names));
}

// A call's marks are shown to the parser even where the vocabulary hides them.
std::string Answer::Text(TokenId id) {
  const Vocab& vocab = tokenizer_.vocab();
  if (tools_ && vocab.Has(id) && vocab.Kind(id) == TokenKind::kSpecial &&
      tools_->IsMark(vocab.Bytes(id))) {
    return detokenizer_.Finish() + std::string(vocab.Bytes(id));
  }
  return detokenizer_.Push(id);
}

ReportedToken Answer::Describe(const Sampled& sampled) const {
  const auto text = [&](TokenId id) {
    return tokenizer_.vocab().Has(id) ? std::string(tokenizer_.vocab().Bytes(id)) : std::string();
  };
  ReportedToken token{text(sampled.id), sampled.logprob, {}};
  for (const TokenLogprob& other : sampled.top)
    token.top.emplace_back(text(other.id), other.logprob);
  return token;
}

Delta Answer::Push(const Sampled& sampled) {
  if (done_) return {};
  if (tokenizer_.IsEnd(sampled.id)) {
    done_ = true;
    return {};
  }
  if (!split_reasoning_) {
    if (report_tokens_) reported_.push_back(Describe(sampled));
    return Route({{}, detokenizer_.Push(sampled.id)});
  }
  if (split_.thinking()) ++reasoning_tokens_;
  if (sampled.id == think_open_ && think_open_ != kNoToken) {
    if (!split_.thinking()) ++reasoning_tokens_;
    return Route(split_.Open());
  }
  if (sampled.id == think_close_ && think_close_ != kNoToken) return Route(split_.Close());
  const bool was_thinking = split_.thinking();
  Delta delta = Route(split_.Push(Text(sampled.id)));
  if (report_tokens_ && !was_thinking && !split_.thinking() && !done_) {
    delta.tokens.push_back(Describe(sampled));
  }
  return delta;
}

Delta Answer::Route(ReasoningSplit::Parts parts) {
  Delta delta;
  delta.reasoning = std::move(parts.reasoning);
  if (tools_) {
    ToolParser::Parts found = tools_->Push(parts.content);
    delta.content = stops_.Push(found.content);
    delta.calls = std::move(found.calls);
  } else {
    delta.content = stops_.Push(parts.content);
  }
  if (stops_.stopped()) {
    done_ = true;
    reported_.clear();
  }
  delta.tokens = std::exchange(reported_, {});
  return delta;
}

Delta Answer::Finish() {
  Delta delta;
  const std::string rest = detokenizer_.Finish();
  if (stops_.stopped()) return delta;
  if (split_reasoning_) {
    delta = Route(split_.Push(rest));
    Delta more = Route(split_.Finish());
    delta.reasoning += more.reasoning;
    delta.content += more.content;
    delta.calls.insert(delta.calls.end(), std::make_move_iterator(more.calls.begin()),
                       std::make_move_iterator(more.calls.end()));
  } else {
    delta = Route({{}, rest});
  }
  if (tools_) {
    ToolParser::Parts found = tools_->Finish();
    delta.content += stops_.Push(found.content);
    delta.calls.insert(delta.calls.end(), std::make_move_iterator(found.calls.begin()),
                       std::make_move_iterator(found.calls.end()));
  }
  delta.content += stops_.Finish();
  return delta;
}

}  // namespace portcullis::inference
