#include "policy/revise/database.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "policy/revise/content.h"

namespace portcullis::policy::revise {
namespace {

constexpr int64_t kApplicationId = 0x50434c52;  // "PCLR"
constexpr int64_t kVersion = 1;
constexpr int kBusyTimeoutMs = 5000;

constexpr const char* kTables = R"sql(
BEGIN IMMEDIATE;
CREATE TABLE contents (
  hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
  document BLOB NOT NULL
) STRICT;
CREATE TABLE events (
  seq INTEGER PRIMARY KEY CHECK (seq > 0),
  document BLOB NOT NULL,
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  signature BLOB NOT NULL CHECK (length(signature) = 64)
) STRICT;
CREATE TRIGGER contents_stay BEFORE UPDATE ON contents BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER contents_remain BEFORE DELETE ON contents BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER events_stay BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER events_remain BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'append-only'); END;
PRAGMA application_id = 1346587730;
PRAGMA user_version = 1;
COMMIT;
)sql";

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using StatementPtr = std::unique_ptr<sqlite3_stmt, Finalize>;

StatementPtr Compile(sqlite3* db, std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &raw, nullptr);
  return StatementPtr(raw);
}

void Bind(sqlite3_stmt* statement, int index, std::string_view bytes) {
  sqlite3_bind_blob64(statement, index, bytes.data(), bytes.size(), SQLITE_STATIC);
}

std::string Blob(sqlite3_stmt* statement, int column) {
  const void* bytes = sqlite3_column_blob(statement, column);
  const int size = sqlite3_column_bytes(statement, column);
  return bytes == nullptr ? std::string()
                          : std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

// SQLite would create the file by the umask; policy is nobody else's business.
Result<void> CreateFile(const std::filesystem::path& file) {
  const int fd = open(file.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd >= 0) close(fd);
  if (fd >= 0 || errno == EEXIST) return boost::outcome_v2::success();
  return Error{Code::kStorage, file.string() + ": cannot be created: " + std::strerror(errno)};
}

}  // namespace

Error RevisionDatabase::Failed(int code) const {
  const std::string where = "revision store `" + name_ + "`";
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Code::kRevisionDamaged,
              where + " is damaged (" + sqlite3_errstr(code) + "): restore it from a backup"};
    case SQLITE_FULL:
      return {Code::kStorage, where + ": the disk is full"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Code::kStorage, where + " is held by another process; try again"};
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return {Code::kStorage, where + " cannot be opened or written: check owner and mode"};
    default:
      return {Code::kStorage, where + ": " + sqlite3_errstr(code)};
  }
}

Result<void> RevisionDatabase::Execute(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return Failed(code);
  return boost::outcome_v2::success();
}

Result<int64_t> RevisionDatabase::Number(const char* sql) {
  const StatementPtr statement = Compile(db_.get(), sql);
  if (!statement) return Failed(sqlite3_errcode(db_.get()));
  const int code = sqlite3_step(statement.get());
  if (code != SQLITE_ROW) return Failed(code);
  return sqlite3_column_int64(statement.get(), 0);
}

Result<RevisionDatabase> RevisionDatabase::Open(const std::filesystem::path& file, Mode mode) {
  if (mode == Mode::kReadWrite) {
    BOOST_OUTCOME_TRY(CreateFile(file));
  }
  sqlite3* raw = nullptr;
  const int flags = mode == Mode::kReadWrite ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  const int code = sqlite3_open_v2(file.c_str(), &raw,
                                   flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, nullptr);
  RevisionDatabase database(raw, file.string());
  if (code != SQLITE_OK) return database.Failed(code);
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_timeout(raw, kBusyTimeoutMs);
  sqlite3_limit(raw, SQLITE_LIMIT_LENGTH, static_cast<int>(kMaxContentBytes) + 4096);
  sqlite3_limit(raw, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  BOOST_OUTCOME_TRY(database.Prepare(mode));
  return database;
}

Result<void> RevisionDatabase::Prepare(Mode mode) {
  BOOST_OUTCOME_TRY(
      Execute("PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA;"
              "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;"));
  BOOST_OUTCOME_TRY(const int64_t objects, Number("SELECT count(*) FROM sqlite_schema"));
  BOOST_OUTCOME_TRY(const int64_t application, Number("PRAGMA application_id"));
  if (objects == 0 && application == 0 && mode == Mode::kReadWrite) return Execute(kTables);
  BOOST_OUTCOME_TRY(const int64_t version, Number("PRAGMA user_version"));
  if (application != kApplicationId) {
    return Error{Code::kStorage, "`" + name_ + "` is a file of another program: name another file"};
  }
  if (version != kVersion) {
    return Error{Code::kStorage, "revision store `" + name_ + "` has version " +
                                     std::to_string(version) + ", this program knows " +
                                     std::to_string(kVersion)};
  }
  const StatementPtr check = Compile(db_.get(), "PRAGMA quick_check(1)");
  if (!check || sqlite3_step(check.get()) != SQLITE_ROW || Blob(check.get(), 0) != "ok") {
    return Failed(SQLITE_CORRUPT);
  }
  return boost::outcome_v2::success();
}

Result<void> RevisionDatabase::ForEachEvent(const std::function<bool(const EventRow&)>& visit) {
  const StatementPtr rows =
      Compile(db_.get(), "SELECT seq, document, hash, signature FROM events ORDER BY seq");
  if (!rows) return Failed(sqlite3_errcode(db_.get()));
  int code = sqlite3_step(rows.get());
  for (; code == SQLITE_ROW; code = sqlite3_step(rows.get())) {
    const EventRow row{sqlite3_column_int64(rows.get(), 0), Blob(rows.get(), 1),
                       Blob(rows.get(), 2), Blob(rows.get(), 3)};
    if (!visit(row)) return boost::outcome_v2::success();
  }
  if (code != SQLITE_DONE) return Failed(code);
  return boost::outcome_v2::success();
}

Result<std::optional<std::string>> RevisionDatabase::FindContent(const Hash& hash) {
  const StatementPtr row = Compile(db_.get(), "SELECT document FROM contents WHERE hash = ?");
  if (!row) return Failed(sqlite3_errcode(db_.get()));
  Bind(row.get(), 1, AsText(hash));
  const int code = sqlite3_step(row.get());
  if (code == SQLITE_ROW) return std::optional<std::string>(Blob(row.get(), 0));
  if (code == SQLITE_DONE) return std::optional<std::string>();
  return Failed(code);
}

Result<void> RevisionDatabase::CheckHead(uint64_t seq, const Hash& head) {
  const StatementPtr row =
      Compile(db_.get(), "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1");
  if (!row) return Failed(sqlite3_errcode(db_.get()));
  const int code = sqlite3_step(row.get());
  if (code != SQLITE_ROW && code != SQLITE_DONE) return Failed(code);
  const uint64_t last =
      code == SQLITE_ROW ? static_cast<uint64_t>(sqlite3_column_int64(row.get(), 0)) : 0;
  if (last != seq || (seq > 0 && Blob(row.get(), 1) != AsText(head))) {
    return Error{Code::kStale,
                 "revision store `" + name_ + "` was changed by another process; load it again"};
  }
  return boost::outcome_v2::success();
}

Result<void> RevisionDatabase::Insert(std::span<const SealedEvent> events,
                                      const std::optional<NewContent>& content) {
  if (content) {
    const StatementPtr row = Compile(
        db_.get(), "INSERT INTO contents (hash, document) VALUES (?, ?) ON CONFLICT DO NOTHING");
    if (!row) return Failed(sqlite3_errcode(db_.get()));
    Bind(row.get(), 1, AsText(content->hash));
    Bind(row.get(), 2, content->document);
    const int code = sqlite3_step(row.get());
    if (code != SQLITE_DONE) return Failed(code);
  }
  for (const SealedEvent& sealed : events) {
    const StatementPtr row = Compile(
        db_.get(), "INSERT INTO events (seq, document, hash, signature) VALUES (?, ?, ?, ?)");
    if (!row) return Failed(sqlite3_errcode(db_.get()));
    const std::string document = Encode(sealed.event);
    sqlite3_bind_int64(row.get(), 1, static_cast<int64_t>(sealed.event.seq));
    Bind(row.get(), 2, document);
    Bind(row.get(), 3, AsText(sealed.hash));
    Bind(row.get(), 4,
         {reinterpret_cast<const char*>(sealed.signature.data()), sealed.signature.size()});
    const int code = sqlite3_step(row.get());
    if (code != SQLITE_DONE) return Failed(code);
  }
  return boost::outcome_v2::success();
}

Result<void> RevisionDatabase::Append(uint64_t seq, const Hash& head,
                                      std::span<const SealedEvent> events,
                                      const std::optional<NewContent>& content,
                                      const std::function<void()>& before_commit) {
  BOOST_OUTCOME_TRY(Execute("BEGIN IMMEDIATE"));
  Result<void> done = CheckHead(seq, head);
  if (done) done = Insert(events, content);
  if (done && before_commit) before_commit();
  if (done) done = Execute("COMMIT");
  // A failed rollback leaves nothing to do: the next BEGIN says what is wrong.
  if (!done) static_cast<void>(Execute("ROLLBACK"));
  return done;
}

}  // namespace portcullis::policy::revise
