// Logits against those of other implementations: DeepSeek's reference code and llama.cpp.
#include <gtest/gtest.h>

#include "tests/inference/model_helpers.h"

namespace portcullis::inference {
namespace {

struct F32Case {
  const char* model;   // below the shared models
  const char* logits;
  const char* file;    // entry of "files", or none
};

class F32Exactness : public testing::TestWithParam<F32Case> {};

TEST_P(F32Exactness, LogitsAgreeWithTheReference) {
  SKIP_WITHOUT_SHARED_MODELS();
  const auto model = LoadOrFail(SharedModels() / GetParam().model);
  ASSERT_NE(model, nullptr);
  const auto cases = ReadLogitCases(SharedModels() / GetParam().logits, GetParam().file);
  ASSERT_GE(cases.size(), 4u);
  double worst = 0;
  for (const auto& one : cases) {
    const double difference = MaxDifference(LastLogits(*model, one.tokens), one.logits);
    EXPECT_LE(difference, 1e-4) << one.tokens.size() << " tokens";
    worst = std::max(worst, difference);
  }
  RecordProperty("max_difference", std::to_string(worst));
  std::printf("%s: max difference %.3g\n", GetParam().model, worst);
}

INSTANTIATE_TEST_SUITE_P(
    Models, F32Exactness,
    testing::Values(F32Case{"dsv3-micro", "dsv3-micro/logits.json", ""},
                    F32Case{"dsv3-micro/model.gguf", "dsv3-micro/logits.json", ""},
                    F32Case{"llama-micro/llamamicro-f32.gguf", "llama-micro/logits.json",
                            "llamamicro-f32.gguf"},
                    F32Case{"qwen2-micro/qwen2micro-f32.gguf", "qwen2-micro/logits.json",
                            "qwen2micro-f32.gguf"}),
    [](const auto& one) { return "Case" + std::to_string(one.index); });

// Quantised weights: cosine to the f32 logits no worse than llama.cpp's, whose activations are
// quantised as well.
struct QuantisedCase {
  const char* folder;
  const char* prefix;
  const char* type;
  double cosine;
};

class QuantisedExactness : public testing::TestWithParam<QuantisedCase> {};

TEST_P(QuantisedExactness, LogitsStayCloseToF32) {
  SKIP_WITHOUT_SHARED_MODELS();
  const auto& param = GetParam();
  const auto folder = SharedModels() / param.folder;
  const std::string file = std::string(param.prefix) + "-" + param.type + ".gguf";
  const auto model = LoadOrFail(folder / file);
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->info().weight_type,
            std::string(param.type) == "Q4_K_M" ? "Q4_K" : param.type);
  const auto exact =
      ReadLogitCases(folder / "logits.json", std::string(param.prefix) + "-f32.gguf");
  const auto theirs = ReadLogitCases(folder / "logits.json", file);
  double ours_sum = 0, theirs_sum = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const auto logits = LastLogits(*model, exact[i].tokens);
    const double ours = Cosine(logits, exact[i].logits);
    const double their = Cosine(theirs[i].logits, exact[i].logits);
    EXPECT_GE(ours, param.cosine) << exact[i].tokens.size() << " tokens";
    EXPECT_GE(ours, their - 0.005) << exact[i].tokens.size() << " tokens";
    ours_sum += ours;
    theirs_sum += their;
    // The same weights: what is left is their rounding of activations.
    EXPECT_GE(Cosine(logits, theirs[i].logits), 0.97) << exact[i].tokens.size() << " tokens";
  }
  std::printf("%s: mean cosine %.5f, llama.cpp %.5f\n", file.c_str(),
              ours_sum / static_cast<double>(exact.size()),
              theirs_sum / static_cast<double>(exact.size()));
}

INSTANTIATE_TEST_SUITE_P(
    Models, QuantisedExactness,
    testing::Values(QuantisedCase{"llama-micro", "llamamicro", "BF16", 0.9995},
                    QuantisedCase{"llama-micro", "llamamicro", "Q8_0", 0.9987},
                    QuantisedCase{"llama-micro", "llamamicro", "Q6_K", 0.989},
                    QuantisedCase{"llama-micro", "llamamicro", "Q4_K_M", 0.8665},
                    QuantisedCase{"llama-micro", "llamamicro", "Q4_0", 0.798},
                    QuantisedCase{"qwen2-micro", "qwen2micro", "Q8_0", 0.9987},
                    QuantisedCase{"qwen2-micro", "qwen2micro", "Q4_K_M", 0.8665},
                    QuantisedCase{"qwen2-micro", "qwen2micro", "Q4_0", 0.798}),
    [](const auto& one) {
      return std::string(one.param.prefix) + "_" + one.param.type;
    });

}  // namespace
}  // namespace portcullis::inference
