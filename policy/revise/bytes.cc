#include "policy/revise/bytes.h"

#include <sodium.h>

#include <cstring>

namespace portcullis::policy::revise {
namespace {

constexpr std::string_view kHashPrefix = "sha256:";

int Digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

Hash Sha256(std::string_view bytes) {
  Hash hash;
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                     bytes.size());
  return hash;
}

std::string Hex(const Hash& hash) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const uint8_t byte : hash) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

std::string HashText(const Hash& hash) { return std::string(kHashPrefix) + Hex(hash); }

std::optional<Hash> ParseHash(std::string_view text) {
  if (text.starts_with(kHashPrefix)) text.remove_prefix(kHashPrefix.size());
  Hash hash;
  if (text.size() != 2 * hash.size()) return std::nullopt;
  for (size_t i = 0; i < hash.size(); ++i) {
    const int high = Digit(text[2 * i]);
    const int low = Digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    hash[i] = static_cast<uint8_t>(high * 16 + low);
  }
  return hash;
}

std::string_view AsText(const Hash& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

std::optional<Hash> HashFromBytes(std::string_view bytes) {
  Hash hash;
  if (bytes.size() != hash.size()) return std::nullopt;
  std::memcpy(hash.data(), bytes.data(), hash.size());
  return hash;
}

ByteWriter& ByteWriter::Number(uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out_ += static_cast<char>(value >> shift & 0xff);
  return *this;
}

ByteWriter& ByteWriter::Text(std::string_view bytes) {
  Number(bytes.size());
  out_ += bytes;
  return *this;
}

Error ByteReader::Bad(std::string_view why) const {
  return {Code::kRevisionDamaged, std::string(what_) + ": " + std::string(why)};
}

Result<uint64_t> ByteReader::Number() {
  if (rest_.size() < 8) return Bad("ends in the middle of a number");
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<uint8_t>(rest_[i]);
  rest_.remove_prefix(8);
  return value;
}

Result<uint64_t> ByteReader::NumberUpTo(uint64_t limit) {
  BOOST_OUTCOME_TRY(const uint64_t value, Number());
  if (value > limit) return Bad("a number is above " + std::to_string(limit));
  return value;
}

Result<std::string_view> ByteReader::Text(size_t limit) {
  BOOST_OUTCOME_TRY(const uint64_t size, Number());
  if (size > limit) return Bad("a text is longer than " + std::to_string(limit) + " bytes");
  if (size > rest_.size()) return Bad("ends in the middle of a text");
  const std::string_view text = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return text;
}

Result<void> ByteReader::Expect(std::string_view text) {
  BOOST_OUTCOME_TRY(const std::string_view found, Text(text.size()));
  if (found != text) return Bad("is of another kind or version");
  return boost::outcome_v2::success();
}

Result<void> ByteReader::End() const {
  if (!rest_.empty()) return Bad("has bytes after its end");
  return boost::outcome_v2::success();
}

}  // namespace portcullis::policy::revise
