// The key store: subject keys (one per subject, retention class and week), yearly tag keys and legal
// holds, in SQLite (journal DELETE, synchronous EXTRA, secure_delete on, one connection). Subject keys are
// encrypted under the key of their bucket, one of 256; bucket keys and all the rest under a key derived from
// K_store and a salt. New keys open a transaction that Commit() makes durable; a record sealed under a new
// key must not reach the log before that. Rekey() destroys the old salt and the keys of the buckets that lost
// something, so that an older copy of the file opens nothing, and re-encrypts only these buckets; a rotation renews
// all of them, one at a time. KEY STORE in FORMAT.md. One thread at a time.
#pragma once

#include <bitset>
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
#include "audit/subject_key.h"
#include "certs/secret.h"

struct sqlite3;
struct sqlite3_stmt;

namespace portcullis::audit {

// Where the keys of subjects come from: the key store, or a release file (release.h).
class SubjectKeySource {
 public:
  virtual ~SubjectKeySource() = default;
  virtual Result<SubjectKey> KeyOf(const SubjectKeyId& id) = 0;  // kNotFound: there is none
};

struct Hold {
  uint64_t number = 0;
  std::string subject;  // "*": everybody
  std::string reason;
  uint64_t since_us = 0;
};

// One part of one record, whose share of the key is destroyed.
struct PartShredding {
  SubjectKeyId key;
  uint64_t seq = 0;
  TreePoint point = 0;

  auto operator<=>(const PartShredding&) const = default;
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

  Result<SubjectKey> KeyOf(const SubjectKeyId& id) override;
  Result<SubjectKey> SubjectKeyOrCreate(const SubjectKeyId& id);
  Result<certs::SecretBytes> TagKey(uint32_t epoch);                 // kNotFound where there is none
  Result<certs::SecretBytes> TagKeyOrCreate(uint32_t epoch);
  Result<std::vector<uint32_t>> Epochs();                            // that have a tag key
  Result<std::vector<SubjectKeyId>> SubjectKeys();                   // all, in order
  Result<std::vector<SubjectKeyId>> SubjectKeysOf(const std::vector<Tag>& subjects);

  Result<uint64_t> AddHold(const std::string& subject, const std::string& reason, uint64_t since_us);
  Result<void> RemoveHold(uint64_t number);                          // kNotFound
  Result<std::vector<Hold>> Holds();

  // Erasures that are not finished, so that a crash does not lose one: first `begun` (the key may still
  // be there), then `destroyed` (only the ciphertext is left, in the segments below the given end).
  struct Erasures {
    std::map<uint64_t, std::set<SubjectKeyId>> begun, destroyed;  // by end segment
    std::map<uint64_t, std::set<PartShredding>> parts_begun, parts_destroyed;
    std::set<uint32_t> years;  // whose tag keys go; begun
    bool empty() const {
      return begun.empty() && destroyed.empty() && parts_begun.empty() && parts_destroyed.empty() && years.empty();
    }
  };
  Result<void> BeginErasure(const SubjectKeyId& id, uint64_t end_segment);
  Result<void> DestroyKey(const SubjectKeyId& id, uint64_t end_segment);
  Result<void> BeginShredding(const PartShredding& part, uint64_t end_segment);
  Result<void> PuncturePart(const PartShredding& part, uint64_t end_segment);
  // The tag key of a year, so that nobody can be found or guessed by name among its records any more. `own` is the
  // year's tag of the log's own records, which are about nobody: it stays, so that they are known as such.
  Result<void> BeginYear(uint32_t epoch);
  Result<void> DestroyYear(uint32_t epoch, const Tag& own);
  Result<void> CancelYear(uint32_t epoch);
  Result<std::map<uint32_t, Tag>> DestroyedYears();                  // with those tags
  Result<Erasures> PendingErasures();
  Result<void> FinishErasures(const std::map<uint64_t, std::set<SubjectKeyId>>& done);
  Result<void> FinishShreddings(const std::map<uint64_t, std::set<PartShredding>>& done);

  // Makes what changed since the last call durable. After an error the changes are gone.
  Result<void> Commit();
  void Rollback();

  // A new salt, and new keys for the buckets in which keys were destroyed or punctured since the last time; durable.
  Result<void> Rekey();
  // A rotation: noted, Rekey(), and then new keys for all buckets, one with each call of RotateNext(): durable each, with
  // a note of where it is, so that a start can go on (with Rekey(), which may not have come). False: that was the last.
  Result<void> NoteRotation();
  Result<void> CancelRotation();
  Result<bool> RotateNext();
  Result<bool> Rotating();                 // a rotation is noted and not over
  // All of it under another K_store, and a rotation noted that the next start tells and carries on: when that is over, an
  // old copy opens nothing, with whatever K_store. Durable; after an error open the store again, under either.
  Result<void> ChangeRoot(certs::SecretBytes root);
  uint64_t generation() const { return generation_; }  // grows with every Rekey

 private:
  KeyStore(sqlite3* db, certs::SecretBytes root_key, std::filesystem::path salt_path);
  Result<void> Execute(const char* sql);
  Result<void> Begin();
  Result<void> CheckVersion();
  Result<void> LoadSalt(bool create);
  Result<void> LoadGeneration();
  Result<certs::SecretBytes> Load(const char* table, std::string_view id);
  Result<certs::SecretBytes> Create(const char* table, std::string_view id);
  Result<void> Insert(const char* table, std::string_view id, std::string_view sealed);
  Result<void> Delete(const char* table, std::string_view id);
  // Rows, or their ids, from `low` to `high`, both included; empty: all.
  Result<std::vector<std::string>> Ids(const char* table, std::string_view low, std::string_view high);
  using RowList = std::vector<std::pair<std::string, std::string>>;
  Result<RowList> Rows(const char* table, std::string_view low = {}, std::string_view high = {});
  // Opens rows under one key and writes them under another.
  Result<void> Reseal(const char* table, const RowList& rows, std::span<const uint8_t> old_key,
                      std::span<const uint8_t> new_key);
  Result<void> RenewBucket(uint8_t bucket, const certs::SecretBytes& store_key);
  // The bucket's key; kNotFound where it has none yet and is not to get one.
  Result<std::span<const uint8_t>> BucketKey(uint8_t bucket, bool create);
  std::span<uint8_t> BucketSlot(uint8_t bucket) { return buckets_.bytes().subspan(bucket * 32u, 32); }
  Result<void> PutSubjectKey(const SubjectKeyId& id, const SubjectKey& key);

  // Prepared once; to be reset after use.
  Result<sqlite3_stmt*> Prepared(const std::string& sql);

  sqlite3* db_;
  std::map<std::string, sqlite3_stmt*> statements_;
  std::filesystem::path salt_path_;
  certs::SecretBytes root_key_;
  certs::SecretBytes store_key_;
  certs::SecretBytes buckets_;      // 256 keys
  std::bitset<256> known_buckets_;  // of which the key is in buckets_
  std::bitset<256> touched_;        // that lost something since the last Rekey
  uint64_t generation_ = 0;
  bool in_transaction_ = false;
};

}  // namespace portcullis::audit
