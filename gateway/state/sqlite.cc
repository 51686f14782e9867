#include "gateway/state/sqlite.h"

namespace portcullis::gateway {
namespace {

constexpr int kBusyTimeoutMs = 2000;
constexpr int kMaxValueBytes = 1 << 20;

Error ToError(sqlite3* db, int code, const std::string& path) {
  const std::string where = "state database `" + path + "`";
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
      if (sqlite3_extended_errcode(db) == SQLITE_CONSTRAINT_FOREIGNKEY) {
        return {Code::kNotFound, "the tenant or principal that is referred to does not exist"};
      }
      return {Code::kConflict, "an entry of this name exists already"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Code::kState, where +
                                " is in use by another process: is the gateway running? "
                                "Use its admin socket instead of the file"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Code::kState, where + " is damaged (" + sqlite3_errstr(code) +
                                "): stop the gateway and restore the file from a backup"};
    case SQLITE_FULL:
      return {Code::kState, where + ": the disk is full"};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return {Code::kState, where + " cannot be written: check owner and mode of file and folder"};
    default:
      return {Code::kState, where + ": " + sqlite3_errstr(code)};
  }
}

}  // namespace

Statement& Statement::Bind(int index, int64_t value) {
  Note(sqlite3_bind_int64(statement_.get(), index, value));
  return *this;
}

Statement& Statement::Bind(int index, std::string_view value) {
  Note(sqlite3_bind_text64(statement_.get(), index, value.empty() ? "" : value.data(), value.size(),
                           SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::Bind(int index, std::span<const uint8_t> value) {
  Note(sqlite3_bind_blob64(statement_.get(), index, value.data(), value.size(), SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::BindNull(int index) {
  Note(sqlite3_bind_null(statement_.get(), index));
  return *this;
}

Result<bool> Statement::Step() {
  const int code = bind_error_ != SQLITE_OK ? bind_error_ : sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return ToError(db_, code, *path_);
}

Result<void> Statement::Run() {
  const Result<bool> row = Step();
  sqlite3_reset(statement_.get());
  bind_error_ = SQLITE_OK;
  if (!row) return row.error();
  return boost::outcome_v2::success();
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string Statement::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::span<const uint8_t> Statement::Blob(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  return {static_cast<const uint8_t*>(bytes),
          static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

Result<Database> Database::Open(const std::string& path) {
  sqlite3* raw = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &raw,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, nullptr);
  Database database(raw, path);
  if (code != SQLITE_OK) return ToError(raw, code, path);
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, kBusyTimeoutMs);
  sqlite3_limit(raw, SQLITE_LIMIT_LENGTH, kMaxValueBytes);
  sqlite3_limit(raw, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return database;
}

Result<void> Database::Execute(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return ToError(db_.get(), code, *path_);
  return boost::outcome_v2::success();
}

Result<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code =
      sqlite3_prepare_v2(db_.get(), sql.data(), static_cast<int>(sql.size()), &raw, nullptr);
  if (code != SQLITE_OK) return ToError(db_.get(), code, *path_);
  return Statement(db_.get(), raw, path_.get());
}

Result<std::string> Database::QueryText(std::string_view sql) {
  BOOST_OUTCOME_TRY(Statement statement, Prepare(sql));
  BOOST_OUTCOME_TRY(const bool row, statement.Step());
  return row ? statement.Text(0) : std::string();
}

Result<Transaction> Transaction::Begin(Database& db) {
  BOOST_OUTCOME_TRY(db.Execute("BEGIN IMMEDIATE"));
  return Transaction(db);
}

Transaction::~Transaction() {
  // A failed rollback leaves nothing to do: the next BEGIN reports what is wrong.
  if (db_ != nullptr) static_cast<void>(db_->Execute("ROLLBACK"));
}

Result<void> Transaction::Commit() {
  BOOST_OUTCOME_TRY(db_->Execute("COMMIT"));
  db_ = nullptr;
  return boost::outcome_v2::success();
}

}  // namespace portcullis::gateway
