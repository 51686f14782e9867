#include "certs/secret.h"

#include <sodium.h>

#include <cstring>
#include <new>
#include <stdexcept>
#include <utility>

namespace portcullis::certs {

void InitSodium() {
  static const int status = sodium_init();
  if (status < 0) throw std::runtime_error("libsodium cannot start (no source of randomness)");
}

void WipeString(std::string& text) {
  sodium_memzero(text.data(), text.size());
  text.clear();
}

SecretBytes::SecretBytes(size_t size) : size_(size) {
  if (size == 0) return;
  InitSodium();
  data_ = static_cast<uint8_t*>(sodium_malloc(size));
  if (data_ == nullptr) throw std::bad_alloc();
  sodium_memzero(data_, size);
}

SecretBytes::~SecretBytes() { sodium_free(data_); }

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    sodium_free(data_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

SecretBytes SecretBytes::Random(size_t size) {
  SecretBytes secret(size);
  if (size > 0) randombytes_buf(secret.data_, size);
  return secret;
}

SecretBytes SecretBytes::CopyOf(std::span<const uint8_t> bytes) {
  SecretBytes secret(bytes.size());
  if (!bytes.empty()) std::memcpy(secret.data_, bytes.data(), bytes.size());
  return secret;
}

SecretBytes SecretBytes::TakeFrom(std::string& source) {
  SecretBytes secret = CopyOf({reinterpret_cast<const uint8_t*>(source.data()), source.size()});
  WipeString(source);
  return secret;
}

void SecretBytes::Wipe() {
  if (size_ > 0) sodium_memzero(data_, size_);
}

bool SecretBytes::Equals(std::span<const uint8_t> other) const {
  if (other.size() != size_) return false;
  return size_ == 0 || sodium_memcmp(data_, other.data(), size_) == 0;
}

}  // namespace portcullis::certs
