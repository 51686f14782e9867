// Heads of the pack cache: whatever is accepted lies within the file. The identity is that of the
// input's own bytes, and its digest is made right, so that the entries are reached.
#include <openssl/sha.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "inference/ops/pack_cache.h"

namespace inference = portcullis::inference;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kHead = 80, kEntry = 80, kDigest = 32;
  std::vector<std::byte> head(size);
  if (size > 0) std::memcpy(head.data(), data, size);
  inference::PackIdentity identity;
  if (size >= kHead) {
    std::memcpy(identity.files.data(), data + 16, kDigest);
    uint32_t entries;
    std::memcpy(&entries, data + 12, sizeof entries);
    const uint64_t end = kHead + uint64_t{entries} * kEntry;
    if (end + kDigest <= size) {
      SHA256(data, end, reinterpret_cast<unsigned char*>(head.data() + end));
    }
  }
  const uint64_t file_size = size + (uint64_t{1} << 20);
  const auto parsed = inference::ParsePackHead(head, file_size, identity);
  if (!parsed) return 0;
  for (const auto& entry : *parsed) {
    if (entry.position > file_size || entry.bytes > file_size - entry.position) std::abort();
  }
  return 0;
}
