// Names of cached pages: a chain of keyed hashes (SipHash-2-4 under a key drawn at start), so that
// a page's name stands for all tokens before it too, and nobody outside can make two prompts
// collide. The chain starts at the tenant: equal prompts of two tenants have different names. A
// match is confirmed token by token all the same. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace portcullis::inference {

class PageHash {
 public:
  PageHash();
  ~PageHash();
  PageHash(PageHash&&) = delete;

  uint64_t Start(std::string_view tenant) const;
  uint64_t Next(uint64_t previous, std::span<const int32_t> page) const;

 private:
  uint64_t Hash(std::span<const std::byte> head, std::span<const std::byte> tail) const;

  struct Context;
  std::unique_ptr<Context> context_;
  std::array<unsigned char, 16> key_;
};

}  // namespace portcullis::inference
