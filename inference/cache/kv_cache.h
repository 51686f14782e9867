// The keys and values of one sequence: per layer one row of floats per position, keys and values
// apart. Latent attention keeps one row for both. The memory is reserved at once and taken from the
// machine as positions are written.
#pragma once

#include <cstdint>
#include <memory>

#include "inference/arch/model.h"

namespace portcullis::inference {

class KvCache final : public Sequence {
 public:
  struct Shape {
    int64_t layers = 0;
    int64_t key_floats = 0;    // per position and layer
    int64_t value_floats = 0;  // 0: values are part of the keys
  };

  // `owner` is the model the cache belongs to. Null where memory or the address space is too small.
  static std::unique_ptr<KvCache> Create(const void* owner, const Shape& shape, int64_t capacity);
  // Bytes for `capacity` positions; the largest number where they cannot be counted.
  static int64_t Bytes(const Shape& shape, int64_t capacity);
  ~KvCache() override;

  int64_t length() const override { return length_; }
  int64_t capacity() const override { return capacity_; }
  void Truncate(int64_t length) override;

  const void* owner() const { return owner_; }
  void Advance(int64_t tokens) { length_ += tokens; }
  // First row of a layer; rows follow one another.
  float* Keys(int64_t layer) { return data_ + layer * capacity_ * shape_.key_floats; }
  float* Values(int64_t layer) {
    return data_ + capacity_ * (shape_.layers * shape_.key_floats + layer * shape_.value_floats);
  }

 private:
  KvCache(const void* owner, const Shape& shape, int64_t capacity, float* data)
      : owner_(owner), shape_(shape), capacity_(capacity), data_(data) {}

  const void* owner_;
  Shape shape_;
  int64_t capacity_;
  int64_t length_ = 0;
  float* data_;
};

}  // namespace portcullis::inference
