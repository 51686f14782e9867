#include "gateway/admit/budget_keeper.h"

#include "tests/gateway/state/steps_fixture.h"

namespace portcullis::gateway {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

void Use(Admitter& admitter, const Identity& who, uint64_t tokens) {
  auto ticket = admitter.Admit(who, {.prompt_tokens = tokens});
  ASSERT_TRUE(ticket);
  ticket.value().Settle(tokens, 0);
}

std::unique_ptr<BudgetKeeper> Keep(World& world, Admitter& admitter,
                                   milliseconds interval = hours(1)) {
  return BudgetKeeper::Start(*world.store, admitter, world.clock, {}, interval).value();
}

TEST(BudgetKeeper, CarriesBudgetsOverARestart) {
  World world;
  const IssuedKey issued = world.Issue({.tokens_per_day = 100});
  {
    Admitter admitter(world.clock, {});
    const auto keeper = Keep(world, admitter);
    Use(admitter, world.Bearer(View(issued.token)).value(), 60);
  }  // the keeper writes when it ends
  world.Open();
  Admitter admitter(world.clock, {});
  const auto keeper = Keep(world, admitter);
  const Identity who = world.Bearer(View(issued.token)).value();
  EXPECT_EQ(admitter.UsageOf(who).tokens_today, 60u);
  EXPECT_EQ(admitter.UsageOf(who).tokens_this_month, 60u);
  EXPECT_EQ(admitter.Admit(who, {.prompt_tokens = 41}).error().code, Code::kBudgetSpent);
  EXPECT_TRUE(admitter.Admit(who, {.prompt_tokens = 40}));
}

TEST(BudgetKeeper, StartsANewDayWithTheMonthsCount) {
  World world;
  const IssuedKey issued = world.Issue();
  {
    Admitter admitter(world.clock, {});
    const auto keeper = Keep(world, admitter);
    Use(admitter, world.Bearer(View(issued.token)).value(), 60);
  }
  world.clock.AdvanceSeconds(86400);
  Admitter admitter(world.clock, {});
  const auto keeper = Keep(world, admitter);
  const Identity who = world.Bearer(View(issued.token)).value();
  EXPECT_EQ(admitter.UsageOf(who).tokens_today, 0u);
  EXPECT_EQ(admitter.UsageOf(who).tokens_this_month, 60u);
}

TEST(BudgetKeeper, WritesInTheBackground) {
  World world;
  const Identity who = world.Someone();
  Admitter admitter(world.clock, {});
  const auto keeper = Keep(world, admitter, milliseconds(1));
  Use(admitter, who, 5);
  const int32_t day = DayOf(world.clock.UnixSeconds());
  const int32_t month = MonthOf(world.clock.UnixSeconds());
  // Ends by itself or by the time limit of the test program.
  while (world.store->LoadBudgets(day, month).value().size() < 4) std::this_thread::yield();
  const auto rows = world.store->LoadBudgets(day, month).value();
  for (const BudgetRow& row : rows) {
    EXPECT_EQ(row.tokens, 5u);
    EXPECT_TRUE(row.account == who.account() || row.account == "tenant:acme") << row.account;
  }
}

TEST(BudgetKeeper, RecordsTheDayOfLastUse) {
  World world;
  const IssuedKey used = world.Issue();
  const IssuedKey idle = world.Issue();
  Admitter admitter(world.clock, {});
  const auto keeper = Keep(world, admitter);
  ASSERT_TRUE(world.Bearer(View(used.token)));
  world.Issue();  // a new snapshot in between must not lose the mark
  ASSERT_TRUE(keeper->Flush());
  const auto keys = world.store->ListKeys().value();
  for (const ApiKey& key : keys) {
    EXPECT_EQ(key.last_used_day, key.id == used.key.id ? DayOf(world.clock.UnixSeconds()) : 0);
  }
  EXPECT_NE(used.key.id, idle.key.id);
}

// A store whose disk fails when told so.
class FailingStore final : public Store {
 public:
  explicit FailingStore(Store& store) : store_(store) {}
  std::shared_ptr<const KeyTable> Keys() const override { return store_.Keys(); }
  Result<void> PutTenant(const Tenant& t) override { return store_.PutTenant(t); }
  Result<void> PutPrincipal(const Principal& p) override { return store_.PutPrincipal(p); }
  Result<std::vector<Tenant>> ListTenants() override { return store_.ListTenants(); }
  Result<std::vector<Principal>> ListPrincipals() override { return store_.ListPrincipals(); }
  Result<void> AddKey(const ApiKey& k, const KeyHash& h) override { return store_.AddKey(k, h); }
  Result<void> RevokeKey(std::string_view id, int64_t now) override {
    return store_.RevokeKey(id, now);
  }
  Result<std::vector<ApiKey>> ListKeys() override { return store_.ListKeys(); }
  Result<std::vector<BudgetRow>> LoadBudgets(int32_t day, int32_t month) override {
    return store_.LoadBudgets(day, month);
  }
  Result<void> SaveUsage(const std::vector<BudgetRow>& rows, int32_t day, int32_t month) override {
    if (fail) return Error{Code::kState, "the disk is full"};
    return store_.SaveUsage(rows, day, month);
  }
  Result<std::optional<std::string>> GetSetting(std::string_view n) override {
    return store_.GetSetting(n);
  }
  Result<void> PutSetting(std::string_view n, std::string_view v) override {
    return store_.PutSetting(n, v);
  }

  std::atomic<bool> fail{false};

 private:
  boost::asio::thread_pool::executor_type Executor() override { return pool_.get_executor(); }

  Store& store_;
  boost::asio::thread_pool pool_{1};
};

TEST(BudgetKeeper, ReportsAFailureOnceAndCatchesUp) {
  World world;
  FailingStore store(*world.store);
  const Identity who = world.Someone();
  Admitter admitter(world.clock, {});
  int reports = 0;
  const auto keeper =
      BudgetKeeper::Start(
          store, admitter, world.clock, [&reports](const Error&) { ++reports; }, hours(1))
          .value();
  store.fail = true;
  Use(admitter, who, 5);
  EXPECT_FALSE(keeper->Flush());
  Use(admitter, who, 6);
  EXPECT_FALSE(keeper->Flush());
  EXPECT_EQ(reports, 1);
  store.fail = false;
  ASSERT_TRUE(keeper->Flush());
  const int64_t now = world.clock.UnixSeconds();
  const auto rows = store.LoadBudgets(DayOf(now), MonthOf(now)).value();
  ASSERT_EQ(rows.size(), 4u);
  for (const BudgetRow& row : rows) EXPECT_EQ(row.tokens, 11u);
  store.fail = true;
  EXPECT_FALSE(keeper->Flush());
  EXPECT_EQ(reports, 2);
}

}  // namespace
}  // namespace portcullis::gateway
