#include "inference/schedule/job.h"

#include <utility>

namespace portcullis::inference {

namespace {

JobPtr NewJob(Caller caller, std::vector<TokenId> tokens, int64_t answer) {
  auto job = std::make_unique<Job>();
  job->caller = std::move(caller);
  job->cancel = std::make_shared<Cancelling>();
  job->tokens = std::move(tokens);
  job->prompt = job->size();
  job->limit = job->prompt + answer;
  return job;
}

}  // namespace

JobPtr MakeJob(GenerateRequest request, std::shared_ptr<Sink> sink) {
  JobPtr job = NewJob(request, std::move(request.prompt), request.max_tokens);
  job->sampling = std::move(request.sampling);
  job->answer_options = std::move(request.answer);
  job->sink = std::move(sink);
  return job;
}

JobPtr MakeJob(EmbedRequest request, std::shared_ptr<EmbedSink> sink) {
  JobPtr job = NewJob(request, std::move(request.tokens), 0);
  job->mean = request.mean;
  job->embed_sink = std::move(sink);
  return job;
}

std::vector<int32_t> Job::Keys(int64_t count) const {
  std::vector<int32_t> keys(tokens.begin(), tokens.begin() + count);
  for (int64_t i = prompt; i < count; ++i) {
    int32_t& key = keys[static_cast<size_t>(i)];
    key = ~key;
  }
  return keys;
}

void Job::Sample(std::span<float> logits, size_t vocab_size, const Tokenizer& tokenizer) {
  sampled.clear();
  for (size_t row = 0; (row + 1) * vocab_size <= logits.size() && !cancelled(); ++row) {
    sampled.push_back(sampler->Next(logits.subspan(row * vocab_size, vocab_size)));
    const TokenId id = sampled.back().id;
    if (id == kNoToken || tokenizer.IsEnd(id) || row >= draft.size() || id != draft[row]) break;
  }
}

int64_t Job::Say() {
  int64_t count = 0;
  for (const Sampled& token : sampled) {
    if (done || cancelled()) break;
    if (token.id == kNoToken) {
      Fail({Code::kTooLarge, "the schema leaves too many readings open at one place, or no token that this "
                             "model has; make its patterns simpler"});
      break;
    }
    ++count;
    tokens.push_back(token.id);
    ++usage.completion_tokens;
    Delta delta = answer->Push(token);
    usage.reasoning_tokens = answer->reasoning_tokens();
    if (!delta.empty()) sink->OnDelta(std::move(delta));
    if (!answer->done() && size() < limit) continue;
    Delta rest = answer->Finish();
    if (!rest.empty()) sink->OnDelta(std::move(rest));
    done = true;
    sink->OnFinish(answer->done() ? FinishReason::kStop : FinishReason::kLength, usage);
  }
  sampled.clear();
  return count;
}

void Job::Finish(std::vector<float> result) {
  if (!std::exchange(done, true)) embed_sink->OnEmbedding(std::move(result));
}

void Job::Fail(const Error& error) {
  if (std::exchange(done, true)) return;
  failed = true;
  if (embedding()) {
    embed_sink->OnError(error);
  } else {
    sink->OnError(error);
  }
}

}  // namespace portcullis::inference
