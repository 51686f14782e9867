#include "gateway/identify/api_key.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <boost/crc.hpp>
#include <cstring>

#include "certs/keyfile.h"

namespace portcullis::gateway {
namespace {

constexpr std::string_view kPrefix = "pk_";
constexpr size_t kBodyLength = 43;
constexpr size_t kChecksumLength = 6;
constexpr size_t kEntropyBytes = 32;
constexpr size_t kKeyIdLength = 16;
constexpr std::string_view kPepperType = "api-key-pepper";
constexpr std::string_view kAlphabet =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static_assert(kPrefix.size() + kBodyLength + kChecksumLength == kApiKeyLength);
static_assert(kAlphabet.size() == 62);

bool IsBase62(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// CRC-32 (IEEE 802.3) in base62, most significant digit first.
std::array<char, kChecksumLength> Checksum(std::string_view text) {
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  uint32_t value = crc.checksum();
  std::array<char, kChecksumLength> digits;
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    *digit = kAlphabet[value % kAlphabet.size()];
    value /= static_cast<uint32_t>(kAlphabet.size());
  }
  return digits;
}

// Writes the number in `bytes` (big-endian) in base62, least digit last; destroys `bytes`.
void ToBase62(std::span<uint8_t> bytes, std::span<char> digits) {
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit) {
    unsigned remainder = 0;
    for (uint8_t& byte : bytes) {
      const unsigned value = remainder * 256 + byte;
      byte = static_cast<uint8_t>(value / kAlphabet.size());
      remainder = static_cast<unsigned>(value % kAlphabet.size());
    }
    *digit = kAlphabet[remainder];
  }
}

Error FromCerts(const certs::Error& error) { return Error{Code::kConfig, error.message}; }

}  // namespace

bool IsWellFormedApiKey(std::string_view token) {
  if (token.size() != kApiKeyLength || !token.starts_with(kPrefix)) return false;
  const std::string_view digits = token.substr(kPrefix.size());
  if (!std::ranges::all_of(digits, IsBase62)) return false;
  const size_t covered = kApiKeyLength - kChecksumLength;
  const auto expected = Checksum(token.substr(0, covered));
  return sodium_memcmp(expected.data(), token.data() + covered, expected.size()) == 0;
}

certs::SecretBytes GenerateApiKey() {
  certs::InitSodium();
  certs::SecretBytes number = certs::SecretBytes::Random(kEntropyBytes);
  certs::SecretBytes token(kApiKeyLength);
  char* text = reinterpret_cast<char*>(token.data());
  std::memcpy(text, kPrefix.data(), kPrefix.size());
  ToBase62(number.bytes(), {text + kPrefix.size(), kBodyLength});
  const size_t covered = kApiKeyLength - kChecksumLength;
  const auto checksum = Checksum({text, covered});
  std::memcpy(text + covered, checksum.data(), checksum.size());
  return token;
}

std::string GenerateKeyId() {
  certs::InitSodium();
  std::string id = "key_";
  for (size_t i = 0; i < kKeyIdLength; ++i) {
    id += kAlphabet[randombytes_uniform(static_cast<uint32_t>(kAlphabet.size()))];
  }
  return id;
}

Result<KeyHasher> KeyHasher::Create(certs::SecretBytes pepper) {
  certs::InitSodium();
  if (pepper.size() != kPepperLength) {
    return Error{Code::kConfig, "the pepper of API keys must have 32 bytes"};
  }
  return KeyHasher(std::move(pepper));
}

Result<KeyHasher> KeyHasher::FromFile(const std::string& path) {
  certs::InitSodium();
  auto pepper = certs::ReadKeyFile(path, kPepperType, kPepperLength);
  if (!pepper && pepper.error().code == certs::Code::kNotFound) {
    const certs::SecretBytes fresh = certs::SecretBytes::Random(kPepperLength);
    const auto written = certs::WriteKeyFile(path, kPepperType, fresh.bytes());
    if (!written && written.error().code != certs::Code::kExists) {
      return FromCerts(written.error());
    }
    pepper = certs::ReadKeyFile(path, kPepperType, kPepperLength);
  }
  if (!pepper) return FromCerts(pepper.error());
  return Create(std::move(pepper).value());
}

KeyHash KeyHasher::Hash(std::string_view token) const {
  KeyHash hash;
  crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const uint8_t*>(token.data()),
                     token.size(), pepper_.data(), pepper_.size());
  return hash;
}

}  // namespace portcullis::gateway
