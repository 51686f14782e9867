#include "gateway/state/schema.h"

#include <array>
#include <cstdlib>
#include <string>

namespace portcullis::gateway {
namespace {

constexpr const char* kApplicationId = "1346587731";  // "PCLS"

// TRUNCATE and not DELETE: under an exclusive lock DELETE leaves the old pages in the journal, and
// with them the hashes of revoked keys.
constexpr const char* kPragmas =
    "PRAGMA locking_mode = EXCLUSIVE;"
    "PRAGMA journal_mode = TRUNCATE;"
    "PRAGMA synchronous = EXTRA;"
    "PRAGMA foreign_keys = ON;"
    "PRAGMA secure_delete = ON;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA temp_store = MEMORY;";

// DO NOT CHANGE A STEP THAT WAS RELEASED: add another. Step i leads from version i to i + 1.
constexpr std::array<const char*, kSchemaVersion> kSteps = {
    R"sql(
CREATE TABLE tenants (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  weight INTEGER NOT NULL CHECK (weight BETWEEN 1 AND 1000),
  requests_per_minute INTEGER NOT NULL CHECK (requests_per_minute >= 0),
  tokens_per_minute INTEGER NOT NULL CHECK (tokens_per_minute >= 0),
  concurrent_streams INTEGER NOT NULL CHECK (concurrent_streams >= 0),
  tokens_per_day INTEGER NOT NULL CHECK (tokens_per_day >= 0),
  tokens_per_month INTEGER NOT NULL CHECK (tokens_per_month >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE principals (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenants (id),
  kind INTEGER NOT NULL CHECK (kind IN (0, 1)),
  display_name TEXT NOT NULL,
  home TEXT NOT NULL,
  clearance INTEGER NOT NULL,
  certificate_uri TEXT UNIQUE,
  disabled INTEGER NOT NULL CHECK (disabled IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE principal_roles (
  principal TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
  role TEXT NOT NULL,
  PRIMARY KEY (principal, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE principal_departments (
  principal TEXT NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
  department TEXT NOT NULL,
  PRIMARY KEY (principal, department)
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  hash BLOB UNIQUE CHECK (length(hash) = 32),
  principal TEXT NOT NULL REFERENCES principals (id),
  label TEXT NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL CHECK (expires >= 0),
  revoked INTEGER NOT NULL CHECK (revoked >= 0),
  last_used_day INTEGER NOT NULL,
  requests_per_minute INTEGER NOT NULL CHECK (requests_per_minute >= 0),
  tokens_per_minute INTEGER NOT NULL CHECK (tokens_per_minute >= 0),
  concurrent_streams INTEGER NOT NULL CHECK (concurrent_streams >= 0),
  tokens_per_day INTEGER NOT NULL CHECK (tokens_per_day >= 0),
  tokens_per_month INTEGER NOT NULL CHECK (tokens_per_month >= 0),
  CHECK ((revoked = 0) = (hash IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE budgets (
  account TEXT NOT NULL,
  period INTEGER NOT NULL CHECK (period IN (0, 1)),
  number INTEGER NOT NULL,
  tokens INTEGER NOT NULL CHECK (tokens >= 0),
  PRIMARY KEY (account, period, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

PRAGMA application_id = 1346587731;
PRAGMA user_version = 1;
)sql"};

Result<void> CheckFile(Database& db, const std::string& path) {
  BOOST_OUTCOME_TRY(const std::string verdict, db.QueryText("PRAGMA quick_check(1)"));
  if (verdict != "ok") {
    return Error{Code::kState, "state database `" + path + "` is damaged (" + verdict +
                                   "): stop the gateway and restore the file from a backup"};
  }
  BOOST_OUTCOME_TRY(const std::string application, db.QueryText("PRAGMA application_id"));
  BOOST_OUTCOME_TRY(const std::string objects, db.QueryText("SELECT count(*) FROM sqlite_schema"));
  if (application != kApplicationId && objects != "0") {
    return Error{Code::kState,
                 "`" + path + "` is a database of another program: name another file"};
  }
  return boost::outcome_v2::success();
}

}  // namespace

Result<void> PrepareSchema(Database& db, const std::string& path) {
  BOOST_OUTCOME_TRY(db.Execute(kPragmas));
  BOOST_OUTCOME_TRY(db.Execute("BEGIN EXCLUSIVE; COMMIT"));
  BOOST_OUTCOME_TRY(CheckFile(db, path));
  BOOST_OUTCOME_TRY(const std::string text, db.QueryText("PRAGMA user_version"));
  const int version = std::atoi(text.c_str());
  if (version < 0 || version > kSchemaVersion) {
    return Error{Code::kState, "state database `" + path + "` has version " + text +
                                   ", this program knows " + std::to_string(kSchemaVersion) +
                                   ": use a newer program"};
  }
  for (int step = version; step < kSchemaVersion; ++step) {
    BOOST_OUTCOME_TRY(Transaction transaction, Transaction::Begin(db));
    BOOST_OUTCOME_TRY(db.Execute(kSteps[static_cast<size_t>(step)]));
    BOOST_OUTCOME_TRY(transaction.Commit());
  }
  return boost::outcome_v2::success();
}

}  // namespace portcullis::gateway
