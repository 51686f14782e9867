// Conversion to quantised types: the blocks against their readers, errors against what simple
// rounding gives and against a peer's files, and whole models against their f32 logits.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <fstream>
#include <random>
#include <sstream>

#include "inference/model/convert.h"
#include "inference/model/quantize.h"
#include "inference/ops/dequantize.h"
#include "tests/inference/file_builders.h"
#include "tests/inference/model_helpers.h"

namespace portcullis::inference {
namespace {

constexpr DataType kTypes[] = {DataType::kQ8_0, DataType::kQ4_0, DataType::kQ5_0,
                               DataType::kQ4_K, DataType::kQ5_K, DataType::kQ6_K};

std::vector<float> RoundTrip(DataType type, std::span<const float> values,
                             std::span<const float> importance = {}) {
  const auto layout = LayoutOf(type);
  const auto count = static_cast<int64_t>(values.size());
  std::vector<std::byte> bytes(static_cast<size_t>(count / layout.elements * layout.bytes));
  QuantizeWeights(type, values.data(), count, importance, bytes.data());
  std::vector<float> back(values.size());
  DequantizeRow(type, bytes.data(), count, back.data());
  return back;
}

double RelativeError(std::span<const float> values, std::span<const float> back) {
  double error = 0, total = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    error += std::pow(static_cast<double>(back[i]) - values[i], 2);
    total += std::pow(static_cast<double>(values[i]), 2);
  }
  return std::sqrt(error / total);
}

std::vector<float> Normal(size_t count, bool heavy_tails) {
  std::mt19937_64 random(7);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<float> values(count);
  for (auto& value : values) {
    value = normal(random);
    if (heavy_tails && random() % 64 == 0) value *= 5;
  }
  return values;
}

// The usual way without a search: the largest value decides over the scale of 32.
std::vector<float> PlainRounding(std::span<const float> values, float largest_integer) {
  std::vector<float> back(values.size());
  for (size_t begin = 0; begin < values.size(); begin += 32) {
    float peak = 0;
    for (size_t i = begin; i < begin + 32; ++i) {
      if (std::fabs(values[i]) > std::fabs(peak)) peak = values[i];
    }
    const float scale = HalfToFloat(FloatToHalf(peak / -largest_integer));
    for (size_t i = begin; i < begin + 32; ++i) {
      const float q = std::round(values[i] / scale);
      back[i] = scale * std::clamp(q, -largest_integer, largest_integer - 1);
    }
  }
  return back;
}

TEST(QuantizeTest, ErrorsAreBelowThoseOfPlainRounding) {
  const auto values = Normal(1 << 16, false);
  EXPECT_LT(RelativeError(values, RoundTrip(DataType::kQ4_0, values)),
            0.96 * RelativeError(values, PlainRounding(values, 8)));
  EXPECT_LT(RelativeError(values, RoundTrip(DataType::kQ5_0, values)),
            0.96 * RelativeError(values, PlainRounding(values, 16)));
  EXPECT_LT(RelativeError(values, RoundTrip(DataType::kQ8_0, values)),
            0.96 * RelativeError(values, PlainRounding(values, 128)));
  // A little above what was measured: a change that makes the search worse is to be seen.
  EXPECT_LT(RelativeError(values, RoundTrip(DataType::kQ4_K, values)), 0.0702);
  EXPECT_LT(RelativeError(values, RoundTrip(DataType::kQ5_K, values)), 0.0345);
  EXPECT_LT(RelativeError(values, RoundTrip(DataType::kQ6_K, values)), 0.0173);
}

TEST(QuantizeTest, HeavyTailsZerosAndConstantsSurvive) {
  const auto tails = Normal(1 << 14, true);
  const std::vector<float> zeros(512, 0.0f);
  const std::vector<float> ones(512, 1.0f);
  const std::vector<float> negative(512, -3.5f);
  std::vector<float> tiny(512, 1e-20f);
  tiny[3] = -1e-20f;
  for (const DataType type : kTypes) {
    EXPECT_LT(RelativeError(tails, RoundTrip(type, tails)), 0.12) << NameOf(type);
    EXPECT_EQ(RoundTrip(type, zeros), zeros) << NameOf(type);
    EXPECT_LT(RelativeError(ones, RoundTrip(type, ones)), 1e-2) << NameOf(type);
    EXPECT_LT(RelativeError(negative, RoundTrip(type, negative)), 1e-2) << NameOf(type);
    for (const float value : RoundTrip(type, tiny)) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(QuantizeTest, ImportantValuesAreKeptBetter) {
  const auto values = Normal(1 << 14, false);
  std::vector<float> importance(values.size(), 0.01f);
  for (size_t i = 0; i < values.size(); i += 4) importance[i] = 100.0f;
  for (const DataType type : {DataType::kQ4_0, DataType::kQ4_K}) {
    const auto plain = RoundTrip(type, values);
    const auto weighted = RoundTrip(type, values, importance);
    double plain_error = 0, weighted_error = 0;
    for (size_t i = 0; i < values.size(); i += 4) {
      plain_error += std::pow(plain[i] - values[i], 2);
      weighted_error += std::pow(weighted[i] - values[i], 2);
    }
    EXPECT_LT(weighted_error, 0.8 * plain_error) << NameOf(type);
  }
}

TEST(QuantizeTest, RowsThatAreNoWholeBlocksGetATypeThatLosesLess) {
  const auto type = [](const char* mix, int64_t columns) {
    const std::vector<int64_t> shape = {64, columns};
    return QuantMix::Named(mix).value().TypeFor("blk.9.ffn_up.weight", shape, 24, false);
  };
  EXPECT_EQ(type("Q4_K_M", 1024), DataType::kQ4_K);
  EXPECT_EQ(type("Q4_K_M", 896), DataType::kQ5_0);
  EXPECT_EQ(type("Q5_K_M", 896), DataType::kQ8_0);
  EXPECT_EQ(type("Q6_K", 896), DataType::kQ8_0);
  EXPECT_EQ(type("Q4_0", 896), DataType::kQ4_0);
  EXPECT_EQ(type("Q4_K_M", 80), DataType::kF16);
}

TEST(QuantizeTest, HalvesRoundToNearestEven) {
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const float value = HalfToFloat(static_cast<uint16_t>(bits));
    const float next = HalfToFloat(static_cast<uint16_t>(bits + 1));
    ASSERT_EQ(FloatToHalf(value), bits);
    if (bits + 1 == 0x7c00) break;
    const float middle = (value + next) / 2;
    ASSERT_EQ(FloatToHalf(middle), bits % 2 == 0 ? bits : bits + 1) << bits;
    ASSERT_EQ(FloatToHalf(std::nextafter(middle, next)), bits + 1) << bits;
  }
  EXPECT_EQ(FloatToHalf(65519.0f), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00);
  EXPECT_EQ(FloatToHalf(-1e30f), 0xfc00);
}

// Mean Kullback-Leibler divergence of `model` from `exact` over all positions of random prompts.
double Divergence(Model& exact, Model& model) {
  std::mt19937_64 random(3);
  const auto vocab = static_cast<size_t>(exact.info().vocab_size);
  constexpr size_t kTokens = 96;
  double total = 0;
  for (int prompt = 0; prompt < 4; ++prompt) {
    std::vector<int32_t> tokens(kTokens);
    for (auto& token : tokens) token = static_cast<int32_t>(random() % vocab);
    std::vector<float> logits[2];
    Model* models[2] = {&exact, &model};
    for (int i = 0; i < 2; ++i) {
      auto sequence = models[i]->NewSequence(kTokens);
      logits[i].resize(kTokens * vocab);
      const Step step{sequence.value().get(), tokens, LogitRows::kAll};
      EXPECT_TRUE(models[i]->Forward(std::span(&step, 1), logits[i]));
    }
    for (size_t row = 0; row < kTokens; ++row) {
      double sums[2] = {0, 0};
      for (int i = 0; i < 2; ++i) {
        for (size_t k = 0; k < vocab; ++k) sums[i] += std::exp(logits[i][row * vocab + k]);
      }
      for (size_t k = 0; k < vocab; ++k) {
        const double p = logits[0][row * vocab + k] - std::log(sums[0]);
        const double q = logits[1][row * vocab + k] - std::log(sums[1]);
        total += std::exp(p) * (p - q);
      }
    }
  }
  return total / (4 * kTokens);
}

TEST(QuantizeTest, ModelsAreNoFurtherFromF32ThanThePeersFiles) {
  SKIP_WITHOUT_SHARED_MODELS();
  const TempFolder folder;
  const auto check = [&](const char* family, const char* stem, const char* type) {
    const auto base = SharedModels() / family;
    const auto source = base / (std::string(stem) + "-f32.gguf");
    const auto ours = folder.path() / (std::string(stem) + type + ".gguf");
    const auto mix = QuantMix::Named(type);
    ASSERT_TRUE(mix);
    const auto report = ConvertToGguf(source, ours, {mix.value(), 2});
    ASSERT_TRUE(report) << report.error().message;
    const auto exact = LoadOrFail(source);
    const auto own = LoadOrFail(ours);
    const auto peer = LoadOrFail(base / (std::string(stem) + "-" + type + ".gguf"));
    ASSERT_TRUE(exact && own && peer);
    const double own_distance = Divergence(*exact, *own);
    const double peer_distance = Divergence(*exact, *peer);
    RecordProperty(std::string(stem) + type, std::to_string(own_distance / peer_distance));
    EXPECT_LE(own_distance, 1.02 * peer_distance) << stem << " " << type;
  };
  check("llama-micro", "llamamicro", "Q8_0");
  check("llama-micro", "llamamicro", "Q4_0");
  check("llama-micro", "llamamicro", "Q4_K_M");
  check("llama-micro", "llamamicro", "Q6_K");
  check("qwen2-micro", "qwen2micro", "Q4_0");
  check("qwen2-micro", "qwen2micro", "Q8_0");
}

TEST(QuantizeTest, AFolderAndItsGgufGiveTheSameLogits) {
  SKIP_WITHOUT_SHARED_MODELS();
  const TempFolder folder;
  const auto source = SharedModels() / "dsv3-micro";
  const auto output = folder.path() / "dsv3.gguf";
  const auto report = ConvertToGguf(source, output, {QuantMix::Named("F32").value(), 2});
  ASSERT_TRUE(report) << report.error().message;
  const auto before = LoadOrFail(source);
  const auto after = LoadOrFail(output);
  ASSERT_TRUE(before && after);
  const std::vector<int32_t> tokens = {1, 5, 9, 200, 31, 7, 7, 100, 44, 3};
  const auto logits = LastLogits(*before, tokens);
  EXPECT_LT(MaxDifference(logits, LastLogits(*after, tokens)), 1e-4);

  // The same model as newer writers of config.json put it: the scaling lies in `rope_parameters`.
  const auto newer = folder.path() / "newer";
  std::filesystem::create_directory(newer);
  std::filesystem::create_symlink(std::filesystem::absolute(source / "model.safetensors"),
                                  newer / "model.safetensors");
  std::stringstream text;
  text << std::ifstream(source / "config.json").rdbuf();
  auto config = boost::json::parse(text.str()).as_object();
  const boost::json::value scaling = config.at("rope_scaling");
  config["rope_parameters"] = scaling;
  config.erase("rope_scaling");
  std::ofstream(newer / "config.json") << boost::json::serialize(config);
  const auto again = folder.path() / "newer.gguf";
  const auto second = ConvertToGguf(newer, again, {QuantMix::Named("F32").value(), 2});
  ASSERT_TRUE(second) << second.error().message;
  const auto third = LoadOrFail(again);
  ASSERT_TRUE(third);
  EXPECT_LT(MaxDifference(logits, LastLogits(*third, tokens)), 1e-4);
}

TEST(QuantizeTest, AnUnnamedWayOfSplittingTextIsRefused) {
  const TempFolder folder;
  const auto builtin = std::filesystem::path(PORTCULLIS_SOURCE_DIR) / "inference/nano/model";
  const auto output = folder.path() / "nano.gguf";
  const auto report = ConvertToGguf(builtin, output, {QuantMix::Named("F32").value(), 2});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::kBadTokenizer);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(QuantizeTest, DamagedWeightsAreRefusedAndLeaveNothing) {
  SKIP_WITHOUT_SHARED_MODELS();
  const TempFolder folder;
  const auto source = SharedModels() / "llama-micro/llamamicro-f32.gguf";
  const auto damaged = folder.path() / "damaged.gguf";
  std::filesystem::copy_file(source, damaged);
  {
    const auto file = gguf::File::Open(source);
    const auto bytes = file.value()->FindTensor("blk.0.ffn_up.weight")->bytes;
    const auto whole = file.value()->files()[0]->bytes();
    std::FILE* out = std::fopen(damaged.c_str(), "r+b");
    std::fseek(out, bytes.data() - whole.data() + 400, SEEK_SET);
    const float infinite = INFINITY;
    std::fwrite(&infinite, sizeof infinite, 1, out);
    std::fclose(out);
  }
  const auto output = folder.path() / "out.gguf";
  const auto report = ConvertToGguf(damaged, output, {QuantMix::Named("Q4_0").value(), 2});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::kBadTensor);
  EXPECT_NE(report.error().message.find("blk.0.ffn_up.weight"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(output));
}

}  // namespace
}  // namespace portcullis::inference
