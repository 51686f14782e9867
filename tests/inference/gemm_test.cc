// Linear layers of every type, precision and instruction level: against a plain answer in double,
// and the promise that a row's bits depend on nothing but the row.
#include "inference/ops/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tests/inference/gemm_helpers.h"

namespace portcullis::inference {
namespace {

struct Shape {
  DataType type;
  int64_t outputs;
  int64_t inputs;
};

constexpr Shape kShapes[] = {
    {DataType::kF32, 1, 1},       {DataType::kF32, 131, 1500}, {DataType::kF16, 67, 1031},
    {DataType::kF16, 16, 64},     {DataType::kBF16, 300, 77},  {DataType::kBF16, 33, 4100},
    {DataType::kF8E4M3, 200, 300}, {DataType::kF8E4M3, 17, 33}, {DataType::kQ8_0, 129, 1056},
    {DataType::kQ8_0, 5, 32},     {DataType::kQ4_0, 65, 1120}, {DataType::kQ4_0, 16, 4160},
    {DataType::kQ4_1, 33, 1120},  {DataType::kQ5_0, 50, 1056}, {DataType::kQ5_1, 17, 4128},
    {DataType::kQ4_K, 33, 1280},  {DataType::kQ5_K, 17, 512},  {DataType::kQ6_K, 150, 256},
    {DataType::kQ6_K, 7, 4352}};

// How far kFast may be from the plain answer, relative and over all outputs: rounding of inputs to
// 127 steps a group, or to bf16, or to a split bf16.
double Allowed(DataType type, bool prompt, Isa isa) {
  const bool block = LayoutOf(type).elements > 1;
  if (block) return prompt && isa == Isa::kAmx ? 0.004 : 0.007;
  if (!prompt || isa != Isa::kAmx) return 2e-6;
  return type == DataType::kF8E4M3 ? 0.004 : 5e-5;
}

class GemmTest : public testing::TestWithParam<Shape> {
 protected:
  static std::vector<float> Run(const Gemm& gemm, const std::vector<float>& x, int64_t x_stride,
                                int64_t m, int64_t tokens, int threads = 2) {
    const int64_t y_stride = gemm.outputs() + 3;
    std::vector<float> y(static_cast<size_t>(m * y_stride), -77.0f);
    Workers workers(threads);
    const GemmCall call{&gemm, x.data(), x_stride, m, y.data(), y_stride, tokens};
    RunGemms(workers, {&call, 1});
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t n = gemm.outputs(); n < y_stride; ++n) EXPECT_EQ(y[i * y_stride + n], -77.0f);
    }
    return y;
  }
};

TEST_P(GemmTest, ExactAgreesWithDouble) {
  const auto [type, outputs, inputs] = GetParam();
  const RandomMatrix random(type, outputs, inputs, 3);
  const auto bias = RandomFloats(outputs, 8);
  const int64_t m = 21, x_stride = inputs + 5, y_stride = outputs + 3;
  const auto x = RandomFloats(m * x_stride, 4);
  const auto plain = Multiply(random.matrix, x.data(), x_stride, m);
  for (const Isa isa : UsableIsas()) {
    const Gemm gemm(random.matrix, bias, {Precision::kExact, isa});
    const auto y = Run(gemm, x, x_stride, m, 9);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t n = 0; n < outputs; ++n) {
        const size_t at = static_cast<size_t>(i * outputs + n);
        const double expected = plain.sums[at] + double{bias[n]};
        ASSERT_NEAR(y[i * y_stride + n], expected,
                    1e-6 * (plain.magnitudes[at] + std::abs(double{bias[n]})))
            << NameOf(isa) << " " << i << " " << n;
      }
    }
  }
}

TEST_P(GemmTest, FastIsAsCloseAsItsRounding) {
  const auto [type, outputs, inputs] = GetParam();
  if (outputs * inputs < 1000) GTEST_SKIP() << "too few values for a statement about averages";
  const RandomMatrix random(type, outputs, inputs, 3);
  const int64_t m = 37, y_stride = outputs + 3;
  const auto x = RandomFloats(m * inputs, 4);
  const auto plain = Multiply(random.matrix, x.data(), inputs, m);
  for (const Isa isa : UsableIsas()) {
    const Gemm gemm(random.matrix, {}, {Precision::kFast, isa});
    for (const bool prompt : {false, true}) {
      const auto y = Run(gemm, x, inputs, m, prompt ? 0 : m);
      EXPECT_LT(RelativeError(plain, y.data(), y_stride, m, outputs), Allowed(type, prompt, isa))
          << NameOf(isa) << (prompt ? " prompt" : " token");
    }
  }
}

TEST_P(GemmTest, ARowDependsOnItselfAlone) {
  const auto [type, outputs, inputs] = GetParam();
  const RandomMatrix random(type, outputs, inputs, 5);
  const auto bias = RandomFloats(outputs, 6);
  const int64_t m = 67, y_stride = outputs + 3;
  const auto x = RandomFloats(m * inputs, 7);
  for (const Precision precision : {Precision::kExact, Precision::kFast}) {
    for (const Isa isa : UsableIsas()) {
      const Gemm gemm(random.matrix, bias, {precision, isa});
      for (const bool prompt : {false, true}) {
        const auto all = Run(gemm, x, inputs, m, prompt ? 0 : m);
        EXPECT_EQ(all, Run(gemm, x, inputs, m, prompt ? 0 : m, 1)) << "other threads";
        for (const int64_t first : {0, 1, 30, 66}) {
          for (const int64_t count : {1, 2, 3, 5, 8, 17}) {
            if (first + count > m) continue;
            // Among others of the other role too.
            const std::vector<float> part(x.begin() + first * inputs,
                                          x.begin() + (first + count) * inputs);
            const auto alone = Run(gemm, part, inputs, count, prompt ? 0 : count);
            ASSERT_EQ(std::memcmp(alone.data(), &all[first * y_stride], alone.size() * 4), 0)
                << NameOf(isa) << (prompt ? " prompt " : " token ") << first << " " << count
                << (precision == Precision::kFast ? " fast" : " exact");
          }
        }
        const auto mixed = Run(gemm, x, inputs, m, 20);
        const int64_t begin = prompt ? 20 : 0, end = prompt ? m : 20;
        EXPECT_EQ(std::memcmp(&mixed[begin * y_stride], &all[begin * y_stride],
                              static_cast<size_t>((end - begin) * y_stride) * 4), 0);
      }
      if (!gemm.roles_agree()) continue;
      EXPECT_EQ(Run(gemm, x, inputs, m, 0), Run(gemm, x, inputs, m, m)) << NameOf(isa);
    }
  }
}

TEST_P(GemmTest, TokenRowsOfPackedTypesHaveTheSameBitsEverywhere) {
  const auto [type, outputs, inputs] = GetParam();
  if (!HasPackedLayout(type)) GTEST_SKIP() << "sums of float types depend on registers' width";
  const RandomMatrix random(type, outputs, inputs, 5);
  const auto x = RandomFloats(37 * (inputs + 7), 7);
  const Gemm plain(random.matrix, {}, {Precision::kFast, Isa::kScalar});
  for (const int64_t m : {1, 4, 5, 8, 9, 16, 17, 37}) {
    const auto expected = Run(plain, x, inputs + 7, m, m);
    for (const Isa isa : UsableIsas()) {
      const Gemm gemm(random.matrix, {}, {Precision::kFast, isa});
      EXPECT_EQ(Run(gemm, x, inputs + 7, m, m), expected) << NameOf(isa) << " " << m;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, GemmTest, testing::ValuesIn(kShapes), [](const auto& one) {
  return std::string(NameOf(one.param.type)) + "_" + std::to_string(one.index);
});

TEST(GemmCalls, ManyLayersInOnePassShareInputsOfDifferentTypes) {
  const int64_t inputs = 256, m = 19;
  const auto x = RandomFloats(m * inputs, 1), other = RandomFloats(m * inputs, 2);
  const DataType types[] = {DataType::kQ4_K, DataType::kQ6_K, DataType::kF16, DataType::kBF16,
                            DataType::kF8E4M3, DataType::kQ4_0};
  std::vector<RandomMatrix> matrices;
  matrices.reserve(std::size(types));
  std::vector<Gemm> gemms;
  for (const DataType type : types) {
    const auto& random = matrices.emplace_back(type, 50, inputs, 9);
    gemms.emplace_back(random.matrix, std::vector<float>{}, GemmOptions{Precision::kFast});
  }
  std::vector<std::vector<float>> together, alone;
  std::vector<GemmCall> calls;
  for (int round = 0; round < 4; ++round) {
    for (const auto& gemm : gemms) {
      auto& y = together.emplace_back(static_cast<size_t>(m * 50));
      calls.push_back({&gemm, round % 2 == 0 ? x.data() : other.data(), inputs, m, y.data(), 50,
                       round == 3 ? 0 : 4 * round});
    }
  }
  Workers workers(2);
  RunGemms(workers, calls);
  for (size_t i = 0; i < calls.size(); ++i) {
    auto call = calls[i];
    std::vector<float> y(static_cast<size_t>(m * 50));
    call.y = y.data();
    RunGemms(workers, {&call, 1});
    EXPECT_EQ(y, together[i]) << i;
  }
}

TEST(GemmCalls, ANumberThatIsNotFiniteSpoilsItsRowOnly) {
  constexpr int64_t kRows = 11;  // enough for all kernels: those of AMX start at 9
  for (const DataType type : {DataType::kQ4_0, DataType::kQ6_K, DataType::kF16}) {
    const RandomMatrix random(type, 40, 256, 1);
    for (const Isa isa : UsableIsas()) {
      const Gemm gemm(random.matrix, {}, {Precision::kFast, isa});
      for (const float bad : {NAN, INFINITY}) {
        auto x = RandomFloats(kRows * 256, 2);
        x[256 + 77] = bad;
        std::vector<float> y(kRows * 40);
        Workers workers(1);
        for (const int64_t tokens : {int64_t{0}, kRows}) {
          const GemmCall call{&gemm, x.data(), 256, kRows, y.data(), 40, tokens};
          RunGemms(workers, {&call, 1});
          for (int i = 0; i < kRows * 40; ++i) {
            EXPECT_EQ(std::isfinite(y[i]), i / 40 != 1) << NameOf(isa) << " " << i;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace portcullis::inference
