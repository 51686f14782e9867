#include "gateway/admit/admitter.h"

#include <random>
#include <thread>
#include <type_traits>
#include <vector>

#include "tests/gateway/state/steps_fixture.h"

namespace portcullis::gateway {
namespace {

using boost::asio::ip::make_address;

static_assert(!std::is_copy_constructible_v<Ticket>);
static_assert(!std::is_default_constructible_v<Ticket>);
static_assert(!std::is_constructible_v<Ticket, const Clock&>);
static_assert(std::is_nothrow_move_constructible_v<Ticket>);

constexpr CallCost kFree{.stream = false};

TEST(Admitter, LimitsRequestsOfAKey) {
  World world;
  Admitter admitter(world.clock, {});
  const Identity who = world.Someone({.requests_per_minute = 3});
  const Identity other = world.Someone({.requests_per_minute = 3});
  RateHeaders headers;
  for (uint64_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(admitter.Admit(who, kFree, &headers));
    EXPECT_EQ(headers.requests.limit, 3u);
    EXPECT_EQ(headers.requests.remaining, 2 - i);
  }
  const auto refused = admitter.Admit(who, kFree, &headers);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kRateLimited);
  EXPECT_EQ(refused.error().retry_after_ms, 20'000);
  EXPECT_EQ(headers.requests.remaining, 0u);
  EXPECT_TRUE(admitter.Admit(other, kFree)) << "another key of the same principal";
  world.clock.AdvanceSeconds(20);
  EXPECT_TRUE(admitter.Admit(who, kFree));
}

TEST(Admitter, LimitsRequestsOfATenant) {
  World world;
  ASSERT_TRUE(world.store->PutTenant({.id = "acme", .limits = {.requests_per_minute = 2}}));
  Admitter admitter(world.clock, {});
  EXPECT_TRUE(admitter.Admit(world.Someone(), kFree));
  EXPECT_TRUE(admitter.Admit(world.Someone(), kFree));
  EXPECT_EQ(admitter.Admit(world.Someone(), kFree).error().code, Code::kRateLimited);
}

TEST(Admitter, LimitsStreamsAndGivesThemBack) {
  World world;
  Admitter admitter(world.clock, {});
  const Identity who = world.Someone({.concurrent_streams = 2});
  auto first = admitter.Admit(who, {});
  auto second = admitter.Admit(who, {});
  ASSERT_TRUE(first && second);
  const auto third = admitter.Admit(who, {});
  EXPECT_EQ(third.error().code, Code::kRateLimited);
  EXPECT_EQ(third.error().retry_after_ms, 1000);
  EXPECT_EQ(admitter.UsageOf(who).streams, 2u);
  EXPECT_TRUE(admitter.Admit(who, kFree)) << "a call without a stream needs no place";
  { const Ticket moved = std::move(first).value(); }
  EXPECT_EQ(admitter.UsageOf(who).streams, 1u);
  EXPECT_TRUE(admitter.Admit(who, {}));
}

TEST(Admitter, ReservesAndSettlesTokens) {
  World world;
  Admitter admitter(world.clock, {});
  const Identity who = world.Someone({.tokens_per_minute = 1000});
  {
    auto ticket = admitter.Admit(who, {.prompt_tokens = 100, .max_tokens = 800});
    ASSERT_TRUE(ticket);
    EXPECT_EQ(ticket.value().reserved_tokens(), 900u);
    EXPECT_EQ(ticket.value().headers().tokens.remaining, 100u);
    EXPECT_EQ(admitter.UsageOf(who).tokens_today, 900u);
    EXPECT_EQ(admitter.Admit(who, {.prompt_tokens = 101}).error().code, Code::kRateLimited);
    ticket.value().Forwarded();
    ticket.value().Settle(90, 0);
    ticket.value().Settle(90, 110);
  }
  EXPECT_EQ(admitter.UsageOf(who).tokens_today, 200u);
  EXPECT_EQ(admitter.UsageOf(who).tokens_this_month, 200u);
  const auto next = admitter.Admit(who, {.prompt_tokens = 1});
  EXPECT_EQ(next.value().headers().tokens.remaining, 799u);
}

TEST(Admitter, ChargesByTheRuleWhenNobodySettles) {
  World world;
  Admitter admitter(world.clock, {});
  const Identity who = world.Someone();
  { const auto dropped = admitter.Admit(who, {.prompt_tokens = 10, .max_tokens = 20}); }
  EXPECT_EQ(admitter.UsageOf(who).tokens_today, 0u);
  {
    auto forwarded = admitter.Admit(who, {.prompt_tokens = 10, .max_tokens = 20});
    forwarded.value().Forwarded();
  }
  EXPECT_EQ(admitter.UsageOf(who).tokens_today, 30u);
  {
    auto over = admitter.Admit(who, {.prompt_tokens = 10, .max_tokens = 20});
    over.value().Settle(10, 50);
  }
  EXPECT_EQ(admitter.UsageOf(who).tokens_today, 90u);
}

TEST(Admitter, TellsACallThatIsTooLargeForever) {
  World world;
  Admitter admitter(world.clock, {});
  const Identity who = world.Someone({.tokens_per_minute = 1000});
  const auto refused = admitter.Admit(who, {.prompt_tokens = 1, .max_tokens = 1000});
  EXPECT_EQ(refused.error().code, Code::kRateLimited);
  EXPECT_EQ(refused.error().retry_after_ms, -1);
  EXPECT_NE(refused.error().message.find("1001 tokens"), std::string::npos);
  EXPECT_FALSE(admitter.Admit(who, {.prompt_tokens = UINT64_MAX, .max_tokens = UINT64_MAX}));
  EXPECT_EQ(admitter.UsageOf(who).streams, 0u);
}

TEST(Admitter, KeepsBudgetsByUtcDayAndMonth) {
  World world;
  Admitter admitter(world.clock, {});
  const Identity who = world.Someone({.tokens_per_day = 100, .tokens_per_month = 150});
  const auto use = [&](uint64_t tokens) {
    auto ticket = admitter.Admit(who, {.prompt_tokens = tokens});
    if (!ticket) return ticket.error();
    ticket.value().Settle(tokens, 0);
    return Error{Code::kOk, ""};
  };
  EXPECT_EQ(use(80).code, Code::kOk);
  const Error day = use(21);
  EXPECT_EQ(day.code, Code::kBudgetSpent);
  const int64_t left = StartOfDay(DayOf(world.clock.UnixSeconds()) + 1) - world.clock.UnixSeconds();
  EXPECT_EQ(day.retry_after_ms, left * 1000);
  EXPECT_EQ(use(20).code, Code::kOk);
  world.clock.AdvanceSeconds(left);
  EXPECT_EQ(admitter.UsageOf(who).tokens_today, 0u);
  EXPECT_EQ(use(51).code, Code::kBudgetSpent) << "the month has 50 left";
  EXPECT_EQ(admitter.UsageOf(who).tokens_today, 0u) << "and the day was given back";
  EXPECT_EQ(use(50).code, Code::kOk);
  world.clock.AdvanceSeconds(31 * 86400);
  EXPECT_EQ(use(100).code, Code::kOk);
}

TEST(Admitter, SettlesIntoThePeriodOfAdmission) {
  World world;
  Admitter admitter(world.clock, {});
  const Identity who = world.Someone();
  auto late = admitter.Admit(who, {.prompt_tokens = 1000});
  world.clock.AdvanceSeconds(86400);
  auto today = admitter.Admit(who, {.prompt_tokens = 7});
  today.value().Settle(7, 0);
  late.value().Settle(1, 0);
  { const Ticket end = std::move(late).value(); }
  EXPECT_EQ(admitter.UsageOf(who).tokens_today, 7u);
}

TEST(Admitter, AClockThatStepsBackOpensNoBudget) {
  PeriodCounter counter;
  EXPECT_TRUE(counter.Add(20776, 90, 100));
  EXPECT_FALSE(counter.Add(20775, 20, 100));
  EXPECT_TRUE(counter.Add(20775, 10, 100));
  EXPECT_EQ(counter.Get(20776).tokens, 100u);
  EXPECT_EQ(counter.Get(20775).index, 20776);
}

TEST(Admitter, LimitsAddressesInTiers) {
  ManualClock clock;
  Admitter admitter(clock, {.requests_per_minute_address = 10});
  const auto admitted = [&admitter](const std::string& text) {
    return static_cast<bool>(admitter.AdmitAddress(make_address(text)));
  };
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(admitted("192.0.2.1"));
  EXPECT_FALSE(admitted("192.0.2.1"));
  EXPECT_FALSE(admitted("::ffff:192.0.2.1"));
  EXPECT_TRUE(admitted("192.0.2.2"));
  clock.AdvanceSeconds(6);
  EXPECT_TRUE(admitted("192.0.2.1"));
  EXPECT_FALSE(admitted("192.0.2.1"));

  int passed = 0;  // one /56, a new /64 each time
  for (int i = 0; i < 100; ++i) passed += admitted("2001:db8:0:" + std::to_string(i) + "::1");
  EXPECT_EQ(passed, 40);
  const auto refused = admitter.AdmitAddress(make_address("2001:db8:0:63::1"));
  EXPECT_EQ(refused.error().code, Code::kRateLimited);
  EXPECT_GT(refused.error().retry_after_ms, 0);
  EXPECT_TRUE(admitted("2001:db8:1::1")) << "another /48";
}

TEST(Admitter, LimitsTheUnauthenticatedTogether) {
  ManualClock clock;
  Admitter admitter(clock, {.unauthenticated_per_minute = 5});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(admitter.AdmitUnauthenticated());
  const auto refused = admitter.AdmitUnauthenticated();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().retry_after_ms, 12'000);
}

TEST(Admitter, RefusesWhenTheAccountTableIsFullOfAccountsInUse) {
  AccountTable table(16);
  const Moment now{1, 20'000, 657};
  std::vector<AccountRef> held;
  for (int i = 0; i < 16; ++i) held.push_back(table.FindOrAdd("key:" + std::to_string(i), now));
  for (const AccountRef& account : held) EXPECT_TRUE(account);
  EXPECT_FALSE(table.FindOrAdd("key:16", now));
  EXPECT_EQ(table.FindOrAdd("key:3", now).operator->(), held[3].operator->());
  EXPECT_FALSE(table.FindOrAdd("", now));
  EXPECT_FALSE(table.FindOrAdd(std::string(160, 'x'), now));
}

TEST(Admitter, CountsWhatACallUsedThatHadReservedNone) {
  World world;
  Admitter admitter(world.clock, {});
  const Identity who = world.Someone();
  { ASSERT_TRUE(admitter.Admit(who, {})); }
  EXPECT_TRUE(admitter.CollectBudgets().empty()) << "nothing was used";
  {
    auto ticket = admitter.Admit(who, {});
    ASSERT_TRUE(ticket);
    ticket.value().Settle(7, 5);
  }
  EXPECT_EQ(admitter.UsageOf(who).tokens_today, 12u);
  EXPECT_FALSE(admitter.CollectBudgets().empty());
}

// Whatever becomes of tickets, on however many threads: in the end no stream is taken and the
// budget shows exactly what was charged.
TEST(Admitter, TicketsNeverLeak) {
  World world;
  Admitter admitter(world.clock, {});
  const UsageLimits limits{.requests_per_minute = UsageLimits::kUnlimited,
                           .tokens_per_minute = 50'000'000,
                           .concurrent_streams = 24,
                           .tokens_per_day = 400'000'000};
  const std::vector<Identity> people = {world.Someone(limits), world.Someone(limits),
                                        world.Someone(limits)};
  std::array<std::atomic<uint64_t>, 3> charged{};
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<uint64_t>(t));
      std::vector<Ticket> held;
      for (int i = 0; i < 5000; ++i) {
        world.clock.AdvanceNs(static_cast<int64_t>(random() % 100'000));
        const size_t person = random() % people.size();
        auto admitted = admitter.Admit(
            people[person], {.prompt_tokens = random() % 500, .max_tokens = random() % 500});
        if (!admitted) {
          ++refused;
        } else {
          Ticket ticket = std::move(admitted).value();
          const uint64_t reserved = ticket.reserved_tokens();
          const uint64_t prompt = random() % 600;
          switch (random() % 4) {
            case 0:
              break;
            case 1:
              ticket.Forwarded();
              charged[person] += reserved;
              break;
            default:
              ticket.Forwarded();
              ticket.Settle(prompt, 5);
              charged[person] += prompt + 5;
          }
          if (random() % 2 == 0) held.push_back(std::move(ticket));
        }
        if (held.size() > 8) held.erase(held.begin() + static_cast<std::ptrdiff_t>(random() % 8));
        if (!held.empty() && random() % 7 == 0) held[0] = std::move(held.back()), held.pop_back();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(refused, 0);
  for (size_t i = 0; i < people.size(); ++i) {
    EXPECT_EQ(admitter.UsageOf(people[i]).streams, 0u);
    EXPECT_EQ(admitter.UsageOf(people[i]).tokens_today, charged[i].load());
  }
  world.clock.AdvanceSeconds(120);
  for (const Identity& who : people) {
    const auto all = admitter.Admit(who, {.max_tokens = 50'000'000});
    EXPECT_TRUE(all) << all.error().message;
  }
}

}  // namespace
}  // namespace portcullis::gateway
