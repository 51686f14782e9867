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
  double mscale = 0;
};

class ReferenceTest : public testing::TestWithParam<Variant> {};

TEST_P(ReferenceTest, LogitsAgree) {
  ModelConfig config = GetParam().base();
  GetParam().change(config);
  TinyModel tiny = MakeTinyModel(config, 7);
  tiny.mscale = GetParam().mscale;
  tiny.mscale_all = GetParam().mscale;
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
        Variant{"OneValuePerVocabulary", GroupedConfig, [](ModelConfig& c) { c.vocab_size = 1; }},
        Variant{"LinearRope", GroupedConfig,
                [](ModelConfig& c) {
                  c.rope.scaling = RopeScaling::kLinear, c.rope.factor = 3.5;
                  c.rope.original_context = 50;
                }},
        Variant{"Llama3Rope", GroupedConfig,
                [](ModelConfig& c) {
                  c.rope.scaling = RopeScaling::kLlama3, c.rope.factor = 8;
                  c.rope.original_context = 60, c.rope.low_frequency_factor = 1;
                  c.rope.high_frequency_factor = 4, c.head_dimensions = 32;
                }},
        Variant{"QwenYarn", GroupedConfig,
                [](ModelConfig& c) {
                  c.architecture = Architecture::kQwen2, c.type = "qwen2", c.qkv_bias = true;
                  c.rope.scaling = RopeScaling::kYarn, c.rope.factor = 4;
                  c.rope.original_context = 50, c.head_dimensions = 32;
                }},
        Variant{"DeepseekYarn", LatentConfig,
                [](ModelConfig& c) {
                  c.rope.scaling = RopeScaling::kYarn, c.rope.factor = 40;
                  c.rope.original_context = 16, c.mla.rope_dimensions = 16;
                }, 0.707},
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
        Variant{"IgnoredDraftLayer", LatentConfig, [](ModelConfig& c) { c.draft_layers = 1; }},
        Variant{"OneHeadOneExpert", LatentConfig,
                [](ModelConfig& c) {
                  c.heads = c.kv_heads = 1;
                  c.moe = {1, 1, 0, 18, 1, 1, 0, true, true, true, 0.5};
                }},
        Variant{"V2Groups", LatentConfig,
                [](ModelConfig& c) {
                  c.type = "deepseek_v2";
                  c.moe = {9, 3, 1, 18, 3, 2, 1, false, false, false, 16.0};
                }}),
    [](const auto& one) { return one.param.name; });

TEST(ReferenceTest, EmbeddingsAreThePooledFinalHiddenStates) {
  const TinyModel tiny = MakeTinyModel(GroupedConfig(), 5);
  const TempFolder folder;
  WriteTinyModel(tiny, folder.path(), DataType::kF32);
  const auto model = LoadOrFail(folder.path());
  ASSERT_NE(model, nullptr);
  const std::vector<int32_t> tokens = {5, 99, 0, 42, 17, 3, 3, 100, 8};
  const auto states = ReferenceHidden(tiny, tokens);
  std::vector<float> sum(60, 0.0f);
  for (const auto& state : states) {
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += state[i];
  }
  const auto embed = [&](Pooling pooling, size_t chunk) {
    auto sequence = model->NewSequence(20).value();
    std::vector<float> embedding(60, 0.0f);
    for (std::span<const int32_t> left = tokens; !left.empty();) {
      const auto some = left.first(std::min(chunk, left.size()));
      left = left.subspan(some.size());
      const Step step{sequence.get(),      some,      LogitRows::kNone,
                      TokenRole::kPrompt, embedding, pooling};
      EXPECT_TRUE(model->Forward({&step, 1}, {}));
    }
    return embedding;
  };
  EXPECT_LE(MaxDifference(embed(Pooling::kLast, 9), states.back()), 1e-4);
  EXPECT_LE(MaxDifference(embed(Pooling::kSum, 9), sum), 1e-4);
  EXPECT_EQ(MaxDifference(embed(Pooling::kSum, 4), embed(Pooling::kSum, 9)), 0.0);
  auto sequence = model->NewSequence(20).value();
  std::vector<float> wrong(59);
  const Step step{sequence.get(), tokens, LogitRows::kNone, TokenRole::kPrompt, wrong};
  EXPECT_EQ(model->Forward({&step, 1}, {}).error().code, Code::kInvalidArgument);
}

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
