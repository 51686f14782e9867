// Where a model's packed matrices live: memory that the system backs with huge pages where it can,
// which a processor reads a tenth faster, handed out in pieces that live as long as the store.
// Threading: one thread at a time; packing itself uses the workers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "inference/model/weights.h"
#include "inference/ops/workers.h"

namespace portcullis::inference {

class PackStore {
 public:
  // `workers` must outlive the store.
  explicit PackStore(Workers& workers) : workers_(workers) {}
  ~PackStore();
  PackStore(const PackStore&) = delete;
  PackStore& operator=(const PackStore&) = delete;

  // Packs a matrix that has a packed layout (pack.h). Throws std::bad_alloc. `mapped`: it lies in a
  // file's read-only mapping, and its pages need not stay in memory beside the copy.
  const std::byte* Pack(const Matrix& matrix, bool mapped);
  int64_t bytes() const { return bytes_; }

 private:
  struct Region {
    std::byte* data;
    size_t size;
  };
  std::byte* Allocate(int64_t size);

  Workers& workers_;
  std::vector<Region> regions_;
  size_t used_ = 0;    // of the last region
  int64_t bytes_ = 0;  // handed out
};

}  // namespace portcullis::inference
