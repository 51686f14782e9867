// The numbers of the GGUF file format: kinds of metadata values and types of tensors, with the
// names by which their users know them. Shared by the reader (gguf.h) and the writer
// (gguf_writer.h). Format: ggml's docs/gguf.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "inference/model/tensor.h"

namespace portcullis::inference::gguf {

// Metadata value types; the numbers are the file format's.
enum class ValueType : uint32_t {
  kUint8 = 0, kInt8 = 1, kUint16 = 2, kInt16 = 3, kUint32 = 4, kInt32 = 5, kFloat32 = 6, kBool = 7,
  kString = 8, kArray = 9, kUint64 = 10, kInt64 = 11, kFloat64 = 12,
};

// Bytes of a value of fixed size; 0 for strings, arrays and numbers that are no type.
size_t FixedSize(ValueType type);

struct TensorType {
  uint32_t number;
  std::string_view name;
  DataType type;       // kOther: known by name, not computed
  BlockLayout layout;  // of kOther too, so that its extent can be checked
};

// Null for a number that is no type.
const TensorType* FindTensorType(uint32_t number);
// Null for types that GGUF has no number for.
const TensorType* FindTensorType(DataType type);

inline constexpr uint64_t kDefaultAlignment = 32;

}  // namespace portcullis::inference::gguf
