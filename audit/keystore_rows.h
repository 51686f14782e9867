// Rows of the key store: how an id is written, how a value is sealed under its key. Internal to
// keystore.cc and keystore_acts.cc. KEY STORE in FORMAT.md. Pure but for random nonces.
#pragma once

#include <concepts>
#include <span>
#include <string>
#include <string_view>

#include "audit/bytes.h"
#include "audit/error.h"
#include "audit/record.h"
#include "certs/secret.h"

namespace portcullis::audit {

inline constexpr size_t kMaxSealedRow = 4u << 20;  // the key of a subject that was punctured often
inline constexpr size_t kSaltSize = 32;
inline constexpr size_t kSubjectKeyIdSize = 20;
inline constexpr size_t kBuckets = 256;  // of rows of subject_key, by the first byte of the id
inline constexpr const char* kSubjectKeyTable = "subject_key";
inline constexpr std::string_view kGenerationId = "generation";
inline constexpr std::string_view kLastHoldId = "last-hold";
inline constexpr std::string_view kYearId = "year-";  // and the epoch, in meta: its tag key is destroyed
inline constexpr std::string_view kRotatingId = "rotating";  // the first bucket that is not renewed yet

Error KeyStoreTampered(const char* why);

template <std::unsigned_integral T>
std::string NumberId(T number) {
  std::string id;
  ByteWriter(id).Put(number);
  return id;
}
std::string EncodeKeyId(const SubjectKeyId& key);
Result<SubjectKeyId> ParseKeyId(std::string_view id);

certs::SecretBytes DeriveStoreKey(const certs::SecretBytes& root, std::string_view salt);
std::string SealRow(const char* table, std::string_view id, std::span<const uint8_t> plain,
                    std::span<const uint8_t> key);
// Into a buffer that is large enough (the sealed size always is); returns how many bytes.
Result<size_t> OpenRowInto(const char* table, std::string_view id, std::string_view sealed,
                           std::span<const uint8_t> key, certs::SecretBytes& plain);
Result<certs::SecretBytes> OpenRow(const char* table, std::string_view id, std::string_view sealed,
                                   std::span<const uint8_t> key);

}  // namespace portcullis::audit
