#include "gateway/admit/source_table.h"

#include <malloc.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include "gateway/admit/admitter.h"
#include "gateway/admit/penalties.h"
#include "gateway/admit/source_key.h"
#include "tests/gateway/state/steps_fixture.h"

namespace portcullis::gateway {
namespace {

using boost::asio::ip::address;
using boost::asio::ip::make_address;

#ifdef PORTCULLIS_SANITIZED
constexpr uint64_t kSources = 200'000;
constexpr bool kMeasure = false;  // a sanitizer's own memory grows as it likes
#else
constexpr uint64_t kSources = 10'000'000;
constexpr bool kMeasure = true;
#endif

std::span<const uint8_t> Bytes(const uint64_t& n) {
  return {reinterpret_cast<const uint8_t*>(&n), sizeof n};
}

size_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  size_t total = 0;
  size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

address NthAddress(uint64_t n) {
  if (n % 4 == 0) {
    return boost::asio::ip::address_v4(static_cast<uint32_t>(n * 2654435761u));
  }
  boost::asio::ip::address_v6::bytes_type bytes{};
  bytes[0] = 0x20;
  bytes[1] = 0x01;
  const uint64_t spread = n * 0x9e3779b97f4a7c15u;
  std::memcpy(&bytes[2], &spread, 6);
  std::memcpy(&bytes[8], &n, 8);
  return boost::asio::ip::address_v6(bytes);
}

TEST(SourceTable, RemembersInQuanta) {
  SourceTable table(1024, 0);
  const uint64_t a = 1;
  const uint64_t b = 2;
  EXPECT_EQ(table.Find(Bytes(a)).time_ns, 0);
  table.Update(Bytes(a), [](SourceTable::Entry& entry) {
    EXPECT_EQ(entry.time_ns, 0);
    entry = {.time_ns = 123'456'789, .flag = true};
    return true;
  });
  EXPECT_EQ(table.Find(Bytes(a)).time_ns, 123'500'000);
  EXPECT_TRUE(table.Find(Bytes(a)).flag);
  EXPECT_EQ(table.Find(Bytes(b)).time_ns, 0);
  table.Update(Bytes(a), [](SourceTable::Entry& entry) {
    entry.time_ns = 1;
    return false;
  });
  EXPECT_EQ(table.Find(Bytes(a)).time_ns, 123'500'000) << "a refused change changes nothing";
  EXPECT_EQ(table.CountAfter(100'000'000), 1u);
  EXPECT_EQ(table.CountAfter(200'000'000), 0u);
}

TEST(SourceTable, ForgetsTheSmallestDebtFirst) {
  SourceTable table(64, 0);  // 8 buckets
  const uint64_t debtor = 7;
  table.Update(Bytes(debtor), [](SourceTable::Entry& entry) {
    entry.time_ns = 1'000'000'000'000;
    return true;
  });
  for (uint64_t i = 100; i < 10'100; ++i) {
    table.Update(Bytes(i), [](SourceTable::Entry& entry) {
      entry.time_ns = 1'000'000'000;
      return true;
    });
  }
  EXPECT_EQ(table.Find(Bytes(debtor)).time_ns, 1'000'000'000'000);
}

TEST(SourceTable, TellsSourcesApart) {
  SourceTable table(65536, 0);
  std::mt19937_64 random(1);
  size_t mixed = 0;
  for (uint64_t i = 0; i < 20'000; ++i) {
    const uint64_t source = random();
    table.Update(Bytes(source), [&mixed](SourceTable::Entry& entry) {
      if (entry.time_ns != 0) ++mixed;
      entry.time_ns = 1'000'000'000;
      return true;
    });
  }
  EXPECT_LE(mixed, 2u);
}

TEST(SourceTable, TenMillionSourcesCostNoMemory) {
  ManualClock clock;
  Admitter admitter(clock, {});
  Penalties penalties(clock, {});
  const auto visit = [&](uint64_t n) {
    const address from = NthAddress(n);
    clock.AdvanceNs(1000);
    if (!admitter.AdmitAddress(from)) return;
    if (!admitter.AdmitUnauthenticated()) penalties.Add(from, Misdeed::kAuthFailure);
    static_cast<void>(penalties.Check(from));
  };
  for (uint64_t n = 0; n < kSources / 10; ++n) visit(n);  // touch every page once
  const size_t heap = ::mallinfo2().uordblks;
  const size_t resident = ResidentBytes();
  const size_t before = admitter.memory_bytes() + penalties.memory_bytes();
  for (uint64_t n = kSources; n < 2 * kSources; ++n) visit(n);
  EXPECT_EQ(admitter.memory_bytes() + penalties.memory_bytes(), before);
  if (kMeasure) {
    EXPECT_EQ(::mallinfo2().uordblks, heap);
    EXPECT_LT(ResidentBytes(), resident + 256 * 1024);
  }
}

TEST(SourceTable, SurvivesManyThreads) {
  ManualClock clock;
  SourceTable table(64, clock.MonotonicNs());
  std::vector<std::thread> threads;
  std::atomic<uint64_t> applied{0};
  const uint64_t shared = 42;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<uint64_t>(t));
      for (int i = 0; i < 20'000; ++i) {
        table.Update(Bytes(shared), [](SourceTable::Entry& entry) {
          entry.time_ns += SourceTable::kQuantumNs;
          return true;
        });
        ++applied;
        const uint64_t other = 1000 + random() % 4;
        table.Update(Bytes(other), [](SourceTable::Entry& entry) {
          entry.time_ns = 1;
          return true;
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(table.Find(Bytes(shared)).time_ns,
            static_cast<int64_t>(applied.load()) * SourceTable::kQuantumNs);
}

TEST(SourceKey, SeparatesKindsAndPrefixes) {
  const auto key = [](const char* text, int bits) {
    const SourceKey made = MakeSourceKey(make_address(text), bits);
    return std::string(made.bytes.begin(), made.bytes.begin() + made.size);
  };
  EXPECT_EQ(key("192.0.2.1", 64), key("::ffff:192.0.2.1", 48));
  EXPECT_NE(key("192.0.2.1", 64), key("192.0.2.2", 64));
  EXPECT_EQ(key("2001:db8:1:2::1", 64), key("2001:db8:1:2:ffff::9", 64));
  EXPECT_NE(key("2001:db8:1:2::1", 64), key("2001:db8:1:3::1", 64));
  EXPECT_EQ(key("2001:db8:1:2::1", 56), key("2001:db8:1:3::1", 56));
  EXPECT_EQ(key("2001:db8:1:2::1", 48), key("2001:db8:1:ff00::1", 48));
  EXPECT_NE(key("2001:db8:1::", 48), key("2001:db8:1::", 56));
  EXPECT_TRUE(IsLoopback(make_address("127.3.2.1")));
  EXPECT_TRUE(IsLoopback(make_address("::1")));
  EXPECT_TRUE(IsLoopback(make_address("::ffff:127.0.0.1")));
  EXPECT_FALSE(IsLoopback(make_address("128.0.0.1")));
}

}  // namespace
}  // namespace portcullis::gateway
