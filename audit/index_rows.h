// Statements of the search index: a prepared statement that is bound, stepped and finalised, and the
// schema. Internal to index.cc and index_query.cc. SEARCH INDEX in FORMAT.md.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "audit/error.h"

namespace portcullis::audit {

// What a name in `term` stands for; the first three as SearchTerm::Where.
// DO NOT CHANGE THESE ENUM VALUES: they are in every index.
enum class TermRole : int64_t { kSubject = 0, kTenant = 1, kTag = 2, kPolicy = 3 };

inline constexpr const char* kIndexSchema =
    "CREATE TABLE record(seq INTEGER PRIMARY KEY, wall_us INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " outcome INTEGER NOT NULL, parent INTEGER NOT NULL, segment INTEGER NOT NULL, place INTEGER NOT NULL);"
    "CREATE TABLE name(id INTEGER PRIMARY KEY, value BLOB NOT NULL UNIQUE);"
    "CREATE TABLE term(name INTEGER NOT NULL, role INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " PRIMARY KEY(name, role, seq)) WITHOUT ROWID;"
    "CREATE TABLE request(id BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(id, seq)) WITHOUT ROWID;"
    "CREATE TABLE segment(number INTEGER PRIMARY KEY, size INTEGER NOT NULL);"
    "CREATE TABLE meta(id TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX record_kind ON record(kind, outcome);"
    "CREATE INDEX record_parent ON record(parent) WHERE parent<>0;";

Error IndexError(sqlite3* db, const char* what);
Error IndexDamaged(const std::string& why);

class IndexStatement {
 public:
  IndexStatement() = default;
  ~IndexStatement() { sqlite3_finalize(raw_); }
  IndexStatement(const IndexStatement&) = delete;
  IndexStatement& operator=(const IndexStatement&) = delete;

  Result<void> Prepare(sqlite3* db, const std::string& sql);
  // Parameters from 1 on; bytes must live until the next Step().
  IndexStatement& Bind(int at, uint64_t number);
  IndexStatement& Bind(int at, std::span<const uint8_t> bytes);
  // True: there is a row. Runs a statement without rows to its end.
  Result<bool> Step();
  // Runs it once and makes it ready to be bound anew.
  Result<void> Run();
  void Reset();
  uint64_t Number(int column) const { return static_cast<uint64_t>(sqlite3_column_int64(raw_, column)); }
  std::string Bytes(int column) const;

 private:
  sqlite3* db_ = nullptr;
  sqlite3_stmt* raw_ = nullptr;
};

}  // namespace portcullis::audit
