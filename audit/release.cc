#include "audit/release.h"

#include <sodium.h>

#include "audit/bytes.h"
#include "audit/file.h"
#include "audit/note.h"
#include "audit/segment.h"

namespace portcullis::audit {
namespace {

constexpr std::string_view kFormat = "portcullis audit release v";
constexpr std::string_view kHeader = "portcullis audit release v3\n";
constexpr size_t kEntryHead = 16 + 2 + 2 + 4;
constexpr size_t kMaxRelease = 32u << 20;
constexpr size_t kMaxReleaseFile = 64u << 20;

}  // namespace

std::string SealRelease(std::string_view origin, const AuditorKey& auditor,
                        const std::vector<ReleasedKey>& keys) {
  size_t size = 16 + 4 + keys.size() * kEntryHead;
  for (const ReleasedKey& key : keys) size += key.key.encoded().size();
  certs::SecretBytes plain(size);
  std::string head;
  ByteWriter out(head);
  out.PutBytes(OriginId(origin));
  out.Put(static_cast<uint32_t>(keys.size()));
  std::copy(head.begin(), head.end(), plain.data());
  uint8_t* at = plain.data() + head.size();
  for (const ReleasedKey& key : keys) {
    std::string id;
    ByteWriter entry(id);
    entry.PutBytes(key.id.subject);
    entry.Put(key.id.retention);
    entry.Put(key.id.period);
    const std::span<const uint8_t> encoded = key.key.encoded().bytes();
    entry.Put(static_cast<uint32_t>(encoded.size()));
    at = std::copy(id.begin(), id.end(), at);
    at = std::copy(encoded.begin(), encoded.end(), at);
  }
  std::string sealed(plain.size() + crypto_box_SEALBYTES, '\0');
  crypto_box_seal(reinterpret_cast<uint8_t*>(sealed.data()), plain.data(), plain.size(), auditor.data());
  return std::string(kHeader) + std::string(origin) + "\n" + Hex(KeyIdOf(auditor)) + "\n" +
         Base64(AsBytes(sealed)) + "\n";
}

Result<void> ReleasedKeys::Add(std::string_view file, std::string_view origin,
                               const certs::SecretBytes& auditor_secret) {
  const auto bad = [](const char* why) { return Error{Code::kTampered, std::string("release file: ") + why}; };
  if (!file.starts_with(kHeader)) {
    return bad(file.starts_with(kFormat) ? "another version of the format (this program reads version 3)" : "unknown format");
  }
  file.remove_prefix(kHeader.size());
  std::string_view of, key_id, body;
  if (!TakeLine(file, of) || !TakeLine(file, key_id) || !TakeLine(file, body)) return bad("cut short");
  if (of != origin) return bad("it belongs to another log");
  AuditorKey auditor;
  if (auditor_secret.size() != kKeySize ||
      crypto_scalarmult_base(auditor.data(), auditor_secret.data()) != 0) {
    return Error{Code::kKeys, "the auditor key is not an X25519 secret key"};
  }
  if (key_id != Hex(KeyIdOf(auditor))) {
    return Error{Code::kOtherAuditor, "the release file is for the auditor key " + std::string(key_id)};
  }
  BOOST_OUTCOME_TRY(const std::string sealed, FromBase64(body, kMaxRelease));
  if (sealed.size() < crypto_box_SEALBYTES + 20) return bad("cut short");
  certs::SecretBytes plain(sealed.size() - crypto_box_SEALBYTES);
  if (crypto_box_seal_open(plain.data(), AsBytes(sealed).data(), sealed.size(), auditor.data(),
                           auditor_secret.data()) != 0) {
    return bad("it does not open under this auditor key");
  }
  ByteReader in(AsText(plain.bytes()));
  if (in.GetArray<16>() != OriginId(origin)) return bad("it belongs to another log");
  const uint32_t count = in.Get<uint32_t>();
  for (uint32_t i = 0; i < count && !in.failed(); ++i) {
    SubjectKeyId id;
    id.subject = in.GetArray<16>();
    id.retention = in.Get<uint16_t>();
    id.period = in.Get<uint16_t>();
    const std::string_view encoded = in.GetSized<uint32_t>(kMaxRelease);
    if (in.failed()) break;
    BOOST_OUTCOME_TRY(keys_[id], SubjectKey::Decode(certs::SecretBytes::CopyOf(AsBytes(encoded))));
  }
  if (!in.Finished()) return bad("wrong size");
  return Ok();
}

Result<void> ReleasedKeys::AddFile(const std::filesystem::path& file, std::string_view origin,
                                   std::span<const certs::SecretBytes* const> auditor_secrets) {
  BOOST_OUTCOME_TRY(const std::string text, ReadFile(file, kMaxReleaseFile));
  Error why{Code::kKeys, "no auditor key was given (--auditor-key)"};
  for (const certs::SecretBytes* secret : auditor_secrets) {
    auto added = Add(text, origin, *secret);
    if (added) return Ok();
    why = std::move(added.error());
    if (why.code != Code::kOtherAuditor) break;
  }
  return Error{why.code, "`" + file.string() + "`: " + why.message +
                             (why.code == Code::kOtherAuditor ? ", which is none of those given" : "")};
}

Result<SubjectKey> ReleasedKeys::KeyOf(const SubjectKeyId& id) {
  const auto key = keys_.find(id);
  if (key == keys_.end()) {
    return Error{Code::kNotFound, "the key of this record's subject was not released"};
  }
  return key->second.Copy();
}

}  // namespace portcullis::audit
