#include "inference/cache/kv_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <limits>

namespace portcullis::inference {

int64_t KvCache::Bytes(const Shape& shape, int64_t capacity) {
  int64_t bytes = 0;
  if (__builtin_mul_overflow(shape.key_floats + shape.value_floats, shape.layers, &bytes) ||
      __builtin_mul_overflow(bytes, capacity, &bytes) ||
      __builtin_mul_overflow(bytes, static_cast<int64_t>(sizeof(float)), &bytes)) {
    return std::numeric_limits<int64_t>::max();
  }
  return bytes;
}

std::unique_ptr<KvCache> KvCache::Create(const void* owner, const Shape& shape, int64_t capacity) {
  const auto bytes = static_cast<size_t>(Bytes(shape, capacity));
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return nullptr;
  return std::unique_ptr<KvCache>(new KvCache(owner, shape, capacity, static_cast<float*>(data)));
}

KvCache::~KvCache() { munmap(data_, static_cast<size_t>(Bytes(shape_, capacity_))); }

void KvCache::Truncate(int64_t length) { length_ = std::clamp(length, int64_t{0}, length_); }

}  // namespace portcullis::inference
