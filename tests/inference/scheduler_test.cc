// Batching, chunked prompts, fairness, bounds and cancelling, on a model that writes a script.
#include "inference/schedule/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "tests/inference/serve_helpers.h"

namespace portcullis::inference {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

// Lets the test stop the scheduler before any step and look.
class Gate {
 public:
  void Pass() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait_for(lock, seconds(20), [&] { return open_ || passes_ > 0; });
    if (passes_ > 0) --passes_;
  }
  bool WaitForArrival(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(20), [&] { return arrived_ >= count; });
  }
  void Let(int count) {
    const std::lock_guard lock(mutex_);
    passes_ += count;
    changed_.notify_all();
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0, passes_ = 0;
  bool open_ = false;
};

class SchedulerTest : public testing::Test {
 protected:
  GenerateRequest Request(const std::string& tenant, size_t prompt, int64_t max_tokens) {
    GenerateRequest request;
    request.tenant = tenant;
    request.prompt.assign(prompt, 'p');
    request.max_tokens = max_tokens;
    request.sampling.temperature = 0;
    return request;
  }
  std::shared_ptr<RecordingSink> Submit(Scheduler& scheduler, GenerateRequest request) {
    auto sink = std::make_shared<RecordingSink>();
    std::vector<GenerateRequest> requests;
    requests.push_back(std::move(request));
    auto handles = scheduler.Submit(std::move(requests), {sink});
    if (!handles) {
      sink->OnError(handles.error());
    } else {
      for (auto& handle : handles.value()) handles_.push_back(std::move(handle));
    }
    return sink;
  }

  std::unique_ptr<Tokenizer> tokenizer_ = TestTokenizer("");
  ScriptedModel model_{Bytes("abcdefghij")};
  std::vector<Generation> handles_;
  Gate gate_;
};

TEST_F(SchedulerTest, WritesTheScriptAndCountsTokens) {
  Scheduler scheduler(model_, *tokenizer_, {});
  const auto whole = Submit(scheduler, Request("a", 3, 100));
  const auto cut = Submit(scheduler, Request("a", 3, 4));
  ASSERT_TRUE(whole->Wait() && cut->Wait());
  EXPECT_EQ(whole->content, "abcdefghij");
  EXPECT_EQ(whole->reason, FinishReason::kStop);
  EXPECT_EQ(whole->usage.prompt_tokens, 3);
  EXPECT_EQ(whole->usage.completion_tokens, 11);  // the end token is one
  EXPECT_EQ(cut->content, "abcd");
  EXPECT_EQ(cut->reason, FinishReason::kLength);
}

TEST_F(SchedulerTest, LongPromptsGoInChunksBesideOthers) {
  std::vector<size_t> largest;
  bool mixed = false;
  model_.before_step = [&](std::span<const Step> steps) -> Result<void> {
    size_t sum = 0;
    bool one = false, many = false;
    for (const Step& step : steps) {
      sum += step.tokens.size();
      (step.tokens.size() == 1 ? one : many) = true;
    }
    largest.push_back(sum);
    mixed = mixed || (one && many);
    gate_.Pass();
    return boost::outcome_v2::success();
  };
  SchedulerOptions options;
  options.prefill_chunk = 64;
  Scheduler scheduler(model_, *tokenizer_, options);
  const auto quick = Submit(scheduler, Request("a", 2, 8));
  ASSERT_TRUE(gate_.WaitForArrival(1));
  const auto slow = Submit(scheduler, Request("b", 1000, 2));
  gate_.Open();
  ASSERT_TRUE(quick->Wait() && slow->Wait());
  EXPECT_EQ(quick->content, "abcdefgh");
  EXPECT_EQ(slow->content, "ab");
  EXPECT_TRUE(mixed);
  EXPECT_LE(*std::max_element(largest.begin(), largest.end()), 65u);
}

TEST_F(SchedulerTest, CancelActsBeforeTheNextStepAndFreesMemory) {
  std::atomic<int> steps{0};
  model_.before_step = [&](std::span<const Step>) -> Result<void> {
    ++steps;
    gate_.Pass();
    return boost::outcome_v2::success();
  };
  Scheduler scheduler(model_, *tokenizer_, {});
  const auto sink = Submit(scheduler, Request("a", 2, 1000));
  ASSERT_TRUE(gate_.WaitForArrival(1));
  handles_.clear();
  gate_.Open();
  ASSERT_TRUE(scheduler.Drain(steady_clock::now() + seconds(20)));
  EXPECT_EQ(steps, 1);
  EXPECT_EQ(sink->content, "");
  EXPECT_EQ(model_.live_sequences, 0);
  EXPECT_EQ(scheduler.counters().kv_bytes_used, 0);
}

TEST_F(SchedulerTest, ABusyTenantDoesNotKeepAnotherWaiting) {
  std::vector<int64_t> first_tokens;  // prompt lengths, in the order of admission
  model_.before_step = [&](std::span<const Step> steps) -> Result<void> {
    for (const Step& step : steps) {
      if (step.sequence->length() == 0) first_tokens.push_back(step.sequence->capacity());
    }
    gate_.Pass();
    return boost::outcome_v2::success();
  };
  SchedulerOptions options;
  options.max_running = 1;
  Scheduler scheduler(model_, *tokenizer_, options);
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 6; ++i) sinks.push_back(Submit(scheduler, Request("greedy", 10, 2)));
  ASSERT_TRUE(gate_.WaitForArrival(1));
  for (int i = 0; i < 2; ++i) sinks.push_back(Submit(scheduler, Request("modest", 20, 2)));
  gate_.Open();
  for (const auto& sink : sinks) ASSERT_TRUE(sink->Wait());
  ASSERT_EQ(first_tokens.size(), 8u);
  // In turn, although all of greedy's came first: both have the same number of tokens to catch up.
  EXPECT_THAT(std::vector<int64_t>(first_tokens.begin(), first_tokens.begin() + 5),
              testing::ElementsAre(10, 20, 10, 20, 10));
}

TEST_F(SchedulerTest, MemoryStaysInItsBudgetAndLargeRequestsGetTheirTurn) {
  SchedulerOptions options;
  model_.budget = 100;
  Scheduler scheduler(model_, *tokenizer_, options);
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (int i = 0; i < 20; ++i) sinks.push_back(Submit(scheduler, Request("a", 20, 10)));
  sinks.push_back(Submit(scheduler, Request("b", 85, 10)));
  for (int i = 0; i < 20; ++i) sinks.push_back(Submit(scheduler, Request("c", 20, 10)));
  for (const auto& sink : sinks) {
    ASSERT_TRUE(sink->Wait());
    EXPECT_FALSE(sink->error.has_value());
  }
  EXPECT_LE(model_.most_bytes, 100);
  const auto never = Submit(scheduler, Request("a", 95, 10));
  ASSERT_TRUE(never->error.has_value());
  EXPECT_EQ(never->error->code, Code::kContextLength);
}

TEST_F(SchedulerTest, TheWaitingListIsBoundedForAllAndForOne) {
  model_.before_step = [&](std::span<const Step>) -> Result<void> {
    gate_.Pass();
    return boost::outcome_v2::success();
  };
  SchedulerOptions options;
  options.max_running = 1;
  options.max_waiting = 4;
  Scheduler scheduler(model_, *tokenizer_, options);
  const auto running = Submit(scheduler, Request("a", 2, 2));
  ASSERT_TRUE(gate_.WaitForArrival(1));
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  for (const char* tenant : {"a", "a", "a", "b", "b", "c"}) {
    sinks.push_back(Submit(scheduler, Request(tenant, 2, 2)));
  }
  for (const size_t refused : {2u, 5u}) {
    ASSERT_TRUE(sinks[refused]->error.has_value());
    EXPECT_EQ(sinks[refused]->error->code, Code::kQueueFull);
  }
  gate_.Open();
  for (const size_t accepted : {0u, 1u, 3u, 4u}) {
    ASSERT_TRUE(sinks[accepted]->Wait());
    EXPECT_EQ(sinks[accepted]->content, "ab");
  }
}

TEST_F(SchedulerTest, AFailingStepEndsItsGenerationsAndOnlyThose) {
  std::atomic<int> steps{0};
  model_.before_step = [&](std::span<const Step>) -> Result<void> {
    if (++steps == 2) return Error{Code::kBadTensor, "logits are not finite"};
    return boost::outcome_v2::success();
  };
  Scheduler scheduler(model_, *tokenizer_, {});
  const auto first = Submit(scheduler, Request("a", 2, 100));
  ASSERT_TRUE(first->Wait());
  ASSERT_TRUE(first->error.has_value());
  EXPECT_EQ(first->error->code, Code::kBadTensor);
  const auto second = Submit(scheduler, Request("a", 2, 3));
  ASSERT_TRUE(second->Wait());
  EXPECT_EQ(second->content, "abc");
  ASSERT_TRUE(scheduler.Drain(steady_clock::now() + seconds(20)));
  EXPECT_EQ(model_.live_sequences, 0);
}

TEST_F(SchedulerTest, DrainFinishesWhatRunsAndRefusesTheRest) {
  model_.before_step = [&](std::span<const Step>) -> Result<void> {
    gate_.Pass();
    return boost::outcome_v2::success();
  };
  Scheduler scheduler(model_, *tokenizer_, {});
  const auto running = Submit(scheduler, Request("a", 2, 4));
  ASSERT_TRUE(gate_.WaitForArrival(1));
  EXPECT_FALSE(scheduler.Drain(steady_clock::now()));
  const auto late = Submit(scheduler, Request("a", 2, 4));
  ASSERT_TRUE(late->error.has_value());
  EXPECT_EQ(late->error->code, Code::kShuttingDown);
  gate_.Open();
  EXPECT_TRUE(scheduler.Drain(steady_clock::now() + seconds(20)));
  EXPECT_EQ(running->content, "abcd");
}

TEST_F(SchedulerTest, DestroyingItEndsEverythingWithAWord) {
  model_.before_step = [&](std::span<const Step>) -> Result<void> {
    gate_.Pass();
    return boost::outcome_v2::success();
  };
  std::shared_ptr<RecordingSink> running, waiting;
  SchedulerOptions options;
  options.max_running = 1;
  auto scheduler = std::make_unique<Scheduler>(model_, *tokenizer_, options);
  running = Submit(*scheduler, Request("a", 2, 1000));
  waiting = Submit(*scheduler, Request("b", 2, 1000));
  ASSERT_TRUE(gate_.WaitForArrival(1));
  Scheduler& ending = *scheduler;
  auto ended = std::async(std::launch::async, [&] { scheduler.reset(); });
  while (Submit(ending, Request("c", 2, 2))->error.value_or(Error{}).code != Code::kShuttingDown) {
    std::this_thread::yield();
  }
  gate_.Open();
  ended.get();
  for (const auto& sink : {running, waiting}) {
    ASSERT_TRUE(sink->error.has_value());
    EXPECT_EQ(sink->error->code, Code::kShuttingDown);
  }
}

}  // namespace
}  // namespace portcullis::inference
