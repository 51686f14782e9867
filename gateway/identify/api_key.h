// API keys: "pk_" + 43 base62 characters (256 bits from the system's generator) + 6 base62
// characters (CRC-32 of all before), 52 in all. The checksum lets a scanner or a typing error be
// told from a guess without any look-up; it proves nothing.
// A key is stored as BLAKE2b-256 keyed with a pepper that is not in the database, over the whole
// token. Pure functions; KeyHasher is immutable and may be shared by threads.
#pragma once

#include <string>
#include <string_view>

#include "certs/secret.h"
#include "gateway/error.h"
#include "gateway/state/records.h"

namespace portcullis::gateway {

inline constexpr size_t kApiKeyLength = 52;
inline constexpr size_t kPepperLength = 32;

// Length, prefix, alphabet and checksum.
bool IsWellFormedApiKey(std::string_view token);

// A fresh key; the only copy in clear.
certs::SecretBytes GenerateApiKey();

// "key_" + 16 random base62 characters: the public name of a key.
std::string GenerateKeyId();

class KeyHasher {
 public:
  // kConfig unless the pepper has kPepperLength bytes.
  static Result<KeyHasher> Create(certs::SecretBytes pepper);

  // Reads the pepper from `path` (0600); creates the file with random bytes when it is missing.
  static Result<KeyHasher> FromFile(const std::string& path);

  // Takes the same time for every token of the same length.
  KeyHash Hash(std::string_view token) const;

 private:
  explicit KeyHasher(certs::SecretBytes pepper) : pepper_(std::move(pepper)) {}

  certs::SecretBytes pepper_;
};

}  // namespace portcullis::gateway
