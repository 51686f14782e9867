// A tensor as it lies in a model file: element type, shape and bytes, owned by a mapped file.
// Shapes are row-major, outermost dimension first, as in safetensors; the GGUF reader turns its
// order round. A matrix of [rows, columns] maps `columns` inputs to `rows` outputs.
// The block types are ggml's: each row is a whole number of blocks of `elements` values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace portcullis::inference {

enum class DataType : uint8_t {
  kF32, kF16, kBF16, kQ8_0, kQ4_0, kQ4_K, kQ5_K, kQ6_K,
  kF8E4M3,  // OCP 8-bit float without infinities; scaled by blocks, see Matrix
  kQ4_1, kQ5_0, kQ5_1,
  kOther,  // a type that is known by its name only; see Tensor::type_name
};

struct BlockLayout {
  int64_t elements;
  int64_t bytes;
};

// kOther has {0, 0}.
BlockLayout LayoutOf(DataType type);
std::string_view NameOf(DataType type);

struct Tensor {
  std::string name;
  DataType type = DataType::kOther;
  std::string type_name;        // as the file calls it; for messages
  std::vector<int64_t> shape;   // every dimension is at least 1
  std::span<const std::byte> bytes;

  int64_t elements() const;
};

// "[64, 512]", for messages.
std::string ShapeText(std::span<const int64_t> shape);

}  // namespace portcullis::inference
