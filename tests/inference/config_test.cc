// Model configurations of both formats, and refusal of those that make no sense.
#include "inference/model/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>

#include "tests/inference/file_builders.h"

namespace portcullis::inference {
namespace {

using testing::HasSubstr;

constexpr std::string_view kLlama3 = R"({"model_type":"llama","vocab_size":128256,
  "hidden_size":4096,"intermediate_size":14336,"num_hidden_layers":32,"num_attention_heads":32,
  "num_key_value_heads":8,"max_position_embeddings":131072,"rms_norm_eps":1e-5,
  "rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,
  "high_freq_factor":4.0,"original_max_position_embeddings":8192},"hidden_act":"silu",
  "attention_bias":false,"head_dim":null,"tie_word_embeddings":false})";

constexpr std::string_view kQwen2 = R"({"model_type":"qwen2","vocab_size":151936,
  "hidden_size":1536,"intermediate_size":8960,"num_hidden_layers":28,"num_attention_heads":12,
  "num_key_value_heads":2,"max_position_embeddings":131072,"rms_norm_eps":1e-6,
  "rope_theta":10000,"sliding_window":4096,"use_sliding_window":false,
  "tie_word_embeddings":true})";

constexpr std::string_view kDeepseek = R"({"model_type":"deepseek_v3","vocab_size":129280,
  "hidden_size":7168,"intermediate_size":18432,"moe_intermediate_size":2048,
  "num_hidden_layers":61,"num_attention_heads":128,"num_key_value_heads":128,
  "n_shared_experts":1,"n_routed_experts":256,"num_experts_per_tok":8,"n_group":8,"topk_group":4,
  "first_k_dense_replace":3,"moe_layer_freq":1,"norm_topk_prob":true,"scoring_func":"sigmoid",
  "topk_method":"noaux_tc","routed_scaling_factor":2.5,"q_lora_rank":1536,"kv_lora_rank":512,
  "qk_nope_head_dim":128,"qk_rope_head_dim":64,"v_head_dim":128,
  "max_position_embeddings":163840,"rms_norm_eps":1e-6,"rope_theta":10000,
  "rope_scaling":{"type":"yarn","factor":40,"original_max_position_embeddings":4096,
  "beta_fast":32,"beta_slow":1,"mscale":1.0,"mscale_all_dim":1.0}})";

// `text` with one field replaced by a JSON value, or removed where that is empty.
std::string With(std::string_view text, const std::string& field, const std::string& value) {
  auto json = boost::json::parse(boost::json::string_view(text.data(), text.size()));
  auto* object = &json.as_object();
  std::string key = field;
  if (const size_t dot = field.find('.'); dot != std::string::npos) {
    object = &object->at(field.substr(0, dot)).as_object();
    key = field.substr(dot + 1);
  }
  if (value.empty()) object->erase(key);
  else (*object)[key] = boost::json::parse(value);
  return boost::json::serialize(json);
}

TEST(Config, Llama3) {
  const auto read = ConfigFromJson(kLlama3, "test");
  ASSERT_TRUE(read) << read.error().message;
  const auto& config = read.value();
  EXPECT_EQ(config.architecture, Architecture::kLlama);
  EXPECT_EQ(config.head_dimensions, 128);
  EXPECT_EQ(config.kv_heads, 8);
  EXPECT_FALSE(config.qkv_bias);
  EXPECT_FALSE(config.rope.interleaved);
  EXPECT_EQ(config.rope.scaling, RopeScaling::kLlama3);
  EXPECT_EQ(config.rope.original_context, 8192);
  EXPECT_DOUBLE_EQ(config.softmax_scale, 1.0 / std::sqrt(128.0));
}

TEST(Config, Qwen2) {
  const auto read = ConfigFromJson(kQwen2, "test");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read.value().qkv_bias);
  EXPECT_TRUE(read.value().tied_embeddings);
  EXPECT_EQ(read.value().context_length, 131072);
  const auto sliding = ConfigFromJson(With(kQwen2, "use_sliding_window", "true"), "test");
  EXPECT_EQ(sliding.value().context_length, 4096);
}

TEST(Config, DeepseekV3) {
  const auto read = ConfigFromJson(kDeepseek, "test");
  ASSERT_TRUE(read) << read.error().message;
  const auto& config = read.value();
  EXPECT_TRUE(config.rope.interleaved);
  EXPECT_EQ(config.rope.dimensions, 64);
  EXPECT_EQ(config.head_dimensions, 192);
  EXPECT_EQ(config.moe.groups, 8);
  EXPECT_TRUE(config.moe.sigmoid);
  // Both magnitudes are equal, so only the scores keep one.
  EXPECT_DOUBLE_EQ(config.rope.magnitude, 1.0);
  const double magnitude = 0.1 * std::log(40.0) + 1.0;
  EXPECT_DOUBLE_EQ(config.softmax_scale, magnitude * magnitude / std::sqrt(192.0));
}

TEST(Config, YarnOfOtherFamiliesScalesTheRotation) {
  const auto yarn = With(kQwen2, "rope_scaling",
                         R"({"type":"yarn","factor":4.0,)"
                         R"("original_max_position_embeddings":32768})");
  const auto read = ConfigFromJson(yarn, "test");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_DOUBLE_EQ(read.value().rope.magnitude, 0.1 * std::log(4.0) + 1.0);
  EXPECT_DOUBLE_EQ(read.value().softmax_scale, 1.0 / std::sqrt(128.0));
}

// Qwen's makers advise to add YaRN and leave `max_position_embeddings` as it was in training.
TEST(Config, YarnStretchesTheContext) {
  const auto context = [](const std::string& trained, const std::string& scaling,
                          const std::string& sliding = "false") {
    std::string text = With(kQwen2, "max_position_embeddings", trained);
    text = With(With(text, "rope_scaling", scaling), "use_sliding_window", sliding);
    return ConfigFromJson(With(text, "sliding_window", "65536"), "test").value().context_length;
  };
  const char* four = R"({"type":"yarn","factor":4.0,"original_max_position_embeddings":32768})";
  EXPECT_EQ(context("32768", four), 131072);
  EXPECT_EQ(context("40960", four), 131072);
  EXPECT_EQ(context("262144", four), 262144);
  EXPECT_EQ(context("32768", R"({"type":"yarn","factor":4.0})"), 32768);
  EXPECT_EQ(context("32768", R"({"type":"linear","factor":4.0})"), 32768);
  EXPECT_EQ(context("32768", four, "true"), 65536);
  EXPECT_EQ(ConfigFromJson(kDeepseek, "test").value().context_length, 163840);
}

struct BadCase {
  std::string_view base;
  const char* field;
  const char* value;
  Code code;
};

class BadConfig : public testing::TestWithParam<BadCase> {};

TEST_P(BadConfig, IsRefused) {
  const auto& param = GetParam();
  const auto read = ConfigFromJson(With(param.base, param.field, param.value), "`config.json`");
  ASSERT_FALSE(read) << param.field << " " << param.value;
  EXPECT_EQ(read.error().code, param.code) << read.error().message;
  EXPECT_FALSE(read.error().message.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Cases, BadConfig,
    testing::Values(
        BadCase{kLlama3, "model_type", "\"gpt2\"", Code::kUnsupported},
        BadCase{kLlama3, "model_type", "", Code::kBadConfig},
        BadCase{kLlama3, "vocab_size", "", Code::kBadConfig},
        BadCase{kLlama3, "vocab_size", "0", Code::kBadConfig},
        BadCase{kLlama3, "vocab_size", "\"many\"", Code::kBadConfig},
        BadCase{kLlama3, "vocab_size", "1e300", Code::kBadConfig},
        BadCase{kLlama3, "hidden_size", "-1", Code::kBadConfig},
        BadCase{kLlama3, "hidden_size", "4096.5", Code::kBadConfig},
        BadCase{kLlama3, "num_hidden_layers", "1000000", Code::kBadConfig},
        BadCase{kLlama3, "num_key_value_heads", "7", Code::kBadConfig},
        BadCase{kLlama3, "head_dim", "127", Code::kBadConfig},
        BadCase{kLlama3, "num_attention_heads", "24", Code::kBadConfig},
        BadCase{kLlama3, "rms_norm_eps", "-1", Code::kBadConfig},
        BadCase{kLlama3, "rope_theta", "0", Code::kBadConfig},
        BadCase{kLlama3, "hidden_act", "\"gelu\"", Code::kUnsupported},
        BadCase{kLlama3, "mlp_bias", "true", Code::kUnsupported},
        BadCase{kLlama3, "partial_rotary_factor", "0.5", Code::kUnsupported},
        BadCase{kLlama3, "rope_scaling", "7", Code::kBadConfig},
        BadCase{kLlama3, "rope_scaling.rope_type", "\"dynamic\"", Code::kUnsupported},
        BadCase{kLlama3, "rope_scaling.factor", "0.5", Code::kBadConfig},
        BadCase{kLlama3, "rope_scaling.low_freq_factor", "4.0", Code::kBadConfig},
        BadCase{kDeepseek, "kv_lora_rank", "", Code::kBadConfig},
        BadCase{kDeepseek, "qk_rope_head_dim", "63", Code::kBadConfig},
        BadCase{kDeepseek, "num_experts_per_tok", "257", Code::kBadConfig},
        BadCase{kDeepseek, "n_group", "7", Code::kBadConfig},
        BadCase{kDeepseek, "topk_group", "9", Code::kBadConfig},
        BadCase{kDeepseek, "n_group", "256", Code::kBadConfig},
        BadCase{kDeepseek, "scoring_func", "\"tanh\"", Code::kUnsupported},
        BadCase{kDeepseek, "topk_method", "\"random\"", Code::kUnsupported},
        BadCase{kDeepseek, "moe_layer_freq", "2", Code::kUnsupported}));

TEST(Config, MessagesNameFieldValueAndExpectation) {
  const auto read = ConfigFromJson(With(kLlama3, "vocab_size", "-3"), "`x/config.json`");
  EXPECT_THAT(read.error().message, HasSubstr("`x/config.json`: `vocab_size` is `-3`"));
  EXPECT_THAT(read.error().message, HasSubstr("an integer from 1 to"));
}

GgufBuilder DeepseekGguf() {
  GgufBuilder file;
  file.String("general.architecture", "deepseek2");
  const std::pair<const char*, uint32_t> numbers[] = {
      {"block_count", 3}, {"embedding_length", 16}, {"feed_forward_length", 8},
      {"attention.head_count", 2}, {"context_length", 99}, {"attention.kv_lora_rank", 8},
      {"rope.dimension_count", 4}, {"attention.key_length", 12}, {"attention.value_length", 6}};
  for (const auto& [key, value] : numbers) file.Int(std::string("deepseek2.") + key, value);
  file.Float("deepseek2.attention.layer_norm_rms_epsilon", 1e-6f);
  file.Tensor("token_embd.weight", {16, 5}, std::vector<float>(80));
  return file;
}

Result<ModelConfig> FromGguf(const GgufBuilder& builder) {
  const std::string bytes = builder.Build();
  BOOST_OUTCOME_TRY(const auto file, gguf::File::Parse(AsBytes(bytes)));
  return ConfigFromGguf(*file);
}

TEST(Config, PartialRotationIsRefusedByNameWhereverItStands) {
  for (const char* text : {R"(0.5)", R"(0.25)"}) {
    const auto read = ConfigFromJson(With(kLlama3, "partial_rotary_factor", text), "`config.json`");
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().message, HasSubstr("`config.json`: `partial_rotary_factor` is 0."));
    EXPECT_THAT(read.error().message, HasSubstr("another engine"));
  }
  const auto nested =
      ConfigFromJson(With(kLlama3, "rope_scaling.partial_rotary_factor", "0.5"), "`config.json`");
  ASSERT_FALSE(nested);
  EXPECT_THAT(nested.error().message, HasSubstr("`partial_rotary_factor` is 0.5"));
  EXPECT_TRUE(ConfigFromJson(With(kLlama3, "partial_rotary_factor", "1.0"), "`config.json`"));
}

TEST(Config, ASlidingWindowEndsTheContextOnlyWhereItIsUsedAndShorter) {
  const auto qwen = [](const char* used, const char* window) {
    std::string text = With(kQwen2, "use_sliding_window", used);
    return ConfigFromJson(With(text, "sliding_window", window), "`config.json`").value();
  };
  const int64_t whole = qwen("false", "4096").context_length;
  EXPECT_GT(whole, 4096);
  EXPECT_EQ(qwen("false", "4096").sliding_window, 0);
  EXPECT_EQ(qwen("true", "4096").context_length, 4096);
  EXPECT_EQ(qwen("true", "4096").sliding_window, 4096);
  EXPECT_EQ(qwen("true", std::to_string(whole + 1).c_str()).context_length, whole);
  EXPECT_EQ(qwen("true", std::to_string(whole + 1).c_str()).sliding_window, 0);
}

TEST(Config, GgufDeepseekWithExpandedHeadSizes) {
  auto file = DeepseekGguf();
  const auto dense = FromGguf(file);
  ASSERT_TRUE(dense) << dense.error().message;
  EXPECT_EQ(dense.value().mla.nope_dimensions, 8);
  EXPECT_EQ(dense.value().mla.value_dimensions, 6);
  EXPECT_EQ(dense.value().vocab_size, 5);
  EXPECT_TRUE(dense.value().tied_embeddings);
  EXPECT_EQ(dense.value().moe.experts, 0);

  file.Int("deepseek2.expert_count", 6);
  file.Int("deepseek2.expert_used_count", 2);
  file.Int("deepseek2.expert_feed_forward_length", 4);
  file.Int("deepseek2.nextn_predict_layers", 1);
  const auto mixture = FromGguf(file);
  ASSERT_TRUE(mixture) << mixture.error().message;
  EXPECT_EQ(mixture.value().layers, 2);
  EXPECT_FALSE(mixture.value().moe.sigmoid);
  EXPECT_EQ(mixture.value().moe.scale, 1.0);
}

TEST(Config, GgufOfYarnHasTheStretchedContextUpToItsWindow) {
  auto file = DeepseekGguf();
  file.String("deepseek2.rope.scaling.type", "yarn");
  file.Float("deepseek2.rope.scaling.factor", 4.0f);
  EXPECT_EQ(FromGguf(file).value().context_length, 99);
  file.Int("deepseek2.rope.scaling.original_context_length", 50);
  EXPECT_EQ(FromGguf(file).value().context_length, 200);
}

// Files of DeepSeek-V3 from before the keys of the groups existed.
TEST(Config, GgufOfDeepseekV3WithoutGroupsHasThoseOfTheModel) {
  const auto groups = [](uint32_t experts, uint32_t gating, bool written) {
    auto file = DeepseekGguf();
    file.Int("deepseek2.expert_count", experts);
    file.Int("deepseek2.expert_used_count", 8);
    file.Int("deepseek2.expert_feed_forward_length", 4);
    file.Int("deepseek2.expert_gating_func", gating);
    if (written) file.Int("deepseek2.expert_group_count", 1);
    const auto config = FromGguf(file);
    EXPECT_TRUE(config) << config.error().message;
    return std::pair(config.value().moe.groups, config.value().moe.groups_used);
  };
  constexpr uint32_t kSoftmax = 1, kSigmoid = 2;
  EXPECT_EQ(groups(256, kSigmoid, false), std::pair(int64_t{8}, int64_t{4}));
  EXPECT_EQ(groups(256, kSigmoid, true), std::pair(int64_t{1}, int64_t{1}));
  EXPECT_EQ(groups(384, kSigmoid, false), std::pair(int64_t{1}, int64_t{1}));
  EXPECT_EQ(groups(256, kSoftmax, false), std::pair(int64_t{1}, int64_t{1}));
}

TEST(Config, GgufRefusals) {
  GgufBuilder file = DeepseekGguf();
  file.Int("deepseek2.nextn_predict_layers", 3);
  EXPECT_EQ(FromGguf(file).error().code, Code::kBadConfig);
  file = DeepseekGguf();
  file.Int("deepseek2.attention.key_length_mla", 4);
  file.Int("deepseek2.attention.value_length_mla", 4);
  EXPECT_EQ(FromGguf(file).error().code, Code::kBadConfig);
  file = DeepseekGguf();
  file.String("deepseek2.rope.scaling.type", "longrope");
  file.Float("deepseek2.rope.scaling.factor", 2.0f);
  EXPECT_EQ(FromGguf(file).error().code, Code::kUnsupported);
  file = DeepseekGguf();
  file.Float("deepseek2.rope.freq_base", NAN);
  EXPECT_EQ(FromGguf(file).error().code, Code::kBadConfig);
  file = DeepseekGguf();
  file.tensors.clear();
  EXPECT_EQ(FromGguf(file).error().code, Code::kBadTensor);
  file = {};
  file.String("general.architecture", "bert");
  EXPECT_EQ(FromGguf(file).error().code, Code::kUnsupported);
  EXPECT_EQ(FromGguf({}).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace portcullis::inference
