#include "audit/keystore.h"

#include <sodium.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "audit/bytes.h"
#include "audit/seal.h"

namespace portcullis::audit {
namespace {

constexpr size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS subject_key(id BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS tag_key(id BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;"
    "PRAGMA user_version=1;";

struct Finalizer {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalizer>;

Error StoreError(sqlite3* db, const char* what) {
  const int code = sqlite3_errcode(db);
  return Error{code == SQLITE_FULL ? Code::kDiskLow : Code::kIo,
               std::string("key store: ") + what + ": " + sqlite3_errmsg(db)};
}

std::string AssociatedData(const char* table, std::string_view id) {
  return std::string("portcullis key store v1 ") + table + " " + std::string(id);
}

std::string EpochId(uint32_t epoch) {
  std::string id;
  ByteWriter(id).Put(epoch);
  return id;
}

}  // namespace

Result<std::unique_ptr<KeyStore>> KeyStore::Open(const std::filesystem::path& path,
                                                 certs::SecretBytes store_key, Mode mode) {
  int flags = SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX;
  flags |= mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (mode == Mode::kCreate) flags |= SQLITE_OPEN_CREATE;
  sqlite3* db = nullptr;
  const mode_t old_mask = ::umask(0077);
  const int opened = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  std::unique_ptr<KeyStore> store(new KeyStore(db, std::move(store_key)));
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
  return store;
}

KeyStore::~KeyStore() { sqlite3_close(db_); }

Result<void> KeyStore::Execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return StoreError(db_, "cannot run a statement");
  }
  return Ok();
}

Result<certs::SecretBytes> KeyStore::Load(const char* table, std::string_view id) {
  sqlite3_stmt* raw = nullptr;
  const std::string sql = std::string("SELECT sealed FROM ") + table + " WHERE id=?1";
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &raw, nullptr) != SQLITE_OK) {
    return StoreError(db_, "cannot read");
  }
  const Statement statement(raw);
  sqlite3_bind_blob(raw, 1, id.data(), static_cast<int>(id.size()), SQLITE_STATIC);
  const int step = sqlite3_step(raw);
  if (step == SQLITE_DONE) {
    return Error{Code::kNotFound, std::string("key store: no key in ") + table + " for this record"};
  }
  if (step != SQLITE_ROW) return StoreError(db_, "cannot read");
  const auto* sealed = static_cast<const uint8_t*>(sqlite3_column_blob(raw, 0));
  if (sqlite3_column_bytes(raw, 0) != static_cast<int>(kNonce + kKeySize + kTag)) {
    return Error{Code::kTampered, "key store: a row has a wrong size"};
  }
  certs::SecretBytes key(kKeySize);
  const std::string data = AssociatedData(table, id);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(key.data(), nullptr, nullptr, sealed + kNonce,
                                                 kKeySize + kTag, AsBytes(data).data(), data.size(),
                                                 sealed, store_key_.data()) != 0) {
    return Error{Code::kTampered, "key store: a row does not open under this store key"};
  }
  return key;
}

Result<certs::SecretBytes> KeyStore::Create(const char* table, std::string_view id) {
  if (!in_transaction_) {
    BOOST_OUTCOME_TRY(Execute("BEGIN IMMEDIATE"));
    in_transaction_ = true;
  }
  certs::SecretBytes key = certs::SecretBytes::Random(kKeySize);
  std::array<uint8_t, kNonce + kKeySize + kTag> sealed;
  randombytes_buf(sealed.data(), kNonce);
  const std::string data = AssociatedData(table, id);
  crypto_aead_xchacha20poly1305_ietf_encrypt(sealed.data() + kNonce, nullptr, key.data(), key.size(),
                                             AsBytes(data).data(), data.size(), nullptr, sealed.data(),
                                             store_key_.data());
  sqlite3_stmt* raw = nullptr;
  const std::string sql = std::string("INSERT INTO ") + table + "(id,sealed) VALUES(?1,?2)";
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &raw, nullptr) != SQLITE_OK) {
    return StoreError(db_, "cannot write");
  }
  const Statement statement(raw);
  sqlite3_bind_blob(raw, 1, id.data(), static_cast<int>(id.size()), SQLITE_STATIC);
  sqlite3_bind_blob(raw, 2, sealed.data(), static_cast<int>(sealed.size()), SQLITE_STATIC);
  if (sqlite3_step(raw) != SQLITE_DONE) return StoreError(db_, "cannot write");
  return key;
}

Result<certs::SecretBytes> KeyStore::SubjectKey(const Tag& subject) {
  return Load("subject_key", AsText(subject));
}

Result<certs::SecretBytes> KeyStore::SubjectKeyOrCreate(const Tag& subject) {
  auto key = Load("subject_key", AsText(subject));
  if (key || key.error().code != Code::kNotFound) return key;
  return Create("subject_key", AsText(subject));
}

Result<certs::SecretBytes> KeyStore::TagKey(uint32_t epoch) { return Load("tag_key", EpochId(epoch)); }

Result<certs::SecretBytes> KeyStore::TagKeyOrCreate(uint32_t epoch) {
  auto key = Load("tag_key", EpochId(epoch));
  if (key || key.error().code != Code::kNotFound) return key;
  return Create("tag_key", EpochId(epoch));
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
  sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace portcullis::audit
