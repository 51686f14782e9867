// Big-endian fields in and out of byte strings: the one place where the formats of FORMAT.md turn
// integers into bytes. ByteReader never reads past its end: the first short read sets failed() and
// every later read gives zeros, so that a parser checks once. Not thread-safe.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace portcullis::audit {

inline std::span<const uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view AsText(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <std::unsigned_integral T>
T LoadBigEndian(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) return value;
  else if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  else if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  else return __builtin_bswap64(value);
}

class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  template <std::unsigned_integral T>
  void Put(T value) {
    for (size_t i = sizeof(T); i-- > 0;) out_.push_back(static_cast<char>(value >> (8 * i)));
  }
  void PutBytes(std::span<const uint8_t> bytes) { out_.append(AsText(bytes)); }
  void PutText(std::string_view text) { out_.append(text); }
  // Length-prefixed.
  template <std::unsigned_integral Length>
  void PutSized(std::string_view text) {
    Put(static_cast<Length>(text.size()));
    out_.append(text);
  }

 private:
  std::string& out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <std::unsigned_integral T>
  T Get() {
    const std::string_view raw = Take(sizeof(T));
    if (raw.empty()) return 0;
    return LoadBigEndian<T>(raw.data());
  }
  template <size_t N>
  std::array<uint8_t, N> GetArray() {
    std::array<uint8_t, N> out{};
    const std::string_view raw = Take(N);
    if (!raw.empty()) std::memcpy(out.data(), raw.data(), N);
    return out;
  }
  std::string_view Take(size_t size) {
    if (size > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  // Length-prefixed; fails when longer than max.
  template <std::unsigned_integral Length>
  std::string_view GetSized(size_t max) {
    const size_t size = Get<Length>();
    if (size > max) {
      failed_ = true;
      rest_ = {};
    }
    return Take(failed_ ? 0 : size);
  }
  size_t left() const { return rest_.size(); }
  bool failed() const { return failed_; }
  bool Finished() const { return !failed_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

template <std::unsigned_integral T>
void StoreBigEndian(T value, uint8_t* out) {
  for (size_t i = 0; i < sizeof(T); ++i) out[i] = static_cast<uint8_t>(value >> (8 * (sizeof(T) - 1 - i)));
}

}  // namespace portcullis::audit
