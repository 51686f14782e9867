// DeepSeek's 8-bit floats: blocks of 128 by 128 with a scale each, at sizes that are no multiple.
#include <gtest/gtest.h>

#include <cmath>

#include "inference/model/weights.h"
#include "inference/ops/dequantize.h"
#include "tests/inference/file_builders.h"

namespace portcullis::inference {
namespace {

constexpr int64_t kRows = 130, kColumns = 260;  // blocks of [2, 3]

std::string Folder(const TempFolder& folder, const std::string& scale_shape, int scale_count,
                   float scale) {
  const std::string name = "model.layers.0.mlp.gate_proj.weight";
  const int64_t bytes = kRows * kColumns;
  const std::string header =
      "{\"" + name + R"(":{"dtype":"F8_E4M3","shape":[130,260],"data_offsets":[0,)" +
      std::to_string(bytes) + "]},\"" + name + R"(_scale_inv":{"dtype":"F32","shape":)" +
      scale_shape + ",\"data_offsets\":[" + std::to_string(bytes) + "," +
      std::to_string(bytes + 4 * scale_count) + "]}}";
  ByteWriter data;
  for (int64_t i = 0; i < bytes; ++i) data.Number<uint8_t>(i % 2 == 0 ? 0x38 : 0xc0);  // 1, -2
  for (int i = 0; i < scale_count; ++i) data.Number(scale + static_cast<float>(i));
  folder.Write("model.safetensors", SafetensorsBytes(header, data.bytes()));
  return folder.path();
}

TEST(Float8Test, EveryBlockHasItsScale) {
  const TempFolder folder;
  const auto weights = Weights::Open(Folder(folder, "[2,3]", 6, 10.0f));
  ASSERT_TRUE(weights) << weights.error().message;
  const auto matrix = weights.value().GetMatrix(Role::kGate, 0, kRows, kColumns);
  ASSERT_TRUE(matrix) << matrix.error().message;
  EXPECT_EQ(matrix.value().type, DataType::kF8E4M3);
  std::vector<float> row(kColumns);
  for (int64_t i = 0; i < kRows; ++i) {
    DequantizePart(matrix.value(), i, 0, kColumns, row.data());
    for (int64_t k = 0; k < kColumns; ++k) {
      const auto block = static_cast<float>(i / 128 * 3 + k / 128);
      ASSERT_EQ(row[k], (k % 2 == 0 ? 1.0f : -2.0f) * (10.0f + block)) << i << " " << k;
    }
  }
}

TEST(Float8Test, ScalesThatDoNotFitAreRefused) {
  const TempFolder folder;
  const auto few = Weights::Open(Folder(folder, "[1,3]", 3, 1.0f));
  const auto matrix = few.value().GetMatrix(Role::kGate, 0, kRows, kColumns);
  ASSERT_FALSE(matrix);
  EXPECT_NE(matrix.error().message.find("_scale_inv"), std::string::npos);
  const TempFolder other;
  const auto endless = Weights::Open(Folder(other, "[2,3]", 6, INFINITY));
  const auto damaged = endless.value().GetMatrix(Role::kGate, 0, kRows, kColumns);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, Code::kBadTensor);
}

}  // namespace
}  // namespace portcullis::inference
