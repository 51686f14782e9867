// Loading: what is reported about a model, and refusal of model files that do not fit together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "tests/inference/file_builders.h"
#include "tests/inference/model_helpers.h"
#include "tests/inference/reference.h"

namespace portcullis::inference {
namespace {

using testing::HasSubstr;

// A complete GGUF model of one layer whose parts tests replace.
GgufBuilder SmallLlama(std::string_view title = "small") {
  GgufBuilder file;
  file.String("general.architecture", "llama");
  file.String("general.name", title);
  file.Int("llama.block_count", 1);
  file.Int("llama.embedding_length", 8);
  file.Int("llama.feed_forward_length", 16);
  file.Int("llama.attention.head_count", 2);
  file.Int("llama.attention.head_count_kv", 1);
  file.Int("llama.context_length", 64);
  file.Float("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  const auto matrix = [&](const char* name, uint64_t rows, uint64_t columns) {
    std::vector<float> values(rows * columns);
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(i * 7919 % 101) / 101.0f - 0.5f;
    }
    file.Tensor(name, {columns, rows}, values);
  };
  matrix("token_embd.weight", 10, 8);
  file.Tensor("output_norm.weight", {8}, std::vector<float>(8, 1.0f));
  file.Tensor("blk.0.attn_norm.weight", {8}, std::vector<float>(8, 1.0f));
  file.Tensor("blk.0.ffn_norm.weight", {8}, std::vector<float>(8, 1.0f));
  matrix("blk.0.attn_q.weight", 8, 8);
  matrix("blk.0.attn_k.weight", 4, 8);
  matrix("blk.0.attn_v.weight", 4, 8);
  matrix("blk.0.attn_output.weight", 8, 8);
  matrix("blk.0.ffn_gate.weight", 16, 8);
  matrix("blk.0.ffn_up.weight", 16, 8);
  matrix("blk.0.ffn_down.weight", 8, 16);
  return file;
}

GgufBuilder::Entry& TensorOf(GgufBuilder& file, std::string_view name) {
  for (auto& tensor : file.tensors) {
    if (tensor.name == name) return tensor;
  }
  ADD_FAILURE() << name;
  return file.tensors.front();
}

Result<std::unique_ptr<Model>> LoadBytes(const std::string& bytes) {
  const TempFolder folder;
  LoadOptions options;
  options.hash = false;
  return Model::Load(folder.Write("model.gguf", bytes), options);
}

TEST(Load, ReportsTheModel) {
  const TempFolder folder;
  const auto path = folder.Write("model.gguf", SmallLlama().Build());
  LoadOptions options;
  double progress = 0;
  options.progress = [&](double fraction) {
    EXPECT_GE(fraction, progress);
    progress = fraction;
  };
  const auto loaded = Model::Load(path, options);
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto& info = loaded.value()->info();
  EXPECT_EQ(info.architecture, "llama");
  EXPECT_EQ(info.name, "small");
  EXPECT_EQ(info.weight_type, "F32");
  EXPECT_EQ(info.vocab_size, 10);
  EXPECT_EQ(info.context_length, 64);
  EXPECT_EQ(info.hidden_size, 8);
  EXPECT_EQ(info.layers, 1);
  EXPECT_EQ(info.parameters, 80 + 24 + 64 + 32 + 32 + 64 + 3 * 128);
  EXPECT_EQ(info.bytes, 4 * info.parameters);
  EXPECT_TRUE(info.is_gguf);
  EXPECT_NE(loaded.value()->gguf(), nullptr);
  EXPECT_EQ(progress, 1.0);
  // sha256sum's own answer.
  const auto sums = folder.path() / "sums";
  ASSERT_EQ(std::system(("sha256sum " + path.string() + " > " + sums.string()).c_str()), 0);
  std::string sum;
  std::ifstream(sums) >> sum;
  EXPECT_EQ(info.sha256, sum);
}

TEST(Load, ShardsAreHashedAsTheirSumLines) {
  const TempFolder folder;
  WriteTinyModel(MakeTinyModel(OneLayerConfig(), 1), folder.path(), DataType::kF32, 3);
  const auto loaded = Model::Load(folder.path(), {});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded.value()->info().name, folder.path().filename().string());
  EXPECT_FALSE(loaded.value()->info().is_gguf);
  EXPECT_EQ(loaded.value()->gguf(), nullptr);
  const std::string command = "cd " + folder.path().string() +
                              " && sha256sum part*.safetensors | sha256sum > sums";
  ASSERT_EQ(std::system(command.c_str()), 0);
  std::string sum;
  std::ifstream(folder.path() / "sums") >> sum;
  EXPECT_EQ(loaded.value()->info().sha256, sum);
}

// The dot is part of a folder's name; of a file's it begins the ending.
TEST(Load, AModelWithoutANameHasThatOfItsFolderOrFile) {
  const TempFolder folder;
  const auto inner = folder.path() / "DeepSeek-R1-Distill-Qwen-1.5B";
  std::filesystem::create_directory(inner);
  WriteTinyModel(MakeTinyModel(OneLayerConfig(), 1), inner, DataType::kF32);
  const std::pair<std::filesystem::path, std::string> kCases[] = {
      {inner, "DeepSeek-R1-Distill-Qwen-1.5B"},
      {inner / "", "DeepSeek-R1-Distill-Qwen-1.5B"},
      {folder.Write("Llama-3.1-8B.gguf", SmallLlama("").Build()), "Llama-3.1-8B"}};
  LoadOptions options;
  options.hash = false;
  for (const auto& [path, name] : kCases) {
    const auto loaded = Model::Load(path, options);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(loaded.value()->info().name, name);
  }
}

TEST(Load, MissingAndMisshapenTensorsAreNamed) {
  for (const char* name :
       {"token_embd.weight", "output_norm.weight", "blk.0.attn_norm.weight",
        "blk.0.ffn_norm.weight",
        "blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_v.weight",
        "blk.0.attn_output.weight", "blk.0.ffn_gate.weight", "blk.0.ffn_up.weight",
        "blk.0.ffn_down.weight"}) {
    auto file = SmallLlama();
    TensorOf(file, name).name = "elsewhere";
    auto loaded = LoadBytes(file.Build());
    ASSERT_FALSE(loaded) << name;
    EXPECT_EQ(loaded.error().code, Code::kBadTensor);
    EXPECT_THAT(loaded.error().message, HasSubstr(name));

    file = SmallLlama();
    auto& tensor = TensorOf(file, name);
    tensor.shape.push_back(1);
    loaded = LoadBytes(file.Build());
    ASSERT_FALSE(loaded) << name;
    EXPECT_EQ(loaded.error().code, Code::kBadTensor);
    EXPECT_THAT(loaded.error().message, HasSubstr(name));
  }
}

TEST(Load, UnsupportedTypesAreNamed) {
  auto file = SmallLlama();
  auto& tensor = TensorOf(file, "blk.0.ffn_up.weight");
  tensor.type = 26;
  const auto loaded = LoadBytes(file.Build());
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::kUnsupported);
  EXPECT_THAT(loaded.error().message, HasSubstr("`blk.0.ffn_up.weight` has the type I32"));
}

TEST(Load, ValuesThatAreNotFiniteAreFound) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  auto file = SmallLlama();
  std::memcpy(TensorOf(file, "output_norm.weight").data.data() + 8, &nan, 4);
  const auto loaded = LoadBytes(file.Build());
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("`output_norm.weight` holds values"));

  // In a matrix it shows as soon as something is computed.
  file = SmallLlama();
  std::memcpy(TensorOf(file, "blk.0.ffn_up.weight").data.data(), &nan, 4);
  const TempFolder folder;
  const auto model = LoadOrFail(folder.Write("nan.gguf", file.Build()));
  ASSERT_NE(model, nullptr);
  auto sequence = model->NewSequence(4).value();
  const std::vector<int32_t> tokens = {1, 2};
  std::vector<float> logits(10);
  const Step step{sequence.get(), tokens, LogitRows::kLast};
  const auto done = model->Forward({&step, 1}, logits);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kBadTensor);
  EXPECT_THAT(done.error().message, HasSubstr("nan.gguf"));
}

TEST(Load, DamagedExpertScoresNeverLeaveTheTable) {
  ModelConfig config;
  config.architecture = Architecture::kDeepseek;
  config.type = "deepseek_v3";
  config.vocab_size = 16;
  config.hidden_size = 12;
  config.layers = 1;
  config.heads = config.kv_heads = 2;
  config.head_dimensions = 6;
  config.intermediate_size = 8;
  config.context_length = 16;
  config.mla = {0, 8, 4, 2, 4};
  config.moe = {8, 3, 1, 8, 4, 2, 0, true, true, true, 1.0};
  auto tiny = MakeTinyModel(config, 1);
  for (auto& value : tiny.tensors.at("model.layers.0.mlp.gate.weight").values) value = NAN;
  const TempFolder folder;
  WriteTinyModel(tiny, folder.path(), DataType::kF32);
  const auto model = LoadOrFail(folder.path());
  ASSERT_NE(model, nullptr);
  auto sequence = model->NewSequence(4).value();
  const std::vector<int32_t> tokens = {1, 2, 3};
  std::vector<float> logits(16);
  const Step step{sequence.get(), tokens, LogitRows::kLast};
  EXPECT_EQ(model->Forward({&step, 1}, logits).error().code, Code::kBadTensor);
}

TEST(Load, PathsThatHoldNoModel) {
  const TempFolder folder;
  EXPECT_EQ(Model::Load(folder.path() / "none", {}).error().code, Code::kIo);
  EXPECT_EQ(Model::Load(folder.path(), {}).error().code, Code::kIo);
  folder.Write("model.safetensors", SafetensorsBytes("{}", ""));
  EXPECT_THAT(Model::Load(folder.path(), {}).error().message, HasSubstr("config.json"));
  EXPECT_EQ(Model::Load(folder.Write("text.gguf", "hello, this is no model"), {}).error().code,
            Code::kBadFile);
}

}  // namespace
}  // namespace portcullis::inference
