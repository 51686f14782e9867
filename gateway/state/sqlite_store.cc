#include "gateway/state/sqlite_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <future>

#include "gateway/state/schema.h"
#include "gateway/state/snapshot.h"
#include "gateway/state/sqlite.h"
#include "gateway/state/tables.h"
#include "gateway/state/validate.h"

namespace portcullis::gateway {
namespace {

namespace fs = std::filesystem;

auto Ok() { return boost::outcome_v2::success(); }

Error FileError(const fs::path& path, const std::string& what) {
  return Error{Code::kState, "state database `" + path.string() + "`: " + what};
}

// The folder may be reached through links (systemd's StateDirectory is one), the file may not.
Result<fs::path> CheckPlace(const fs::path& given) {
  std::error_code ignored;
  const fs::path parent = given.has_parent_path() ? given.parent_path() : fs::path(".");
  const fs::path folder = fs::canonical(parent, ignored);
  struct stat info {};
  if (ignored || ::stat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return FileError(given, "its folder does not exist: create it with mode 0700");
  }
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return FileError(given, "its folder belongs to another user");
  }
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return FileError(given, "others may write to its folder: chmod go-w it");
  }
  fs::path path = folder / given.filename();
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno != ENOENT) return FileError(path, std::strerror(errno));
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return FileError(path, std::string("cannot be created: ") + std::strerror(errno));
    ::close(fd);
    return path;
  }
  if (S_ISLNK(info.st_mode)) return FileError(path, "is a symbolic link, which is not accepted");
  if (!S_ISREG(info.st_mode)) return FileError(path, "is not a regular file");
  if (info.st_nlink != 1) return FileError(path, "has a second name (hard link)");
  if (info.st_uid != ::geteuid()) return FileError(path, "belongs to another user");
  if ((info.st_mode & 077) != 0) return FileError(path, "others have access: chmod 600 it");
  return path;
}

class SqliteStore final : public Store {
 public:
  SqliteStore(Tables tables, std::shared_ptr<const KeyTable> keys)
      : tables_(std::move(tables)), keys_(std::move(keys)) {}
  ~SqliteStore() override { thread_.join(); }

  std::shared_ptr<const KeyTable> Keys() const override { return keys_.Load(); }

  Result<void> PutTenant(const Tenant& tenant) override {
    BOOST_OUTCOME_TRY(Validate(tenant));
    return Change([this, &tenant] { return tables_.PutTenant(tenant); });
  }
  Result<void> PutPrincipal(const Principal& principal) override {
    BOOST_OUTCOME_TRY(Validate(principal));
    return Change([this, &principal] { return tables_.PutPrincipal(principal); });
  }
  Result<std::vector<Tenant>> ListTenants() override {
    return OnThread([this] { return tables_.ListTenants(); });
  }
  Result<std::vector<Principal>> ListPrincipals() override {
    return OnThread([this] { return tables_.ListPrincipals(); });
  }
  Result<void> AddKey(const ApiKey& key, const KeyHash& hash) override {
    BOOST_OUTCOME_TRY(Validate(key));
    return Change([this, &key, &hash] { return tables_.AddKey(key, hash); });
  }
  Result<void> RevokeKey(std::string_view id, int64_t unix_seconds) override {
    return Change([this, id, unix_seconds] { return tables_.RevokeKey(id, unix_seconds); });
  }
  Result<std::vector<ApiKey>> ListKeys() override {
    return OnThread([this] { return tables_.ListKeys(); });
  }
  Result<std::vector<BudgetRow>> LoadBudgets(int32_t day, int32_t month) override {
    return OnThread([this, day, month] { return tables_.LoadBudgets(day, month); });
  }
  Result<void> SaveUsage(const std::vector<BudgetRow>& rows, int32_t day, int32_t month) override {
    return OnThread(
        [this, &rows, day, month] { return tables_.SaveUsage(rows, *keys_.Load(), day, month); });
  }
  Result<std::optional<std::string>> GetSetting(std::string_view name) override {
    return OnThread([this, name] { return tables_.GetSetting(name); });
  }
  Result<void> PutSetting(std::string_view name, std::string_view value) override {
    return OnThread([this, name, value] { return tables_.PutSetting(name, value); });
  }

 private:
  boost::asio::thread_pool::executor_type Executor() override { return thread_.get_executor(); }

  template <class Work>
  auto OnThread(Work work) -> decltype(work()) {
    if (thread_.get_executor().running_in_this_thread()) return work();
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto outcome = task.get_future();
    boost::asio::post(thread_, std::move(task));
    return outcome.get();
  }

  // A change that keys may depend on: on disk first, then in the snapshot.
  template <class Work>
  Result<void> Change(Work work) {
    return OnThread([this, work]() -> Result<void> {
      BOOST_OUTCOME_TRY(work());
      BOOST_OUTCOME_TRY(auto table, tables_.BuildTable(*keys_.Load()));
      keys_.Store(std::move(table));
      return Ok();
    });
  }

  Tables tables_;
  Snapshot<KeyTable> keys_;
  boost::asio::thread_pool thread_{1};
};

}  // namespace

Result<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path) {
  BOOST_OUTCOME_TRY(const fs::path place, CheckPlace(path));
  BOOST_OUTCOME_TRY(Database db, Database::Open(place.string()));
  BOOST_OUTCOME_TRY(PrepareSchema(db, place.string()));
  Tables tables(std::move(db));
  BOOST_OUTCOME_TRY(auto keys, tables.BuildTable(KeyTable()));
  return std::unique_ptr<Store>(std::make_unique<SqliteStore>(std::move(tables), std::move(keys)));
}

}  // namespace portcullis::gateway
