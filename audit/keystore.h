// The key store: subject keys (one per subject, retention class and week), yearly tag keys and legal
// holds, each encrypted under a key derived from K_store and a salt, in SQLite (journal DELETE,
// synchronous EXTRA, secure_delete on, one connection). New keys open a transaction that Commit() makes
// durable; a record sealed under a new key must not reach the log before that. Rekey() re-encrypts
// everything under a new salt and destroys the old one, so that an older copy of the file opens
// nothing. KEY STORE in FORMAT.md. One thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "audit/error.h"
#include "audit/event.h"
#include "audit/record.h"
#include "certs/secret.h"

struct sqlite3;

namespace portcullis::audit {

// Where the keys of subjects come from: the key store, or a release file (release.h).
class SubjectKeySource {
 public:
  virtual ~SubjectKeySource() = default;
  virtual Result<certs::SecretBytes> SubjectKey(const SubjectKeyId& id) = 0;  // kNotFound: there is none
};

struct Hold {
  uint64_t number = 0;
  std::string subject;  // "*": everybody
  std::string reason;
  uint64_t since_us = 0;
};

class KeyStore : public SubjectKeySource {
 public:
  enum class Mode { kReadOnly, kReadWrite, kCreate };
  // `path` is the database; the salt lies beside it.
  static Result<std::unique_ptr<KeyStore>> Open(const std::filesystem::path& path,
                                                certs::SecretBytes root_key, Mode mode);
  ~KeyStore() override;
  KeyStore(const KeyStore&) = delete;
  KeyStore& operator=(const KeyStore&) = delete;

  Result<certs::SecretBytes> SubjectKey(const SubjectKeyId& id) override;
  Result<certs::SecretBytes> SubjectKeyOrCreate(const SubjectKeyId& id);
  Result<certs::SecretBytes> TagKey(uint32_t epoch);                 // kNotFound where there is none
  Result<certs::SecretBytes> TagKeyOrCreate(uint32_t epoch);
  Result<std::vector<uint32_t>> Epochs();                            // that have a tag key
  Result<std::vector<SubjectKeyId>> SubjectKeys();                   // all, in order

  Result<uint64_t> AddHold(const std::string& subject, const std::string& reason, uint64_t since_us);
  Result<void> RemoveHold(uint64_t number);                          // kNotFound
  Result<std::vector<Hold>> Holds();

  // Erasures that are not finished, so that a crash does not lose one: first `begun` (the key may still
  // be there), then `destroyed` (only the ciphertext is left, in the segments below the given end).
  struct Erasures {
    std::map<uint64_t, std::set<SubjectKeyId>> begun, destroyed;  // by end segment
    bool empty() const { return begun.empty() && destroyed.empty(); }
  };
  Result<void> BeginErasure(const SubjectKeyId& id, uint64_t end_segment);
  Result<void> DestroyKey(const SubjectKeyId& id, uint64_t end_segment);
  Result<Erasures> PendingErasures();
  Result<void> FinishErasures(const std::map<uint64_t, std::set<SubjectKeyId>>& done);

  // Makes what changed since the last call durable. After an error the changes are gone.
  Result<void> Commit();
  void Rollback();

  // Everything under a new salt, durable; `new_root` (32 bytes) replaces K_store where given.
  Result<void> Rekey(const certs::SecretBytes* new_root = nullptr);
  uint64_t generation() const { return generation_; }  // grows with every Rekey

 private:
  KeyStore(sqlite3* db, certs::SecretBytes root_key, std::filesystem::path salt_path);
  Result<void> Execute(const char* sql);
  Result<void> Begin();
  Result<void> LoadSalt(bool create);
  Result<void> LoadGeneration();
  Result<certs::SecretBytes> Load(const char* table, std::string_view id);
  Result<certs::SecretBytes> Create(const char* table, std::string_view id);
  Result<void> Insert(const char* table, std::string_view id, std::string_view sealed);
  Result<void> Delete(const char* table, std::string_view id);
  Result<std::vector<std::pair<std::string, std::string>>> Rows(const char* table);
  Result<void> Reseal(const char* table, const certs::SecretBytes& next);

  sqlite3* db_;
  std::filesystem::path salt_path_;
  certs::SecretBytes root_key_;
  certs::SecretBytes store_key_;
  uint64_t generation_ = 0;
  bool in_transaction_ = false;
};

}  // namespace portcullis::audit
