// The gateway's durable state behind an interface: tenants, principals, keys, budgets, settings.
// SqliteStore (sqlite_store.h) is the embedded default; another backend may come beside it.
//
// Threading: every method may be called from any thread. Keys() is lock-free and does no I/O; all
// others run on the store's own thread and block the caller until the disk has answered, so a
// coroutine calls them through Run(). A change is durable and visible in Keys() on return.
// Failure: kState for the disk or a damaged file, kInvalidParameter for bad input, kConflict for
// what exists already, kNotFound for what does not.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/error.h"
#include "gateway/state/key_table.h"
#include "gateway/state/records.h"

namespace portcullis::gateway {

class Store {
 public:
  virtual ~Store() = default;

  // The snapshot of live keys, for Identify. A revoked key is gone from the next snapshot.
  virtual std::shared_ptr<const KeyTable> Keys() const = 0;

  // Inserts or replaces by id.
  virtual Result<void> PutTenant(const Tenant& tenant) = 0;
  virtual Result<void> PutPrincipal(const Principal& principal) = 0;
  virtual Result<std::vector<Tenant>> ListTenants() = 0;
  virtual Result<std::vector<Principal>> ListPrincipals() = 0;

  // `hash` is KeyHasher's; use IssueKey() of identify/issue_key.h.
  virtual Result<void> AddKey(const ApiKey& key, const KeyHash& hash) = 0;
  virtual Result<void> RevokeKey(std::string_view id, int64_t unix_seconds) = 0;
  virtual Result<std::vector<ApiKey>> ListKeys() = 0;  // revoked ones too

  // Counters of the given day and month.
  virtual Result<std::vector<BudgetRow>> LoadBudgets(int32_t day, int32_t month) = 0;

  // Writes the rows over what is there, and the days of last use of keys; drops days older than
  // 92 days and months older than 24. Called by the BudgetKeeper every few seconds.
  virtual Result<void> SaveUsage(const std::vector<BudgetRow>& rows, int32_t day,
                                 int32_t month) = 0;

  virtual Result<std::optional<std::string>> GetSetting(std::string_view name) = 0;
  virtual Result<void> PutSetting(std::string_view name, std::string_view value) = 0;

  // auto keys = co_await store.Run([](Store& s) { return s.ListKeys(); });
  // Runs `work` on the store's thread and comes back on the caller's executor.
  template <class Work>
  auto Run(Work work) -> boost::asio::awaitable<decltype(work(std::declval<Store&>()))> {
    auto result = co_await boost::asio::co_spawn(Executor(), Call(*this, std::move(work)),
                                                 boost::asio::use_awaitable);
    co_return std::move(*result);
  }

 protected:
  virtual boost::asio::thread_pool::executor_type Executor() = 0;

 private:
  // co_spawn wants a result that can be made from nothing, hence the optional.
  template <class Work>
  static auto Call(Store& store, Work work)
      -> boost::asio::awaitable<std::optional<decltype(work(store))>> {
    co_return work(store);
  }
};

}  // namespace portcullis::gateway
