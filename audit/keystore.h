// The key store: subject keys and yearly tag keys, each encrypted under K_store, in SQLite (journal
// DELETE, synchronous EXTRA, secure_delete on, one connection). New keys open a transaction that
// Commit() makes durable; a record sealed under a new key must not reach the log before that.
// KEY STORE in FORMAT.md. One thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "audit/error.h"
#include "audit/event.h"
#include "certs/secret.h"

struct sqlite3;

namespace portcullis::audit {

class KeyStore {
 public:
  enum class Mode { kReadOnly, kReadWrite, kCreate };
  static Result<std::unique_ptr<KeyStore>> Open(const std::filesystem::path& path,
                                                certs::SecretBytes store_key, Mode mode);
  ~KeyStore();
  KeyStore(const KeyStore&) = delete;
  KeyStore& operator=(const KeyStore&) = delete;

  Result<certs::SecretBytes> SubjectKey(const Tag& subject);         // kNotFound where there is none
  Result<certs::SecretBytes> SubjectKeyOrCreate(const Tag& subject);
  Result<certs::SecretBytes> TagKey(uint32_t epoch);                 // kNotFound where there is none
  Result<certs::SecretBytes> TagKeyOrCreate(uint32_t epoch);

  // Makes the keys created since the last call durable. After an error they are gone.
  Result<void> Commit();
  void Rollback();

 private:
  KeyStore(sqlite3* db, certs::SecretBytes store_key) : db_(db), store_key_(std::move(store_key)) {}
  Result<void> Execute(const char* sql);
  Result<certs::SecretBytes> Load(const char* table, std::string_view id);
  Result<certs::SecretBytes> Create(const char* table, std::string_view id);

  sqlite3* db_;
  certs::SecretBytes store_key_;
  bool in_transaction_ = false;
};

}  // namespace portcullis::audit
