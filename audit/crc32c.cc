// The crc32 instruction takes 3 cycles and one begins in each: a long input is cut into blocks of three lanes
// that go side by side. The checksum of lanes A ‖ B ‖ C is A·x^(16n) + B·x^(8n) + C modulo the polynomial, for lanes
// of n bytes. A carry-less product with x^(8m-33) and one crc32 of it, which brings x^33 and the modulus,
// multiplies by x^(8m). Everything is bit-reflected: x^0 is the top bit.

#include "audit/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace portcullis::audit {
namespace {

constexpr uint32_t kPolynomial = 0x82F63B78;

constexpr uint32_t TimesX(uint32_t value) { return (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0u); }

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = TimesX(value);
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
// x^(8·bytes - 33): what moves a checksum over so many bytes.
constexpr uint32_t Shift(size_t bytes) {
  uint32_t value = 0x80000000;
  for (size_t i = 0; i < 8 * bytes - 33; ++i) value = TimesX(value);
  return value;
}

uint64_t Word(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

__attribute__((target("sse4.2"))) uint32_t OneLane(std::string_view bytes, uint32_t state) {
  uint64_t wide = state;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) wide = _mm_crc32_u64(wide, Word(bytes.data()));
  state = static_cast<uint32_t>(wide);
  for (const char c : bytes) state = _mm_crc32_u8(state, static_cast<uint8_t>(c));
  return state;
}

__attribute__((target("sse4.2,pclmul"))) uint64_t Moved(uint64_t lane, uint32_t shift) {
  const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(lane)),
                                               _mm_cvtsi32_si128(static_cast<int>(shift)), 0);
  return _mm_crc32_u64(0, static_cast<uint64_t>(_mm_cvtsi128_si64(product)));
}

template <size_t kLane>
__attribute__((target("sse4.2,pclmul"))) uint64_t ThreeLanes(std::string_view& bytes, uint64_t state) {
  static_assert(kLane % 8 == 0);
  static constexpr uint32_t kOverOne = Shift(kLane), kOverTwo = Shift(2 * kLane);
  for (; bytes.size() >= 3 * kLane; bytes.remove_prefix(3 * kLane)) {
    const char* const at = bytes.data();
    uint64_t a = state, b = 0, c = 0;
    for (size_t i = 0; i < kLane; i += 8) {
      a = _mm_crc32_u64(a, Word(at + i));
      b = _mm_crc32_u64(b, Word(at + kLane + i));
      c = _mm_crc32_u64(c, Word(at + 2 * kLane + i));
    }
    state = Moved(a, kOverTwo) ^ Moved(b, kOverOne) ^ c;
  }
  return state;
}

__attribute__((target("sse4.2,pclmul"))) uint32_t Hardware(std::string_view bytes, uint32_t state) {
  const uint64_t large = ThreeLanes<1024>(bytes, state);
  const uint64_t small = ThreeLanes<128>(bytes, large);  // before what is left of `bytes` is passed on
  return OneLane(bytes, static_cast<uint32_t>(small));
}
#endif

}  // namespace

uint32_t Crc32c(std::string_view bytes, uint32_t previous) {
#if defined(__x86_64__)
  static const bool hardware = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
  if (hardware) return ~Hardware(bytes, ~previous);
#endif
  return ~Portable(bytes, ~previous);
}

uint32_t Crc32cPortableForTest(std::string_view bytes, uint32_t previous) {
  return ~Portable(bytes, ~previous);
}

}  // namespace portcullis::audit
