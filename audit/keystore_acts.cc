// Holds, pending erasures, and the re-encryption of the store.
//
// Crash safety of Rekey: the new salt is written beside the old one (store.salt.next), then one SQLite
// transaction replaces what lies under the store key, the rows of the renewed buckets and the generation, then
// the new salt is renamed over the old. A start
// that finds store.salt.next decides by the generation's row which of the two salts opens the store. A rotation is
// noted (the row "rotating", which says where it stands), then a Rekey, so that no new key of a bucket ever lies under
// the old salt, then one transaction a bucket.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "audit/file.h"
#include "audit/keystore.h"
#include "audit/keystore_rows.h"
#include "audit/seal.h"

namespace portcullis::audit {
namespace {

// States of a row of `erasing`.
constexpr std::string_view kBegun = "begun";
constexpr std::string_view kDestroyed = "destroyed";

// Under the store key; besides them, the bucket keys.
constexpr const char* kSmallTables[] = {"tag_key", "hold", "meta"};

constexpr size_t kErasureId = kSubjectKeyIdSize + sizeof(uint64_t);
constexpr size_t kShreddingId = kErasureId + sizeof(uint64_t) + sizeof(TreePoint);

std::string ShreddingId(const PartShredding& part, uint64_t end_segment) {
  return EncodeKeyId(part.key) + NumberId(end_segment) + NumberId(part.seq) + NumberId(part.point);
}

}  // namespace

Result<uint64_t> KeyStore::AddHold(const std::string& subject, const std::string& reason, uint64_t since_us) {
  BOOST_OUTCOME_TRY(const auto holds, Holds());
  // No number twice, also when the newest hold was lifted.
  uint64_t number = holds.empty() ? 0 : holds.back().number;
  const auto last = Load("meta", kLastHoldId);
  if (!last && last.error().code != Code::kNotFound) return last.error();
  if (last) number = std::max(number, ByteReader(AsText(last.value().bytes())).Get<uint64_t>());
  ++number;
  BOOST_OUTCOME_TRY(Insert("meta", kLastHoldId, SealRow("meta", kLastHoldId, AsBytes(NumberId(number)), store_key_.bytes())));
  std::string plain;
  ByteWriter out(plain);
  out.Put(since_us);
  out.PutSized<uint16_t>(subject);
  out.PutSized<uint16_t>(reason);
  const std::string id = NumberId(number);
  BOOST_OUTCOME_TRY(Insert("hold", id, SealRow("hold", id, AsBytes(plain), store_key_.bytes())));
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
    BOOST_OUTCOME_TRY(const certs::SecretBytes plain, OpenRow("hold", id, sealed, store_key_.bytes()));
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
  touched_.set(id.subject.front());
  BOOST_OUTCOME_TRY(Delete("subject_key", EncodeKeyId(id)));
  return Insert("erasing", EncodeKeyId(id) + NumberId(end_segment), kDestroyed);
}

Result<void> KeyStore::BeginShredding(const PartShredding& part, uint64_t end_segment) {
  return Insert("erasing", ShreddingId(part, end_segment), kBegun);
}

Result<void> KeyStore::PuncturePart(const PartShredding& part, uint64_t end_segment) {
  touched_.set(part.key.subject.front());
  auto key = KeyOf(part.key);
  if (!key && key.error().code != Code::kNotFound) return key.error();  // erased meanwhile: the part as well
  if (key && !key.value().Punctured(part.point)) {
    BOOST_OUTCOME_TRY(key.value().Puncture(part.point));
    BOOST_OUTCOME_TRY(PutSubjectKey(part.key, key.value()));
  }
  return Insert("erasing", ShreddingId(part, end_segment), kDestroyed);
}

Result<void> KeyStore::BeginYear(uint32_t epoch) { return Insert("erasing", NumberId(epoch), kBegun); }

Result<void> KeyStore::CancelYear(uint32_t epoch) { return Delete("erasing", NumberId(epoch)); }

Result<void> KeyStore::DestroyYear(uint32_t epoch, const Tag& own) {
  const std::string id = std::string(kYearId) + NumberId(epoch);
  BOOST_OUTCOME_TRY(Insert("meta", id, SealRow("meta", id, own, store_key_.bytes())));
  BOOST_OUTCOME_TRY(Delete("tag_key", NumberId(epoch)));
  return CancelYear(epoch);
}

Result<std::map<uint32_t, Tag>> KeyStore::DestroyedYears() {
  const std::string low(kYearId);
  BOOST_OUTCOME_TRY(const auto rows, Rows("meta", low, low + std::string(sizeof(uint32_t), '\xff')));
  std::map<uint32_t, Tag> years;
  for (const auto& [id, sealed] : rows) {
    BOOST_OUTCOME_TRY(const certs::SecretBytes own, OpenRow("meta", id, sealed, store_key_.bytes()));
    ByteReader in(std::string_view(id).substr(kYearId.size()));
    const auto epoch = in.Get<uint32_t>();
    if (!in.Finished() || own.size() != Tag{}.size()) return KeyStoreTampered("a destroyed year is malformed");
    std::copy(own.bytes().begin(), own.bytes().end(), years[epoch].begin());
  }
  return years;
}

Result<KeyStore::Erasures> KeyStore::PendingErasures() {
  BOOST_OUTCOME_TRY(const auto rows, Rows("erasing"));
  Erasures pending;
  for (const auto& [id, state] : rows) {
    if (id.size() == sizeof(uint32_t)) {
      pending.years.insert(ByteReader(id).Get<uint32_t>());
      continue;
    }
    if (id.size() != kErasureId && id.size() != kShreddingId) return KeyStoreTampered("a pending erasure is malformed");
    PartShredding part;
    BOOST_OUTCOME_TRY(part.key, ParseKeyId(std::string_view(id).substr(0, kSubjectKeyIdSize)));
    ByteReader in(std::string_view(id).substr(kSubjectKeyIdSize));
    const uint64_t end = in.Get<uint64_t>();
    const bool destroyed = state == kDestroyed;
    if (id.size() == kErasureId) {
      (destroyed ? pending.destroyed : pending.begun)[end].insert(part.key);
      continue;
    }
    part.seq = in.Get<uint64_t>();
    part.point = in.Get<TreePoint>();
    (destroyed ? pending.parts_destroyed : pending.parts_begun)[end].insert(part);
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

Result<void> KeyStore::FinishShreddings(const std::map<uint64_t, std::set<PartShredding>>& done) {
  for (const auto& [end, parts] : done) {
    for (const PartShredding& part : parts) {
      BOOST_OUTCOME_TRY(Delete("erasing", ShreddingId(part, end)));
    }
  }
  return Ok();
}

// A new key for the bucket and for what is in it, the key sealed under `store_key`. In a transaction that was begun:
// some rows without the others would be lost.
Result<void> KeyStore::RenewBucket(uint8_t bucket, const certs::SecretBytes& store_key) {
  const std::string id(1, static_cast<char>(bucket));
  const certs::SecretBytes fresh = certs::SecretBytes::Random(kKeySize);
  BOOST_OUTCOME_TRY(const auto old_key, BucketKey(bucket, false));
  BOOST_OUTCOME_TRY(const auto rows, Rows(kSubjectKeyTable, id, id + std::string(kSubjectKeyIdSize - 1, '\xff')));
  BOOST_OUTCOME_TRY(Reseal(kSubjectKeyTable, rows, old_key, fresh.bytes()));
  known_buckets_.reset(bucket);
  return Insert("bucket", id, SealRow("bucket", id, fresh.bytes(), store_key.bytes()));
}

Result<void> KeyStore::Rekey() {
  const certs::SecretBytes salt = certs::SecretBytes::Random(kSaltSize);
  std::filesystem::path next_path = salt_path_;
  next_path += ".next";
  BOOST_OUTCOME_TRY(ReplaceFile(next_path, AsText(salt.bytes()), true));
  certs::SecretBytes next = DeriveStoreKey(root_key_, AsText(salt.bytes()));
  const auto replace = [&]() -> Result<void> {
    BOOST_OUTCOME_TRY(Begin());
    for (const char* table : kSmallTables) {
      BOOST_OUTCOME_TRY(const auto rows, Rows(table));
      BOOST_OUTCOME_TRY(Reseal(table, rows, store_key_.bytes(), next.bytes()));
    }
    RowList kept;
    BOOST_OUTCOME_TRY(RowList buckets, Rows("bucket"));
    for (auto& [id, sealed] : buckets) {
      if (id.size() != 1) return KeyStoreTampered("the id of a bucket has a wrong size");
      const auto bucket = static_cast<uint8_t>(id.front());
      if (!touched_[bucket]) {
        kept.emplace_back(std::move(id), std::move(sealed));
        continue;
      }
      BOOST_OUTCOME_TRY(RenewBucket(bucket, next));
    }
    BOOST_OUTCOME_TRY(Reseal("bucket", kept, store_key_.bytes(), next.bytes()));
    const std::string grown = NumberId(generation_ + 1);
    BOOST_OUTCOME_TRY(Insert("meta", kGenerationId, SealRow("meta", kGenerationId, AsBytes(grown), next.bytes())));
    return Commit();
  };
  if (auto done = replace(); !done) {
    Rollback();
    return done;
  }
  store_key_ = std::move(next);
  known_buckets_.reset();
  buckets_.Wipe();
  touched_.reset();
  ++generation_;
  // The old salt goes with its blocks overwritten, as far as the file system lets one.
  (void)OverwriteFile(salt_path_, kSaltSize);
  Result<void> placed = Ok();
  if (::rename(next_path.c_str(), salt_path_.c_str()) != 0) placed = ErrnoError("cannot replace", salt_path_, errno);
  if (placed) placed = SyncFolder(salt_path_.parent_path());
  // The only salt that opens the store may lie beside its place now, where another Rekey() would overwrite it. So this
  // is never a disk that is low, with which a caller goes on; the next opening puts the salt in place.
  if (!placed) return Error{Code::kIo, placed.error().message};
  return Ok();
}

Result<void> KeyStore::NoteRotation() {
  return Insert("meta", kRotatingId, SealRow("meta", kRotatingId, AsBytes(NumberId(uint16_t{0})), store_key_.bytes()));
}

Result<void> KeyStore::CancelRotation() { return Delete("meta", kRotatingId); }

Result<void> KeyStore::ChangeRoot(certs::SecretBytes root) {
  if (auto noted = NoteRotation(); !noted) {
    Rollback();
    return noted;
  }
  root_key_ = std::move(root);
  return Rekey();
}

Result<bool> KeyStore::Rotating() {
  const auto row = Load("meta", kRotatingId);
  if (!row && row.error().code != Code::kNotFound) return row.error();
  return row.has_value();
}

Result<bool> KeyStore::RotateNext() {
  BOOST_OUTCOME_TRY(const certs::SecretBytes row, Load("meta", kRotatingId));
  ByteReader in(AsText(row.bytes()));
  const auto from = in.Get<uint16_t>();
  if (!in.Finished() || from > kBuckets) return KeyStoreTampered("where the rotation stands is malformed");
  std::vector<std::string> left;
  if (from < kBuckets) {
    BOOST_OUTCOME_TRY(left, Ids("bucket", std::string(1, static_cast<char>(from)), "\xff"));
  }
  if (left.empty()) {
    BOOST_OUTCOME_TRY(CancelRotation());
    BOOST_OUTCOME_TRY(Commit());
    return false;
  }
  const auto bucket = static_cast<uint8_t>(left.front().front());
  BOOST_OUTCOME_TRY(Begin());
  BOOST_OUTCOME_TRY(RenewBucket(bucket, store_key_));
  const std::string next = NumberId(static_cast<uint16_t>(bucket + 1));
  BOOST_OUTCOME_TRY(Insert("meta", kRotatingId, SealRow("meta", kRotatingId, AsBytes(next), store_key_.bytes())));
  BOOST_OUTCOME_TRY(Commit());
  return true;
}

}  // namespace portcullis::audit
