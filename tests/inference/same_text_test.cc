// The same request gives the same text, bit for bit, however it is computed: alone, beside others,
// in chunks, from the prefix cache, after losing its pages, with drafts. On a model of hashes,
// where any slip shows, and on real ones in several types of weights.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/inference/model_helpers.h"
#include "tests/inference/schedule_helpers.h"

namespace portcullis::inference {
namespace {

// Greedy and random ones, with penalties, biases, stop strings, log-probabilities; long and short;
// two that begin alike.
std::vector<GenerateRequest> Requests(int64_t max_tokens) {
  std::vector<GenerateRequest> requests;
  for (size_t i = 0; i < 12; ++i) {
    auto prompt = Prompt(i % 3 == 0 ? 90 : 7 + 5 * i, i / 2);
    if (i % 2 == 1) prompt.insert(prompt.end(), {'t', 'h', 'e', 't', 'h', 'e'});
    auto request = MakeRequest("tenant", std::move(prompt), max_tokens - static_cast<int64_t>(i));
    SamplingOptions& sampling = request.sampling;
    sampling.seed = 17 * i;
    if (i % 4 >= 2) sampling.temperature = 0.8f;
    if (i % 5 == 1) sampling.frequency_penalty = 0.7f;
    if (i % 5 == 2) sampling.repetition_penalty = 1.3f;
    if (i % 5 == 3) sampling.logit_bias = {{'e', 2.0f}, {'t', -1.0f}};
    if (i % 3 == 1) sampling.top_k = 20, sampling.top_p = 0.9f;
    if (i % 4 == 3) request.answer.stops = {"ab", "q"};
    if (i % 2 == 0) {
      sampling.logprobs = request.answer.report_tokens = true;
      sampling.top_logprobs = 3;
    }
    requests.push_back(std::move(request));
  }
  auto chant = MakeRequest("tenant", Prompt(20, 99), max_tokens);  // a draft's delight
  chant.sampling.logit_bias = {{'a', 60.0f}, {'b', 60.0f}};
  requests.push_back(std::move(chant));
  return requests;
}

void ExpectSame(const RecordingSink& sink, const RecordingSink& plain, size_t i) {
  ASSERT_FALSE(sink.error.has_value()) << i << ": " << sink.error->message;
  EXPECT_EQ(sink.content, plain.content) << i;
  EXPECT_EQ(sink.reason, plain.reason) << i;
  EXPECT_EQ(sink.usage.completion_tokens, plain.usage.completion_tokens) << i;
  ASSERT_EQ(sink.tokens.size(), plain.tokens.size()) << i;
  for (size_t t = 0; t < sink.tokens.size(); ++t) {
    EXPECT_EQ(sink.tokens[t].text, plain.tokens[t].text);
    EXPECT_EQ(sink.tokens[t].logprob, plain.tokens[t].logprob) << i << " at " << t;
    ASSERT_EQ(sink.tokens[t].top.size(), plain.tokens[t].top.size());
    for (size_t k = 0; k < sink.tokens[t].top.size(); ++k) {
      EXPECT_EQ(sink.tokens[t].top[k].first, plain.tokens[t].top[k].first) << i << " at " << t;
    }
  }
}

SchedulerOptions PlainOptions() {
  SchedulerOptions options;
  options.max_running = 1;
  options.prefix_cache = false;
  options.speculate = kSpeculateOff;
  return options;
}

std::vector<std::shared_ptr<RecordingSink>> RunPlain(Model& model,
                                                     const std::vector<GenerateRequest>& requests) {
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (const GenerateRequest& request : requests) {
    Stepper stepper(model, PlainOptions());
    sinks.push_back(stepper.Add(request).sink);
    EXPECT_TRUE(stepper.RunAll());
  }
  return sinks;
}

// All requests at once, `rounds` times one after the other.
SchedulerCounters RunAndCompare(Model& model, const SchedulerOptions& options,
                                const std::vector<GenerateRequest>& requests,
                                const std::vector<std::shared_ptr<RecordingSink>>& plain,
                                int rounds = 1) {
  Stepper stepper(model, options);
  for (int round = 0; round < rounds; ++round) {
    std::vector<Stepper::Ticket> tickets;
    for (const GenerateRequest& request : requests) tickets.push_back(stepper.Add(request));
    EXPECT_TRUE(stepper.RunAll());
    for (size_t i = 0; i < requests.size(); ++i) {
      ExpectSame(*tickets[i].sink, *plain[i], i);
    }
  }
  return stepper.counters();
}

class SameText : public testing::TestWithParam<bool> {
 protected:
  PagedModel::Options Shape() const {
    PagedModel::Options shape;
    shape.repetitive = GetParam();
    return shape;
  }
  SchedulerOptions Bare() const {
    SchedulerOptions options;
    options.prefix_cache = false;
    options.speculate = kSpeculateOff;
    return options;
  }
  void SetUp() override {
    PagedModel model(Shape());
    requests_ = Requests(60);
    plain_ = RunPlain(model, requests_);
    for (const auto& sink : plain_) ASSERT_GT(sink->usage.completion_tokens, 0);
  }
  std::vector<GenerateRequest> requests_;
  std::vector<std::shared_ptr<RecordingSink>> plain_;
};

INSTANTIATE_TEST_SUITE_P(Texts, SameText, testing::Bool(), [](const auto& test) {
  return test.param ? "Repetitive" : "Free";
});

TEST_P(SameText, BesideOthers) {
  PagedModel model(Shape());
  EXPECT_EQ(RunAndCompare(model, Bare(), requests_, plain_).preemptions, 0u);
}

TEST_P(SameText, InChunks) {
  PagedModel model(Shape());
  SchedulerOptions options = Bare();
  options.prefill_chunk = 16;
  EXPECT_GT(RunAndCompare(model, options, requests_, plain_).steps, 60u);
}

TEST_P(SameText, FromThePrefixCache) {
  PagedModel model(Shape());
  SchedulerOptions options = Bare();
  options.prefix_cache = true;
  const auto counters = RunAndCompare(model, options, requests_, plain_, 2);
  EXPECT_GT(counters.prefix_hit_tokens, counters.prefix_miss_tokens / 2);
}

TEST_P(SameText, AfterPreemption) {
  PagedModel::Options shape = Shape();
  shape.pages = 60;  // 240 tokens; the largest request has 150
  PagedModel model(shape);
  SchedulerOptions options = Bare();
  options.expected_answer = 1;  // all are let in
  const auto counters = RunAndCompare(model, options, requests_, plain_);
  EXPECT_GT(counters.preemptions, 0u);
  EXPECT_LE(model.most_pages, 60);
}

TEST_P(SameText, WithDraftsFromTheText) {
  PagedModel model(Shape());
  SchedulerOptions options = Bare();
  options.speculate = 5;
  const auto counters = RunAndCompare(model, options, requests_, plain_);
  EXPECT_GT(counters.drafted_tokens, 0u);
  if (GetParam()) {
    EXPECT_GT(counters.accepted_tokens, 20u);
  }
}

TEST_P(SameText, WithDraftsFromTheHead) {
  PagedModel::Options shape = Shape();
  shape.draft_head = true;
  PagedModel model(shape);
  SchedulerOptions options = Bare();
  options.speculate = 3;
  const auto counters = RunAndCompare(model, options, requests_, plain_);
  EXPECT_GT(counters.accepted_tokens, 20u);
  EXPECT_LE(counters.accepted_tokens, counters.drafted_tokens);
}

TEST_P(SameText, WithEverythingAtOnceInLittleMemory) {
  PagedModel::Options shape = Shape();
  shape.pages = 80;
  shape.draft_head = true;
  PagedModel model(shape);
  SchedulerOptions options;
  options.speculate = 4;
  options.prefill_chunk = 32;
  options.expected_answer = 1;
  const auto counters = RunAndCompare(model, options, requests_, plain_, 4);
  EXPECT_GT(counters.prefix_hit_tokens, 0u);
  EXPECT_GT(counters.prefix_evictions, 0u);
  EXPECT_GT(counters.preemptions, 0u);
  EXPECT_LE(model.most_pages, 80);
}

struct RealModel {
  const char* name;
  const char* file;
  Precision precision;
};

class SameTextOfRealModels : public testing::TestWithParam<RealModel> {
 protected:
  std::unique_ptr<Model> Load(int64_t kv_bytes) const {
    LoadOptions options;
    options.threads = 2;
    options.hash = false;
    options.kv_bytes = kv_bytes;
    options.precision = GetParam().precision;
    options.draft_head = true;
    auto model = Model::Load(SharedModels() / GetParam().file, options);
    EXPECT_TRUE(model.has_value()) << model.error().message;
    return model ? std::move(model).value() : nullptr;
  }
};

INSTANTIATE_TEST_SUITE_P(
    Models, SameTextOfRealModels,
    testing::Values(
        RealModel{"LlamaF32", "llama-micro/llamamicro-f32.gguf", Precision::kExact},
        RealModel{"LlamaQ8", "llama-micro/llamamicro-Q8_0.gguf", Precision::kFast},
        RealModel{"LlamaQ4", "llama-micro/llamamicro-Q4_0.gguf", Precision::kFast},
        RealModel{"LlamaQ4Exact", "llama-micro/llamamicro-Q4_0.gguf", Precision::kExact},
        RealModel{"QwenQ8", "qwen2-micro/qwen2micro-Q8_0.gguf", Precision::kFast},
        RealModel{"DeepseekF32", "dsv3-micro/model.gguf", Precision::kExact},
        RealModel{"DeepseekFast", "dsv3-micro/model.gguf", Precision::kFast}),
    [](const auto& test) { return test.param.name; });

TEST_P(SameTextOfRealModels, OnEveryPath) {
  SKIP_WITHOUT_SHARED_MODELS();
  auto roomy = Load(0);
  ASSERT_NE(roomy, nullptr);
  const auto requests = Requests(40);
  const auto plain = RunPlain(*roomy, requests);

  SchedulerOptions chunked;
  chunked.prefill_chunk = 16;
  chunked.prefix_cache = false;
  chunked.speculate = kSpeculateOff;
  RunAndCompare(*roomy, chunked, requests, plain);

  SchedulerOptions everything;
  everything.speculate = 4;
  everything.expected_answer = 1;
  const auto counters = RunAndCompare(*roomy, everything, requests, plain, 2);
  EXPECT_GT(counters.prefix_hit_tokens, 0u);
  EXPECT_GT(counters.drafted_tokens, 0u);

  const int64_t pages = 3 * ((130 + roomy->page_tokens() - 1) / roomy->page_tokens());
  auto narrow = Load(pages * roomy->PageBytes());
  ASSERT_NE(narrow, nullptr);
  EXPECT_EQ(narrow->total_pages(), pages);
  const auto pressed = RunAndCompare(*narrow, everything, requests, plain, 2);
  EXPECT_GT(pressed.preemptions + pressed.prefix_evictions, 0u);
}

}  // namespace
}  // namespace portcullis::inference
