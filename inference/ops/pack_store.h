// Where a model's packed matrices live: memory that the system backs with huge pages where it can,
// which a processor reads a tenth faster, handed out in pieces that live as long as the store.
// With a cache file, matrices are copied from it where it has them, and it is written anew where it
// lacked any.
// Threading: one thread at a time; packing itself uses the workers. FindForged may run beside what
// only reads packed matrices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "inference/model/weights.h"
#include "inference/ops/pack_cache.h"
#include "inference/ops/workers.h"

namespace portcullis::inference {

struct PackSource {
  PackIdentity identity;
  // The mappings of the model's files, in a fixed order.
  std::vector<std::span<const std::byte>> files;
};

class PackStore {
 public:
  // `workers` must outlive the store.
  explicit PackStore(Workers& workers) : workers_(workers) {}
  ~PackStore();
  PackStore(const PackStore&) = delete;
  PackStore& operator=(const PackStore&) = delete;

  // Before the first Pack: takes matrices from the first of `files` that belongs to the source.
  void UseCache(std::span<const std::filesystem::path> files, PackSource source);
  // After the last: the content, known by now or never. Whether what was taken belongs to it.
  bool SetContent(const Digest& content);
  // After the last: writes `file` where not all matrices came from a cache. False: it could not be
  // written.
  bool SaveCache(const std::filesystem::path& file);
  // Packs again, on this thread, what came from the cache, and compares: only this proves that a
  // cache was not made by somebody else. Gives the first matrix that differs.
  std::optional<PackKey> FindForged(const std::stop_token& stop) const;

  // Packs a matrix that has a packed layout (pack.h). Throws std::bad_alloc. `mapped`: it lies in a
  // file's read-only mapping, and its pages need not stay in memory beside the copy.
  const std::byte* Pack(const Matrix& matrix, bool mapped);
  int64_t bytes() const { return bytes_; }
  // Matrices that have a place in a cache, and of them those that came from one.
  int64_t matrices() const { return static_cast<int64_t>(packed_.size()); }
  int64_t cached() const { return static_cast<int64_t>(copied_.size()); }
  // Where they came from; empty: from none.
  const std::filesystem::path& cache_file() const { return cache_file_; }

 private:
  struct Region {
    std::byte* data;
    size_t size;
  };
  std::byte* Allocate(int64_t size);
  // False: the matrix lies in none of the source's files.
  bool KeyOf(const Matrix& matrix, PackKey& key) const;
  bool CopyFromCache(const PackKey& key, std::byte* out);

  Workers& workers_;
  std::vector<Region> regions_;
  size_t used_ = 0;    // of the last region
  int64_t bytes_ = 0;  // handed out
  std::filesystem::path cache_file_;
  PackSource source_;
  std::unique_ptr<PackCacheReader> cache_;
  std::vector<PackedMatrix> packed_;  // what a new cache would hold
  struct Copied {
    size_t index;  // in packed_
    bool mapped;
  };
  std::vector<Copied> copied_;  // what came from the cache
};

}  // namespace portcullis::inference
