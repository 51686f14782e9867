// Thousands of random requests with random cancels in little memory: the budget holds at every
// step, everything ends, nothing is left behind.
#include <gtest/gtest.h>

#include "inference/sample/random.h"
#include "tests/inference/schedule_helpers.h"

namespace portcullis::inference {
namespace {

class EmbeddingSink final : public EmbedSink {
 public:
  void OnEmbedding(std::vector<float> embedding) override { value = embedding.at(0); }
  void OnError(const Error& failure) override { error = failure; }
  std::optional<float> value;
  std::optional<Error> error;
};

struct Load {
  uint64_t seed;
  int64_t pages;
  bool head;
};

class RandomLoad : public testing::TestWithParam<Load> {};

INSTANTIATE_TEST_SUITE_P(Loads, RandomLoad,
                         testing::Values(Load{1, 70, false}, Load{2, 70, true}, Load{3, 200, true},
                                         Load{4, 100'000, false}),
                         [](const auto& test) { return "Seed" + std::to_string(test.param.seed); });

TEST_P(RandomLoad, KeepsItsBudgetAndEndsEverything) {
  PagedModel::Options shape;
  shape.pages = GetParam().pages;
  shape.context = 256;
  shape.repetitive = true;
  shape.draft_head = GetParam().head;
  PagedModel model(shape);
  model.before_step = [&](std::span<const Step>) { ASSERT_LE(model.most_pages, shape.pages); };
  SchedulerOptions options;
  options.max_running = 12;
  options.max_waiting = 1'000'000;
  options.aging = std::chrono::milliseconds(500);
  Stepper stepper(model, options, &model);
  Random random(GetParam().seed);
  const auto below = [&](uint64_t limit) { return static_cast<int64_t>(random.Next() % limit); };

  constexpr int kRequests = 3000;
  std::vector<Stepper::Ticket> tickets;
  std::vector<std::pair<std::shared_ptr<EmbeddingSink>, float>> embeddings;
  std::vector<size_t> cancelled;
  while (tickets.size() < kRequests) {
    for (int64_t n = below(4); n > 0; --n) {
      const std::string tenant(1, static_cast<char>('a' + below(5)));
      auto prompt = Prompt(static_cast<size_t>(1 + below(8)), random.Next() % 6);
      const auto more = Prompt(static_cast<size_t>(below(150)), random.Next() % 40);
      prompt.insert(prompt.end(), more.begin(), more.end());
      if (below(20) == 0) {
        EmbedRequest request;
        request.tenant = tenant;
        request.tokens = prompt;
        request.mean = below(2) == 0;
        float sum = 0;
        for (const TokenId id : prompt) sum += static_cast<float>(id);
        const float expected = request.mean ? sum / static_cast<float>(prompt.size())
                                            : static_cast<float>(prompt.back());
        auto sink = std::make_shared<EmbeddingSink>();
        ASSERT_TRUE(stepper.door.Enter(request, 1));
        JobPtr job = MakeJob(std::move(request), sink);
        job->number = 1'000'000 + embeddings.size();
        job->submitted = model.now();
        stepper.batcher().Add(std::move(job));
        embeddings.emplace_back(sink, expected);
        continue;
      }
      auto request = MakeRequest(tenant, std::move(prompt), 1 + below(90));
      request.priority = static_cast<Priority>(below(3));
      request.sampling.temperature = below(2) == 0 ? 0.0f : 1.0f;
      request.sampling.seed = random.Next();
      tickets.push_back(stepper.Add(std::move(request)));
    }
    if (!tickets.empty() && below(4) == 0) {
      const auto back = std::min<int64_t>(static_cast<int64_t>(tickets.size()) - 1, below(60));
      cancelled.push_back(tickets.size() - 1 - static_cast<size_t>(back));
      tickets[cancelled.back()].cancel->asked = true;
    }
    for (int64_t n = below(6); n > 0; --n) {
      stepper.Step();
      ASSERT_EQ(model.complaint, "");
    }
  }
  ASSERT_TRUE(stepper.RunAll());
  for (const size_t i : cancelled) tickets[i].sink->reason = FinishReason::kStop;
  for (const auto& ticket : tickets) {
    ASSERT_FALSE(ticket.sink->error.has_value()) << ticket.sink->error->message;
    ASSERT_TRUE(ticket.sink->reason.has_value());
  }
  for (const auto& [sink, expected] : embeddings) {
    ASSERT_FALSE(sink->error.has_value()) << sink->error->message;
    EXPECT_FLOAT_EQ(sink->value.value(), expected);
  }
  const auto counters = stepper.counters();
  EXPECT_EQ(counters.failed, 0u);
  EXPECT_EQ(counters.running + counters.waiting, 0u);
  EXPECT_LE(model.most_pages, shape.pages);
  EXPECT_GT(counters.prefix_hit_tokens, 0u);
  if (shape.pages < 100) {
    EXPECT_GT(counters.preemptions, 0u);
  }
  // Admission keeps preemption rare: far less than one of ten loses its pages in passable memory.
  if (shape.pages >= 200) {
    EXPECT_LT(counters.preemptions, 3 * kRequests / 100);
  }
  EXPECT_EQ(model.live_sequences, static_cast<int64_t>(counters.cached_prefixes));
}

}  // namespace
}  // namespace portcullis::inference
