// The queries on state.db, one method each; prepared statements only. Used by the store's thread
// alone. Failure: what Statement and Database report, kNotFound and kConflict as in store.h.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/error.h"
#include "gateway/state/key_table.h"
#include "gateway/state/records.h"
#include "gateway/state/sqlite.h"

namespace portcullis::gateway {

class Tables {
 public:
  explicit Tables(Database db) : db_(std::move(db)) {}

  Result<void> PutTenant(const Tenant& tenant);
  Result<void> PutPrincipal(const Principal& principal);
  Result<std::vector<Tenant>> ListTenants();
  Result<std::vector<Principal>> ListPrincipals();

  Result<void> AddKey(const ApiKey& key, const KeyHash& hash);
  Result<void> RevokeKey(std::string_view id, int64_t now);
  Result<std::vector<ApiKey>> ListKeys();

  Result<std::vector<BudgetRow>> LoadBudgets(int32_t day, int32_t month);
  // Days of last use are taken from `keys` and marked there as saved.
  Result<void> SaveUsage(const std::vector<BudgetRow>& rows, const KeyTable& keys, int32_t day,
                         int32_t month);

  Result<std::optional<std::string>> GetSetting(std::string_view name);
  Result<void> PutSetting(std::string_view name, std::string_view value);

  // A fresh snapshot; days of last use that are newer in `previous` are carried over.
  Result<std::shared_ptr<const KeyTable>> BuildTable(const KeyTable& previous);

 private:
  using Sets = std::map<std::string, std::vector<std::string>>;

  Result<Sets> ReadSets(std::string_view sql);
  Result<void> ReplaceSet(std::string_view remove, std::string_view insert, const std::string& id,
                          const std::vector<std::string>& members);

  Database db_;
};

}  // namespace portcullis::gateway
