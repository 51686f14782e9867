// The pack cache: a file that keeps a model's packed matrices, so that a second start copies what
// the first one rearranged. FORMAT.md describes it. The file is foreign bytes: every size is
// checked before it is used, and a digest proves a matrix before it is believed. Whatever is wrong
// with it, the answer is that it holds nothing; the caller packs again and writes a new one.
// Threading: one thread at a time; reading and writing use the workers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "inference/model/tensor.h"
#include "inference/ops/workers.h"

namespace portcullis::inference {

using Digest = std::array<std::byte, 32>;

// Which files were packed: a digest of their names, places, sizes and times of change, and one of
// their content, all zeros where that was not computed. Contents decide where both are known, so
// that a cache may be copied with its model; the files decide otherwise.
struct PackIdentity {
  Digest files{};
  Digest content{};
};
bool Belongs(const PackIdentity& cache, const PackIdentity& model);

// What the cache file at `path` says it was packed from; nothing where it is none.
std::optional<PackIdentity> ReadPackIdentity(const std::filesystem::path& path);

// A matrix of the model: where it begins in which file, and what it is.
struct PackKey {
  uint32_t file = 0;
  uint64_t offset = 0;
  DataType type = DataType::kOther;
  int64_t rows = 0;
  int64_t columns = 0;

  bool operator==(const PackKey&) const = default;
};

struct PackEntry {
  PackKey key;
  uint64_t position = 0;  // in the cache file
  uint64_t bytes = 0;
  Digest digest{};
};

// The entries of a cache file of `file_size` bytes that begins with `head` (at least as much of it
// as the entries take, or all). Nothing where it is not a whole cache of this identity.
std::optional<std::vector<PackEntry>> ParsePackHead(std::span<const std::byte> head,
                                                    uint64_t file_size,
                                                    const PackIdentity& identity);

class PackCacheReader {
 public:
  PackCacheReader() = default;
  // Holds nothing where the file is absent, unreadable, damaged or of other weights.
  PackCacheReader(const std::filesystem::path& path, const PackIdentity& identity);
  ~PackCacheReader();
  PackCacheReader(const PackCacheReader&) = delete;
  PackCacheReader& operator=(const PackCacheReader&) = delete;

  size_t size() const { return entries_.size(); }
  // Of the model that the cache was packed from.
  const PackIdentity& identity() const { return identity_; }
  const PackEntry* Find(const PackKey& key) const;
  // False where the bytes are not those that were written.
  bool Read(const PackEntry& entry, Workers& workers, std::byte* out) const;

 private:
  int descriptor_ = -1;
  PackIdentity identity_;
  std::vector<PackEntry> entries_;
};

struct PackedMatrix {
  PackKey key;
  std::span<const std::byte> bytes;
};

// Replaces the file at `path` as a whole or not at all. False: it could not be written, which
// harms nobody.
bool WritePackCache(const std::filesystem::path& path, const PackIdentity& identity,
                    std::span<const PackedMatrix> matrices, Workers& workers);

}  // namespace portcullis::inference
