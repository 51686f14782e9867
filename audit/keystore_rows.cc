#include "audit/keystore_rows.h"

#include <sodium.h>

#include "audit/seal.h"

namespace portcullis::audit {
namespace {

constexpr size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTag = crypto_aead_xchacha20poly1305_ietf_ABYTES;

std::string AssociatedData(const char* table, std::string_view id) {
  return std::string("portcullis key store v3 ") + table + " " + std::string(id);
}

}  // namespace

Error KeyStoreTampered(const char* why) { return Error{Code::kTampered, std::string("key store: ") + why}; }

std::string EncodeKeyId(const SubjectKeyId& key) {
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
  if (!in.Finished()) return KeyStoreTampered("the id of a row has a wrong size");
  return key;
}

certs::SecretBytes DeriveStoreKey(const certs::SecretBytes& root, std::string_view salt) {
  certs::SecretBytes key(kKeySize);
  const std::string input = "portcullis store key v3" + std::string(salt);
  crypto_generichash(key.data(), key.size(), AsBytes(input).data(), input.size(), root.data(), root.size());
  return key;
}

std::string SealRow(const char* table, std::string_view id, std::span<const uint8_t> plain,
                    std::span<const uint8_t> key) {
  std::string sealed(kNonce + plain.size() + kTag, '\0');
  auto* out = reinterpret_cast<uint8_t*>(sealed.data());
  randombytes_buf(out, kNonce);
  const std::string data = AssociatedData(table, id);
  crypto_aead_xchacha20poly1305_ietf_encrypt(out + kNonce, nullptr, plain.data(), plain.size(),
                                             AsBytes(data).data(), data.size(), nullptr, out, key.data());
  return sealed;
}

Result<size_t> OpenRowInto(const char* table, std::string_view id, std::string_view sealed,
                           std::span<const uint8_t> key, certs::SecretBytes& plain) {
  if (sealed.size() < kNonce + kTag || sealed.size() > kMaxSealedRow) return KeyStoreTampered("a row has a wrong size");
  const std::string data = AssociatedData(table, id);
  const uint8_t* in = AsBytes(sealed).data();
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(plain.data(), nullptr, nullptr, in + kNonce,
                                                 sealed.size() - kNonce, AsBytes(data).data(), data.size(),
                                                 in, key.data()) != 0) {
    return KeyStoreTampered("a row does not open under this store key");
  }
  return sealed.size() - kNonce - kTag;
}

Result<certs::SecretBytes> OpenRow(const char* table, std::string_view id, std::string_view sealed,
                                   std::span<const uint8_t> key) {
  if (sealed.size() < kNonce + kTag || sealed.size() > kMaxSealedRow) return KeyStoreTampered("a row has a wrong size");
  certs::SecretBytes plain(sealed.size() - kNonce - kTag);
  BOOST_OUTCOME_TRY(OpenRowInto(table, id, sealed, key, plain));
  return plain;
}

}  // namespace portcullis::audit
