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
constexpr size_t kChunkTag = crypto_secretstream_xchacha20poly1305_ABYTES;
static_assert(kNonce == 24 && kTag == 16 && kChunkTag == 17);
static_assert(crypto_secretstream_xchacha20poly1305_HEADERBYTES == kNonce);

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

// The leaf up to ct_hash, then the part's type and place.
std::string AssociatedData(const Leaf& leaf, PartType type, size_t index) {
  std::string data = EncodeLeaf(leaf).substr(0, kLeafBoundSize);
  data.push_back(static_cast<char>(type));
  data.push_back(static_cast<char>(index));
  return data;
}

size_t Chunks(size_t plain) { return (plain + kStreamChunk - 1) / kStreamChunk; }

Error Damaged(const char* why) { return Error{Code::kTampered, std::string("sealed payload: ") + why}; }

// The chunks of a long part, each bound to the leaf, the last one tagged FINAL.
void SealStream(uint8_t* out, std::string_view plain, std::string_view data, PartEntry& entry,
                const certs::SecretBytes& key) {
  crypto_secretstream_xchacha20poly1305_state state;
  crypto_secretstream_xchacha20poly1305_init_push(&state, entry.nonce.data(), key.data());
  while (!plain.empty()) {
    const std::string_view chunk = plain.substr(0, kStreamChunk);
    plain.remove_prefix(chunk.size());
    const unsigned char tag = plain.empty() ? crypto_secretstream_xchacha20poly1305_TAG_FINAL
                                            : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;
    crypto_secretstream_xchacha20poly1305_push(&state, out, nullptr, AsBytes(chunk).data(), chunk.size(),
                                               AsBytes(data).data(), data.size(), tag);
    out += chunk.size() + kChunkTag;
  }
  sodium_memzero(&state, sizeof state);
}

Result<std::string> OpenStream(std::string_view stored, std::string_view data, const PartEntry& entry,
                               const certs::SecretBytes& key) {
  crypto_secretstream_xchacha20poly1305_state state;
  if (crypto_secretstream_xchacha20poly1305_init_pull(&state, entry.nonce.data(), key.data()) != 0) {
    return Damaged("the header of a long part is not valid");
  }
  std::string plain;
  plain.reserve(stored.size());
  bool final = false;
  while (!stored.empty() && !final) {
    const std::string_view chunk = stored.substr(0, kStreamChunk + kChunkTag);
    stored.remove_prefix(chunk.size());
    if (chunk.size() <= kChunkTag) break;
    const size_t at = plain.size();
    plain.resize(at + chunk.size() - kChunkTag);
    unsigned char tag = 0;
    if (crypto_secretstream_xchacha20poly1305_pull(
            &state, reinterpret_cast<uint8_t*>(plain.data() + at), nullptr, &tag, AsBytes(chunk).data(),
            chunk.size(), AsBytes(data).data(), data.size()) != 0) {
      return Damaged("a chunk of a long part does not decrypt");
    }
    final = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
  }
  sodium_memzero(&state, sizeof state);
  if (!final || !stored.empty()) return Damaged("a long part does not end with its final chunk");
  return plain;
}

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

void DerivePartKey(const certs::SecretBytes& record_key, PartType type, std::span<const uint8_t> share,
                   certs::SecretBytes& part_key) {
  const std::string label = std::string("portcullis part v2") + static_cast<char>(type);
  KeyedHash(part_key.bytes(), record_key.bytes(), label, AsText(share));
}

bool IsRecordKey(const Leaf& leaf, const certs::SecretBytes& record_key) {
  return Commitment(record_key.bytes(), leaf.seq) == leaf.key_commit;
}

Error PartShredded(uint64_t seq, PartType type) {
  return Error{Code::kNotFound, "the part `" + std::string(PartName(type)) + "` of record " + std::to_string(seq) + " was shredded"};
}

Sealer::Sealer() : part_key_(kKeySize), share_(kKeySize) {}

std::string Sealer::Seal(Leaf& leaf, std::span<const Part> parts, const certs::SecretBytes& record_key,
                         const ShareOf& share) {
  std::vector<PartEntry> entries(parts.size());
  std::vector<size_t> plain_sizes(parts.size());
  size_t total = parts.size() * kPartEntrySize;
  leaf.pad_class = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Padding padding = PaddedSize(kLengthPrefix + parts[i].bytes.size());
    plain_sizes[i] = padding.size;
    entries[i].type = parts[i].type;
    entries[i].pad_class = padding.pad_class;
    entries[i].stream = parts[i].bytes.size() >= kStreamFrom;
    const size_t tags = entries[i].stream ? Chunks(padding.size) * kChunkTag : kTag;
    entries[i].size = static_cast<uint32_t>(padding.size + tags);
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
    (void)share(entry.type, share_.bytes());  // what is being written is not shredded
    DerivePartKey(record_key, entry.type, share_.bytes(), part_key_);
    entry.key_commit = Commitment(part_key_.bytes(), leaf.seq);
    uint8_t* place = Mutable(payload, at);
    const std::string data = AssociatedData(leaf, entry.type, i);
    if (entry.stream) {
      std::string plain(plain_sizes[i], '\0');
      StoreBigEndian(static_cast<uint32_t>(parts[i].bytes.size()), Mutable(plain, 0));
      std::memcpy(plain.data() + kLengthPrefix, parts[i].bytes.data(), parts[i].bytes.size());
      SealStream(place, plain, data, entry, part_key_);
      sodium_memzero(plain.data(), plain.size());
    } else {
      randombytes_buf(entry.nonce.data(), entry.nonce.size());
      StoreBigEndian(static_cast<uint32_t>(parts[i].bytes.size()), place);
      std::memcpy(place + kLengthPrefix, parts[i].bytes.data(), parts[i].bytes.size());
      crypto_aead_xchacha20poly1305_ietf_encrypt(place, nullptr, place, entry.size - kTag,
                                                 AsBytes(data).data(), data.size(), nullptr,
                                                 entry.nonce.data(), part_key_.data());
    }
    entry.stored_hash = Sha256(std::string_view(payload).substr(at, entry.size));
    at += entry.size;
  }
  part_key_.Wipe();
  share_.Wipe();
  const std::string table = EncodePartTable(entries);
  std::memcpy(payload.data(), table.data(), table.size());
  leaf.ct_hash = Sha256(table);
  return payload;
}

// Commitment, cipher and padding: the content of one part.
Result<std::string> Sealer::OpenPart(const Leaf& leaf, const PartEntry& entry, size_t index, std::string_view stored,
                                     const certs::SecretBytes& part_key) {
  if (entry.clear || entry.size < kTag + kLengthPrefix) return Damaged("a part is not encrypted");
  if (Commitment(part_key.bytes(), leaf.seq) != entry.key_commit) {
    return Damaged("a part key is not the one its entry commits to");
  }
  const std::string data = AssociatedData(leaf, entry.type, index);
  std::string plain;
  if (entry.stream) {
    BOOST_OUTCOME_TRY(plain, OpenStream(stored, data, entry, part_key));
  } else {
    plain.resize(stored.size() - kTag);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            Mutable(plain, 0), nullptr, nullptr, AsBytes(stored).data(), stored.size(),
            AsBytes(data).data(), data.size(), entry.nonce.data(), part_key.data()) != 0) {
      return Damaged("a part does not decrypt under its key and leaf");
    }
  }
  ByteReader in(plain);
  const size_t length = in.Get<uint32_t>();
  if (in.failed() || length > in.left()) return Damaged("a part is longer than its padding");
  return plain.substr(kLengthPrefix, length);
}

Result<std::string> Sealer::OpenOne(const Leaf& leaf, std::string_view table, size_t index, std::string_view stored,
                                    const certs::SecretBytes& part_key) {
  if (Sha256(table) != leaf.ct_hash) return Damaged("the part table does not match the leaf's ct_hash");
  BOOST_OUTCOME_TRY(const auto entries, DecodePartEntries(table, leaf.parts));
  if (index >= entries.size() || stored.size() != entries[index].size || Sha256(stored) != entries[index].stored_hash) {
    return Damaged("the stored part does not match its hash");
  }
  return OpenPart(leaf, entries[index], index, stored, part_key);
}

Result<Opened> Sealer::Open(const Leaf& leaf, std::string_view payload, const certs::SecretBytes& record_key,
                            const ShareOf& share) {
  BOOST_OUTCOME_TRY(const auto entries, CheckPayload(leaf, payload, Zeros::kShredded));
  if (!IsRecordKey(leaf, record_key)) {
    return Damaged("the record key is not the one the leaf commits to");
  }
  Opened opened;
  size_t at = entries.size() * kPartEntrySize;
  for (size_t i = 0; i < entries.size(); ++i) {
    const PartEntry& entry = entries[i];
    const std::string_view stored = payload.substr(at, entry.size);
    at += entry.size;
    if (entry.shredded || !share(entry.type, share_.bytes())) {
      opened.shredded.push_back(entry.type);
      continue;
    }
    DerivePartKey(record_key, entry.type, share_.bytes(), part_key_);
    BOOST_OUTCOME_TRY(std::string content, OpenPart(leaf, entry, i, stored, part_key_));
    opened.parts.push_back(Part{entry.type, std::move(content)});
  }
  part_key_.Wipe();
  share_.Wipe();
  return opened;
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

Result<std::vector<PartEntry>> CheckPayload(const Leaf& leaf, std::string_view payload, Zeros zeros) {
  if (payload.size() != leaf.payload_size) return Damaged("its size is not the one in the leaf");
  BOOST_OUTCOME_TRY(auto entries, DecodePartTable(payload, leaf.parts));
  size_t at = entries.size() * kPartEntrySize;
  if (Sha256(payload.substr(0, at)) != leaf.ct_hash) {
    return Damaged("the part table does not match the leaf's ct_hash");
  }
  uint8_t pad_class = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    PartEntry& entry = entries[i];
    const auto same = [&](const PartEntry& other) { return other.type == entry.type; };
    if (std::any_of(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(i), same)) {
      return Damaged("a part stands there twice");
    }
    const bool wraps = entry.type == PartType::kWrapSet;
    if (wraps != entry.clear || wraps != (leaf.kind == Kind::kKey)) {
      return Damaged("wrap sets, and only they, are in clear and in KEY records");
    }
    pad_class = std::max(pad_class, entry.pad_class);
    const std::string_view stored = payload.substr(at, entry.size);
    if (Sha256(stored) != entry.stored_hash) {
      entry.shredded = zeros == Zeros::kShredded && !wraps && stored.find_first_not_of('\0') == std::string_view::npos;
      if (!entry.shredded) return Damaged("a stored part does not match its hash");
    }
    at += entry.size;
  }
  if (pad_class != leaf.pad_class) return Damaged("its pad class is not the largest of its parts");
  return entries;
}

}  // namespace portcullis::audit
