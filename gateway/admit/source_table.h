// Fixed memory for an unbounded, hostile set of sources (addresses): a set-associative table of
// 64-bit words. A word packs a 23-bit tag, one flag and a 40-bit time in units of 100 us (1273
// days); index and tag come from SipHash-2-4 under a key drawn at start, so nobody can aim at a
// bucket. A bucket is one cache line of 8 words.
//
// Eviction rule: a new source takes the word with the earliest time in its bucket. A word whose
// time has passed says nothing ("no debt"), so forgetting it loses nothing; only when all 8 words
// of a bucket are in the future is a debt forgotten, the smallest one. Two sources share a word
// by chance once in about a million.
// Lock-free: one compare-and-swap per update; any thread. Memory is allocated once.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace portcullis::gateway {

class SourceTable {
 public:
  static constexpr int64_t kQuantumNs = 100'000;

  struct Entry {
    int64_t time_ns = 0;  // since the table was made; 0: nothing known
    bool flag = false;
  };

  // `sources` is rounded up to a power of two, at least 64.
  SourceTable(size_t sources, int64_t now_ns);

  // Reads the entry of `source` (Entry{} if unknown), lets `change` turn it into another, and
  // writes that unless change returned false. `change` may be called more than once.
  template <class Change>
  void Update(std::span<const uint8_t> source, Change change);

  Entry Find(std::span<const uint8_t> source) const;

  // Entries whose time is after `now_ns`, a MonotonicNs reading. Reads the whole table.
  size_t CountAfter(int64_t now_ns) const;

  // Time as the entries hold it: nanoseconds since the table was made, from a MonotonicNs reading.
  int64_t Since(int64_t monotonic_ns) const { return monotonic_ns - origin_ns_; }

  size_t memory_bytes() const { return bucket_count_ * sizeof(Bucket); }

 private:
  static constexpr size_t kWays = 8;
  static constexpr uint64_t kTimeMask = (uint64_t{1} << 40) - 1;
  static constexpr uint64_t kFlagBit = uint64_t{1} << 40;
  static constexpr int kTagShift = 41;

  struct alignas(64) Bucket {
    std::array<std::atomic<uint64_t>, kWays> words{};
  };
  struct Place {
    Bucket* bucket;
    uint64_t tag;  // never 0, shifted into place
  };

  Place Locate(std::span<const uint8_t> source) const;
  static Entry Unpack(uint64_t word);
  static uint64_t Pack(uint64_t tag, const Entry& entry);

  const int64_t origin_ns_;
  const size_t bucket_count_;
  const std::unique_ptr<Bucket[]> buckets_;
  std::array<uint8_t, 16> key_;
};

template <class Change>
void SourceTable::Update(std::span<const uint8_t> source, Change change) {
  const Place place = Locate(source);
  for (;;) {
    std::atomic<uint64_t>* victim = nullptr;
    uint64_t old = 0;
    bool known = false;
    for (std::atomic<uint64_t>& word : place.bucket->words) {
      const uint64_t value = word.load(std::memory_order_relaxed);
      if ((value >> kTagShift) == (place.tag >> kTagShift)) {
        victim = &word;
        old = value;
        known = true;
        break;
      }
      if (victim == nullptr || (value & kTimeMask) < (old & kTimeMask)) {
        victim = &word;
        old = value;
      }
    }
    Entry entry = known ? Unpack(old) : Entry{};
    if (!change(entry)) return;
    if (victim->compare_exchange_weak(old, Pack(place.tag, entry), std::memory_order_relaxed)) {
      return;
    }
  }
}

}  // namespace portcullis::gateway
