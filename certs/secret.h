// SecretBytes: the only type that may hold a key, a password or a session secret. Memory comes from
// sodium_malloc (guard pages, locked where the limit allows, left out of core dumps) and is wiped
// before it is given back. It cannot be copied, printed or logged by accident: there is no operator<<
// and no conversion to a string. Not thread-safe; movable between threads. Allocation failure throws
// std::bad_alloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <span>
#include <string>

namespace portcullis::certs {

class SecretBytes {
 public:
  SecretBytes() noexcept = default;
  explicit SecretBytes(size_t size);  // zeroed
  ~SecretBytes();
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;

  static SecretBytes Random(size_t size);
  static SecretBytes CopyOf(std::span<const uint8_t> bytes);
  // Takes the bytes and wipes the source string.
  static SecretBytes TakeFrom(std::string& source);

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::span<uint8_t> bytes() { return {data_, size_}; }
  std::span<const uint8_t> bytes() const { return {data_, size_}; }

  // Overwrites the content with zeros; the size stays.
  void Wipe();
  // Constant time in the content; sizes are not secret.
  bool Equals(std::span<const uint8_t> other) const;

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

// Secrets do not print.
std::ostream& operator<<(std::ostream&, const SecretBytes&) = delete;

// Starts libsodium once per process; every entry point of the island calls it. Throws
// std::runtime_error where the library cannot start.
void InitSodium();

// Wipes a string that held a secret on its way into SecretBytes.
void WipeString(std::string& text);

}  // namespace portcullis::certs
