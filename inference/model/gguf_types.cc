#include "inference/model/gguf_types.h"

#include <algorithm>
#include <array>

namespace portcullis::inference::gguf {
namespace {

constexpr std::array kTypes = {
    TensorType{0, "F32", DataType::kF32, {1, 4}},
    TensorType{1, "F16", DataType::kF16, {1, 2}},
    TensorType{2, "Q4_0", DataType::kQ4_0, {32, 18}},
    TensorType{3, "Q4_1", DataType::kQ4_1, {32, 20}},
    TensorType{6, "Q5_0", DataType::kQ5_0, {32, 22}},
    TensorType{7, "Q5_1", DataType::kQ5_1, {32, 24}},
    TensorType{8, "Q8_0", DataType::kQ8_0, {32, 34}},
    TensorType{9, "Q8_1", DataType::kOther, {32, 36}},
    TensorType{10, "Q2_K", DataType::kOther, {256, 84}},
    TensorType{11, "Q3_K", DataType::kOther, {256, 110}},
    TensorType{12, "Q4_K", DataType::kQ4_K, {256, 144}},
    TensorType{13, "Q5_K", DataType::kQ5_K, {256, 176}},
    TensorType{14, "Q6_K", DataType::kQ6_K, {256, 210}},
    TensorType{15, "Q8_K", DataType::kOther, {256, 292}},
    TensorType{16, "IQ2_XXS", DataType::kOther, {256, 66}},
    TensorType{17, "IQ2_XS", DataType::kOther, {256, 74}},
    TensorType{18, "IQ3_XXS", DataType::kOther, {256, 98}},
    TensorType{19, "IQ1_S", DataType::kOther, {256, 50}},
    TensorType{20, "IQ4_NL", DataType::kOther, {32, 18}},
    TensorType{21, "IQ3_S", DataType::kOther, {256, 110}},
    TensorType{22, "IQ2_S", DataType::kOther, {256, 82}},
    TensorType{23, "IQ4_XS", DataType::kOther, {256, 136}},
    TensorType{24, "I8", DataType::kOther, {1, 1}},
    TensorType{25, "I16", DataType::kOther, {1, 2}},
    TensorType{26, "I32", DataType::kOther, {1, 4}},
    TensorType{27, "I64", DataType::kOther, {1, 8}},
    TensorType{28, "F64", DataType::kOther, {1, 8}},
    TensorType{29, "IQ1_M", DataType::kOther, {256, 56}},
    TensorType{30, "BF16", DataType::kBF16, {1, 2}},
    TensorType{31, "Q4_0_4_4", DataType::kOther, {32, 18}},
    TensorType{32, "Q4_0_4_8", DataType::kOther, {32, 18}},
    TensorType{33, "Q4_0_8_8", DataType::kOther, {32, 18}},
    TensorType{34, "TQ1_0", DataType::kOther, {256, 54}},
    TensorType{35, "TQ2_0", DataType::kOther, {256, 66}},
    TensorType{36, "IQ4_NL_4_4", DataType::kOther, {32, 18}},
    TensorType{37, "IQ4_NL_4_8", DataType::kOther, {32, 18}},
    TensorType{38, "IQ4_NL_8_8", DataType::kOther, {32, 18}},
    TensorType{39, "MXFP4", DataType::kOther, {32, 17}},
    TensorType{40, "NVFP4", DataType::kOther, {64, 36}},
};

}  // namespace

size_t FixedSize(ValueType type) {
  switch (type) {
    case ValueType::kUint8: case ValueType::kInt8: case ValueType::kBool: return 1;
    case ValueType::kUint16: case ValueType::kInt16: return 2;
    case ValueType::kUint32: case ValueType::kInt32: case ValueType::kFloat32: return 4;
    case ValueType::kUint64: case ValueType::kInt64: case ValueType::kFloat64: return 8;
    case ValueType::kString: case ValueType::kArray: break;
  }
  return 0;
}

const TensorType* FindTensorType(uint32_t number) {
  const auto row = std::ranges::find(kTypes, number, &TensorType::number);
  return row == kTypes.end() ? nullptr : &*row;
}

const TensorType* FindTensorType(DataType type) {
  if (type == DataType::kOther) return nullptr;
  const auto row = std::ranges::find(kTypes, type, &TensorType::type);
  return row == kTypes.end() ? nullptr : &*row;
}

}  // namespace portcullis::inference::gguf
