// Configurations unlike the shared test models, against the slow reference.
#include "tests/inference/reference.h"

#include <gtest/gtest.h>

#include "tests/inference/file_builders.h"
#include "tests/inference/model_helpers.h"

namespace portcullis::inference {
namespace {

ModelConfig GroupedConfig() {
  ModelConfig config;
  config.architecture = Architecture::kLlama;
  config.type = "llama";
  config.vocab_size = 101;
  config.hidden_size = 60;
  config.layers = 2;
  config.heads = 5;
  config.kv_heads = 5;
  config.head_dimensions = 12;
  config.intermediate_size = 77;
  config.context_length = 200;
  config.norm_epsilon = 1e-5;
  config.rope.theta = 5000;
  return config;
}

ModelConfig LatentConfig() {
  ModelConfig config = GroupedConfig();
  config.architecture = Architecture::kDeepseek;
  config.type = "deepseek_v3";
  config.layers = 3;
  config.mla = {20, 24, 10, 6, 14};
  config.moe = {6, 2, 1, 18, 3, 2, 1, true, true, true, 1.7};
  return config;
}

struct Variant {
  const char* name;
  ModelConfig (*base)();
  void (*change)(ModelConfig&);
};

class ReferenceTest : public testing::TestWithParam<Variant> {};

TEST_P(ReferenceTest, LogitsAgree) {
  ModelConfig config = GetParam().base();
  GetParam().change(config);
  const TinyModel tiny = MakeTinyModel(config, 7);
  const TempFolder folder;
  WriteTinyModel(tiny, folder.path(), DataType::kF32);
  const auto model = LoadOrFail(folder.path());
  ASSERT_NE(model, nullptr);
  std::vector<int32_t> tokens;
  for (int i = 0; i < 40; ++i) tokens.push_back(static_cast<int32_t>(i * 37 % config.vocab_size));
  for (const size_t size : {1u, 2u, 11u, 40u}) {
    const auto some = std::span(tokens).first(size);
    const auto expected = ReferenceLogits(tiny, some);
    EXPECT_LE(MaxDifference(LastLogits(*model, some), expected), 1e-4) << size << " tokens";
    EXPECT_LE(MaxDifference(LastLogits(*model, some, 3), expected), 1e-4) << size << " in chunks";
  }
}

INSTANTIATE_TEST_SUITE_P(
    Variants, ReferenceTest,
    testing::Values(
        Variant{"Llama", GroupedConfig, [](ModelConfig&) {}},
        Variant{"OneKeyHead", GroupedConfig, [](ModelConfig& c) { c.kv_heads = 1; }},
        Variant{"Tied", GroupedConfig, [](ModelConfig& c) { c.tied_embeddings = true; }},
        Variant{"ManyHeadsPerKeyHead", GroupedConfig,
                [](ModelConfig& c) { c.heads = 21, c.kv_heads = 3, c.head_dimensions = 2; }},
        Variant{"HeadsWiderThanHidden", GroupedConfig,
                [](ModelConfig& c) { c.head_dimensions = 34; }},
        Variant{"LlamaWithBias", GroupedConfig, [](ModelConfig& c) { c.qkv_bias = true; }},
        Variant{"Qwen2", GroupedConfig,
                [](ModelConfig& c) {
                  c.architecture = Architecture::kQwen2, c.type = "qwen2", c.qkv_bias = true;
                }},
        Variant{"Qwen3", GroupedConfig,
                [](ModelConfig& c) {
                  c.architecture = Architecture::kQwen3, c.type = "qwen3", c.head_norm = true;
                }},
        Variant{"LongRows", GroupedConfig,
                [](ModelConfig& c) { c.hidden_size = 1100, c.intermediate_size = 2051; }},
        Variant{"Deepseek", LatentConfig, [](ModelConfig&) {}},
        Variant{"NoQueryCompression", LatentConfig, [](ModelConfig& c) { c.mla.q_lora_rank = 0; }},
        Variant{"OneGroup", LatentConfig,
                [](ModelConfig& c) { c.moe.groups = 1, c.moe.groups_used = 1; }},
        Variant{"NoSharedExpert", LatentConfig, [](ModelConfig& c) { c.moe.shared_experts = 0; }},
        Variant{"TwoSharedExperts", LatentConfig, [](ModelConfig& c) { c.moe.shared_experts = 2; }},
        Variant{"NoDenseLayer", LatentConfig, [](ModelConfig& c) { c.moe.dense_layers = 0; }},
        Variant{"AllDense", LatentConfig, [](ModelConfig& c) { c.moe = {}; }},
        Variant{"AllExperts", LatentConfig,
                [](ModelConfig& c) {
                  c.moe.experts_used = 6, c.moe.groups = 2, c.moe.groups_used = 2;
                }},
        Variant{"GroupsOfOne", LatentConfig,
                [](ModelConfig& c) { c.moe.groups = 6, c.moe.groups_used = 3; }},
        Variant{"NotNormalised", LatentConfig, [](ModelConfig& c) { c.moe.normalize = false; }},
        Variant{"V2Greedy", LatentConfig,
                [](ModelConfig& c) {
                  c.type = "deepseek_v2", c.mla.q_lora_rank = 0;
                  c.moe = {5, 2, 2, 18, 1, 1, 1, false, false, false, 1.0};
                }},
        Variant{"V2Groups", LatentConfig,
                [](ModelConfig& c) {
                  c.type = "deepseek_v2";
                  c.moe = {9, 3, 1, 18, 3, 2, 1, false, false, false, 16.0};
                }}),
    [](const auto& one) { return one.param.name; });

TEST(ReferenceTest, Bf16AndShardsGiveTheSameLogits) {
  const TinyModel tiny = MakeTinyModel(LatentConfig(), 3);
  const std::vector<int32_t> tokens = {5, 99, 0, 42, 17};
  const auto expected = ReferenceLogits(tiny, tokens);
  for (const int shards : {1, 3}) {
    const TempFolder folder;
    WriteTinyModel(tiny, folder.path(), DataType::kBF16, shards);
    const auto model = LoadOrFail(folder.path());
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(model->info().weight_type, "BF16");
    EXPECT_LE(MaxDifference(LastLogits(*model, tokens), expected), 1e-4);
  }
}

}  // namespace
}  // namespace portcullis::inference
