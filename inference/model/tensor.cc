#include "inference/model/tensor.h"

namespace portcullis::inference {

BlockLayout LayoutOf(DataType type) {
  switch (type) {
    case DataType::kF32: return {1, 4};
    case DataType::kF16: return {1, 2};
    case DataType::kBF16: return {1, 2};
    case DataType::kQ8_0: return {32, 34};
    case DataType::kQ4_0: return {32, 18};
    case DataType::kQ4_K: return {256, 144};
    case DataType::kQ5_K: return {256, 176};
    case DataType::kQ6_K: return {256, 210};
    case DataType::kF8E4M3: return {1, 1};
    case DataType::kQ4_1: return {32, 20};
    case DataType::kQ5_0: return {32, 22};
    case DataType::kQ5_1: return {32, 24};
    case DataType::kOther: break;
  }
  return {0, 0};
}

std::string_view NameOf(DataType type) {
  switch (type) {
    case DataType::kF32: return "F32";
    case DataType::kF16: return "F16";
    case DataType::kBF16: return "BF16";
    case DataType::kQ8_0: return "Q8_0";
    case DataType::kQ4_0: return "Q4_0";
    case DataType::kQ4_K: return "Q4_K";
    case DataType::kQ5_K: return "Q5_K";
    case DataType::kQ6_K: return "Q6_K";
    case DataType::kF8E4M3: return "F8_E4M3";
    case DataType::kQ4_1: return "Q4_1";
    case DataType::kQ5_0: return "Q5_0";
    case DataType::kQ5_1: return "Q5_1";
    case DataType::kOther: break;
  }
  return "other";
}

int64_t Tensor::elements() const {
  int64_t count = 1;
  for (const int64_t dimension : shape) count *= dimension;
  return count;
}

std::string ShapeText(std::span<const int64_t> shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

}  // namespace portcullis::inference
