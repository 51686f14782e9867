#include "audit/crc32c.h"

#include <array>
#include <cstring>

namespace portcullis::audit {
namespace {

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82F63B78u : 0u);
    table[i] = value;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kTable = MakeTable();

uint32_t Portable(std::string_view bytes, uint32_t state) {
  for (const char c : bytes) state = kTable[(state ^ static_cast<uint8_t>(c)) & 0xFF] ^ (state >> 8);
  return state;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t Hardware(std::string_view bytes, uint32_t state) {
  uint64_t wide = state;
  while (bytes.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    wide = __builtin_ia32_crc32di(wide, word);
    bytes.remove_prefix(8);
  }
  state = static_cast<uint32_t>(wide);
  for (const char c : bytes) state = __builtin_ia32_crc32qi(state, static_cast<uint8_t>(c));
  return state;
}
#endif

}  // namespace

uint32_t Crc32c(std::string_view bytes, uint32_t previous) {
#if defined(__x86_64__)
  static const bool hardware = __builtin_cpu_supports("sse4.2");
  if (hardware) return ~Hardware(bytes, ~previous);
#endif
  return ~Portable(bytes, ~previous);
}

uint32_t Crc32cPortableForTest(std::string_view bytes, uint32_t previous) {
  return ~Portable(bytes, ~previous);
}

}  // namespace portcullis::audit
