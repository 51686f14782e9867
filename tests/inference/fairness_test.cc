// Who is served when there is not enough for all: tenants, priorities, ageing, long beside short.
// The model's clock is the only time there is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/inference/schedule_helpers.h"

namespace portcullis::inference {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

SchedulerOptions Plain(size_t max_running) {
  SchedulerOptions options;
  options.max_running = max_running;
  options.max_waiting = 4096;
  options.prefix_cache = false;
  options.speculate = kSpeculateOff;
  return options;
}

GenerateRequest Of(Priority priority, const std::string& tenant, size_t prompt, int64_t answer,
                   uint64_t seed = 1) {
  auto request = MakeRequest(tenant, Prompt(prompt, seed), answer);
  request.priority = priority;
  return request;
}

TEST(Fairness, TenantsShareTokensEquallyWhateverTheyAskFor) {
  PagedModel model({});
  Stepper stepper(model, Plain(4), &model);
  // One asks for much in few requests, one for little in many; both always have some waiting.
  std::map<std::string, int64_t> served;
  std::vector<std::pair<std::string, Stepper::Ticket>> open;
  uint64_t seed = 0;
  for (int step = 0; step < 4000; ++step) {
    std::map<std::string, int> pending;
    for (const auto& [tenant, ticket] : open) pending[tenant] += !ticket.sink->reason;
    while (pending["long"] < 6) {
      open.emplace_back("long", stepper.Add(Of(Priority::kNormal, "long", 300, 90, ++seed)));
      ++pending["long"];
    }
    while (pending["short"] < 6) {
      open.emplace_back("short", stepper.Add(Of(Priority::kNormal, "short", 10, 12, ++seed)));
      ++pending["short"];
    }
    stepper.Step();
    std::erase_if(open, [&](const auto& entry) {
      const auto& sink = *entry.second.sink;
      if (!sink.reason) return false;
      served[entry.first] += sink.usage.prompt_tokens + 2 * sink.usage.completion_tokens;
      return true;
    });
  }
  const double share = static_cast<double>(served["short"]) /
                       static_cast<double>(served["short"] + served["long"]);
  EXPECT_NEAR(share, 0.5, 0.05);
}

TEST(Fairness, AnIdleTenantSavesNoCreditAndABusyOneLosesNothing) {
  Ledger ledger;
  ledger.Wait("busy");
  ledger.Charge("busy", 1000);
  ledger.Wait("busy");
  ledger.Go("busy");  // 1000 is the least that one who waits was served
  ledger.Wait("new");
  EXPECT_EQ(ledger.Served("new"), 1000);
  ledger.Charge("new", 50);
  ledger.Go("new");
  ledger.Wait("new");  // leaving and coming back does not reset what was served
  EXPECT_EQ(ledger.Served("new"), 1050);
  ledger.Go("new");
  ledger.Charge("busy", 1000);
  ledger.Go("busy");
  EXPECT_EQ(ledger.size(), 1u);  // who is below the level is forgotten
  EXPECT_EQ(ledger.Served("third"), 2000);
}

// Requests of a tenant that asks for less all the time must not be put before every request of one
// that asks for more: it gets its share at once, not the past's.
TEST(Fairness, ALightTenantDoesNotHoldUpAHeavyOne) {
  PagedModel model({});
  Stepper stepper(model, Plain(6), &model);
  uint64_t seed = 0;
  std::vector<std::pair<std::string, Stepper::Ticket>> open;
  std::map<std::string, milliseconds> longest;
  std::map<const RecordingSink*, std::chrono::steady_clock::time_point> since;
  for (int step = 0; step < 6000; ++step) {
    std::map<std::string, int> pending;
    for (const auto& [tenant, ticket] : open) ++pending[tenant];
    const auto fill = [&](const std::string& tenant, int many, size_t prompt, int64_t answer) {
      for (; pending[tenant] < many; ++pending[tenant]) {
        open.emplace_back(tenant,
                          stepper.Add(Of(Priority::kNormal, tenant, prompt, answer, ++seed)));
        since[open.back().second.sink.get()] = model.now();
      }
    };
    fill("heavy", 4, 100, 60);
    if (step > 2000) fill("light", 3, 10, 20);
    stepper.Step();
    std::erase_if(open, [&](const auto& entry) {
      const auto& sink = *entry.second.sink;
      if (!sink.reason) return false;
      const auto took = std::chrono::duration_cast<milliseconds>(model.now() - since[&sink]);
      longest[entry.first] = std::max(longest[entry.first], took);
      return true;
    });
  }
  EXPECT_LT(longest["heavy"], milliseconds(2500));
  EXPECT_LT(longest["light"], milliseconds(1500));
}

TEST(Fairness, InteractiveRequestsTakeThePlacesOfBatchWork) {
  PagedModel model({});
  Stepper stepper(model, Plain(2), &model);
  std::vector<Stepper::Ticket> batch;
  for (uint64_t i = 0; i < 4; ++i) {
    batch.push_back(stepper.Add(Of(Priority::kBatch, "b", 20, 200, i)));
  }
  for (int i = 0; i < 5; ++i) stepper.Step();
  const auto person = stepper.Add(Of(Priority::kInteractive, "p", 20, 10, 9));
  int steps = 0;
  for (; !person.sink->reason && steps < 100; ++steps) stepper.Step();
  EXPECT_LE(steps, 12);
  EXPECT_EQ(stepper.counters().preemptions, 1u);
  ASSERT_TRUE(stepper.RunAll());
  for (const auto& ticket : batch) EXPECT_TRUE(ticket.sink->reason.has_value());
}

TEST(Fairness, BatchWorkIsNotStarvedByAStreamOfInteractiveRequests) {
  PagedModel model({});
  SchedulerOptions options = Plain(2);
  options.aging = seconds(1);
  Stepper stepper(model, options, &model);
  std::vector<Stepper::Ticket> people;
  uint64_t seed = 0;
  const auto batch = stepper.Add(Of(Priority::kBatch, "b", 20, 20, ++seed));
  const auto begin = model.now();
  while (!batch.sink->reason && model.now() - begin < seconds(20)) {
    std::erase_if(people, [](const auto& ticket) { return ticket.sink->reason.has_value(); });
    while (people.size() < 8) {
      people.push_back(stepper.Add(Of(Priority::kInteractive, "p", 50, 40, ++seed)));
    }
    stepper.Step();
  }
  ASSERT_TRUE(batch.sink->reason.has_value());
  // Two classes of ageing, then its turn.
  EXPECT_LT(model.now() - begin, seconds(4));
}

TEST(Fairness, ALongPromptHoldsUpNeitherTokensNorShortPrompts) {
  PagedModel::Options shape;
  shape.context = 1 << 16;
  PagedModel model(shape);
  SchedulerOptions options = Plain(8);
  options.step_time = milliseconds(60);
  Stepper stepper(model, options, &model);
  auto endless = Of(Priority::kNormal, "a", 10, 2000);
  endless.sampling.logit_bias = {{kEos, -100.0f}};
  const auto writer = stepper.Add(std::move(endless));
  for (int i = 0; i < 20; ++i) stepper.Step();
  const auto document = stepper.Add(Of(Priority::kNormal, "b", 8000, 4, 2));
  stepper.Step();
  const auto question = stepper.Add(Of(Priority::kNormal, "b", 30, 4, 3));
  auto last = model.now();
  auto longest = milliseconds(0);
  int steps = 0, until_question = 0;
  while (!document.sink->reason && ++steps < 1000) {
    stepper.Step();
    if (!question.sink->reason) ++until_question;
    longest = std::max(longest,
                       std::chrono::duration_cast<milliseconds>(model.now() - last));
    last = model.now();
  }
  EXPECT_TRUE(document.sink->reason.has_value());
  EXPECT_FALSE(writer.sink->reason.has_value());
  EXPECT_LE(until_question, 8);
  EXPECT_LE(longest, milliseconds(75));  // the target, and what the estimate was off
  EXPECT_LE(steps, 100);                 // and the document is not held up without need
}

// The longest step while a tenant writes so many answers and others, or it, have long prompts that wait, after
// the steps that teach what one costs.
milliseconds LongestStep(int writers, const std::vector<std::string>& documents) {
  PagedModel::Options shape;
  shape.context = 1 << 16;
  PagedModel model(shape);
  SchedulerOptions options = Plain(16);
  options.step_time = milliseconds(60);
  Stepper stepper(model, options, &model);
  for (int i = 0; i < writers; ++i) {
    auto endless = Of(Priority::kNormal, "a", 10, 2000, static_cast<uint64_t>(i));
    endless.sampling.logit_bias = {{kEos, -100.0f}};
    stepper.Add(std::move(endless));
  }
  for (int i = 0; i < 20; ++i) stepper.Step();
  uint64_t seed = 100;
  for (const std::string& tenant : documents) stepper.Add(Of(Priority::kNormal, tenant, 4000, 4, ++seed));
  for (int i = 0; i < 4; ++i) stepper.Step();
  milliseconds longest(0);
  for (int i = 0; i < 20; ++i) {
    const auto before = model.now();
    stepper.Step();
    longest = std::max(longest, std::chrono::duration_cast<milliseconds>(model.now() - before));
  }
  return longest;
}

TEST(Fairness, StepsAreLongerWhereMorePromptsWaitThanAnswersAreWritten) {
  const auto of = [](std::string tenant, size_t count) { return std::vector<std::string>(count, tenant); };
  EXPECT_LE(LongestStep(3, of("a", 3)), milliseconds(75));
  EXPECT_GE(LongestStep(3, of("a", 6)), milliseconds(100));
  EXPECT_LE(LongestStep(3, of("a", 6)), milliseconds(150));
  EXPECT_GE(LongestStep(1, of("a", 12)), milliseconds(150));
  EXPECT_LE(LongestStep(1, of("a", 12)), milliseconds(225));  // three times the target at most
  EXPECT_GE(LongestStep(1, {"b", "c", "d"}), milliseconds(150));
  EXPECT_LE(LongestStep(1, of("b", 12)), milliseconds(75));  // nobody slows another down by asking for more
}

TEST(Fairness, SiblingsWaitForTheOneThatComputesTheirPrompt) {
  PagedModel model({});
  SchedulerOptions options = Plain(8);
  options.prefix_cache = true;
  options.prefill_chunk = 64;
  Stepper stepper(model, options, &model);
  std::vector<Stepper::Ticket> tickets;
  for (int i = 0; i < 4; ++i) tickets.push_back(stepper.Add(Of(Priority::kNormal, "a", 403, 5)));
  ASSERT_TRUE(stepper.RunAll());
  EXPECT_EQ(stepper.counters().prompt_tokens, 403u + 3);
  EXPECT_EQ(tickets[0].sink->usage.cached_tokens, 0);
  EXPECT_EQ(tickets[3].sink->usage.cached_tokens, 402);
}

TEST(Fairness, NobodyWaitsForSiblingsThatHaveNothingNew) {
  PagedModel model({});
  SchedulerOptions options = Plain(8);
  options.prefix_cache = true;
  options.prefill_chunk = 16;
  Stepper stepper(model, options, &model);
  const auto instruction = Prompt(100, 7);
  const auto with = [&](size_t own, uint64_t seed) {
    auto prompt = instruction;
    const auto rest = Prompt(own, seed);
    prompt.insert(prompt.end(), rest.begin(), rest.end());
    return MakeRequest("a", std::move(prompt), 4);
  };
  stepper.Add(with(3, 1));
  ASSERT_TRUE(stepper.RunAll());
  // Short questions keep coming; each begins with what everybody has in the cache.
  const auto slow = stepper.Add(with(60, 2));
  int steps = 0;
  for (uint64_t seed = 10; !slow.sink->reason && steps < 200; ++steps) {
    stepper.Add(with(20, ++seed));
    stepper.Step();
  }
  EXPECT_LE(steps, 20);
}

TEST(Fairness, DeadlinesAndPatienceEnd) {
  PagedModel model({});
  SchedulerOptions options = Plain(1);
  options.max_wait = seconds(2);
  Stepper stepper(model, options, &model);
  auto late = Of(Priority::kNormal, "a", 10, 1000);
  late.deadline = model.now() + seconds(5);
  const auto running = stepper.Add(std::move(late));
  stepper.Step();
  const auto waiting = stepper.Add(Of(Priority::kNormal, "b", 10, 10));
  model.Wait(seconds(3));
  stepper.Step();
  ASSERT_TRUE(waiting.sink->error.has_value());
  EXPECT_EQ(waiting.sink->error->code, Code::kQueueFull);
  EXPECT_FALSE(running.sink->error.has_value());
  model.Wait(seconds(3));
  stepper.Step();
  ASSERT_TRUE(running.sink->error.has_value());
  EXPECT_EQ(running.sink->error->code, Code::kTimeout);
  EXPECT_EQ(model.live_sequences, 0);
  EXPECT_EQ(stepper.counters().expired, 2u);
}

TEST(Fairness, BatchWorkLeavesRoomInTheWaitingList) {
  Door door(8);
  const auto caller = [](const std::string& tenant, Priority priority) {
    Caller one;
    one.tenant = tenant;
    one.priority = priority;
    return one;
  };
  for (const char* tenant : {"a", "b", "c", "d"}) {
    EXPECT_TRUE(door.Enter(caller(tenant, Priority::kBatch), 1));
  }
  EXPECT_FALSE(door.Enter(caller("e", Priority::kBatch), 1));
  EXPECT_FALSE(door.Enter(caller("e", Priority::kNormal), 4));
  EXPECT_TRUE(door.Enter(caller("e", Priority::kNormal), 3));
  EXPECT_FALSE(door.Enter(caller("f", Priority::kNormal), 1));
  EXPECT_TRUE(door.Enter(caller("f", Priority::kInteractive), 1));
  EXPECT_FALSE(door.Enter(caller("g", Priority::kInteractive), 1));
  door.Leave(caller("a", Priority::kBatch));
  EXPECT_TRUE(door.Enter(caller("g", Priority::kInteractive), 1));
  EXPECT_EQ(door.refused(), 4u);
}

}  // namespace
}  // namespace portcullis::inference
