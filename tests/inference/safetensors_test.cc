// The safetensors reader: single and sharded checkpoints, and refusal of damaged or hostile ones.
#include "inference/model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/inference/file_builders.h"

namespace portcullis::inference {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kHeader =
    R"({"__metadata__":{"format":"pt"},)"
    R"("a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
    R"("b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]}})";

TEST(Safetensors, ReadsTensors) {
  const std::string bytes = SafetensorsBytes(kHeader, std::string(32, 'x'));
  const auto parsed = ParseSafetensors(AsBytes(bytes), "test");
  ASSERT_TRUE(parsed) << parsed.error().message;
  ASSERT_EQ(parsed.value().size(), 2u);
  const auto& a = parsed.value()[0];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.type, DataType::kF32);
  EXPECT_THAT(a.shape, ElementsAre(2, 3));
  EXPECT_EQ(a.bytes.size(), 24u);
  EXPECT_EQ(parsed.value()[1].type, DataType::kBF16);
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const std::string bytes = SafetensorsBytes(kHeader, std::string(32, 'x'));
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::string cut = bytes.substr(0, size);
    EXPECT_FALSE(ParseSafetensors(AsBytes(cut), "test")) << size;
  }
}

struct HostileCase {
  const char* name;
  const char* header;
  const char* says;
};

class HostileSafetensors : public testing::TestWithParam<HostileCase> {};

TEST_P(HostileSafetensors, IsRefusedWithAReason) {
  const std::string bytes = SafetensorsBytes(GetParam().header, std::string(32, 'x'));
  const auto parsed = ParseSafetensors(AsBytes(bytes), "the file");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::kBadFile);
  EXPECT_THAT(parsed.error().message, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, HostileSafetensors,
    testing::Values(
        HostileCase{"not_json", "{", "not valid JSON"},
        HostileCase{"array", "[]", "JSON object"},
        HostileCase{"no_object", R"({"a":1})", "not described"},
        HostileCase{"no_type", R"({"a":{"shape":[1],"data_offsets":[0,4]}})", "`dtype`"},
        HostileCase{"type", R"({"a":{"dtype":"F7","shape":[1],"data_offsets":[0,4]}})", "F7"},
        HostileCase{"size", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})",
                    "needs 8 bytes"},
        HostileCase{"reversed", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}})",
                    "offsets"},
        HostileCase{"negative", R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})",
                    "shape"},
        HostileCase{"fraction", R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})",
                    "shape"},
        HostileCase{"zero", R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})", "shape"},
        HostileCase{"overflow",
                    R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})",
                    "shape"},
        HostileCase{"dimensions",
                    R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})",
                    "dimensions"},
        HostileCase{"outside", R"({"a":{"dtype":"F32","shape":[16],"data_offsets":[0,64]}})",
                    "ends at byte 64 of 32"},
        HostileCase{"overlap",
                    R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                    R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                    "overlap"}),
    [](const auto& one) { return one.param.name; });

TEST(Safetensors, DeepAndOversizedHeadersAreRefused) {
  std::string deep = R"({"a":)";
  for (int i = 0; i < 1000; ++i) deep += "[";
  const std::string bytes = SafetensorsBytes(deep, "");
  EXPECT_FALSE(ParseSafetensors(AsBytes(bytes), "test"));
  const std::string large = SafetensorsBytes("{}", "", int64_t{1} << 62);
  EXPECT_THAT(ParseSafetensors(AsBytes(large), "test").error().message, HasSubstr("claims"));
}

TEST(Checkpoint, ReadsShards) {
  TempFolder folder;
  folder.Write("one.safetensors",
               SafetensorsBytes(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                                "1234"));
  folder.Write("two.safetensors",
               SafetensorsBytes(R"({"b":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})", "12"));
  folder.Write("model.safetensors.index.json",
               R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  const auto opened = Checkpoint::Open(folder.path());
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened.value().files().size(), 2u);
  ASSERT_NE(opened.value().FindTensor("b"), nullptr);
  EXPECT_EQ(opened.value().FindTensor("b")->type, DataType::kF16);
}

TEST(Checkpoint, RefusesBadIndexes) {
  TempFolder folder;
  EXPECT_EQ(Checkpoint::Open(folder.path()).error().code, Code::kIo);
  for (const char* index :
       {R"({"weight_map":{"a":"../secret"}})", R"({"weight_map":{"a":"/etc/passwd"}})",
        R"({"weight_map":{"a":""}})", R"({"weight_map":{"a":7}})", R"({"weight_map":{}})",
        R"({"weight_map":[]})", "{}", "[", R"({"weight_map":{"a":"x\u0000y"}})"}) {
    folder.Write("model.safetensors.index.json", index);
    const auto opened = Checkpoint::Open(folder.path());
    ASSERT_FALSE(opened) << index;
    EXPECT_EQ(opened.error().code, Code::kBadFile) << index;
  }
  folder.Write("model.safetensors.index.json", R"({"weight_map":{"a":"missing.safetensors"}})");
  EXPECT_THAT(Checkpoint::Open(folder.path()).error().message, HasSubstr("missing.safetensors"));
}

}  // namespace
}  // namespace portcullis::inference
