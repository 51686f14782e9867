#include "gateway/admit/source_table.h"

#include <sodium.h>

#include <algorithm>
#include <bit>

#include "certs/secret.h"

namespace portcullis::gateway {

SourceTable::SourceTable(size_t sources, int64_t now_ns)
    : origin_ns_(now_ns - kQuantumNs),
      bucket_count_(std::bit_ceil(std::max<size_t>(sources, 64)) / kWays),
      buckets_(std::make_unique<Bucket[]>(bucket_count_)) {
  certs::InitSodium();
  crypto_shorthash_keygen(key_.data());
}

SourceTable::Place SourceTable::Locate(std::span<const uint8_t> source) const {
  static_assert(crypto_shorthash_BYTES == sizeof(uint64_t));
  uint64_t hash;
  crypto_shorthash(reinterpret_cast<uint8_t*>(&hash), source.data(), source.size(), key_.data());
  uint64_t tag = hash >> kTagShift << kTagShift;
  if (tag == 0) tag = uint64_t{1} << kTagShift;
  return {&buckets_[hash & (bucket_count_ - 1)], tag};
}

SourceTable::Entry SourceTable::Unpack(uint64_t word) {
  return {.time_ns = static_cast<int64_t>(word & kTimeMask) * kQuantumNs,
          .flag = (word & kFlagBit) != 0};
}

uint64_t SourceTable::Pack(uint64_t tag, const Entry& entry) {
  const auto time = static_cast<uint64_t>(std::max<int64_t>(entry.time_ns, 0));
  const uint64_t units = std::min((time + kQuantumNs - 1) / kQuantumNs, kTimeMask);
  return tag | (entry.flag ? kFlagBit : 0) | units;
}

SourceTable::Entry SourceTable::Find(std::span<const uint8_t> source) const {
  const Place place = Locate(source);
  for (const std::atomic<uint64_t>& word : place.bucket->words) {
    const uint64_t value = word.load(std::memory_order_relaxed);
    if ((value >> kTagShift) == (place.tag >> kTagShift)) return Unpack(value);
  }
  return {};
}

size_t SourceTable::CountAfter(int64_t now_ns) const {
  const int64_t now = Since(now_ns);
  size_t count = 0;
  for (size_t i = 0; i < bucket_count_; ++i) {
    for (const std::atomic<uint64_t>& word : buckets_[i].words) {
      const uint64_t value = word.load(std::memory_order_relaxed);
      if (value != 0 && Unpack(value).time_ns > now) ++count;
    }
  }
  return count;
}

}  // namespace portcullis::gateway
