// Holds, pending erasures, and the re-encryption of the whole store.
//
// Crash safety of Rekey: the new salt is written beside the old one (store.salt.next), then one SQLite
// transaction replaces every row and the generation, then the new salt is renamed over the old. A start
// that finds store.salt.next decides by the generation's row which of the two salts opens the store.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "audit/file.h"
#include "audit/keystore.h"
#include "audit/keystore_rows.h"

namespace portcullis::audit {
namespace {

// States of a row of `erasing`.
constexpr std::string_view kBegun = "begun";
constexpr std::string_view kDestroyed = "destroyed";

constexpr const char* kTables[] = {"subject_key", "tag_key", "hold", "meta"};

}  // namespace

Result<uint64_t> KeyStore::AddHold(const std::string& subject, const std::string& reason, uint64_t since_us) {
  BOOST_OUTCOME_TRY(const auto holds, Holds());
  // No number twice, also when the newest hold was lifted.
  uint64_t number = holds.empty() ? 0 : holds.back().number;
  const auto last = Load("meta", kLastHoldId);
  if (!last && last.error().code != Code::kNotFound) return last.error();
  if (last) number = std::max(number, ByteReader(AsText(last.value().bytes())).Get<uint64_t>());
  ++number;
  BOOST_OUTCOME_TRY(Insert("meta", kLastHoldId, SealRow("meta", kLastHoldId, AsBytes(NumberId(number)), store_key_)));
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
    hold.subject = in.GetSized<uint16_t>(kMaxSealedRow);
    hold.reason = in.GetSized<uint16_t>(kMaxSealedRow);
    if (!in.Finished()) return KeyStoreTampered("a hold is malformed");
  }
  return holds;
}

Result<void> KeyStore::BeginErasure(const SubjectKeyId& id, uint64_t end_segment) {
  return Insert("erasing", EncodeKeyId(id) + NumberId(end_segment), kBegun);
}

Result<void> KeyStore::DestroyKey(const SubjectKeyId& id, uint64_t end_segment) {
  BOOST_OUTCOME_TRY(Delete("subject_key", EncodeKeyId(id)));
  return Insert("erasing", EncodeKeyId(id) + NumberId(end_segment), kDestroyed);
}

Result<KeyStore::Erasures> KeyStore::PendingErasures() {
  BOOST_OUTCOME_TRY(const auto rows, Rows("erasing"));
  Erasures pending;
  for (const auto& [id, state] : rows) {
    if (id.size() != kSubjectKeyIdSize + sizeof(uint64_t)) return KeyStoreTampered("a pending erasure is malformed");
    BOOST_OUTCOME_TRY(const SubjectKeyId key, ParseKeyId(std::string_view(id).substr(0, kSubjectKeyIdSize)));
    const uint64_t end = ByteReader(std::string_view(id).substr(kSubjectKeyIdSize)).Get<uint64_t>();
    (state == kDestroyed ? pending.destroyed : pending.begun)[end].insert(key);
  }
  return pending;
}

Result<void> KeyStore::FinishErasures(const std::map<uint64_t, std::set<SubjectKeyId>>& done) {
  for (const auto& [end, keys] : done) {
    for (const SubjectKeyId& key : keys) {
      BOOST_OUTCOME_TRY(Delete("erasing", EncodeKeyId(key) + NumberId(end)));
    }
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
  (void)Execute("VACUUM");  // only shrinks the file: secure_delete has overwritten the rows
  return Ok();
}

}  // namespace portcullis::audit
