// Keys and values of kKvBlock adjacent positions of one layer, in the order attention reads them.
// Grouped heads: per head the keys transposed, [key size][position], so that a vector of scores
// grows by one broadcast query value at a time; then per head the values, [position][value size].
// Latent attention (one head whose values are the beginning of its keys): [position][key size].
// Rows of values and latent keys are padded to whole vectors.
// Storing is done by one thread per block at a time; a block says nothing of how full it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace portcullis::inference {

enum class KvType : uint8_t { kF32, kF16 };

std::string_view NameOf(KvType type);                       // f32, f16
std::optional<KvType> KvTypeNamed(std::string_view name);  // absent: there is no such type

inline constexpr int64_t kKvBlock = 64;  // positions

struct KvShape {
  int64_t heads = 0;
  int64_t key_size = 0;
  int64_t value_size = 0;
  bool latent = false;
  KvType type = KvType::kF32;

  int64_t element_bytes() const { return type == KvType::kF32 ? 4 : 2; }
  // Elements from one position's row to the next: of values, or of latent keys.
  int64_t row_stride() const { return ((latent ? key_size : value_size) + 15) / 16 * 16; }
  // Elements of one head's keys and of its values.
  int64_t key_elements() const { return latent ? kKvBlock * row_stride() : kKvBlock * key_size; }
  int64_t value_elements() const { return latent ? 0 : kKvBlock * row_stride(); }
  int64_t block_bytes() const {
    return heads * (key_elements() + value_elements()) * element_bytes();
  }
};

// Puts `rows` positions into the block from `slot` on. keys [rows][heads][key size] and values
// [rows][heads][value size] (not read for latent attention) have rows of the given strides.
// Numbers beyond f16's range are stored as its largest.
void StoreKv(const KvShape& shape, std::byte* block, int64_t slot, int64_t rows, const float* keys,
             int64_t key_stride, const float* values, int64_t value_stride);

}  // namespace portcullis::inference
