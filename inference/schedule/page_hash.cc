#include "inference/schedule/page_hash.h"

#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/random.h>

#include <stdexcept>

namespace portcullis::inference {

struct PageHash::Context {
  Context() : mac(EVP_MAC_fetch(nullptr, "SIPHASH", nullptr)), context(EVP_MAC_CTX_new(mac)) {}
  ~Context() {
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
  }
  EVP_MAC* mac;
  EVP_MAC_CTX* context;
};

PageHash::PageHash() : context_(std::make_unique<Context>()) {
  if (context_->context == nullptr || getrandom(key_.data(), key_.size(), 0) != ssize_t{16}) {
    throw std::runtime_error("no keyed hash for the prefix cache: OpenSSL lacks SipHash");
  }
}

PageHash::~PageHash() = default;

uint64_t PageHash::Hash(std::span<const std::byte> head, std::span<const std::byte> tail) const {
  size_t size = sizeof(uint64_t);
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t("size", &size),
                               OSSL_PARAM_construct_end()};
  uint64_t hash = 0;
  const auto bytes = [](std::span<const std::byte> part) {
    return reinterpret_cast<const unsigned char*>(part.data());
  };
  EVP_MAC_CTX* mac = context_->context;
  if (EVP_MAC_init(mac, key_.data(), key_.size(), params) != 1 ||
      EVP_MAC_update(mac, bytes(head), head.size()) != 1 ||
      EVP_MAC_update(mac, bytes(tail), tail.size()) != 1 ||
      EVP_MAC_final(mac, reinterpret_cast<unsigned char*>(&hash), &size, sizeof hash) != 1) {
    throw std::runtime_error("the keyed hash of the prefix cache failed");
  }
  return hash;
}

uint64_t PageHash::Start(std::string_view tenant) const {
  return Hash({}, std::as_bytes(std::span(tenant)));
}

uint64_t PageHash::Next(uint64_t previous, std::span<const int32_t> page) const {
  return Hash(std::as_bytes(std::span(&previous, 1)), std::as_bytes(page));
}

}  // namespace portcullis::inference
