#include "inference/ops/kv_block.h"

#include <cstring>

#include "inference/ops/half.h"

namespace portcullis::inference {
namespace {

template <class T>
T Convert(float value);
template <>
float Convert<float>(float value) { return value; }
template <>
uint16_t Convert<uint16_t>(float value) { return ToHalf(value); }

void CopyRow(const float* in, int64_t count, float* out) {
  std::memcpy(out, in, static_cast<size_t>(count) * sizeof(float));
}
void CopyRow(const float* in, int64_t count, uint16_t* out) { ToHalves(in, count, out); }

template <class T>
void Store(const KvShape& shape, T* block, int64_t slot, int64_t rows, const float* keys,
           int64_t key_stride, const float* values, int64_t value_stride) {
  const int64_t stride = shape.row_stride();
  if (shape.latent) {
    for (int64_t row = 0; row < rows; ++row) {
      CopyRow(keys + row * key_stride, shape.key_size, block + (slot + row) * stride);
    }
    return;
  }
  for (int64_t head = 0; head < shape.heads; ++head) {
    const float* key = keys + head * shape.key_size;
    T* own_keys = block + head * shape.key_elements() + slot;
    for (int64_t i = 0; i < shape.key_size; ++i) {
      for (int64_t row = 0; row < rows; ++row) {
        own_keys[i * kKvBlock + row] = Convert<T>(key[row * key_stride + i]);
      }
    }
    const float* value = values + head * shape.value_size;
    T* own_values =
        block + shape.heads * shape.key_elements() + head * shape.value_elements() + slot * stride;
    for (int64_t row = 0; row < rows; ++row) {
      CopyRow(value + row * value_stride, shape.value_size, own_values + row * stride);
    }
  }
}

}  // namespace

std::string_view NameOf(KvType type) { return type == KvType::kF32 ? "f32" : "f16"; }

std::optional<KvType> KvTypeNamed(std::string_view name) {
  for (const auto type : {KvType::kF32, KvType::kF16}) {
    if (NameOf(type) == name) return type;
  }
  return std::nullopt;
}

void StoreKv(const KvShape& shape, std::byte* block, int64_t slot, int64_t rows, const float* keys,
             int64_t key_stride, const float* values, int64_t value_stride) {
  if (shape.type == KvType::kF32) {
    Store(shape, reinterpret_cast<float*>(block), slot, rows, keys, key_stride, values,
          value_stride);
  } else {
    Store(shape, reinterpret_cast<uint16_t*>(block), slot, rows, keys, key_stride, values,
          value_stride);
  }
}

}  // namespace portcullis::inference
