// Records of accounts change hands when the table is full, but never one that somebody holds, and
// never one whose forgetting would give something back.
#include "gateway/admit/account_table.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace portcullis::gateway {
namespace {

constexpr size_t kSmall = 16;
constexpr Moment kNow{1'000'000'000, 20'000, 657};

std::string Name(int i) { return "key:" + std::to_string(i); }

Moment After(int64_t seconds) { return {kNow.monotonic_ns + seconds * 1'000'000'000, kNow.day, kNow.month}; }

TEST(AccountTable, ANewcomerTakesTheSettledRecordThatWasUsedLongestAgo) {
  AccountTable table(kSmall);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(table.FindOrAdd(Name(i), After(i))) << i;
  }
  EXPECT_LE(table.size(), kSmall);
  size_t known = 0;
  int64_t oldest = INT64_MAX;
  table.ForEach([&](Account& account) {
    ++known;
    oldest = std::min(oldest, account.used_ns.load());
  });
  EXPECT_EQ(known, table.size());
  EXPECT_GE(oldest, After(900).monotonic_ns) << "what nobody has used for long is gone";
}

TEST(AccountTable, WhatIsHeldOrOwesSomethingStays) {
  AccountTable table(kSmall);
  std::vector<AccountRef> held;
  for (int i = 0; i < 12; ++i) held.push_back(table.FindOrAdd(Name(i), kNow));
  ASSERT_TRUE(table.FindOrAdd("spent today", kNow)->day.Add(kNow.day, 5, 100));
  ASSERT_TRUE(table.FindOrAdd("spent this month", kNow)->month.Add(kNow.month, 5, 100));
  Reservation reservation;
  table.FindOrAdd("just called", kNow)
      ->requests.Reserve(Rate::PerMinute(1), 1, kNow.monotonic_ns, &reservation);
  table.FindOrAdd("not saved", kNow)->dirty = true;
  EXPECT_FALSE(table.FindOrAdd("newcomer", kNow)) << "nothing is settled";

  const Moment next_month{After(61).monotonic_ns, kNow.day + 31, kNow.month + 1};
  EXPECT_TRUE(table.FindOrAdd("newcomer", next_month));
  for (int i = 0; i < 100; ++i) (void)table.FindOrAdd("other " + std::to_string(i), next_month);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(held[static_cast<size_t>(i)]->name.data(), Name(i));
  EXPECT_TRUE(table.FindOrAdd("not saved", next_month)->dirty);
}

TEST(AccountTable, ARecordThatChangedHandsIsFresh) {
  AccountTable table(kSmall);
  for (int i = 0; i < 16; ++i) {
    const AccountRef account = table.FindOrAdd(Name(i), kNow);
    Reservation reservation;
    account->tokens.Reserve(Rate::PerMinute(100), 100, kNow.monotonic_ns, &reservation);
    EXPECT_TRUE(account->day.Add(kNow.day, 7, 100));
  }
  const Moment later{After(3600).monotonic_ns, kNow.day + 40, kNow.month + 1};
  for (int i = 100; i < 150; ++i) {
    const AccountRef account = table.FindOrAdd(Name(i), later);
    ASSERT_TRUE(account);
    EXPECT_EQ(account->day.Get(later.day).tokens, 0u);
    EXPECT_EQ(account->tokens.Peek(Rate::PerMinute(100), kNow.monotonic_ns).remaining, 100u);
  }
}

TEST(AccountTable, UnderManyThreadsAPinnedRecordKeepsItsName) {
  AccountTable table(64);
  std::atomic<int> wrong{0};
  std::atomic<int> found{0};
  std::vector<std::thread> threads;
  for (unsigned thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      unsigned random = thread + 1;
      for (int i = 0; i < 50'000; ++i) {
        random = random * 1'664'525 + 1'013'904'223;
        const std::string name = Name(static_cast<int>(random >> 16) % 200);
        const AccountRef account = table.FindOrAdd(name, After(i));
        if (!account) continue;
        ++found;
        account->streams.fetch_add(1);
        if (account->name.data() != name) ++wrong;
        account->streams.fetch_sub(1);
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    table.ForEach([&](Account& account) {
      if (std::string_view(account.name.data()).empty()) ++wrong;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(found, 100'000);
}

}  // namespace
}  // namespace portcullis::gateway
