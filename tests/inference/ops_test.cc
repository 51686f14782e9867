// The operations against plain loops in double precision.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>
#include <random>

#include "inference/ops/dequantize.h"
#include "inference/ops/gemm.h"
#include "inference/ops/rope.h"
#include "inference/ops/router.h"
#include "tests/inference/file_builders.h"

namespace portcullis::inference {
namespace {

std::vector<float> Random(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (auto& value : values) value = normal(random);
  return values;
}

constexpr uint16_t kHalf = 0x3800;       // 0.5 as f16
constexpr uint16_t kMinusTwo = 0xc000;   // -2

TEST(Dequantize, EveryHalfAgreesWithTheProcessor) {
  ByteWriter bytes;
  for (uint32_t i = 0; i < 65536; ++i) bytes.Number(static_cast<uint16_t>(i));
  std::vector<float> fast(65536), portable(65536);
  const auto* source = AsBytes(bytes.bytes()).data();
  DequantizeRow(DataType::kF16, source, 65536, fast.data());
  DequantizeRowPortable(DataType::kF16, source, 65536, portable.data());
  for (size_t i = 0; i < fast.size(); ++i) {
    if (std::isnan(portable[i])) {
      EXPECT_TRUE(std::isnan(fast[i])) << i;
    } else {
      EXPECT_EQ(fast[i], portable[i]) << i;
    }
  }
  EXPECT_EQ(HalfToFloat(kHalf), 0.5f);
  EXPECT_EQ(HalfToFloat(kMinusTwo), -2.0f);
  EXPECT_EQ(HalfToFloat(1), 0x1p-24f);
}

TEST(Dequantize, FastPathsGiveTheSameBits) {
  std::mt19937 random(5);
  for (const DataType type : {DataType::kBF16, DataType::kQ8_0, DataType::kQ4_0}) {
    const auto layout = LayoutOf(type);
    const int64_t count = 13 * 32;
    std::string bytes(static_cast<size_t>(count / layout.elements * layout.bytes), '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    for (size_t i = 0; layout.elements > 1 && i < bytes.size(); i += layout.bytes) {
      std::memcpy(bytes.data() + i, &kHalf, 2);
    }
    std::vector<float> fast(count), portable(count);
    DequantizeRow(type, AsBytes(bytes).data(), count, fast.data());
    DequantizeRowPortable(type, AsBytes(bytes).data(), count, portable.data());
    EXPECT_EQ(std::memcmp(fast.data(), portable.data(), fast.size() * 4), 0) << NameOf(type);
  }
}

TEST(Dequantize, Q8_0AndQ4_0ByHand) {
  ByteWriter eight;
  eight.Number(kHalf);
  for (int i = 0; i < 32; ++i) eight.Number(static_cast<int8_t>(i * 8 - 128));
  float out[32];
  DequantizeRow(DataType::kQ8_0, AsBytes(eight.bytes()).data(), 32, out);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(out[i], 0.5f * static_cast<float>(i * 8 - 128));

  ByteWriter four;
  four.Number(kMinusTwo);
  for (int i = 0; i < 16; ++i) four.Number(static_cast<uint8_t>(i | (15 - i) << 4));
  DequantizeRow(DataType::kQ4_0, AsBytes(four.bytes()).data(), 32, out);
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(out[i], -2.0f * static_cast<float>(i - 8));
    EXPECT_EQ(out[i + 16], -2.0f * static_cast<float>(7 - i));
  }
}

// Packs known values, scales and minima into the K types and reads them back.
TEST(Dequantize, KTypesReadWhatWasPacked) {
  std::mt19937 random(9);
  for (const DataType type : {DataType::kQ4_K, DataType::kQ5_K}) {
    uint8_t scales[8], mins[8], values[256], packed[12] = {}, high[32] = {}, low[128] = {};
    for (int i = 0; i < 8; ++i) {
      scales[i] = static_cast<uint8_t>(random() % 64);
      mins[i] = static_cast<uint8_t>(random() % 64);
      if (i < 4) {
        packed[i] |= scales[i];
        packed[i + 4] |= mins[i];
      } else {
        packed[i + 4] = static_cast<uint8_t>((scales[i] & 15) | (mins[i] & 15) << 4);
        packed[i - 4] |= static_cast<uint8_t>(scales[i] >> 4 << 6);
        packed[i] |= static_cast<uint8_t>(mins[i] >> 4 << 6);
      }
    }
    for (int i = 0; i < 256; ++i) {
      values[i] = static_cast<uint8_t>(random() % (type == DataType::kQ5_K ? 32 : 16));
      low[i / 64 * 32 + i % 32] |= static_cast<uint8_t>((values[i] & 15) << (i / 32 % 2 * 4));
      high[i % 32] |= static_cast<uint8_t>((values[i] >> 4) << (i / 32));
    }
    ByteWriter block;
    block.Number(kHalf).Number(kMinusTwo).Raw({reinterpret_cast<char*>(packed), 12});
    if (type == DataType::kQ5_K) block.Raw({reinterpret_cast<char*>(high), 32});
    block.Raw({reinterpret_cast<char*>(low), 128});
    ASSERT_EQ(static_cast<int64_t>(block.bytes().size()), LayoutOf(type).bytes);
    float out[256];
    DequantizeRow(type, AsBytes(block.bytes()).data(), 256, out);
    for (int i = 0; i < 256; ++i) {
      EXPECT_EQ(out[i], 0.5f * static_cast<float>(scales[i / 32] * values[i]) +
                            2.0f * static_cast<float>(mins[i / 32])) << NameOf(type) << " " << i;
    }
  }
  // Q6_K: value i of a half has its low bits in byte i mod 64, its high ones in byte i mod 32.
  uint8_t values[256], low[128] = {}, high[64] = {};
  int8_t scales[16];
  for (auto& scale : scales) scale = static_cast<int8_t>(random());
  for (int i = 0; i < 256; ++i) {
    values[i] = static_cast<uint8_t>(random() % 64);
    const int half = i / 128, within = i % 128;
    low[half * 64 + within % 64] |= static_cast<uint8_t>((values[i] & 15) << (within / 64 * 4));
    high[half * 32 + within % 32] |= static_cast<uint8_t>((values[i] >> 4) << (within / 32 * 2));
  }
  ByteWriter block;
  block.Raw({reinterpret_cast<char*>(low), 128}).Raw({reinterpret_cast<char*>(high), 64});
  block.Raw({reinterpret_cast<char*>(scales), 16}).Number(kHalf);
  float out[256];
  DequantizeRow(DataType::kQ6_K, AsBytes(block.bytes()).data(), 256, out);
  for (int i = 0; i < 256; ++i) {
    EXPECT_EQ(out[i],
              0.5f * static_cast<float>(scales[i / 16]) * static_cast<float>(values[i] - 32));
  }
}

struct GemmCase {
  DataType type;
  int64_t outputs;
  int64_t inputs;
};

class GemmTest : public testing::TestWithParam<GemmCase> {};

TEST_P(GemmTest, AgreesWithPlainLoops) {
  const auto [type, outputs, inputs] = GetParam();
  const auto layout = LayoutOf(type);
  std::mt19937 random(3);
  // One byte before the weights: nothing may count on alignment.
  const int64_t size = outputs * inputs / layout.elements * layout.bytes;
  std::string bytes(static_cast<size_t>(size) + 1, '\0');
  if (layout.elements == 1) {
    for (int64_t i = 0; i < outputs * inputs; ++i) {
      // Small numbers that f16, bf16 and f32 hold: the upper byte is a sign and exponent.
      const uint32_t bits = type == DataType::kF32 ? 0x3e000000u | (random() & 0x807fffffu)
                            : type == DataType::kF16 ? 0x3000u | (random() & 0x83ffu)
                                                     : 0x3e00u | (random() & 0x807fu);
      std::memcpy(bytes.data() + 1 + i * layout.bytes, &bits, static_cast<size_t>(layout.bytes));
    }
  } else {
    constexpr uint16_t kSmall = 0x2000;  // 1/128 as f16
    for (auto& byte : bytes) byte = static_cast<char>(random());
    for (size_t i = 1; i < bytes.size(); i += layout.bytes) {
      const size_t at = type == DataType::kQ6_K ? i + 208 : i;
      std::memcpy(bytes.data() + at, &kSmall, 2);
      if (layout.elements == 256 && type != DataType::kQ6_K) std::memcpy(&bytes[i + 2], &kSmall, 2);
    }
  }
  const Matrix matrix{type, outputs, inputs, AsBytes(bytes).data() + 1};
  std::vector<float> plain(static_cast<size_t>(outputs * inputs));
  DequantizeRowPortable(type, matrix.data, outputs * inputs, plain.data());
  const auto bias = Random(static_cast<size_t>(outputs), 8);
  const Gemm gemm(matrix, bias);
  for (const int64_t m : {1, 3, 8, 9, 70}) {
    const int64_t x_stride = inputs + 5, y_stride = outputs + 3;
    const auto x = Random(static_cast<size_t>(m * x_stride), 4);
    std::vector<float> y(static_cast<size_t>(m * y_stride), -77.0f);
    Workers workers(2);
    const GemmCall call{&gemm, x.data(), x_stride, m, y.data(), y_stride};
    RunGemms(workers, {&call, 1});
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t n = 0; n < y_stride; ++n) {
        double sum = -77.0, magnitude = 0;
        if (n < outputs) {
          sum = double{bias[n]};
          magnitude = std::abs(sum);
          for (int64_t k = 0; k < inputs; ++k) {
            const double product = double{plain[n * inputs + k]} * double{x[i * x_stride + k]};
            sum += product;
            magnitude += std::abs(product);
          }
        }
        ASSERT_NEAR(y[i * y_stride + n], sum, 1e-6 * magnitude) << m << " " << i << " " << n;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Types, GemmTest,
    testing::Values(GemmCase{DataType::kF32, 1, 1}, GemmCase{DataType::kF32, 131, 1500},
                    GemmCase{DataType::kF16, 67, 1031}, GemmCase{DataType::kBF16, 300, 77},
                    GemmCase{DataType::kQ8_0, 129, 1056}, GemmCase{DataType::kQ4_0, 65, 1120},
                    GemmCase{DataType::kQ4_K, 33, 1280}, GemmCase{DataType::kQ5_K, 17, 512},
                    GemmCase{DataType::kQ6_K, 150, 256}),
    [](const auto& one) {
      return std::string(NameOf(one.param.type)) + std::to_string(one.index);
    });

TEST(RopeTest, RotationKeepsLengthsAndBothLayoutsAgree) {
  RopeConfig config;
  config.dimensions = 10;
  const Rope halves(config, {});
  config.interleaved = true;
  const Rope pairs(config, {});
  float cosines[5], sines[5];
  halves.Angles(123, cosines, sines);
  auto x = Random(24, 1);  // two heads of 12, of which 10 are rotated
  auto y = x;
  for (int head = 0; head < 2; ++head) {
    for (int i = 0; i < 5; ++i) {
      y[head * 12 + 2 * i] = x[head * 12 + i];
      y[head * 12 + 2 * i + 1] = x[head * 12 + i + 5];
    }
  }
  const auto before = x;
  halves.Apply(cosines, sines, 2, 12, x.data());
  pairs.Apply(cosines, sines, 2, 12, y.data());
  for (int head = 0; head < 2; ++head) {
    for (int i = 0; i < 5; ++i) {
      const int a = head * 12 + i, b = a + 5;
      EXPECT_FLOAT_EQ(x[a], y[head * 12 + 2 * i]);
      EXPECT_FLOAT_EQ(x[b], y[head * 12 + 2 * i + 1]);
      EXPECT_NEAR(std::hypot(x[a], x[b]), std::hypot(before[a], before[b]), 1e-5);
    }
    EXPECT_EQ(x[head * 12 + 10], before[head * 12 + 10]);
  }
}

TEST(RopeTest, Llama3StretchesByWavelength) {
  RopeConfig config;
  config.dimensions = 128;
  config.theta = 500000;
  config.scaling = RopeScaling::kLlama3;
  config.factor = 8;
  config.original_context = 8192;
  config.low_frequency_factor = 1;
  config.high_frequency_factor = 4;
  const Rope rope(config, {});
  int blended = 0;
  for (int i = 0; i < 64; ++i) {
    const double plain = std::pow(500000.0, -i / 64.0);
    const double wavelength = 2 * std::numbers::pi / plain;
    double expected = plain / 8;
    if (wavelength < 8192.0 / 4) {
      expected = plain;
    } else if (wavelength < 8192.0) {
      const double smooth = (8192.0 / wavelength - 1) / 3;
      expected = (1 - smooth) * plain / 8 + smooth * plain;
      ++blended;
    }
    EXPECT_NEAR(rope.frequencies()[i] / expected, 1.0, 1e-6) << i;
  }
  EXPECT_GT(blended, 2);
}

TEST(RopeTest, YarnKeepsFastAndStretchesSlowPairs) {
  RopeConfig config;
  config.dimensions = 64;
  config.scaling = RopeScaling::kYarn;
  config.factor = 40;
  config.original_context = 4096;
  config.magnitude = 2;
  const Rope rope(config, {});
  const auto turns = [](int i) {
    return 4096 * std::pow(10000.0, -i / 32.0) / 2 / std::numbers::pi;
  };
  for (int i = 0; i < 32; ++i) {
    const double ratio = rope.frequencies()[i] / std::pow(10000.0, -i / 32.0);
    if (turns(i) > 50) {
      EXPECT_NEAR(ratio, 1.0, 1e-6) << i;
    } else if (turns(i) < 0.7) {
      EXPECT_NEAR(ratio, 1.0 / 40, 1e-6) << i;
    }
    EXPECT_GT(ratio, 0.0249);
    EXPECT_LT(ratio, 1.0001);
  }
  float cosines[32], sines[32];
  rope.Angles(0, cosines, sines);
  EXPECT_EQ(cosines[7], 2.0f);
  EXPECT_EQ(sines[7], 0.0f);
}

TEST(RopeTest, LinearScalingAndDivisors) {
  RopeConfig config;
  config.dimensions = 4;
  config.scaling = RopeScaling::kLinear;
  config.factor = 4;
  const std::vector<float> divisors = {1.0f, 2.0f};
  const Rope rope(config, divisors);
  EXPECT_NEAR(rope.frequencies()[0], 0.25, 1e-7);
  EXPECT_NEAR(rope.frequencies()[1], 0.01 / 8, 1e-9);
}

TEST(RouterTest, TheBiasSteersTheChoiceButNotTheWeight) {
  MoeConfig config;
  config.experts = 4;
  config.sigmoid = true;
  config.scale = 3;
  const Router router(config, {0, 0, 10, 0});
  std::vector<float> logits = {2, 0, -1, 1};
  ExpertChoice chosen[2];
  Buffer scratch;
  router.Choose(logits, chosen, scratch);
  EXPECT_EQ(chosen[0].expert, 2);
  EXPECT_NEAR(chosen[0].weight, 3 / (1 + std::exp(1.0)), 1e-6);
  EXPECT_EQ(chosen[1].expert, 0);
}

TEST(RouterTest, TiesGoToTheLowerIndexAndNaNToSomeExpert) {
  MoeConfig config;
  config.experts = 6;
  config.groups = 3;
  config.groups_used = 2;
  const Router router(config, {});
  std::vector<float> logits(6, 0.5f);
  ExpertChoice chosen[3];
  Buffer scratch;
  router.Choose(logits, chosen, scratch);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(chosen[i].expert, i);
  logits.assign(6, NAN);
  router.Choose(logits, chosen, scratch);
  for (const auto& choice : chosen) {
    EXPECT_GE(choice.expert, 0);
    EXPECT_LT(choice.expert, 6);
  }
}

}  // namespace
}  // namespace portcullis::inference
