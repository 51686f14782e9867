#include "audit/part_release.h"

#include <sodium.h>

#include "audit/bytes.h"
#include "audit/proof.h"
#include "audit/segment.h"

namespace portcullis::audit {
namespace {

constexpr std::string_view kHeader = "portcullis audit part v1\n";
constexpr size_t kMaxSealed = 96u << 20;
constexpr size_t kMaxProof = 64u << 10;

Error Bad(const char* why) { return Error{Code::kTampered, std::string("part release: ") + why}; }

}  // namespace

Result<std::string> SealPartRelease(std::string_view origin, const AuditorKey& recipient, const Leaf& leaf,
                                    std::string_view payload, PartType type, const certs::SecretBytes& part_key,
                                    std::string_view proof) {
  BOOST_OUTCOME_TRY(const auto entries, CheckPayload(leaf, payload, Zeros::kShredded));
  const std::string_view table = payload.substr(0, entries.size() * kPartEntrySize);
  size_t at = table.size();
  for (size_t i = 0; i < entries.size(); at += entries[i].size, ++i) {
    if (entries[i].type != type) continue;
    if (entries[i].shredded) return PartShredded(leaf.seq, type);
    if (part_key.size() != kKeySize) return Error{Code::kKeys, "part release: not a key of a part"};
    std::string head;
    ByteWriter out(head);
    out.PutBytes(OriginId(origin));
    out.PutText(EncodeLeaf(leaf));
    out.Put(static_cast<uint8_t>(i));
    out.PutText(table);
    std::string tail;
    ByteWriter rest(tail);
    rest.PutSized<uint32_t>(payload.substr(at, entries[i].size));
    rest.PutSized<uint32_t>(proof);
    certs::SecretBytes plain(head.size() + kKeySize + tail.size());
    uint8_t* place = std::copy(head.begin(), head.end(), plain.data());
    place = std::copy(part_key.bytes().begin(), part_key.bytes().end(), place);
    std::copy(tail.begin(), tail.end(), place);
    std::string sealed(plain.size() + crypto_box_SEALBYTES, '\0');
    crypto_box_seal(reinterpret_cast<uint8_t*>(sealed.data()), plain.data(), plain.size(), recipient.data());
    return std::string(kHeader) + std::string(origin) + "\n" + Hex(KeyIdOf(recipient)) + "\n" +
           Base64(AsBytes(sealed)) + "\n";
  }
  return Error{Code::kNotFound, "record " + std::to_string(leaf.seq) + " has no part `" + std::string(PartName(type)) + "`"};
}

Result<ReleasedPart> OpenPartRelease(std::string_view file, const VerifierKey& log_key,
                                     const certs::SecretBytes& recipient_secret) {
  if (!file.starts_with(kHeader)) return Bad("unknown format");
  file.remove_prefix(kHeader.size());
  std::string_view of, key_id, body;
  if (!TakeLine(file, of) || !TakeLine(file, key_id) || !TakeLine(file, body) || !file.empty()) return Bad("cut short");
  if (of != log_key.name) return Bad("it belongs to another log");
  AuditorKey recipient;
  if (recipient_secret.size() != kKeySize || crypto_scalarmult_base(recipient.data(), recipient_secret.data()) != 0) {
    return Error{Code::kKeys, "the key is not an X25519 secret key"};
  }
  if (key_id != Hex(KeyIdOf(recipient))) return Error{Code::kKeys, "the part was released to the key " + std::string(key_id)};
  BOOST_OUTCOME_TRY(const std::string sealed, FromBase64(body, kMaxSealed));
  if (sealed.size() <= crypto_box_SEALBYTES) return Bad("cut short");
  certs::SecretBytes plain(sealed.size() - crypto_box_SEALBYTES);
  if (crypto_box_seal_open(plain.data(), AsBytes(sealed).data(), sealed.size(), recipient.data(),
                           recipient_secret.data()) != 0) {
    return Bad("it does not open under this key");
  }
  ByteReader in(AsText(plain.bytes()));
  if (in.GetArray<16>() != OriginId(log_key.name)) return Bad("it belongs to another log");
  ReleasedPart out;
  const std::string_view leaf_bytes = in.Take(kLeafSize);
  if (in.failed()) return Bad("cut short");
  BOOST_OUTCOME_TRY(out.leaf, DecodeLeaf(leaf_bytes));
  out.leaf_hash = LeafHash(leaf_bytes);
  const size_t index = in.Get<uint8_t>();
  const std::string_view table = in.Take(out.leaf.parts * kPartEntrySize);
  const std::string_view key_bytes = in.Take(kKeySize);
  const std::string_view stored = in.GetSized<uint32_t>(kMaxSealed);
  const std::string_view proof_text = in.GetSized<uint32_t>(kMaxProof);
  if (!in.Finished() || index >= out.leaf.parts) return Bad("malformed");
  BOOST_OUTCOME_TRY(const TlogProof proof, ParseProof(proof_text));
  if (proof.index != out.leaf.seq || out.leaf.origin != OriginId(log_key.name)) return Bad("the proof is of another record");
  BOOST_OUTCOME_TRY(out.checkpoint, VerifyProof(proof, out.leaf_hash, log_key));
  const certs::SecretBytes part_key = certs::SecretBytes::CopyOf(AsBytes(key_bytes));
  BOOST_OUTCOME_TRY(out.part.bytes, Sealer().OpenOne(out.leaf, table, index, stored, part_key));
  BOOST_OUTCOME_TRY(const auto entries, DecodePartEntries(table, out.leaf.parts));
  out.part.type = entries[index].type;
  return out;
}

}  // namespace portcullis::audit
