// The packed kernels: every instruction level gives the bits of the plain C++ one, on random data
// and on all extremes, where integer arithmetic would first saturate or wrap.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "inference/ops/kernels.h"
#include "inference/ops/kernels/amx.h"
#include "inference/ops/pack.h"
#include "tests/inference/gemm_helpers.h"

namespace portcullis::inference {
namespace {

// On tile registers, sixteen rows at once.
std::vector<float> RunBlocks(DataType type, const std::byte* tile, int64_t columns,
                             const std::vector<QuantizedGroup>& x) {
  const int64_t groups = columns / kGroup;
  const int64_t m = static_cast<int64_t>(x.size()) / groups;
  std::vector<float> y(static_cast<size_t>(m * kTileRows));
  for (int64_t first = 0; first < m; first += amx::kRows) {
    const int64_t rows = std::min(amx::kRows, m - first);
    std::vector<amx::QuantizedBlock> blocks(static_cast<size_t>(groups));
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t g = 0; g < groups; ++g) {
        const QuantizedGroup& from = x[static_cast<size_t>((first + row) * groups + g)];
        auto& to = blocks[static_cast<size_t>(g)];
        std::memcpy(to.values[row], from.values, sizeof from.values);
        to.scale[row] = from.scale;
        to.scaled_sum[row] = from.scaled_sum;
      }
    }
    amx::MultiplyTokens(type, tile, columns, blocks.data(), rows, &y[first * kTileRows]);
  }
  return y;
}

std::vector<float> RunTile(Isa isa, DataType type, const std::byte* tile, int64_t columns,
                           const std::vector<QuantizedGroup>& x, CacheLevel prefetch = PrefetchLevel()) {
  if (isa == Isa::kAmx) return RunBlocks(type, tile, columns, x);
  const int64_t m = static_cast<int64_t>(x.size()) / (columns / kGroup);
  std::vector<float> y(static_cast<size_t>(m * kTileRows));
  TileKernelOf(KernelsFor(isa, prefetch), type)(tile, columns, x.data(), m, y.data());
  return y;
}

QuantizedGroup GroupOf(const int8_t* values) {
  QuantizedGroup group{};
  std::memcpy(group.values, values, sizeof group.values);
  group.scale = 1.0f;
  for (int i = 0; i < 32; ++i) {
    group.negative_sum -= values[i];
    if (i < 16) group.negative_half -= values[i];
  }
  group.scaled_sum = static_cast<float>(-group.negative_sum);
  return group;
}

TEST(PackedKernels, QuantisationIsTheSameEverywhere) {
  auto x = RandomFloats(40 * 32, 3);
  for (int i = 0; i < 32; ++i) {
    x[i] = 0;
    x[32 + i] = i == 7 ? 1e-36f : 0;
    x[64 + i] = i == 9 ? NAN : 1;
    x[96 + i] = i == 31 ? -INFINITY : 2;
    x[128 + i] = i == 0 ? 3e38f : -1e38f;
    x[160 + i] = static_cast<float>(i - 16) * 0.5f;  // halves: ties
    x[192 + i] = i == 5 ? -127.0f : static_cast<float>(i) + 0.5f;
  }
  std::vector<QuantizedGroup> plain(40), fast(40);
  KernelsFor(Isa::kScalar).quantize(x.data(), 40 * 32, plain.data());
  for (const Isa isa : UsableIsas()) {
    KernelsFor(isa).quantize(x.data(), 40 * 32, fast.data());
    EXPECT_EQ(std::memcmp(plain.data(), fast.data(), sizeof(QuantizedGroup) * 40), 0)
        << NameOf(isa);
  }
  for (size_t g = 4; g < plain.size(); ++g) {
    for (int i = 0; i < 32; ++i) {
      EXPECT_GE(plain[g].values[i], -127);
      EXPECT_NEAR(plain[g].scale * static_cast<float>(plain[g].values[i]), x[g * 32 + i],
                  0.50001f * plain[g].scale);
    }
  }
  EXPECT_EQ(plain[0].scale, 0);
  EXPECT_EQ(plain[1].scale, 0);
  EXPECT_TRUE(std::isnan(plain[2].scale) && std::isnan(plain[3].scaled_sum));
}

TEST(PackedKernels, APackedTileIsReadFromItsFirstByteToItsLast) {
  for (const DataType type : kPackedTypes) {
    const int64_t step = LayoutOf(type).elements / kGroup;
    for (int64_t groups = step; groups <= 5 * step; groups += step) {
      int64_t end = 0;
      for (int64_t g = 0; g < groups; ++g) {
        const auto place = PlaceOf(type, g);
        if (HeadBytes(type) > 0 && g % kSuperGroups == 0) {
          EXPECT_EQ(place.head, end);
          end += HeadBytes(type);
        }
        if (g % 2 == 0) {
          EXPECT_EQ(place.scales, end);
          EXPECT_EQ(PlaceOf(type, g + 1).scales, end + ScaleBytes(type));
          end += 2 * ScaleBytes(type);
        }
        EXPECT_EQ(place.values, end) << NameOf(type) << " " << g;
        EXPECT_EQ(place.values % 64, 0);
        EXPECT_EQ(place.high_bits, end + ValueBytes(type));
        end += GroupBytes(type);
      }
      EXPECT_EQ(PackedTileBytes(type, groups * kGroup), end) << NameOf(type);
    }
  }
}

TEST(PackedKernels, AllLevelsGiveTheSameBitsOnRandomData) {
  for (const DataType type : kPackedTypes) {
    for (const int64_t columns : {32, 96, 256, 1280}) {
      if (columns % LayoutOf(type).elements != 0) continue;
      const RandomMatrix random(type, 21, columns, 11);
      const auto packed = Packed(random.matrix);
      for (const int64_t m : {1, 2, 3, 7, 8, 21}) {
        const auto x = RandomFloats(m * columns, 12);
        std::vector<QuantizedGroup> quantized(static_cast<size_t>(m * columns / kGroup));
        KernelsFor(Isa::kScalar).quantize(x.data(), m * columns, quantized.data());
        for (int64_t tile = 0; tile < 2; ++tile) {
          const std::byte* at = packed.data() + tile * PackedTileBytes(type, columns);
          const auto plain = RunTile(Isa::kScalar, type, at, columns, quantized);
          for (const Isa isa : UsableIsas()) {
            for (const CacheLevel prefetch : {CacheLevel::kFirst, CacheLevel::kSecond}) {
              EXPECT_EQ(plain, RunTile(isa, type, at, columns, quantized, prefetch))
                  << NameOf(type) << " " << NameOf(isa) << " " << m;
            }
          }
        }
      }
    }
  }
}

TEST(FloatKernels, WhereLinesArePrefetchedToChangesNoBits) {
  constexpr int64_t kRows = 7, kColumns = 1300, kInputs = 6;
  const auto x = RandomFloats(kInputs * kColumns, 14);
  for (const DataType type : {DataType::kF32, DataType::kF16, DataType::kBF16, DataType::kF8E4M3}) {
    const RandomMatrix random(type, kRows, kColumns, 13);
    const FloatRows rows{random.matrix.row(0), random.matrix.row_bytes(), kRows, kColumns, nullptr};
    for (const Isa isa : UsableIsas()) {
      std::vector<float> y[2];
      for (const CacheLevel prefetch : {CacheLevel::kFirst, CacheLevel::kSecond}) {
        auto& out = y[static_cast<size_t>(prefetch)];
        out.resize(kInputs * kRows);
        const Kernels& kernels = KernelsFor(isa, prefetch);
        const DotKernel dots = type == DataType::kF32    ? kernels.f32
                               : type == DataType::kF16  ? kernels.f16
                               : type == DataType::kBF16 ? kernels.bf16
                                                         : kernels.f8;
        dots(rows, x.data(), kColumns, kInputs, out.data(), kRows);
      }
      EXPECT_EQ(y[0], y[1]) << NameOf(type) << " " << NameOf(isa);
      EXPECT_NE(y[0], std::vector<float>(kInputs * kRows)) << NameOf(type) << " " << NameOf(isa);
    }
  }
}

TEST(FloatKernels, EveryEightBitFloatIsWidenedExactly) {
  // A row for each byte, at a place of its own among zeros: in the first 128 columns, where registers are widened
  // four at once, or behind them.
  constexpr int64_t kColumns = 150, kBytes = 256;
  std::string bytes(kBytes * kColumns, '\0');
  for (int64_t i = 0; i < kBytes; ++i) bytes[i * kColumns + i * 7 % kColumns] = static_cast<char>(i);
  const Matrix matrix{DataType::kF8E4M3, kBytes, kColumns, reinterpret_cast<const std::byte*>(bytes.data())};
  const FloatRows rows{matrix.row(0), matrix.row_bytes(), kBytes, kColumns, nullptr};
  const std::vector<float> ones(kColumns, 1.0f);
  for (const Isa isa : UsableIsas()) {
    std::vector<float> y(kBytes);
    KernelsFor(isa).f8(rows, ones.data(), kColumns, 1, y.data(), kBytes);
    for (int i = 0; i < kBytes; ++i) {
      const int exponent = i >> 3 & 15, mantissa = i & 7;
      const double magnitude = exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
      if ((i & 127) == 127) {
        EXPECT_TRUE(std::isnan(y[i])) << NameOf(isa) << " " << i;
      } else {
        EXPECT_EQ(y[i], i < 128 ? magnitude : -magnitude) << NameOf(isa) << " " << i;
      }
    }
  }
}

// Weights of a group of 32 are set to all pairs (first, second) of values, alternating, in rows of
// their own; inputs to all pairs of signs and magnitudes that matter. Every 16-bit lane that adds
// neighbouring products sees every combination, and with equal neighbours all lanes add up.
void CheckPairs(DataType type, const std::vector<int>& weights, const std::vector<int8_t>& inputs) {
  const auto layout = LayoutOf(type);
  const int64_t columns = layout.elements;
  std::vector<QuantizedGroup> x;
  std::vector<std::pair<int8_t, int8_t>> input_pairs;
  for (const int8_t first : inputs) {
    for (const int8_t second : inputs) {
      input_pairs.push_back({first, second});
      int8_t values[32];
      for (int i = 0; i < 32; ++i) values[i] = i % 2 == 0 ? first : second;
      x.insert(x.end(), static_cast<size_t>(columns / kGroup), GroupOf(values));
    }
  }
  std::vector<std::pair<int, int>> pairs;
  for (const int first : weights) {
    for (const int second : weights) pairs.push_back({first, second});
  }
  for (size_t begin = 0; begin < pairs.size(); begin += kTileRows) {
    std::string bytes(static_cast<size_t>(layout.bytes * kTileRows), '\0');
    for (size_t row = 0; row < kTileRows; ++row) {
      const auto& pair = pairs[std::min(begin + row, pairs.size() - 1)];
      auto* block = reinterpret_cast<uint8_t*>(bytes.data()) + row * layout.bytes;
      const auto value = [&](int i) { return i % 2 == 0 ? pair.first : pair.second; };
      const uint16_t one = 0x3c00;
      if (type == DataType::kQ8_0) {
        std::memcpy(block, &one, 2);
        for (int i = 0; i < 32; ++i) block[2 + i] = static_cast<uint8_t>(value(i));
      } else if (type == DataType::kQ4_0) {
        std::memcpy(block, &one, 2);
        for (int i = 0; i < 16; ++i) {
          block[2 + i] = static_cast<uint8_t>((value(i) + 8) | (value(i + 16) + 8) << 4);
        }
      } else if (layout.elements == 32) {
        std::memcpy(block, &one, 2);
        const int zero = type == DataType::kQ5_0 ? 16 : 0;
        uint8_t* nibbles = block + layout.bytes - 16;
        for (int i = 0; i < 32; ++i) {
          const int stored = value(i) + zero;
          nibbles[i % 16] |= static_cast<uint8_t>((stored & 15) << i / 16 * 4);
          if (BitsOf(type) == 5) nibbles[-4 + i / 8] |= static_cast<uint8_t>(stored >> 4 << i % 8);
        }
      } else if (type == DataType::kQ6_K) {
        std::memcpy(block + 208, &one, 2);
        std::memset(block + 192, 1, 16);
        for (int i = 0; i < 256; ++i) {
          const int stored = value(i) + 32, half = i / 128, within = i % 128;
          block[half * 64 + within % 64] |=
              static_cast<uint8_t>((stored & 15) << within / 64 * 4);
          block[128 + half * 32 + within % 32] |=
              static_cast<uint8_t>((stored >> 4) << within / 32 * 2);
        }
      } else {
        std::memcpy(block, &one, 2);
        for (int g = 0; g < 8; ++g) block[4 + g + (g < 4 ? 0 : 4)] |= 1;  // all scales 1, minima 0
        uint8_t* low = block + layout.bytes - 128;
        for (int i = 0; i < 256; ++i) {
          low[i / 64 * 32 + i % 32] |= static_cast<uint8_t>((value(i) & 15) << i / 32 % 2 * 4);
          if (type == DataType::kQ5_K) {
            block[16 + i % 32] |= static_cast<uint8_t>(value(i) >> 4 << i / 32);
          }
        }
      }
    }
    const Matrix matrix{type, kTileRows, columns, reinterpret_cast<std::byte*>(bytes.data())};
    const auto packed = Packed(matrix);
    for (const Isa isa : UsableIsas()) {
      const auto y = RunTile(isa, type, packed.data(), columns, x);
      for (size_t i = 0; i < input_pairs.size(); ++i) {
        for (size_t row = 0; row < kTileRows; ++row) {
          const auto [first, second] = pairs[std::min(begin + row, pairs.size() - 1)];
          const auto expected = static_cast<float>(
              columns / 2 * (first * input_pairs[i].first + second * input_pairs[i].second));
          ASSERT_EQ(y[i * kTileRows + row], expected)
              << NameOf(type) << " " << NameOf(isa) << " weights " << first << " " << second
              << " inputs " << int{input_pairs[i].first} << " " << int{input_pairs[i].second};
        }
      }
    }
  }
}

std::vector<int> From(int first, int last) {
  std::vector<int> all;
  for (int value = first; value <= last; ++value) all.push_back(value);
  return all;
}

constexpr int8_t kSigns[] = {-127, -126, -1, 0, 1, 126, 127};

TEST(PackedKernels, NoPairOfFourBitWeightsSaturates) {
  CheckPairs(DataType::kQ4_0, From(-8, 7), {std::begin(kSigns), std::end(kSigns)});
  CheckPairs(DataType::kQ4_1, From(0, 15), {std::begin(kSigns), std::end(kSigns)});
  CheckPairs(DataType::kQ4_K, From(0, 15), {std::begin(kSigns), std::end(kSigns)});
}

TEST(PackedKernels, NoPairOfFiveAndSixBitWeightsSaturates) {
  CheckPairs(DataType::kQ5_0, From(-16, 15), {-127, -1, 127});
  CheckPairs(DataType::kQ5_1, From(0, 31), {-127, -1, 127});
  CheckPairs(DataType::kQ5_K, From(0, 31), {-127, -1, 127});
  CheckPairs(DataType::kQ6_K, From(-32, 31), {-127, 127});
}

TEST(PackedKernels, NoPairOfEightBitWeightsSaturates) {
  CheckPairs(DataType::kQ8_0, From(-128, 127), {-127, 127});
  CheckPairs(DataType::kQ8_0, {-128, -127, -1, 0, 1, 127}, {std::begin(kSigns), std::end(kSigns)});
}

// Every input against the largest weights of either sign.
TEST(PackedKernels, EveryInputMeetsTheExtremeWeights) {
  std::vector<int8_t> inputs;
  for (int value = -127; value <= 127; ++value) inputs.push_back(static_cast<int8_t>(value));
  for (const auto& [type, weights] :
       {std::pair{DataType::kQ4_0, std::vector{-8, 7}}, {DataType::kQ8_0, {-128, 127}}}) {
    CheckPairs(type, weights, inputs);
  }
}

}  // namespace
}  // namespace portcullis::inference
