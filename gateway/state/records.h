// The things that state.db holds: tenants, principals, keys, budgets. Plain values, no behaviour.
// A key's hash is not among a key's fields: it goes in once (Store::AddKey) and never comes out.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace portcullis::gateway {

// Cedar's entity type of a principal. DO NOT CHANGE THESE VALUES: they are stored.
enum class EntityKind : uint8_t { kUser = 0, kWorkload = 1 };

// What an account (a key, a principal without key, a tenant) may use. 0: the default of the
// configuration, kUnlimited: no limit.
struct UsageLimits {
  static constexpr uint64_t kUnlimited = INT64_MAX;

  uint64_t requests_per_minute = 0;
  uint64_t tokens_per_minute = 0;
  uint64_t concurrent_streams = 0;
  uint64_t tokens_per_day = 0;    // UTC days
  uint64_t tokens_per_month = 0;  // UTC calendar months

  bool operator==(const UsageLimits&) const = default;
};

struct Tenant {
  std::string id;  // [A-Za-z0-9._-], 1-64 characters
  std::string name{};
  uint32_t weight = 1;  // share of the engine under load, 1-1000
  UsageLimits limits{};
};

struct Principal {
  std::string id;      // [A-Za-z0-9._@:/-], 1-128 characters; the Cedar entity id
  std::string tenant;  // id of an existing tenant
  EntityKind kind = EntityKind::kUser;
  std::string display_name{};
  std::vector<std::string> roles{};
  std::string home{};  // jurisdiction, for example "EU" or "DE"
  int64_t clearance = 0;
  std::vector<std::string> departments{};
  std::string certificate_uri{};  // SAN URI of the client certificate that proves it; may be empty
  bool disabled = false;
};

// Times are seconds since 1970; 0 is "never" for expires and "not" for revoked.
struct ApiKey {
  std::string id;  // public name of the key, "key_" + 16 base62 characters
  std::string principal;
  std::string label{};
  int64_t created = 0;
  int64_t expires = 0;
  int64_t revoked = 0;
  int32_t last_used_day = 0;  // days since 1970; 0: never used
  UsageLimits limits{};
};

using KeyHash = std::array<uint8_t, 32>;

// Tokens used by an account in one period. Days and months are told apart by `period`.
enum class Period : uint8_t { kDay = 0, kMonth = 1 };

struct BudgetRow {
  std::string account;  // "key:ID", "principal:ID" or "tenant:ID"
  Period period = Period::kDay;
  int32_t index = 0;  // DayOf() or MonthOf()
  uint64_t tokens = 0;
};

}  // namespace portcullis::gateway
