#include "inference/tokenizer/byte_level.h"

#include <array>
#include <cstdint>

#include "inference/tokenizer/utf8.h"

namespace portcullis::inference {
namespace {

// Printable Latin-1 bytes stand for themselves, the other 68 for U+0100 and up, in order.
std::array<int16_t, 0x144> InverseAlphabet() {
  std::array<int16_t, 0x144> inverse;
  inverse.fill(-1);
  size_t next = 0x100;
  for (int16_t byte = 0; byte < 256; ++byte) {
    const bool printable =
        (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    inverse[printable ? static_cast<size_t>(byte) : next++] = byte;
  }
  return inverse;
}

}  // namespace

std::optional<std::string> FromByteLevel(std::string_view token) {
  static const std::array<int16_t, 0x144> kInverse = InverseAlphabet();
  std::string bytes;
  while (!token.empty()) {
    const size_t n = CharacterLength(token);
    if (n == 0) return std::nullopt;
    const char32_t c = FirstCodePoint(token);
    if (c >= kInverse.size() || kInverse[c] < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(kInverse[c]));
    token.remove_prefix(n);
  }
  return bytes;
}

}  // namespace portcullis::inference
