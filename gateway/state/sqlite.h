// A thin hand on SQLite's C interface: a connection and a prepared statement that clean up after
// themselves and turn SQLite's codes into Errors. Values reach a statement only by Bind; SQL text
// is always a literal of ours. Used by one thread at a time; opened without SQLite's own mutexes.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/error.h"

namespace portcullis::gateway {

class Statement {
 public:
  // Parameters are numbered from 1, columns from 0, as in SQLite.
  Statement& Bind(int index, int64_t value);
  Statement& Bind(int index, std::string_view value);
  Statement& Bind(int index, std::span<const uint8_t> value);
  Statement& BindNull(int index);

  // True when there is a row.
  Result<bool> Step();

  // For statements without rows: runs to the end and makes the statement ready for another round.
  Result<void> Run();

  int64_t Int(int column) const;
  std::string Text(int column) const;
  std::span<const uint8_t> Blob(int column) const;  // until the next Step

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
  };

  Statement(sqlite3* db, sqlite3_stmt* statement, const std::string* path)
      : db_(db), statement_(statement), path_(path) {}
  void Note(int code) {
    if (code != SQLITE_OK) bind_error_ = code;
  }

  sqlite3* db_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  const std::string* path_;
  int bind_error_ = SQLITE_OK;
};

class Database {
 public:
  // The file must exist.
  static Result<Database> Open(const std::string& path);

  // One or more statements without parameters and rows.
  Result<void> Execute(const char* sql);
  Result<Statement> Prepare(std::string_view sql);

  // The first column of the first row.
  Result<std::string> QueryText(std::string_view sql);

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };

  Database(sqlite3* db, std::string path)
      : db_(db), path_(std::make_unique<const std::string>(std::move(path))) {}

  std::unique_ptr<sqlite3, Close> db_;
  std::unique_ptr<const std::string> path_;  // stable address: statements point to it
};

// BEGIN IMMEDIATE … COMMIT; rolls back unless committed. The database must outlive it.
class Transaction {
 public:
  static Result<Transaction> Begin(Database& db);
  Transaction(Transaction&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  Result<void> Commit();

 private:
  explicit Transaction(Database& db) : db_(&db) {}

  Database* db_;
};

}  // namespace portcullis::gateway
