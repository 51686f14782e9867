#include "audit/index_rows.h"

namespace portcullis::audit {

Error IndexDamaged(const std::string& why) { return Error{Code::kTampered, "search index: " + why}; }

Error IndexError(sqlite3* db, const char* what) {
  const int code = sqlite3_errcode(db);
  const Code ours = code == SQLITE_FULL                                ? Code::kDiskLow
                    : code == SQLITE_READONLY || code == SQLITE_PERM ? Code::kPermission
                    : code == SQLITE_IOERR || code == SQLITE_CANTOPEN  ? Code::kIo
                                                                       : Code::kTampered;
  return Error{ours, std::string("search index: ") + what + ": " + sqlite3_errmsg(db)};
}

Result<void> IndexStatement::Prepare(sqlite3* db, const std::string& sql) {
  db_ = db;
  if (sqlite3_prepare_v2(db, sql.c_str(), -1, &raw_, nullptr) != SQLITE_OK) return IndexError(db, "cannot prepare");
  return Ok();
}

IndexStatement& IndexStatement::Bind(int at, uint64_t number) {
  sqlite3_bind_int64(raw_, at, static_cast<sqlite3_int64>(number));
  return *this;
}

IndexStatement& IndexStatement::Bind(int at, std::span<const uint8_t> bytes) {
  sqlite3_bind_blob(raw_, at, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
  return *this;
}

Result<bool> IndexStatement::Step() {
  const int step = sqlite3_step(raw_);
  if (step == SQLITE_ROW) return true;
  if (step == SQLITE_DONE) return false;
  return IndexError(db_, "cannot run a statement");
}

Result<void> IndexStatement::Run() {
  const auto step = Step();
  Reset();
  if (!step) return step.error();
  return Ok();
}

void IndexStatement::Reset() {
  sqlite3_reset(raw_);
  sqlite3_clear_bindings(raw_);
}

std::string IndexStatement::Bytes(int column) const {
  const void* bytes = sqlite3_column_blob(raw_, column);
  const int size = sqlite3_column_bytes(raw_, column);
  return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

}  // namespace portcullis::audit
