#include "audit/keystore.h"

#include <sodium.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "audit/bytes.h"
#include "audit/file.h"
#include "audit/keystore_rows.h"
#include "audit/seal.h"

namespace portcullis::audit {
namespace {

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS bucket(id BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS subject_key(id BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS tag_key(id BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS hold(id BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS meta(id BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS erasing(id BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;"
    "PRAGMA user_version=3;";

constexpr int kVersion = 3;

struct Finalizer {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalizer>;

struct Resetter {
  void operator()(sqlite3_stmt* statement) const {
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
  }
};
using InUse = std::unique_ptr<sqlite3_stmt, Resetter>;

Error StoreError(sqlite3* db, const char* what) {
  const int code = sqlite3_errcode(db);
  return Error{code == SQLITE_FULL ? Code::kDiskLow : Code::kIo,
               std::string("key store: ") + what + ": " + sqlite3_errmsg(db)};
}

std::string Column(sqlite3_stmt* raw, int index) {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(raw, index));
  const int size = sqlite3_column_bytes(raw, index);
  return size == 0 ? std::string() : std::string(bytes, static_cast<size_t>(size));
}

// A SELECT over a table in order of its ids, or over those from `low` to `high`, which must outlive it.
Result<Statement> Select(sqlite3* db, const char* columns, const char* table, std::string_view low, std::string_view high) {
  sqlite3_stmt* raw = nullptr;
  const std::string sql = std::string("SELECT ") + columns + " FROM " + table +
                          (high.empty() ? "" : " WHERE id BETWEEN ?1 AND ?2") + " ORDER BY id";
  if (sqlite3_prepare_v2(db, sql.c_str(), -1, &raw, nullptr) != SQLITE_OK) return StoreError(db, "cannot read");
  Statement statement(raw);
  if (high.empty()) return statement;
  sqlite3_bind_blob(raw, 1, low.data(), static_cast<int>(low.size()), SQLITE_STATIC);
  sqlite3_bind_blob(raw, 2, high.data(), static_cast<int>(high.size()), SQLITE_STATIC);
  return statement;
}

}  // namespace

KeyStore::KeyStore(sqlite3* db, certs::SecretBytes root_key, std::filesystem::path salt_path)
    : db_(db), salt_path_(std::move(salt_path)), root_key_(std::move(root_key)), buckets_(kBuckets * kKeySize) {}

Result<std::unique_ptr<KeyStore>> KeyStore::Open(const std::filesystem::path& path,
                                                 certs::SecretBytes root_key, Mode mode) {
  int flags = SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX;
  flags |= mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (mode == Mode::kCreate) flags |= SQLITE_OPEN_CREATE;
  sqlite3* db = nullptr;
  const mode_t old_mask = ::umask(0077);
  const int opened = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  std::unique_ptr<KeyStore> store(
      new KeyStore(db, std::move(root_key), path.parent_path() / "store.salt"));
  ::umask(old_mask);
  if (opened != SQLITE_OK) {
    return Error{Code::kKeys, "key store `" + path.string() + "`: " + sqlite3_errmsg(db)};
  }
  sqlite3_busy_timeout(db, 2000);
  if (mode != Mode::kReadOnly) {
    BOOST_OUTCOME_TRY(store->Execute(
        "PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA; PRAGMA secure_delete=ON;"
        "PRAGMA temp_store=MEMORY;"));
  }
  if (mode == Mode::kCreate) {
    BOOST_OUTCOME_TRY(store->Execute(kSchema));
  }
  BOOST_OUTCOME_TRY(store->CheckVersion());
  BOOST_OUTCOME_TRY(store->LoadSalt(mode == Mode::kCreate));
  if (mode == Mode::kCreate) {
    BOOST_OUTCOME_TRY(store->Begin());
    BOOST_OUTCOME_TRY(store->Insert(
        "meta", kGenerationId,
        SealRow("meta", kGenerationId, AsBytes(NumberId(uint64_t{1})), store->store_key_.bytes())));
    BOOST_OUTCOME_TRY(store->Commit());
  }
  BOOST_OUTCOME_TRY(store->LoadGeneration());
  return store;
}

KeyStore::~KeyStore() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

Result<sqlite3_stmt*> KeyStore::Prepared(const std::string& sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr && sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
    return StoreError(db_, "cannot prepare a statement");
  }
  return statement;
}

Result<void> KeyStore::CheckVersion() {
  const auto prepared = Prepared("PRAGMA user_version");
  const InUse statement(prepared ? prepared.value() : nullptr);
  if (!prepared || sqlite3_step(statement.get()) != SQLITE_ROW) {
    return Error{Code::kBadFormat, "key store: not of version 3 of the format (" + std::string(sqlite3_errmsg(db_)) + ")"};
  }
  const int version = sqlite3_column_int(statement.get(), 0);
  if (version == kVersion) return Ok();
  return Error{Code::kBadFormat, "key store: of version " + std::to_string(version) + " of the format (this program reads version 3)"};
}

Result<void> KeyStore::LoadSalt(bool create) {
  if (create) {
    const certs::SecretBytes salt = certs::SecretBytes::Random(kSaltSize);
    BOOST_OUTCOME_TRY(ReplaceFile(salt_path_, AsText(salt.bytes()), true));
  }
  BOOST_OUTCOME_TRY(const std::string salt, ReadFile(salt_path_, kSaltSize));
  if (salt.size() != kSaltSize) return KeyStoreTampered("store.salt has a wrong size");
  store_key_ = DeriveStoreKey(root_key_, salt);
  return Ok();
}

Result<void> KeyStore::LoadGeneration() {
  auto row = Load("meta", kGenerationId);
  if (!row && row.error().code == Code::kTampered) {
    // A Rekey may have been cut off between its transaction and the rename.
    std::filesystem::path next = salt_path_;
    next += ".next";
    const auto salt = ReadFile(next, kSaltSize);
    if (!salt || salt.value().size() != kSaltSize) return row.error();
    store_key_ = DeriveStoreKey(root_key_, salt.value());
    row = Load("meta", kGenerationId);
    // Only the writer repairs: beside a working auditd the rename would be taken from under it.
    const bool repairs = row && sqlite3_db_readonly(db_, "main") == 0;
    if (repairs) (void)OverwriteFile(salt_path_, kSaltSize);  // as Rekey does: as far as the file system lets one
    if (repairs && ::rename(next.c_str(), salt_path_.c_str()) != 0) {
      return ErrnoError("cannot replace", salt_path_, errno);
    }
  }
  if (!row) return row.error();
  ByteReader in(AsText(row.value().bytes()));
  generation_ = in.Get<uint64_t>();
  if (!in.Finished()) return KeyStoreTampered("the generation has a wrong size");
  return Ok();
}

Result<void> KeyStore::Execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return StoreError(db_, "cannot run a statement");
  }
  return Ok();
}

Result<void> KeyStore::Begin() {
  // A full disk takes back the whole transaction by itself; what it held must not be taken for written.
  if (in_transaction_ && sqlite3_get_autocommit(db_) != 0) {
    return Error{Code::kIo, "key store: a write that failed took its transaction back"};
  }
  if (in_transaction_) return Ok();
  BOOST_OUTCOME_TRY(Execute("BEGIN IMMEDIATE"));
  in_transaction_ = true;
  return Ok();
}

Result<certs::SecretBytes> KeyStore::Load(const char* table, std::string_view id) {
  BOOST_OUTCOME_TRY(sqlite3_stmt* const raw, Prepared(std::string("SELECT sealed FROM ") + table + " WHERE id=?1"));
  const InUse statement(raw);
  sqlite3_bind_blob(raw, 1, id.data(), static_cast<int>(id.size()), SQLITE_STATIC);
  const int step = sqlite3_step(raw);
  if (step == SQLITE_DONE) {
    return Error{Code::kNotFound, std::string("key store: no key in ") + table + " for this record"};
  }
  if (step != SQLITE_ROW) return StoreError(db_, "cannot read");
  const std::string_view sealed(static_cast<const char*>(sqlite3_column_blob(raw, 0)),
                                static_cast<size_t>(sqlite3_column_bytes(raw, 0)));
  if (std::string_view(table) != kSubjectKeyTable) return OpenRow(table, id, sealed, store_key_.bytes());
  BOOST_OUTCOME_TRY(const auto key, BucketKey(static_cast<uint8_t>(id.front()), false));
  return OpenRow(table, id, sealed, key);
}

Result<void> KeyStore::Insert(const char* table, std::string_view id, std::string_view sealed) {
  BOOST_OUTCOME_TRY(Begin());
  BOOST_OUTCOME_TRY(sqlite3_stmt* const raw,
                    Prepared(std::string("INSERT OR REPLACE INTO ") + table + "(id,sealed) VALUES(?1,?2)"));
  const InUse statement(raw);
  sqlite3_bind_blob(raw, 1, id.data(), static_cast<int>(id.size()), SQLITE_STATIC);
  sqlite3_bind_blob(raw, 2, sealed.empty() ? "" : sealed.data(), static_cast<int>(sealed.size()), SQLITE_STATIC);
  if (sqlite3_step(raw) != SQLITE_DONE) return StoreError(db_, "cannot write");
  return Ok();
}

Result<void> KeyStore::Delete(const char* table, std::string_view id) {
  BOOST_OUTCOME_TRY(Begin());
  BOOST_OUTCOME_TRY(sqlite3_stmt* const raw, Prepared(std::string("DELETE FROM ") + table + " WHERE id=?1"));
  const InUse statement(raw);
  sqlite3_bind_blob(raw, 1, id.data(), static_cast<int>(id.size()), SQLITE_STATIC);
  if (sqlite3_step(raw) != SQLITE_DONE) return StoreError(db_, "cannot delete");
  return Ok();
}

Result<KeyStore::RowList> KeyStore::Rows(const char* table, std::string_view low, std::string_view high) {
  BOOST_OUTCOME_TRY(const Statement statement, Select(db_, "id,sealed", table, low, high));
  RowList rows;
  int step;
  while ((step = sqlite3_step(statement.get())) == SQLITE_ROW) {
    rows.emplace_back(Column(statement.get(), 0), Column(statement.get(), 1));
  }
  if (step != SQLITE_DONE) return StoreError(db_, "cannot read");
  return rows;
}

Result<std::vector<std::string>> KeyStore::Ids(const char* table, std::string_view low, std::string_view high) {
  BOOST_OUTCOME_TRY(const Statement statement, Select(db_, "id", table, low, high));
  std::vector<std::string> ids;
  int step;
  while ((step = sqlite3_step(statement.get())) == SQLITE_ROW) ids.push_back(Column(statement.get(), 0));
  if (step != SQLITE_DONE) return StoreError(db_, "cannot read");
  return ids;
}

// One statement and one buffer for all rows: appends wait for this.
Result<void> KeyStore::Reseal(const char* table, const RowList& rows, std::span<const uint8_t> old_key,
                              std::span<const uint8_t> new_key) {
  sqlite3_stmt* raw = nullptr;
  const std::string sql = std::string("UPDATE ") + table + " SET sealed=?2 WHERE id=?1";
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &raw, nullptr) != SQLITE_OK) return StoreError(db_, "cannot write");
  const Statement statement(raw);
  certs::SecretBytes plain;
  for (const auto& [id, sealed] : rows) {
    if (plain.size() < sealed.size()) plain = certs::SecretBytes(sealed.size());
    BOOST_OUTCOME_TRY(const size_t size, OpenRowInto(table, id, sealed, old_key, plain));
    const std::string fresh = SealRow(table, id, plain.bytes().first(size), new_key);
    sqlite3_bind_blob(raw, 1, id.data(), static_cast<int>(id.size()), SQLITE_STATIC);
    sqlite3_bind_blob(raw, 2, fresh.data(), static_cast<int>(fresh.size()), SQLITE_STATIC);
    if (sqlite3_step(raw) != SQLITE_DONE) return StoreError(db_, "cannot write");
    sqlite3_reset(raw);
  }
  return Ok();
}

Result<std::span<const uint8_t>> KeyStore::BucketKey(uint8_t bucket, bool create) {
  if (known_buckets_[bucket]) return BucketSlot(bucket);
  const std::string id(1, static_cast<char>(bucket));
  auto key = Load("bucket", id);
  if (!key && (!create || key.error().code != Code::kNotFound)) return key.error();
  if (!key) {
    key = certs::SecretBytes::Random(kKeySize);
    BOOST_OUTCOME_TRY(Insert("bucket", id, SealRow("bucket", id, key.value().bytes(), store_key_.bytes())));
  }
  if (key.value().size() != kKeySize) return KeyStoreTampered("the key of a bucket has a wrong size");
  std::copy_n(key.value().data(), kKeySize, BucketSlot(bucket).begin());
  known_buckets_.set(bucket);
  return BucketSlot(bucket);
}

Result<certs::SecretBytes> KeyStore::Create(const char* table, std::string_view id) {
  certs::SecretBytes key = certs::SecretBytes::Random(kKeySize);
  BOOST_OUTCOME_TRY(Insert(table, id, SealRow(table, id, key.bytes(), store_key_.bytes())));
  return key;
}

Result<SubjectKey> KeyStore::KeyOf(const SubjectKeyId& id) {
  BOOST_OUTCOME_TRY(certs::SecretBytes encoded, Load(kSubjectKeyTable, EncodeKeyId(id)));
  return SubjectKey::Decode(std::move(encoded));
}

Result<SubjectKey> KeyStore::SubjectKeyOrCreate(const SubjectKeyId& id) {
  auto key = KeyOf(id);
  if (key || key.error().code != Code::kNotFound) return key;
  SubjectKey fresh = SubjectKey::Random();
  BOOST_OUTCOME_TRY(PutSubjectKey(id, fresh));
  return fresh;
}

Result<void> KeyStore::PutSubjectKey(const SubjectKeyId& id, const SubjectKey& key) {
  const std::string row = EncodeKeyId(id);
  BOOST_OUTCOME_TRY(const auto bucket, BucketKey(static_cast<uint8_t>(row.front()), true));
  return Insert(kSubjectKeyTable, row, SealRow(kSubjectKeyTable, row, key.encoded().bytes(), bucket));
}

Result<certs::SecretBytes> KeyStore::TagKey(uint32_t epoch) { return Load("tag_key", NumberId(epoch)); }

Result<certs::SecretBytes> KeyStore::TagKeyOrCreate(uint32_t epoch) {
  auto key = Load("tag_key", NumberId(epoch));
  if (key || key.error().code != Code::kNotFound) return key;
  return Create("tag_key", NumberId(epoch));
}

Result<std::vector<uint32_t>> KeyStore::Epochs() {
  BOOST_OUTCOME_TRY(const auto ids, Ids("tag_key", {}, {}));
  std::vector<uint32_t> epochs;
  for (const std::string& id : ids) epochs.push_back(ByteReader(id).Get<uint32_t>());
  return epochs;
}

Result<std::vector<SubjectKeyId>> KeyStore::SubjectKeys() {
  BOOST_OUTCOME_TRY(const auto ids, Ids(kSubjectKeyTable, {}, {}));
  std::vector<SubjectKeyId> keys;
  for (const std::string& id : ids) {
    BOOST_OUTCOME_TRY(const SubjectKeyId key, ParseKeyId(id));
    keys.push_back(key);
  }
  return keys;
}

Result<std::vector<SubjectKeyId>> KeyStore::SubjectKeysOf(const std::vector<Tag>& subjects) {
  std::vector<SubjectKeyId> keys;
  for (const Tag& subject : subjects) {
    BOOST_OUTCOME_TRY(const auto ids, Ids(kSubjectKeyTable, EncodeKeyId({subject, 0, 0}),
                                          EncodeKeyId({subject, UINT16_MAX, UINT16_MAX})));
    for (const std::string& id : ids) {
      BOOST_OUTCOME_TRY(const SubjectKeyId key, ParseKeyId(id));
      keys.push_back(key);
    }
  }
  return keys;
}

Result<void> KeyStore::Commit() {
  if (!in_transaction_) return Ok();
  if (auto done = Execute("COMMIT"); !done) {
    Rollback();
    return done;
  }
  in_transaction_ = false;
  return Ok();
}

void KeyStore::Rollback() {
  if (!in_transaction_) return;
  in_transaction_ = false;
  known_buckets_.reset();  // one of them may have been new
  touched_.reset();
  sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace portcullis::audit
