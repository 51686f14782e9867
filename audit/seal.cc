// XChaCha20-Poly1305 does not commit to its key: one ciphertext can be made to open under two keys. So
// the leaf holds BLAKE2b(record key, "commit" ‖ seq), and each part table entry the same of its part
// key; who opens a record first checks that the key in hand is the committed one.

#include "audit/seal.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "audit/bytes.h"
#include "audit/merkle.h"

namespace portcullis::audit {
namespace {

constexpr size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kLengthPrefix = 4;
constexpr uint8_t kWrapVersion = 1;
constexpr size_t kContextSize = 16 + 16 + 4 + 8;
constexpr size_t kBoxSize = kKeySize + kContextSize + crypto_box_SEALBYTES;
constexpr size_t kWrapSize = kBoxSize + kTag;
static_assert(kNonce == 24 && kTag == 16);

void KeyedHash(std::span<uint8_t> out, std::span<const uint8_t> key, std::string_view label,
               std::string_view context = {}) {
  crypto_generichash_state state;
  crypto_generichash_init(&state, key.data(), key.size(), out.size());
  crypto_generichash_update(&state, AsBytes(label).data(), label.size());
  crypto_generichash_update(&state, AsBytes(context).data(), context.size());
  crypto_generichash_final(&state, out.data(), out.size());
  sodium_memzero(&state, sizeof state);
}

std::string SeqText(uint64_t seq) {
  std::string text;
  ByteWriter(text).Put(seq);
  return text;
}

Hash Commitment(std::span<const uint8_t> key, uint64_t seq) {
  Hash commitment;
  KeyedHash(commitment, key, "portcullis commit v1", SeqText(seq));
  return commitment;
}

void DerivePartKey(const certs::SecretBytes& record_key, PartType type, certs::SecretBytes& out) {
  const char number = static_cast<char>(type);
  KeyedHash(out.bytes(), record_key.bytes(), "portcullis part v1", std::string_view(&number, 1));
}

// The leaf up to ct_hash, then the part's type and place.
std::string AssociatedData(const Leaf& leaf, PartType type, size_t index) {
  std::string data = EncodeLeaf(leaf).substr(0, kLeafBoundSize);
  data.push_back(static_cast<char>(type));
  data.push_back(static_cast<char>(index));
  return data;
}

std::string EncodeContext(const WrapContext& context) {
  std::string text;
  ByteWriter out(text);
  out.PutBytes(context.origin);
  out.PutBytes(context.subject);
  out.Put(context.epoch);
  out.Put(context.chain);
  return text;
}

Error Damaged(const char* why) { return Error{Code::kTampered, std::string("sealed payload: ") + why}; }

uint8_t* Mutable(std::string& text, size_t at) { return reinterpret_cast<uint8_t*>(text.data() + at); }

}  // namespace

AuditorKeyId KeyIdOf(const AuditorKey& key) {
  const Hash hash = Sha256(AsText(key));
  AuditorKeyId id;
  std::copy_n(hash.begin(), id.size(), id.begin());
  return id;
}

void DeriveRecordKey(std::span<const uint8_t> chain, uint64_t seq, certs::SecretBytes& record_key) {
  KeyedHash(record_key.bytes(), chain, "portcullis dek v1", SeqText(seq));
}

void AdvanceChain(std::span<uint8_t> chain) {
  std::array<uint8_t, kKeySize> next;
  KeyedHash(next, chain, "portcullis next v1");
  std::memcpy(chain.data(), next.data(), next.size());
  sodium_memzero(next.data(), next.size());
}

Sealer::Sealer() : part_key_(kKeySize) {}

std::string Sealer::Seal(Leaf& leaf, std::span<const Part> parts, const certs::SecretBytes& record_key) {
  std::vector<PartEntry> entries(parts.size());
  size_t total = parts.size() * kPartEntrySize;
  leaf.pad_class = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Padding padding = PaddedSize(kLengthPrefix + parts[i].bytes.size());
    entries[i].type = parts[i].type;
    entries[i].pad_class = padding.pad_class;
    entries[i].size = static_cast<uint32_t>(padding.size + kTag);
    leaf.pad_class = std::max(leaf.pad_class, padding.pad_class);
    total += entries[i].size;
  }
  leaf.parts = static_cast<uint8_t>(parts.size());
  leaf.payload_size = static_cast<uint32_t>(total);
  leaf.key_commit = Commitment(record_key.bytes(), leaf.seq);

  std::string payload(total, '\0');
  size_t at = parts.size() * kPartEntrySize;
  for (size_t i = 0; i < parts.size(); ++i) {
    PartEntry& entry = entries[i];
    DerivePartKey(record_key, entry.type, part_key_);
    entry.key_commit = Commitment(part_key_.bytes(), leaf.seq);
    randombytes_buf(entry.nonce.data(), entry.nonce.size());
    uint8_t* place = Mutable(payload, at);
    StoreBigEndian(static_cast<uint32_t>(parts[i].bytes.size()), place);
    std::memcpy(place + kLengthPrefix, parts[i].bytes.data(), parts[i].bytes.size());
    const std::string data = AssociatedData(leaf, entry.type, i);
    crypto_aead_xchacha20poly1305_ietf_encrypt(place, nullptr, place, entry.size - kTag,
                                               AsBytes(data).data(), data.size(), nullptr,
                                               entry.nonce.data(), part_key_.data());
    entry.stored_hash = Sha256(std::string_view(payload).substr(at, entry.size));
    at += entry.size;
  }
  part_key_.Wipe();
  const std::string table = EncodePartTable(entries);
  std::memcpy(payload.data(), table.data(), table.size());
  leaf.ct_hash = Sha256(table);
  return payload;
}

Result<std::vector<Part>> Sealer::Open(const Leaf& leaf, std::string_view payload,
                                       const certs::SecretBytes& record_key) {
  BOOST_OUTCOME_TRY(const auto entries, CheckPayload(leaf, payload));
  if (Commitment(record_key.bytes(), leaf.seq) != leaf.key_commit) {
    return Damaged("the record key is not the one the leaf commits to");
  }
  std::vector<Part> parts;
  size_t at = entries.size() * kPartEntrySize;
  for (size_t i = 0; i < entries.size(); ++i) {
    const PartEntry& entry = entries[i];
    if (entry.clear || entry.size < kTag + kLengthPrefix) return Damaged("a part is not encrypted");
    DerivePartKey(record_key, entry.type, part_key_);
    if (Commitment(part_key_.bytes(), leaf.seq) != entry.key_commit) {
      return Damaged("a part key is not the one its entry commits to");
    }
    const std::string data = AssociatedData(leaf, entry.type, i);
    std::string plain(entry.size - kTag, '\0');
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            Mutable(plain, 0), nullptr, nullptr, AsBytes(payload.substr(at, entry.size)).data(),
            entry.size, AsBytes(data).data(), data.size(), entry.nonce.data(), part_key_.data()) != 0) {
      return Damaged("a part does not decrypt under its key and leaf");
    }
    ByteReader in(plain);
    const size_t length = in.Get<uint32_t>();
    if (length > in.left()) return Damaged("a part is longer than its padding");
    parts.push_back(Part{entry.type, plain.substr(kLengthPrefix, length)});
    at += entry.size;
  }
  part_key_.Wipe();
  return parts;
}

std::string ClearPayload(Leaf& leaf, std::string_view wrap_set) {
  PartEntry entry;
  entry.type = PartType::kWrapSet;
  entry.clear = true;
  entry.size = static_cast<uint32_t>(wrap_set.size());
  entry.stored_hash = Sha256(wrap_set);
  const std::string table = EncodePartTable({entry});
  leaf.parts = 1;
  leaf.pad_class = 0;
  leaf.payload_size = static_cast<uint32_t>(table.size() + wrap_set.size());
  leaf.ct_hash = Sha256(table);
  return table + std::string(wrap_set);
}

void NoPayload(Leaf& leaf) {
  leaf.parts = 0;
  leaf.pad_class = 0;
  leaf.payload_size = 0;
  leaf.ct_hash = Sha256({});
}

Result<std::vector<PartEntry>> CheckPayload(const Leaf& leaf, std::string_view payload) {
  if (payload.size() != leaf.payload_size) return Damaged("its size is not the one in the leaf");
  BOOST_OUTCOME_TRY(auto entries, DecodePartTable(payload, leaf.parts));
  size_t at = entries.size() * kPartEntrySize;
  if (Sha256(payload.substr(0, at)) != leaf.ct_hash) {
    return Damaged("the part table does not match the leaf's ct_hash");
  }
  for (const PartEntry& entry : entries) {
    if (Sha256(payload.substr(at, entry.size)) != entry.stored_hash) {
      return Damaged("a stored part does not match its hash");
    }
    at += entry.size;
  }
  return entries;
}

std::string MakeWrapSet(const WrapContext& context, std::span<const uint8_t> chain_0,
                        const certs::SecretBytes& subject_key, std::span<const AuditorKey> auditors) {
  const std::string bound = EncodeContext(context);
  std::string text;
  ByteWriter out(text);
  out.Put(kWrapVersion);
  out.PutText(bound);
  out.Put(static_cast<uint8_t>(auditors.size()));
  certs::SecretBytes plain(kKeySize + kContextSize);
  std::memcpy(plain.data(), chain_0.data(), kKeySize);
  std::memcpy(plain.data() + kKeySize, bound.data(), bound.size());
  for (const AuditorKey& auditor : auditors) {
    const AuditorKeyId id = KeyIdOf(auditor);
    std::array<uint8_t, kNonce> nonce;
    randombytes_buf(nonce.data(), nonce.size());
    std::array<uint8_t, kWrapSize> wrap;
    crypto_box_seal(wrap.data(), plain.data(), plain.size(), auditor.data());
    const std::string data = bound + std::string(AsText(id));
    crypto_aead_xchacha20poly1305_ietf_encrypt(wrap.data(), nullptr, wrap.data(), kBoxSize,
                                               AsBytes(data).data(), data.size(), nullptr, nonce.data(),
                                               subject_key.data());
    out.PutBytes(id);
    out.PutBytes(nonce);
    out.PutBytes(wrap);
  }
  return text;
}

Result<WrapContext> ReadWrapContext(std::string_view wrap_set) {
  ByteReader in(wrap_set);
  const uint8_t version = in.Get<uint8_t>();
  WrapContext context;
  context.origin = in.GetArray<16>();
  context.subject = in.GetArray<16>();
  context.epoch = in.Get<uint32_t>();
  context.chain = in.Get<uint64_t>();
  const size_t count = in.Get<uint8_t>();
  if (in.failed() || version != kWrapVersion || count == 0 || count > kMaxAuditors ||
      in.left() != count * (sizeof(AuditorKeyId) + kNonce + kWrapSize)) {
    return Damaged("the wrap set is malformed");
  }
  return context;
}

Result<certs::SecretBytes> OpenWrapSet(std::string_view wrap_set, const WrapContext& expected,
                                       const certs::SecretBytes& subject_key,
                                       const certs::SecretBytes& auditor_secret) {
  BOOST_OUTCOME_TRY(const WrapContext context, ReadWrapContext(wrap_set));
  if (!(context == expected)) return Damaged("the wrap set belongs to another record");
  AuditorKey public_key;
  if (auditor_secret.size() != kKeySize ||
      crypto_scalarmult_base(public_key.data(), auditor_secret.data()) != 0) {
    return Error{Code::kKeys, "the auditor key is not an X25519 secret key"};
  }
  const AuditorKeyId wanted = KeyIdOf(public_key);
  const std::string bound = EncodeContext(context);
  ByteReader in(wrap_set.substr(1 + kContextSize));
  const size_t count = in.Get<uint8_t>();
  for (size_t i = 0; i < count; ++i) {
    const AuditorKeyId id = in.GetArray<8>();
    const auto nonce = in.GetArray<kNonce>();
    const auto wrap = in.GetArray<kWrapSize>();
    if (id != wanted) continue;
    const std::string data = bound + std::string(AsText(id));
    std::array<uint8_t, kBoxSize> box;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(box.data(), nullptr, nullptr, wrap.data(), wrap.size(),
                                                   AsBytes(data).data(), data.size(), nonce.data(),
                                                   subject_key.data()) != 0) {
      return Damaged("the wrap does not open under this subject key");
    }
    certs::SecretBytes plain(kKeySize + kContextSize);
    if (crypto_box_seal_open(plain.data(), box.data(), box.size(), public_key.data(),
                             auditor_secret.data()) != 0 ||
        std::memcmp(plain.data() + kKeySize, bound.data(), bound.size()) != 0) {
      return Damaged("the wrap does not open under this auditor key");
    }
    return certs::SecretBytes::CopyOf(plain.bytes().first(kKeySize));
  }
  return Error{Code::kKeys, "this record is not sealed to the auditor key given"};
}

}  // namespace portcullis::audit
