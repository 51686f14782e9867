// Weights of any bytes: blocks of every type become f32 the same way on every path, are packed and
// multiplied without a step outside their memory, and finite ones survive a new quantisation. The
// first byte chooses the type; scales may be NaN, infinite or absurd.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "inference/model/quantize.h"
#include "inference/ops/dequantize.h"
#include "inference/ops/kernels.h"
#include "inference/ops/pack.h"

namespace {

using namespace portcullis::inference;

constexpr std::array kTypes = {DataType::kQ8_0, DataType::kQ4_0, DataType::kQ4_K, DataType::kQ5_K,
                               DataType::kQ6_K, DataType::kQ4_1, DataType::kQ5_0, DataType::kQ5_1,
                               DataType::kF16,  DataType::kBF16, DataType::kF8E4M3};
constexpr int64_t kColumns = 256;
constexpr float kLargestHalf = 65504.0f;

void Multiply(const Matrix& matrix) {
  std::vector<std::byte> tile(static_cast<size_t>(PackedTileBytes(matrix.type, matrix.columns)));
  PackTile(matrix, 0, tile.data());
  std::array<float, kColumns> x{};
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7) - 3.0f;
  std::array<QuantizedGroup, kColumns / kGroup> groups{};
  kScalarKernels.quantize(x.data(), kColumns, groups.data());
  std::array<float, kTileRows> sums{};
  TileKernelOf(kScalarKernels, matrix.type)(tile.data(), kColumns, groups.data(), 1, sums.data());
  for (int64_t row = matrix.rows; row < kTileRows; ++row) {
    if (sums[static_cast<size_t>(row)] != 0) std::abort();  // rows beyond the last are zeros
  }
}

void QuantizeAgain(DataType type, const std::vector<float>& values) {
  const auto layout = LayoutOf(type);
  const auto count = static_cast<int64_t>(values.size());
  std::vector<std::byte> blocks(static_cast<size_t>(count / layout.elements * layout.bytes));
  QuantizeWeights(type, values.data(), count, {}, blocks.data());
  std::vector<float> back(values.size());
  DequantizeRow(type, blocks.data(), count, back.data());
  if (!std::ranges::all_of(back, [](float value) { return std::isfinite(value); })) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const DataType type = kTypes[data[0] % kTypes.size()];
  const auto layout = LayoutOf(type);
  const int64_t row_bytes = kColumns / layout.elements * layout.bytes;
  const int64_t rows = std::min(static_cast<int64_t>(size - 1) / row_bytes, kTileRows);
  if (rows == 0) return 0;
  const auto* first = reinterpret_cast<const std::byte*>(data) + 1;
  const std::vector<std::byte> bytes(first, first + rows * row_bytes);
  std::vector<float> values(static_cast<size_t>(rows * kColumns)), portable(values.size());
  DequantizeRow(type, bytes.data(), rows * kColumns, values.data());
  DequantizeRowPortable(type, bytes.data(), rows * kColumns, portable.data());
  for (size_t i = 0; i < values.size(); ++i) {
    const bool both_nan = std::isnan(values[i]) && std::isnan(portable[i]);
    if (values[i] != portable[i] && !both_nan) std::abort();
  }
  const Matrix matrix{type, rows, kColumns, bytes.data()};
  std::vector<float> part(32 * 8);
  DequantizePart(matrix, rows - 1, 0, kColumns, part.data());
  if (HasPackedLayout(type)) Multiply(matrix);
  const bool usable = std::ranges::all_of(
      values, [](float value) { return std::isfinite(value) && std::fabs(value) <= kLargestHalf; });
  if (!usable) return 0;
  for (const DataType target : kTypes) {
    if (CanQuantize(target)) QuantizeAgain(target, values);
  }
  return 0;
}
