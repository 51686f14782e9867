// Attention against a plain softmax in double precision, for every instruction set and both types
// of storage; and that a row's bits depend on nothing but its query and what it sees.
#include "inference/ops/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "inference/ops/cpu.h"
#include "inference/ops/dequantize.h"
#include "inference/ops/half.h"

namespace portcullis::inference {
namespace {

std::vector<const AttentionKernels*> Kernels() {
  std::vector<const AttentionKernels*> kernels = {&PortableAttentionKernels()};
  if (BestIsa() >= Isa::kAvx2) kernels.push_back(&Avx2AttentionKernels());
  if (BestIsa() >= Isa::kAvx512) kernels.push_back(&Avx512AttentionKernels());
  return kernels;
}

std::vector<float> Random(int64_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(size));
  for (float& value : values) value = normal(random);
  return values;
}

// One sequence's keys and values, [position][heads][size], and the same in blocks that lie in any
// order. What is stored as f16 is rounded in the plain form too.
struct Context {
  Context(const KvShape& kv, int64_t positions, uint32_t seed)
      : keys(Random(positions * kv.heads * kv.key_size, seed)),
        values(Random(positions * kv.heads * kv.value_size, seed + 1)) {
    const int64_t key_row = kv.heads * kv.key_size;
    const int64_t value_row = kv.heads * kv.value_size;
    const auto bytes = static_cast<size_t>((kv.block_bytes() + 63) / 64 * 64);
    const int64_t count = (positions + kKvBlock - 1) / kKvBlock;
    memory.resize(static_cast<size_t>(count) * bytes + 64);
    for (int64_t i = 0; i < count; ++i) {
      blocks.push_back(memory.data() + static_cast<size_t>(i) * bytes);
    }
    std::shuffle(blocks.begin(), blocks.end(), std::mt19937(seed));
    for (int64_t position = 0; position < positions;) {
      const int64_t slot = position % kKvBlock;
      const int64_t rows = std::min({kKvBlock - slot, positions - position, int64_t{13}});
      StoreKv(kv, blocks[static_cast<size_t>(position / kKvBlock)], slot, rows,
              keys.data() + position * key_row, key_row, values.data() + position * value_row,
              value_row);
      position += rows;
    }
    if (kv.type == KvType::kF16) {
      for (auto* some : {&keys, &values}) {
        for (float& value : *some) value = HalfToFloat(ToHalf(value));
      }
    }
    if (kv.latent) {
      for (int64_t i = 0; i < positions; ++i) {
        std::copy_n(keys.data() + i * key_row, value_row, values.data() + i * value_row);
      }
    }
  }
  std::vector<float> keys, values;
  std::vector<std::byte> memory;
  std::vector<std::byte*> blocks;
};

std::vector<double> PlainRow(const AttentionShape& shape, const Context& context,
                             const float* query, int64_t head, int64_t seen) {
  const auto& kv = shape.kv;
  const int64_t shared = head / (shape.heads / kv.heads);
  std::vector<double> sum(static_cast<size_t>(kv.value_size));
  double total = 0;
  for (int64_t position = 0; position < seen; ++position) {
    const float* key = context.keys.data() + (position * kv.heads + shared) * kv.key_size;
    const double weight =
        std::exp(double{shape.scale} * std::inner_product(query, query + kv.key_size, key, 0.0));
    total += weight;
    for (int64_t i = 0; i < kv.value_size; ++i) {
      sum[i] += weight * context.values[(position * kv.heads + shared) * kv.value_size + i];
    }
  }
  for (double& value : sum) value /= total;
  return sum;
}

struct AttentionCase {
  AttentionShape shape;
  std::vector<std::pair<int64_t, int64_t>> sequences;  // tokens, position
};

class AttentionTest : public testing::TestWithParam<AttentionCase> {};

TEST_P(AttentionTest, AgreesWithPlainSoftmax) {
  for (const auto type : {KvType::kF32, KvType::kF16}) {
    AttentionShape shape = GetParam().shape;
    shape.kv.type = type;
    std::vector<Context> contexts;
    std::vector<std::vector<float>> queries, outs;
    for (const auto& [tokens, position] : GetParam().sequences) {
      const auto seed = static_cast<uint32_t>(contexts.size());
      contexts.emplace_back(shape.kv, position + tokens, seed + 50);
      queries.push_back(Random(tokens * shape.heads * shape.kv.key_size, seed));
      outs.emplace_back(static_cast<size_t>(tokens * shape.heads * shape.kv.value_size));
    }
    for (const auto* kernels : Kernels()) {
      std::vector<AttentionCall> calls;
      for (size_t i = 0; i < contexts.size(); ++i) {
        const auto& [tokens, position] = GetParam().sequences[i];
        calls.push_back(
            {queries[i].data(), tokens, position, contexts[i].blocks.data(), outs[i].data()});
      }
      Workers workers(2);
      Attention(*kernels).Run(workers, shape, calls);
      for (size_t i = 0; i < calls.size(); ++i) {
        for (int64_t row = 0; row < calls[i].tokens * shape.heads; ++row) {
          const auto expected =
              PlainRow(shape, contexts[i], calls[i].queries + row * shape.kv.key_size,
                       row % shape.heads, calls[i].position + row / shape.heads + 1);
          for (int64_t j = 0; j < shape.kv.value_size; ++j) {
            ASSERT_NEAR(calls[i].out[row * shape.kv.value_size + j], expected[j], 2e-5)
                << kernels->name << " row " << row << " value " << j;
          }
        }
      }
    }
  }
}

TEST_P(AttentionTest, BitsDependOnTheRowAlone) {
  for (const auto type : {KvType::kF32, KvType::kF16}) {
    AttentionShape shape = GetParam().shape;
    shape.kv.type = type;
    const int64_t row_size = shape.heads * shape.kv.key_size;
    const int64_t out_size = shape.heads * shape.kv.value_size;
    for (const auto* kernels : Kernels()) {
      for (const auto& [tokens, position] : GetParam().sequences) {
        const Context context(shape.kv, position + tokens, 9);
        const auto queries = Random(tokens * row_size, 8);
        std::vector<float> whole(static_cast<size_t>(tokens * out_size)), parts(whole.size());
        Workers two(2), one(1);
        const AttentionCall all{queries.data(), tokens, position, context.blocks.data(),
                                whole.data()};
        Attention attention(*kernels);
        attention.Run(two, shape, {&all, 1});
        // In pieces of one and of seven tokens, on one thread; twice in the same call.
        for (const int64_t piece : {1, 7}) {
          std::vector<AttentionCall> calls;
          for (int64_t done = 0; done < tokens; done += piece) {
            calls.push_back({queries.data() + done * row_size, std::min(piece, tokens - done),
                             position + done, context.blocks.data(),
                             parts.data() + done * out_size});
          }
          attention.Run(one, shape, calls);
          ASSERT_EQ(std::memcmp(whole.data(), parts.data(), whole.size() * sizeof(float)), 0)
              << kernels->name << " pieces of " << piece;
          std::fill(parts.begin(), parts.end(), 0.0f);
          for (const auto& call : calls) attention.Run(two, shape, {&call, 1});
          ASSERT_EQ(std::memcmp(whole.data(), parts.data(), whole.size() * sizeof(float)), 0)
              << kernels->name << " one call each, pieces of " << piece;
        }
      }
    }
  }
}

KvShape Grouped(int64_t heads, int64_t key_size, int64_t value_size) {
  return {heads, key_size, value_size};
}
KvShape Latent(int64_t key_size, int64_t value_size) { return {1, key_size, value_size, true}; }

INSTANTIATE_TEST_SUITE_P(
    Shapes, AttentionTest,
    testing::Values(
        AttentionCase{{1, 1.0f, Grouped(1, 1, 1)}, {{1, 0}}},
        AttentionCase{{6, 0.3f, Grouped(2, 10, 10)}, {{1, 0}, {1, 700}, {37, 0}, {5, 255}}},
        AttentionCase{{5, 0.5f, Grouped(5, 7, 4)}, {{90, 200}, {1, 256}}},
        AttentionCase{{7, 0.2f, Grouped(1, 64, 64)}, {{60, 2030}, {1, 4500}, {3, 4094}}},
        AttentionCase{{16, 0.2f, Grouped(2, 48, 80)}, {{1, 0}, {1, 63}, {1, 700}, {3, 300}}},
        AttentionCase{{4, 0.1f, Grouped(2, 128, 80)}, {{1, 2047}, {1, 2048}, {9, 60}}},
        AttentionCase{{16, 0.2f, Latent(40, 32)}, {{1, 511}, {20, 300}, {3, 0}}},
        AttentionCase{{5, 0.2f, Latent(30, 24)}, {{1, 2500}, {50, 2020}}}));

TEST(AttentionTest, StoringNeverTouchesOtherSlots) {
  for (const bool latent : {false, true}) {
    for (const auto type : {KvType::kF32, KvType::kF16}) {
      const KvShape kv{latent ? 1 : 3, 10, latent ? 8 : 6, latent, type};
      std::vector<std::byte> block(static_cast<size_t>(kv.block_bytes())), before;
      const auto keys = Random(kKvBlock * kv.heads * kv.key_size, 1);
      const auto values = Random(kKvBlock * kv.heads * kv.value_size, 2);
      const auto store = [&](int64_t slot, int64_t rows) {
        StoreKv(kv, block.data(), slot, rows, keys.data(), kv.heads * kv.key_size, values.data(),
                kv.heads * kv.value_size);
      };
      store(0, kKvBlock);
      before = block;
      store(20, 1);
      size_t changed = 0;
      for (size_t i = 0; i < block.size(); ++i) changed += block[i] != before[i] ? 1 : 0;
      const int64_t own = kv.heads * (kv.key_size + (latent ? 0 : kv.value_size));
      EXPECT_GT(changed, 0u);
      EXPECT_LE(changed, static_cast<size_t>(own * kv.element_bytes()));
    }
  }
}

TEST(HalfTest, EveryHalfSurvivesAndTheRestIsRoundedToTheNearest) {
  for (uint32_t half = 0; half < 0x10000; ++half) {
    const float value = HalfToFloat(static_cast<uint16_t>(half));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(HalfToFloat(ToHalf(value))));
    } else if (std::isinf(value)) {
      EXPECT_EQ(ToHalf(value), value > 0 ? 0x7bff : 0xfbff);
    } else {
      ASSERT_EQ(ToHalf(value), half);
    }
  }
  std::mt19937 random(4);
  std::vector<float> values(4096);
  for (float& value : values) {
    do {
      value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    } while (std::isnan(value));
  }
  values[0] = 65520.0f;
  values[1] = 5.9604645e-8f / 2;
  std::vector<uint16_t> halves(values.size());
  ToHalves(values.data(), static_cast<int64_t>(values.size()), halves.data());
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(halves[i], ToHalf(values[i])) << values[i];
    const auto error = [&](int step) {
      return std::abs(double{HalfToFloat(static_cast<uint16_t>(halves[i] + step))} - values[i]);
    };
    if ((halves[i] & 0x7fff) >= 0x7bff || (halves[i] & 0x7fff) == 0) continue;
    EXPECT_LE(error(0), error(1));
    EXPECT_LE(error(0), error(-1));
  }
}

}  // namespace
}  // namespace portcullis::inference
