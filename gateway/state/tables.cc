#include "gateway/state/tables.h"

#include <algorithm>

namespace portcullis::gateway {
namespace {

constexpr int32_t kDaysKept = 92;
constexpr int32_t kMonthsKept = 24;

auto Ok() { return boost::outcome_v2::success(); }

void BindLimits(Statement& statement, int first, const UsageLimits& limits) {
  for (const uint64_t value :
       {limits.requests_per_minute, limits.tokens_per_minute, limits.concurrent_streams,
        limits.tokens_per_day, limits.tokens_per_month}) {
    statement.Bind(first++, static_cast<int64_t>(value));
  }
}

UsageLimits ReadLimits(const Statement& row, int first) {
  const auto at = [&row, first](int i) { return static_cast<uint64_t>(row.Int(first + i)); };
  return {at(0), at(1), at(2), at(3), at(4)};
}

constexpr std::string_view kSelectKeys =
    "SELECT id, principal, label, created, expires, revoked, last_used_day, requests_per_minute,"
    " tokens_per_minute, concurrent_streams, tokens_per_day, tokens_per_month, hash"
    " FROM api_keys ORDER BY created, id";
constexpr int kHashColumn = 12;

ApiKey ReadKey(const Statement& row) {
  return {.id = row.Text(0),
          .principal = row.Text(1),
          .label = row.Text(2),
          .created = row.Int(3),
          .expires = row.Int(4),
          .revoked = row.Int(5),
          .last_used_day = static_cast<int32_t>(row.Int(6)),
          .limits = ReadLimits(row, 7)};
}

}  // namespace

Result<void> Tables::PutTenant(const Tenant& tenant) {
  BOOST_OUTCOME_TRY(
      Statement put,
      db_.Prepare("INSERT INTO tenants VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
                  "ON CONFLICT (id) DO UPDATE SET name = ?2, weight = ?3, "
                  "requests_per_minute = ?4, tokens_per_minute = ?5, concurrent_streams = ?6, "
                  "tokens_per_day = ?7, tokens_per_month = ?8"));
  put.Bind(1, tenant.id).Bind(2, tenant.name).Bind(3, int64_t{tenant.weight});
  BindLimits(put, 4, tenant.limits);
  return put.Run();
}

Result<void> Tables::PutPrincipal(const Principal& principal) {
  BOOST_OUTCOME_TRY(Transaction transaction, Transaction::Begin(db_));
  BOOST_OUTCOME_TRY(
      Statement put,
      db_.Prepare("INSERT INTO principals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
                  "ON CONFLICT (id) DO UPDATE SET tenant = ?2, kind = ?3, display_name = ?4, "
                  "home = ?5, clearance = ?6, certificate_uri = ?7, disabled = ?8"));
  put.Bind(1, principal.id).Bind(2, principal.tenant);
  put.Bind(3, static_cast<int64_t>(principal.kind)).Bind(4, principal.display_name);
  put.Bind(5, principal.home).Bind(6, principal.clearance);
  if (principal.certificate_uri.empty()) {
    put.BindNull(7);
  } else {
    put.Bind(7, principal.certificate_uri);
  }
  put.Bind(8, int64_t{principal.disabled});
  BOOST_OUTCOME_TRY(put.Run());
  BOOST_OUTCOME_TRY(ReplaceSet("DELETE FROM principal_roles WHERE principal = ?1",
                               "INSERT OR IGNORE INTO principal_roles VALUES (?1, ?2)",
                               principal.id, principal.roles));
  BOOST_OUTCOME_TRY(ReplaceSet("DELETE FROM principal_departments WHERE principal = ?1",
                               "INSERT OR IGNORE INTO principal_departments VALUES (?1, ?2)",
                               principal.id, principal.departments));
  return transaction.Commit();
}

Result<std::vector<Tenant>> Tables::ListTenants() {
  BOOST_OUTCOME_TRY(Statement row, db_.Prepare("SELECT * FROM tenants ORDER BY id"));
  std::vector<Tenant> tenants;
  for (;;) {
    BOOST_OUTCOME_TRY(const bool more, row.Step());
    if (!more) return tenants;
    tenants.push_back(
        {row.Text(0), row.Text(1), static_cast<uint32_t>(row.Int(2)), ReadLimits(row, 3)});
  }
}

Result<std::vector<Principal>> Tables::ListPrincipals() {
  BOOST_OUTCOME_TRY(auto roles, ReadSets("SELECT principal, role FROM principal_roles"));
  BOOST_OUTCOME_TRY(auto departments,
                    ReadSets("SELECT principal, department FROM principal_departments"));
  BOOST_OUTCOME_TRY(Statement row, db_.Prepare("SELECT * FROM principals ORDER BY id"));
  std::vector<Principal> principals;
  for (;;) {
    BOOST_OUTCOME_TRY(const bool more, row.Step());
    if (!more) return principals;
    const std::string id = row.Text(0);
    principals.push_back({.id = id,
                          .tenant = row.Text(1),
                          .kind = static_cast<EntityKind>(row.Int(2)),
                          .display_name = row.Text(3),
                          .roles = std::move(roles[id]),
                          .home = row.Text(4),
                          .clearance = row.Int(5),
                          .departments = std::move(departments[id]),
                          .certificate_uri = row.Text(6),
                          .disabled = row.Int(7) != 0});
  }
}

Result<void> Tables::AddKey(const ApiKey& key, const KeyHash& hash) {
  BOOST_OUTCOME_TRY(Statement put,
                    db_.Prepare("INSERT INTO api_keys VALUES "
                                "(?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7, ?8, ?9, ?10, ?11)"));
  put.Bind(1, key.id).Bind(2, std::span<const uint8_t>(hash)).Bind(3, key.principal);
  put.Bind(4, key.label).Bind(5, key.created).Bind(6, key.expires);
  BindLimits(put, 7, key.limits);
  return put.Run();
}

// The hash goes with the key's life: a revoked key cannot be told from one that never was.
Result<void> Tables::RevokeKey(std::string_view id, int64_t now) {
  BOOST_OUTCOME_TRY(Statement put, db_.Prepare("UPDATE api_keys SET revoked = ?2, hash = NULL "
                                               "WHERE id = ?1 AND revoked = 0 RETURNING id"));
  put.Bind(1, id).Bind(2, std::max<int64_t>(now, 1));
  BOOST_OUTCOME_TRY(const bool changed, put.Step());
  if (changed) return put.Run();
  return Error{Code::kNotFound, "no live key has this id: see `portcullis key list`", "id"};
}

Result<std::vector<ApiKey>> Tables::ListKeys() {
  BOOST_OUTCOME_TRY(Statement row, db_.Prepare(kSelectKeys));
  std::vector<ApiKey> keys;
  for (;;) {
    BOOST_OUTCOME_TRY(const bool more, row.Step());
    if (!more) return keys;
    keys.push_back(ReadKey(row));
  }
}

Result<std::vector<BudgetRow>> Tables::LoadBudgets(int32_t day, int32_t month) {
  BOOST_OUTCOME_TRY(Statement row, db_.Prepare("SELECT account, period, number, tokens "
                                               "FROM budgets WHERE (period = 0 AND number = ?1)"
                                               " OR (period = 1 AND number = ?2)"));
  row.Bind(1, int64_t{day}).Bind(2, int64_t{month});
  std::vector<BudgetRow> rows;
  for (;;) {
    BOOST_OUTCOME_TRY(const bool more, row.Step());
    if (!more) return rows;
    rows.push_back({row.Text(0), static_cast<Period>(row.Int(1)), static_cast<int32_t>(row.Int(2)),
                    static_cast<uint64_t>(row.Int(3))});
  }
}

Result<void> Tables::SaveUsage(const std::vector<BudgetRow>& rows, const KeyTable& keys,
                               int32_t day, int32_t month) {
  std::vector<std::pair<const KeyEntry*, int32_t>> used;
  keys.ForEachKey([&used](const KeyEntry& entry) {
    const int32_t last = entry.last_used_day.load(std::memory_order_relaxed);
    if (last > entry.saved_day.load(std::memory_order_relaxed)) used.emplace_back(&entry, last);
  });
  if (rows.empty() && used.empty()) return Ok();
  BOOST_OUTCOME_TRY(Transaction transaction, Transaction::Begin(db_));
  BOOST_OUTCOME_TRY(Statement put,
                    db_.Prepare("INSERT INTO budgets VALUES (?1, ?2, ?3, ?4) "
                                "ON CONFLICT (account, period, number) DO UPDATE SET tokens = ?4"));
  for (const BudgetRow& row : rows) {
    put.Bind(1, row.account).Bind(2, static_cast<int64_t>(row.period));
    put.Bind(3, int64_t{row.index}).Bind(4, static_cast<int64_t>(row.tokens));
    BOOST_OUTCOME_TRY(put.Run());
  }
  BOOST_OUTCOME_TRY(Statement mark,
                    db_.Prepare("UPDATE api_keys SET last_used_day = ?2 WHERE id = ?1"));
  for (const auto& [entry, last] : used) {
    mark.Bind(1, entry->key.id).Bind(2, int64_t{last});
    BOOST_OUTCOME_TRY(mark.Run());
  }
  BOOST_OUTCOME_TRY(Statement prune,
                    db_.Prepare("DELETE FROM budgets WHERE (period = 0 AND number < ?1) "
                                "OR (period = 1 AND number < ?2)"));
  prune.Bind(1, int64_t{day} - kDaysKept).Bind(2, int64_t{month} - kMonthsKept);
  BOOST_OUTCOME_TRY(prune.Run());
  BOOST_OUTCOME_TRY(transaction.Commit());
  for (const auto& [entry, last] : used) {
    entry->saved_day.store(last, std::memory_order_relaxed);
  }
  return Ok();
}

Result<std::optional<std::string>> Tables::GetSetting(std::string_view name) {
  BOOST_OUTCOME_TRY(Statement row, db_.Prepare("SELECT value FROM settings WHERE name = ?1"));
  row.Bind(1, name);
  BOOST_OUTCOME_TRY(const bool found, row.Step());
  return found ? std::optional(row.Text(0)) : std::nullopt;
}

Result<void> Tables::PutSetting(std::string_view name, std::string_view value) {
  BOOST_OUTCOME_TRY(Statement put, db_.Prepare("INSERT INTO settings VALUES (?1, ?2) "
                                               "ON CONFLICT (name) DO UPDATE SET value = ?2"));
  return put.Bind(1, name).Bind(2, value).Run();
}

Result<std::shared_ptr<const KeyTable>> Tables::BuildTable(const KeyTable& previous) {
  BOOST_OUTCOME_TRY(const auto tenant_list, ListTenants());
  BOOST_OUTCOME_TRY(auto principal_list, ListPrincipals());
  std::map<std::string, Tenant> tenants;
  for (const Tenant& tenant : tenant_list) tenants.emplace(tenant.id, tenant);
  std::map<std::string, std::shared_ptr<const Profile>> profiles;
  auto table = std::make_shared<KeyTable>();
  for (Principal& principal : principal_list) {
    if (principal.disabled) continue;
    Tenant& tenant = tenants[principal.tenant];
    auto profile = std::make_shared<const Profile>(Profile{std::move(principal), tenant});
    profiles.emplace(profile->principal.id, profile);
    table->AddProfile(std::move(profile));
  }
  BOOST_OUTCOME_TRY(Statement row, db_.Prepare(kSelectKeys));
  for (;;) {
    BOOST_OUTCOME_TRY(const bool more, row.Step());
    if (!more) break;
    ApiKey key = ReadKey(row);
    const auto profile = profiles.find(key.principal);
    const std::span<const uint8_t> bytes = row.Blob(kHashColumn);
    if (key.revoked != 0 || profile == profiles.end() || bytes.size() != sizeof(KeyHash)) {
      continue;
    }
    KeyHash hash;
    std::ranges::copy(bytes, hash.begin());
    const KeyEntry* before = previous.FindKey(hash);
    table->AddKey(hash, std::move(key), profile->second);
    if (before != nullptr) table->FindKey(hash)->MarkUsed(before->last_used_day);
  }
  return std::shared_ptr<const KeyTable>(std::move(table));
}

Result<Tables::Sets> Tables::ReadSets(std::string_view sql) {
  BOOST_OUTCOME_TRY(Statement row, db_.Prepare(sql));
  Sets sets;
  for (;;) {
    BOOST_OUTCOME_TRY(const bool more, row.Step());
    if (!more) return sets;
    sets[row.Text(0)].push_back(row.Text(1));
  }
}

Result<void> Tables::ReplaceSet(std::string_view remove, std::string_view insert,
                                const std::string& id, const std::vector<std::string>& members) {
  BOOST_OUTCOME_TRY(Statement clear, db_.Prepare(remove));
  BOOST_OUTCOME_TRY(clear.Bind(1, id).Run());
  BOOST_OUTCOME_TRY(Statement put, db_.Prepare(insert));
  for (const std::string& member : members) {
    BOOST_OUTCOME_TRY(put.Bind(1, id).Bind(2, member).Run());
  }
  return Ok();
}

}  // namespace portcullis::gateway
