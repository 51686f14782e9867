// What the tests of the steps share: a clock moved by hand, a private folder, and a world with a
// store, one tenant, one principal and an identifier. Identities are proved as in production:
// there is no other way to get one.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/identify/identifier.h"
#include "gateway/identify/issue_key.h"
#include "gateway/state/sqlite_store.h"

namespace portcullis::gateway {

class ManualClock final : public Clock {
 public:
  int64_t MonotonicNs() const override { return mono_.load(); }
  int64_t UnixSeconds() const override { return unix_.load(); }
  void AdvanceNs(int64_t ns) { mono_ += ns; }
  void AdvanceSeconds(int64_t s) {
    mono_ += s * 1'000'000'000;
    unix_ += s;
  }

 private:
  std::atomic<int64_t> mono_{1'000'000'000};
  std::atomic<int64_t> unix_{1'795'000'000};  // 2026-11-18 11:06:40 UTC
};

class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "portcullis-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary folder";
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string_view View(const certs::SecretBytes& secret) {
  return {reinterpret_cast<const char*>(secret.data()), secret.size()};
}

class World {
 public:
  World() {
    Open();
    EXPECT_TRUE(store->PutTenant({.id = "acme", .name = "Acme"}));
    EXPECT_TRUE(store->PutPrincipal({.id = "alice",
                                     .tenant = "acme",
                                     .kind = EntityKind::kUser,
                                     .display_name = "Alice",
                                     .roles = {"user"},
                                     .home = "DE",
                                     .clearance = 2,
                                     .departments = {"legal", "it"},
                                     .certificate_uri = "urn:portcullis:user:alice"}));
  }

  // Again, as a restart would.
  void Open() {
    identifier.reset();
    store.reset();
    auto opened = OpenSqliteStore(dir / "state.db");
    ASSERT_TRUE(opened) << opened.error().message;
    store = std::move(opened).value();
    identifier = std::make_unique<Identifier>(*store, hasher, clock, IdentifierOptions{});
  }

  IssuedKey Issue(const UsageLimits& limits = {}, int64_t valid_seconds = 0) {
    auto issued = IssueKey(
        *store, hasher, clock,
        {.principal = "alice", .label = "test", .valid_seconds = valid_seconds, .limits = limits});
    EXPECT_TRUE(issued) << issued.error().message;
    return std::move(issued).value();
  }

  Result<Identity> Bearer(std::string_view token) const {
    const std::string value = "Bearer " + std::string(token);
    const std::string_view values[] = {value};
    return identifier->ByBearer(values);
  }

  Identity Someone(const UsageLimits& limits = {}) {
    return Bearer(View(Issue(limits).token)).value();
  }

  TempDir dir;
  ManualClock clock;
  KeyHasher hasher = KeyHasher::Create(certs::SecretBytes::Random(kPepperLength)).value();
  std::unique_ptr<Store> store;
  std::unique_ptr<Identifier> identifier;
};

}  // namespace portcullis::gateway
