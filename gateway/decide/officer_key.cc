#include "gateway/decide/officer_key.h"

#include <sodium.h>

#include <algorithm>

#include "certs/keyfile.h"

namespace portcullis::gateway {

namespace fs = std::filesystem;
namespace revise = policy::revise;

namespace {

constexpr size_t kSeedBytes = 32;

Error FromCerts(const certs::Error& error) { return {Code::kConfig, error.message}; }

class SeedSigner final : public revise::Signer {
 public:
  explicit SeedSigner(const certs::SecretBytes& seed) : secret_(crypto_sign_SECRETKEYBYTES) {
    crypto_sign_seed_keypair(public_.data(), secret_.data(), seed.data());
  }
  revise::PublicKey public_key() const override { return public_; }
  revise::Signature Sign(std::string_view bytes) const override {
    revise::Signature signature;
    crypto_sign_detached(signature.data(), nullptr,
                         reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                         secret_.data());
    return signature;
  }

 private:
  revise::PublicKey public_{};
  certs::SecretBytes secret_;
};

}  // namespace

Result<std::shared_ptr<const revise::Signer>> LoadSigner(const fs::path& file,
                                                         std::string_view type) {
  certs::InitSodium();
  auto seed = certs::ReadKeyFile(file, type, kSeedBytes);
  if (!seed) return FromCerts(seed.error());
  return std::shared_ptr<const revise::Signer>(std::make_shared<SeedSigner>(seed.value()));
}

Result<revise::PublicKey> MakeOfficerKey(const fs::path& file) {
  certs::InitSodium();
  const certs::SecretBytes seed = certs::SecretBytes::Random(kSeedBytes);
  const auto secret = certs::WriteKeyFile(file, kOfficerKeyType, seed.bytes());
  if (!secret) return FromCerts(secret.error());
  const revise::PublicKey key = SeedSigner(seed).public_key();
  const auto open = certs::WritePublicKeyFile(file.string() + ".pub", kOfficerPublicType, key);
  if (!open) return FromCerts(open.error());
  return key;
}

Result<revise::PublicKey> ReadOfficerPublicKey(const fs::path& file) {
  auto keys = certs::ReadPublicKeyFile(file, kOfficerPublicType, kSeedBytes);
  if (!keys) return FromCerts(keys.error());
  if (keys.value().size() != 1) {
    return Error{Code::kConfig, file.string() + ": must hold one key, that of one officer"};
  }
  revise::PublicKey key;
  std::ranges::copy(keys.value().front(), key.begin());
  return key;
}

Result<void> MakeSealingKey(const fs::path& file) {
  std::error_code error;
  if (fs::exists(file, error)) return boost::outcome_v2::success();
  const certs::SecretBytes seed = certs::SecretBytes::Random(kSeedBytes);
  const auto written = certs::WriteKeyFile(file, kSealingKeyType, seed.bytes());
  if (!written && written.error().code != certs::Code::kExists) return FromCerts(written.error());
  return boost::outcome_v2::success();
}

}  // namespace portcullis::gateway
