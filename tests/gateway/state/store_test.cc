#include <sqlite3.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <fstream>
#include <thread>

#include "tests/gateway/state/steps_fixture.h"

namespace portcullis::gateway {
namespace {

namespace fs = std::filesystem;

std::string OpenError(const std::string& path) {
  auto opened = OpenSqliteStore(path);
  if (opened) return "opened";
  EXPECT_EQ(opened.error().code, Code::kState);
  return opened.error().message;
}

TEST(Store, KeepsEverythingOverARestart) {
  World world;
  const Tenant tenant{.id = "beta",
                      .name = "B\xc3\xa4ta",
                      .weight = 7,
                      .limits = {.requests_per_minute = 1, .tokens_per_month = 5}};
  ASSERT_TRUE(world.store->PutTenant(tenant));
  const IssuedKey issued = world.Issue({.tokens_per_day = 1000}, 3600);
  ASSERT_TRUE(world.store->PutSetting("siege", "open"));
  ASSERT_TRUE(world.store->PutSetting("siege", "guarded"));
  world.Open();

  const auto tenants = world.store->ListTenants().value();
  ASSERT_EQ(tenants.size(), 2u);
  EXPECT_EQ(tenants[1].name, tenant.name);
  EXPECT_EQ(tenants[1].weight, 7u);
  EXPECT_EQ(tenants[1].limits, tenant.limits);
  const auto principals = world.store->ListPrincipals().value();
  ASSERT_EQ(principals.size(), 1u);
  EXPECT_EQ(principals[0].departments, (std::vector<std::string>{"it", "legal"}));
  const auto keys = world.store->ListKeys().value();
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(keys[0].id, issued.key.id);
  EXPECT_EQ(keys[0].expires, issued.key.created + 3600);
  EXPECT_EQ(keys[0].limits.tokens_per_day, 1000u);
  EXPECT_EQ(world.store->GetSetting("siege").value(), "guarded");
  EXPECT_EQ(world.store->GetSetting("none").value(), std::nullopt);
  EXPECT_TRUE(world.Bearer(View(issued.token)));
}

TEST(Store, ReplacesAPrincipalsSets) {
  World world;
  ASSERT_TRUE(world.store->PutPrincipal({.id = "alice", .tenant = "acme", .roles = {"admin"}}));
  const auto principals = world.store->ListPrincipals().value();
  ASSERT_EQ(principals.size(), 1u);
  EXPECT_EQ(principals[0].roles, std::vector<std::string>{"admin"});
  EXPECT_TRUE(principals[0].departments.empty());
}

TEST(Store, RefusesWhatDoesNotFit) {
  World world;
  const auto code = [](const auto& result) { return result ? Code::kOk : result.error().code; };
  EXPECT_EQ(code(world.store->PutTenant({.id = ""})), Code::kInvalidParameter);
  EXPECT_EQ(code(world.store->PutTenant({.id = "a b"})), Code::kInvalidParameter);
  EXPECT_EQ(code(world.store->PutTenant({.id = "a", .weight = 0})), Code::kInvalidParameter);
  EXPECT_EQ(code(world.store->PutTenant({.id = "a", .name = "\xff"})), Code::kInvalidParameter);
  EXPECT_EQ(code(world.store->PutTenant({.id = "a", .name = "x\ny"})), Code::kInvalidParameter);
  EXPECT_EQ(
      code(world.store->PutTenant({.id = "a", .limits = {.tokens_per_day = uint64_t{1} << 63}})),
      Code::kInvalidParameter);
  EXPECT_EQ(code(world.store->PutPrincipal({.id = "bob", .tenant = "nobody"})), Code::kNotFound);
  EXPECT_EQ(code(world.store->PutPrincipal(
                {.id = "bob", .tenant = "acme", .certificate_uri = "urn:portcullis:user:alice"})),
            Code::kConflict);
  EXPECT_EQ(code(world.store->AddKey({.id = "key_1", .principal = "nobody"}, KeyHash{})),
            Code::kNotFound);
  EXPECT_EQ(code(world.store->RevokeKey("key_none", 5)), Code::kNotFound);
  EXPECT_EQ(world.store->ListPrincipals().value().size(), 1u);
}

TEST(Store, TakesSqlAsText) {
  World world;
  const std::string evil = "x'); DROP TABLE api_keys; --";
  world.Issue();
  EXPECT_FALSE(world.store->RevokeKey(evil, 1));
  EXPECT_FALSE(world.store->PutTenant({.id = evil}));
  EXPECT_TRUE(world.store->PutTenant({.id = "t", .name = evil}));
  EXPECT_TRUE(world.store->PutSetting(evil, evil));
  EXPECT_EQ(world.store->GetSetting(evil).value(), evil);
  EXPECT_EQ(world.store->ListTenants().value()[1].name, evil);
  EXPECT_EQ(world.store->ListKeys().value().size(), 1u);
}

TEST(Store, NeverHoldsATokenAndForgetsTheHashOfARevokedKey) {
  World world;
  const IssuedKey issued = world.Issue();
  const std::string token(View(issued.token));
  const KeyHash hash = world.hasher.Hash(token);
  const std::string_view hash_bytes(reinterpret_cast<const char*>(hash.data()), hash.size());
  const std::string file = world.dir / "state.db";
  EXPECT_EQ(ReadAll(file).find(token), std::string::npos);
  EXPECT_NE(ReadAll(file).find(hash_bytes), std::string::npos);
  ASSERT_TRUE(world.store->RevokeKey(issued.key.id, 77));
  EXPECT_EQ(ReadAll(file).find(hash_bytes), std::string::npos);
  EXPECT_EQ(world.store->ListKeys().value()[0].revoked, 77);
  EXPECT_FALSE(world.store->RevokeKey(issued.key.id, 78)) << "a second time";
  for (const auto& entry : fs::directory_iterator(world.dir.path())) {
    const std::string content = ReadAll(entry.path().string());
    EXPECT_EQ(content.find(hash_bytes), std::string::npos) << entry.path();
    EXPECT_EQ(content.find(token), std::string::npos) << entry.path();
  }
}

TEST(Store, CreatesAPrivateFile) {
  World world;
  struct stat info {};
  ASSERT_EQ(::stat((world.dir / "state.db").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(Store, RefusesAnUnsafePlace) {
  TempDir dir;
  const std::string path = dir / "state.db";
  ASSERT_TRUE(OpenSqliteStore(path));
  ::chmod(path.c_str(), 0640);
  EXPECT_NE(OpenError(path).find("chmod 600"), std::string::npos);
  ::chmod(path.c_str(), 0600);

  fs::create_symlink(path, dir / "link.db");
  EXPECT_NE(OpenError(dir / "link.db").find("symbolic link"), std::string::npos);
  fs::create_hard_link(path, dir / "second.db");
  EXPECT_NE(OpenError(path).find("second name"), std::string::npos);
  fs::remove(dir / "second.db");
  fs::create_directory(dir / "folder.db");
  EXPECT_NE(OpenError(dir / "folder.db").find("not a regular file"), std::string::npos);
  EXPECT_NE(OpenError(dir / "none/state.db").find("folder does not exist"), std::string::npos);

  ::chmod(dir.path().c_str(), 0777);
  EXPECT_NE(OpenError(path).find("chmod go-w"), std::string::npos);
  ::chmod(dir.path().c_str(), 0700);
  EXPECT_EQ(OpenError(path), "opened");
}

TEST(Store, SaysWhenAnotherProcessHasTheFile) {
  World world;
  EXPECT_NE(OpenError(world.dir / "state.db").find("in use by another process"), std::string::npos);
}

TEST(Store, SaysWhenTheFileIsDamaged) {
  TempDir dir;
  const std::string path = dir / "state.db";
  ASSERT_TRUE(OpenSqliteStore(path));
  const std::string good = ReadAll(path);
  const auto write = [&path](const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  };
  ASSERT_GT(good.size(), 8192u);

  std::string bad = good;
  bad.replace(0, 64, std::string(64, 'x'));
  write(bad);
  EXPECT_NE(OpenError(path).find("is damaged"), std::string::npos);
  bad = good;
  bad.replace(4096, 512, std::string(512, '\xee'));
  write(bad);
  EXPECT_NE(OpenError(path).find("is damaged"), std::string::npos);
  write(good.substr(0, good.size() / 2));
  EXPECT_NE(OpenError(path).find("is damaged"), std::string::npos);
  write(good);
  EXPECT_EQ(OpenError(path), "opened");
}

TEST(Store, RefusesForeignAndNewerDatabases) {
  TempDir dir;
  const auto make = [&dir](const char* name, const char* sql) {
    const std::string path = dir / name;
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(db);
    ::chmod(path.c_str(), 0600);
    return path;
  };
  EXPECT_NE(OpenError(make("other.db", "CREATE TABLE t (x)")).find("another program"),
            std::string::npos);
  const std::string path = dir / "state.db";
  ASSERT_TRUE(OpenSqliteStore(path));
  EXPECT_NE(OpenError(make("state.db", "PRAGMA user_version = 99")).find("version 99"),
            std::string::npos);
}

TEST(Store, RollsBackWhatAKilledProcessHadBegun) {
  World world;
  world.Issue();
  // The hot journal of an unfinished change, made by copying file and journal in the middle of one.
  const std::string path = world.dir / "state.db";
  world.identifier.reset();
  world.store.reset();
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  const char* begin =
      "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN; DELETE FROM api_keys;"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000)"
      "INSERT INTO settings SELECT 'k' || i, hex(randomblob(100)) FROM n;";
  ASSERT_EQ(sqlite3_exec(db, begin, nullptr, nullptr, nullptr), SQLITE_OK);
  TempDir copy;
  fs::copy_file(path, copy / "state.db");
  fs::copy_file(path + "-journal", copy / "state.db-journal");
  sqlite3_close(db);
  ::chmod((copy / "state.db").c_str(), 0600);
  auto opened = OpenSqliteStore(copy / "state.db");
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened.value()->ListKeys().value().size(), 1u);
  EXPECT_EQ(opened.value()->GetSetting("k1").value(), std::nullopt);
}

TEST(Store, RunComesBackToTheCallersExecutor) {
  World world;
  boost::asio::io_context context;
  size_t tenants = 0;
  std::thread::id before;
  std::thread::id inside;
  std::thread::id after;
  boost::asio::co_spawn(
      context,
      [&]() -> boost::asio::awaitable<void> {
        before = std::this_thread::get_id();
        const auto list = co_await world.store->Run([&inside](Store& store) {
          inside = std::this_thread::get_id();
          return store.ListTenants();
        });
        tenants = list.value().size();
        after = std::this_thread::get_id();
      },
      boost::asio::detached);
  context.run();
  EXPECT_EQ(tenants, 1u);
  EXPECT_EQ(before, after);
  EXPECT_NE(before, inside);
}

TEST(Store, ServesManyThreads) {
  World world;
  const IssuedKey keep = world.Issue();
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        if (!world.Bearer(View(keep.token))) ++wrong;
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    const IssuedKey issued = world.Issue();
    EXPECT_TRUE(world.Bearer(View(issued.token)));
    EXPECT_TRUE(world.store->RevokeKey(issued.key.id, 1));
    EXPECT_FALSE(world.Bearer(View(issued.token)));
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Clock, KnowsDaysAndMonths) {
  const int64_t now = 1'795'000'000;  // 2026-11-18 11:06:40
  EXPECT_EQ(DayOf(now), 20775);
  EXPECT_EQ(StartOfDay(DayOf(now)), now - (11 * 3600 + 6 * 60 + 40));
  EXPECT_EQ(MonthOf(now), 56 * 12 + 10);
  EXPECT_EQ(StartOfMonth(MonthOf(now)), StartOfDay(DayOf(now) - 17));
  EXPECT_EQ(MonthOf(StartOfMonth(683) - 1), 682);
}

}  // namespace
}  // namespace portcullis::gateway
