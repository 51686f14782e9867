// The bytes that are hashed and kept: a writer and a strict reader of a flat form without choices.
//   text   8 bytes of length, most significant first, then the bytes        number   8 bytes, same
//   order
// Two different lists of values never give the same bytes, so a hash over them stands for the
// values themselves (FORMAT.md). Plain values, any thread; the reader never reads beyond its input.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "policy/error.h"

namespace portcullis::policy::revise {

using Hash = std::array<uint8_t, 32>;  // SHA-256

Hash Sha256(std::string_view bytes);
std::string Hex(const Hash& hash);
std::string HashText(const Hash& hash);                     // "sha256:" and 64 digits
std::optional<Hash> ParseHash(std::string_view text);       // of HashText or Hex
std::string_view AsText(const Hash& hash);                  // its 32 bytes; borrows `hash`
std::optional<Hash> HashFromBytes(std::string_view bytes);  // 32 bytes

class ByteWriter {
 public:
  ByteWriter& Number(uint64_t value);
  ByteWriter& Text(std::string_view bytes);
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

class ByteReader {
 public:
  // `bytes` must outlive the reader. `what` is named in errors.
  ByteReader(std::string_view bytes, std::string_view what) : rest_(bytes), what_(what) {}

  Result<uint64_t> Number();
  Result<uint64_t> NumberUpTo(uint64_t limit);
  Result<std::string_view> Text(size_t limit);
  Result<void> Expect(std::string_view text);  // the next text is this one
  Result<void> End() const;                    // nothing may follow

 private:
  Error Bad(std::string_view why) const;

  std::string_view rest_;
  std::string_view what_;
};

}  // namespace portcullis::policy::revise
