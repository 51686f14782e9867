// Uninitialised, aligned memory for floats that grows on demand and never shrinks: scratch space
// of the operations. Growing forgets what was there. Running out throws std::bad_alloc, which the
// model turns into kOutOfMemory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace portcullis::inference {

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t count) { Get(count); }
  Buffer(Buffer&& other) noexcept : data_(other.data_), count_(other.count_) {
    other.data_ = nullptr;
    other.count_ = 0;
  }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~Buffer() { Free(); }

  // Room for `count` floats, valid until the next call that asks for more.
  float* Get(int64_t count) {
    if (count > count_) {
      Free();
      data_ = nullptr;
      count_ = 0;
      data_ = static_cast<float*>(::operator new(static_cast<size_t>(count) * sizeof(float),
                                                 kAlignment));
      count_ = count;
    }
    return data_;
  }
  float* data() { return data_; }
  const float* data() const { return data_; }

 private:
  static constexpr std::align_val_t kAlignment{64};

  void Free() {
    if (data_ != nullptr) ::operator delete(data_, kAlignment);
  }

  float* data_ = nullptr;
  int64_t count_ = 0;
};

}  // namespace portcullis::inference
