// The code for AMX on a model of its registers (tile_registers.h), compiled a second time under another name: that
// packed tiles, inputs and sums are looked for where they lie is tested where the registers are not to be had, too.
// What the model does not prove, the processor's own arithmetic, gemm_test.cc and gemm_kernels_test.cc test where it is.
#include <gtest/gtest.h>

#include <algorithm>

#include "inference/ops/kernels.h"
#include "inference/ops/kernels/amx.h"
#include "inference/ops/pack.h"
#include "tests/inference/gemm_helpers.h"

namespace portcullis::inference {
namespace {

class TileRegisters : public testing::Test {
 protected:
  void SetUp() override {
    const bool usable = std::ranges::count(UsableIsas(), Isa::kAvx512Vnni) > 0 && __builtin_cpu_supports("avx512bf16") &&
                        __builtin_cpu_supports("gfni");
    if (!usable) GTEST_SKIP() << "what surrounds the tile registers needs AVX-512 with BF16, VNNI and GFNI";
  }
};

TEST_F(TileRegisters, TokenRowsHaveTheBitsOfPlainCode) {
  for (const DataType type : kPackedTypes) {
    for (const int64_t columns : {32, 96, 256, 1280}) {
      if (columns % LayoutOf(type).elements != 0) continue;
      const RandomMatrix random(type, kTileRows, columns, 31);
      const auto packed = Packed(random.matrix);
      for (const int64_t m : {1, 5, 8, 9, 16}) {
        const auto x = RandomFloats(m * columns, 32);
        std::vector<QuantizedGroup> quantized(static_cast<size_t>(m * columns / kGroup));
        const Kernels& plain = KernelsFor(Isa::kScalar);
        plain.quantize(x.data(), m * columns, quantized.data());
        std::vector<float> expected(static_cast<size_t>(m * kTileRows)), y(expected.size());
        TileKernelOf(plain, type)(packed.data(), columns, quantized.data(), m, expected.data());

        std::vector<amx::QuantizedBlock> blocks(static_cast<size_t>(columns / kGroup));
        amx::LayOutTokens(x.data(), columns, m, columns, blocks.data());
        amx::MultiplyTokens(type, packed.data(), columns, blocks.data(), m, y.data());
        EXPECT_EQ(y, expected) << NameOf(type) << " " << columns << " columns, " << m << " rows";
      }
    }
  }
}

// Inputs times weights in pieces of `step` blocks.
std::vector<float> Prompt(const Matrix& matrix, const std::vector<float>& x, int64_t m, int64_t step) {
  const int64_t depth = amx::DepthBlocks(matrix.columns), stride = depth * amx::kBlock;
  const int64_t row_blocks = (m + amx::kRows - 1) / amx::kRows, output_blocks = PackedTiles(matrix.rows);
  const auto split = amx::SplitOf(matrix.type);
  std::vector<uint16_t> x_high(static_cast<size_t>(row_blocks * stride)), x_low(x_high.size());
  for (int64_t block = 0; block < row_blocks; ++block) {
    amx::LayOutInputs(x.data() + block * amx::kRows * matrix.columns, matrix.columns,
                      std::min(amx::kRows, m - block * amx::kRows), matrix.columns, &x_high[block * stride],
                      split.inputs ? &x_low[block * stride] : nullptr);
  }
  const auto packed = HasPackedLayout(matrix.type) ? Packed(matrix) : std::vector<std::byte>();
  std::vector<float> y(static_cast<size_t>(row_blocks * amx::kRows * output_blocks * amx::kRows));
  for (int64_t k = 0; k < depth; k += step) {
    const int64_t count = std::min(step, depth - k), w_stride = count * amx::kBlock;
    std::vector<uint16_t> high(static_cast<size_t>(output_blocks * w_stride)), low(high.size());
    for (int64_t block = 0; block < output_blocks; ++block) {
      if (packed.empty()) {
        amx::ExpandRows(matrix, block * amx::kRows, k, count, &high[block * w_stride],
                        split.weights ? &low[block * w_stride] : nullptr);
      } else {
        amx::ExpandTile(matrix.type, packed.data() + block * PackedTileBytes(matrix.type, matrix.columns), k, count,
                        &high[block * w_stride]);
      }
    }
    amx::Multiply({&x_high[k * amx::kBlock], split.inputs ? &x_low[k * amx::kBlock] : nullptr, stride}, row_blocks,
                  {high.data(), split.weights ? low.data() : nullptr, w_stride}, output_blocks, count, k > 0, y.data(),
                  output_blocks * amx::kRows);
  }
  return y;
}

TEST_F(TileRegisters, PromptRowsAreAsCloseAsTheirRounding) {
  constexpr int64_t kOutputs = 40, kInputs = 21;
  for (const DataType type : {DataType::kF32, DataType::kF16, DataType::kBF16, DataType::kF8E4M3, DataType::kQ4_0,
                              DataType::kQ4_1, DataType::kQ5_0, DataType::kQ5_1, DataType::kQ8_0, DataType::kQ4_K,
                              DataType::kQ5_K, DataType::kQ6_K}) {
    const int64_t elements = LayoutOf(type).elements;
    const int64_t columns = elements == 1 ? 333 : elements == 32 ? 352 : 768;
    const RandomMatrix random(type, kOutputs, columns, 33);
    const auto x = RandomFloats(kInputs * columns, 34);
    const auto plain = Multiply(random.matrix, x.data(), columns, kInputs);
    const auto whole = Prompt(random.matrix, x, kInputs, amx::DepthBlocks(columns));
    const double allowed = amx::SplitOf(type).inputs ? 5e-5 : 0.004;
    EXPECT_LT(RelativeError(plain, whole.data(), 3 * amx::kRows, kInputs, kOutputs), allowed) << NameOf(type);
    EXPECT_EQ(Prompt(random.matrix, x, kInputs, 3), whole) << NameOf(type) << " in pieces";
  }
}

}  // namespace
}  // namespace portcullis::inference
