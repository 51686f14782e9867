// Crash safety of Rekey: the new salt is written beside the old one (store.salt.next), then one SQLite
// transaction replaces every row and the generation, then the new salt is renamed over the old. A start
// that finds store.salt.next decides by the generation's row which of the two salts opens the store.

#include "audit/keystore.h"

#include <sodium.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "audit/bytes.h"
#include "audit/file.h"
#include "audit/seal.h"

namespace portcullis::audit {
namespace {

constexpr size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr size_t kSaltSize = 32;
constexpr int kSchemaVersion = 2;
constexpr size_t kMaxSealed = 16 << 10;
constexpr const char* kTables[] = {"subject_key", "tag_key", "hold", "meta"};

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS subject_key(id BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS tag_key(id BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS hold(id BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS meta(id BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS erasing(id BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;"
    "PRAGMA user_version=2;";

struct Finalizer {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalizer>;

Error StoreError(sqlite3* db, const char* what) {
  const int code = sqlite3_errcode(db);
  return Error{code == SQLITE_FULL ? Code::kDiskLow : Code::kIo,
               std::string("key store: ") + what + ": " + sqlite3_errmsg(db)};
}

Error Tampered(const char* why) { return Error{Code::kTampered, std::string("key store: ") + why}; }

std::string AssociatedData(const char* table, std::string_view id) {
  return std::string("portcullis key store v2 ") + table + " " + std::string(id);
}

template <std::unsigned_integral T>
std::string NumberId(T number) {
  std::string id;
  ByteWriter(id).Put(number);
  return id;
}

std::string KeyId(const SubjectKeyId& key) {
  std::string id;
  ByteWriter out(id);
  out.PutBytes(key.subject);
  out.Put(key.retention);
  out.Put(key.period);
  return id;
}

Result<SubjectKeyId> ParseKeyId(std::string_view id) {
  ByteReader in(id);
  SubjectKeyId key;
  key.subject = in.GetArray<16>();
  key.retention = in.Get<uint16_t>();
  key.period = in.Get<uint16_t>();
  if (!in.Finished()) return Tampered("the id of a row has a wrong size");
  return key;
}

certs::SecretBytes DeriveStoreKey(const certs::SecretBytes& root, std::string_view salt) {
  certs::SecretBytes key(kKeySize);
  const std::string input = "portcullis store key v2" + std::string(salt);
  crypto_generichash(key.data(), key.size(), AsBytes(input).data(), input.size(), root.data(), root.size());
  return key;
}

std::string SealRow(const char* table, std::string_view id, std::span<const uint8_t> plain,
                    const certs::SecretBytes& key) {
  std::string sealed(kNonce + plain.size() + kTag, '\0');
  auto* out = reinterpret_cast<uint8_t*>(sealed.data());
  randombytes_buf(out, kNonce);
  const std::string data = AssociatedData(table, id);
  crypto_aead_xchacha20poly1305_ietf_encrypt(out + kNonce, nullptr, plain.data(), plain.size(),
                                             AsBytes(data).data(), data.size(), nullptr, out, key.data());
  return sealed;
}

Result<certs::SecretBytes> OpenRow(const char* table, std::string_view id, std::string_view sealed,
                                   const certs::SecretBytes& key) {
  if (sealed.size() < kNonce + kTag || sealed.size() > kMaxSealed) return Tampered("a row has a wrong size");
  certs::SecretBytes plain(sealed.size() - kNonce - kTag);
  const std::string data = AssociatedData(table, id);
  const uint8_t* in = AsBytes(sealed).data();
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain.data(), nullptr, nullptr, in + kNonce,
                                                 sealed.size() - kNonce, AsBytes(data).data(), data.size(),
                                                 in, key.data()) != 0) {
    return Tampered("a row does not open under this store key");
  }
  return plain;
}

constexpr std::string_view kGenerationId = "generation";

}  // namespace

KeyStore::KeyStore(sqlite3* db, certs::SecretBytes root_key, std::filesystem::path salt_path)
    : db_(db), salt_path_(std::move(salt_path)), root_key_(std::move(root_key)) {}

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
  BOOST_OUTCOME_TRY(store->LoadSalt(mode == Mode::kCreate));
  if (mode == Mode::kCreate) {
    BOOST_OUTCOME_TRY(store->Begin());
    BOOST_OUTCOME_TRY(store->Insert(
        "meta", kGenerationId,
        SealRow("meta", kGenerationId, AsBytes(NumberId(uint64_t{1})), store->store_key_)));
    BOOST_OUTCOME_TRY(store->Commit());
  }
  BOOST_OUTCOME_TRY(store->LoadGeneration());
  return store;
}

KeyStore::~KeyStore() { sqlite3_close(db_); }

Result<void> KeyStore::LoadSalt(bool create) {
  if (create) {
    const certs::SecretBytes salt = certs::SecretBytes::Random(kSaltSize);
    BOOST_OUTCOME_TRY(ReplaceFile(salt_path_, AsText(salt.bytes()), true));
  }
  BOOST_OUTCOME_TRY(const std::string salt, ReadFile(salt_path_, kSaltSize));
  if (salt.size() != kSaltSize) return Tampered("store.salt has a wrong size");
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
    if (row && ::rename(next.c_str(), salt_path_.c_str()) != 0) {
      return ErrnoError("cannot replace", salt_path_, errno);
    }
  }
  if (!row) {
    if (row.error().code == Code::kIo) {
      return Error{Code::kBadFormat, "key store: not of version 2 of the format (" + row.error().message + ")"};
    }
    return row.error();
  }
  ByteReader in(AsText(row.value().bytes()));
  generation_ = in.Get<uint64_t>();
  if (!in.Finished()) return Tampered("the generation has a wrong size");
  return Ok();
}

Result<void> KeyStore::Execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return StoreError(db_, "cannot run a statement");
  }
  return Ok();
}

Result<void> KeyStore::Begin() {
  if (in_transaction_) return Ok();
  BOOST_OUTCOME_TRY(Execute("BEGIN IMMEDIATE"));
  in_transaction_ = true;
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
  const std::string_view sealed(static_cast<const char*>(sqlite3_column_blob(raw, 0)),
                                static_cast<size_t>(sqlite3_column_bytes(raw, 0)));
  return OpenRow(table, id, sealed, store_key_);
}

Result<void> KeyStore::Insert(const char* table, std::string_view id, std::string_view sealed) {
  BOOST_OUTCOME_TRY(Begin());
  sqlite3_stmt* raw = nullptr;
  const std::string sql = std::string("INSERT OR REPLACE INTO ") + table + "(id,sealed) VALUES(?1,?2)";
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &raw, nullptr) != SQLITE_OK) {
    return StoreError(db_, "cannot write");
  }
  const Statement statement(raw);
  sqlite3_bind_blob(raw, 1, id.data(), static_cast<int>(id.size()), SQLITE_STATIC);
  sqlite3_bind_blob(raw, 2, sealed.empty() ? "" : sealed.data(), static_cast<int>(sealed.size()), SQLITE_STATIC);
  if (sqlite3_step(raw) != SQLITE_DONE) return StoreError(db_, "cannot write");
  return Ok();
}

Result<void> KeyStore::Delete(const char* table, std::string_view id) {
  BOOST_OUTCOME_TRY(Begin());
  sqlite3_stmt* raw = nullptr;
  const std::string sql = std::string("DELETE FROM ") + table + " WHERE id=?1";
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &raw, nullptr) != SQLITE_OK) {
    return StoreError(db_, "cannot delete");
  }
  const Statement statement(raw);
  sqlite3_bind_blob(raw, 1, id.data(), static_cast<int>(id.size()), SQLITE_STATIC);
  if (sqlite3_step(raw) != SQLITE_DONE) return StoreError(db_, "cannot delete");
  return Ok();
}

Result<std::vector<std::pair<std::string, std::string>>> KeyStore::Rows(const char* table) {
  sqlite3_stmt* raw = nullptr;
  const std::string sql = std::string("SELECT id,sealed FROM ") + table + " ORDER BY id";
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &raw, nullptr) != SQLITE_OK) {
    return StoreError(db_, "cannot read");
  }
  const Statement statement(raw);
  const auto column = [raw](int index) {
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(raw, index));
    const int size = sqlite3_column_bytes(raw, index);
    return size == 0 ? std::string() : std::string(bytes, static_cast<size_t>(size));
  };
  std::vector<std::pair<std::string, std::string>> rows;
  int step;
  while ((step = sqlite3_step(raw)) == SQLITE_ROW) rows.emplace_back(column(0), column(1));
  if (step != SQLITE_DONE) return StoreError(db_, "cannot read");
  return rows;
}

Result<certs::SecretBytes> KeyStore::Create(const char* table, std::string_view id) {
  certs::SecretBytes key = certs::SecretBytes::Random(kKeySize);
  BOOST_OUTCOME_TRY(Insert(table, id, SealRow(table, id, key.bytes(), store_key_)));
  return key;
}

Result<certs::SecretBytes> KeyStore::SubjectKey(const SubjectKeyId& id) {
  return Load("subject_key", KeyId(id));
}

Result<certs::SecretBytes> KeyStore::SubjectKeyOrCreate(const SubjectKeyId& id) {
  auto key = Load("subject_key", KeyId(id));
  if (key || key.error().code != Code::kNotFound) return key;
  return Create("subject_key", KeyId(id));
}

Result<certs::SecretBytes> KeyStore::TagKey(uint32_t epoch) { return Load("tag_key", NumberId(epoch)); }

Result<certs::SecretBytes> KeyStore::TagKeyOrCreate(uint32_t epoch) {
  auto key = Load("tag_key", NumberId(epoch));
  if (key || key.error().code != Code::kNotFound) return key;
  return Create("tag_key", NumberId(epoch));
}

Result<std::vector<uint32_t>> KeyStore::Epochs() {
  BOOST_OUTCOME_TRY(const auto rows, Rows("tag_key"));
  std::vector<uint32_t> epochs;
  for (const auto& [id, sealed] : rows) epochs.push_back(ByteReader(id).Get<uint32_t>());
  return epochs;
}

Result<std::vector<SubjectKeyId>> KeyStore::SubjectKeys() {
  BOOST_OUTCOME_TRY(const auto rows, Rows("subject_key"));
  std::vector<SubjectKeyId> keys;
  for (const auto& [id, sealed] : rows) {
    BOOST_OUTCOME_TRY(const SubjectKeyId key, ParseKeyId(id));
    keys.push_back(key);
  }
  return keys;
}

Result<void> KeyStore::DeleteSubjectKey(const SubjectKeyId& id) { return Delete("subject_key", KeyId(id)); }

Result<uint64_t> KeyStore::AddHold(const std::string& subject, const std::string& reason, uint64_t since_us) {
  BOOST_OUTCOME_TRY(const auto holds, Holds());
  const uint64_t number = holds.empty() ? 1 : holds.back().number + 1;
  std::string plain;
  ByteWriter out(plain);
  out.Put(since_us);
  out.PutSized<uint16_t>(subject);
  out.PutSized<uint16_t>(reason);
  const std::string id = NumberId(number);
  BOOST_OUTCOME_TRY(Insert("hold", id, SealRow("hold", id, AsBytes(plain), store_key_)));
  return number;
}

Result<void> KeyStore::RemoveHold(uint64_t number) {
  BOOST_OUTCOME_TRY(Load("hold", NumberId(number)));
  return Delete("hold", NumberId(number));
}

Result<std::vector<Hold>> KeyStore::Holds() {
  BOOST_OUTCOME_TRY(const auto rows, Rows("hold"));
  std::vector<Hold> holds;
  for (const auto& [id, sealed] : rows) {
    BOOST_OUTCOME_TRY(const certs::SecretBytes plain, OpenRow("hold", id, sealed, store_key_));
    ByteReader in(AsText(plain.bytes()));
    Hold& hold = holds.emplace_back();
    hold.number = ByteReader(id).Get<uint64_t>();
    hold.since_us = in.Get<uint64_t>();
    hold.subject = in.GetSized<uint16_t>(kMaxSealed);
    hold.reason = in.GetSized<uint16_t>(kMaxSealed);
    if (!in.Finished()) return Tampered("a hold is malformed");
  }
  return holds;
}

Result<void> KeyStore::AddPendingErasure(const SubjectKeyId& key, uint64_t end_segment) {
  return Insert("erasing", KeyId(key) + NumberId(end_segment), {});
}

Result<std::map<uint64_t, std::set<SubjectKeyId>>> KeyStore::PendingErasures() {
  BOOST_OUTCOME_TRY(const auto rows, Rows("erasing"));
  std::map<uint64_t, std::set<SubjectKeyId>> pending;
  for (const auto& [id, none] : rows) {
    if (id.size() != 28) return Tampered("a pending erasure is malformed");
    BOOST_OUTCOME_TRY(const SubjectKeyId key, ParseKeyId(std::string_view(id).substr(0, 20)));
    pending[ByteReader(std::string_view(id).substr(20)).Get<uint64_t>()].insert(key);
  }
  return pending;
}

Result<void> KeyStore::ClearPendingErasures() {
  BOOST_OUTCOME_TRY(Begin());
  return Execute("DELETE FROM erasing");
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

Result<void> KeyStore::Reseal(const char* table, const certs::SecretBytes& next) {
  BOOST_OUTCOME_TRY(const auto rows, Rows(table));
  for (const auto& [id, sealed] : rows) {
    BOOST_OUTCOME_TRY(const certs::SecretBytes plain, OpenRow(table, id, sealed, store_key_));
    BOOST_OUTCOME_TRY(Insert(table, id, SealRow(table, id, plain.bytes(), next)));
  }
  return Ok();
}

Result<void> KeyStore::Rekey(const certs::SecretBytes* new_root) {
  const certs::SecretBytes salt = certs::SecretBytes::Random(kSaltSize);
  std::filesystem::path next_path = salt_path_;
  next_path += ".next";
  BOOST_OUTCOME_TRY(ReplaceFile(next_path, AsText(salt.bytes()), true));
  certs::SecretBytes next = DeriveStoreKey(new_root != nullptr ? *new_root : root_key_, AsText(salt.bytes()));
  const auto replace = [&]() -> Result<void> {
    BOOST_OUTCOME_TRY(Begin());
    for (const char* table : kTables) {
      BOOST_OUTCOME_TRY(Reseal(table, next));
    }
    const std::string grown = NumberId(generation_ + 1);
    BOOST_OUTCOME_TRY(Insert("meta", kGenerationId, SealRow("meta", kGenerationId, AsBytes(grown), next)));
    return Commit();
  };
  if (auto done = replace(); !done) {
    Rollback();
    return done;
  }
  store_key_ = std::move(next);
  if (new_root != nullptr) root_key_ = certs::SecretBytes::CopyOf(new_root->bytes());
  ++generation_;
  // The old salt goes with its blocks overwritten, as far as the file system lets one.
  (void)OverwriteFile(salt_path_, kSaltSize);
  if (::rename(next_path.c_str(), salt_path_.c_str()) != 0) {
    return ErrnoError("cannot replace", salt_path_, errno);
  }
  BOOST_OUTCOME_TRY(SyncFolder(salt_path_.parent_path()));
  return Execute("VACUUM");
}

}  // namespace portcullis::audit
