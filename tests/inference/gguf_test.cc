// The GGUF reader: what well-formed files say, and that damaged or hostile ones are refused.
#include "inference/model/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tests/inference/file_builders.h"

namespace portcullis::inference {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

GgufBuilder Small() {
  GgufBuilder file;
  file.String("general.architecture", "llama");
  file.Int("answer", 42);
  file.Float("pi", 3.25f);
  file.Bool("yes", true);
  file.Strings("words", {"one", "", "three"});
  file.Floats("scores", {0.5f, -1.0f});
  file.Tensor("a", {3, 2}, {1, 2, 3, 4, 5, 6});
  file.Tensor("b", {4}, {7, 8, 9, 10});
  return file;
}

TEST(Gguf, ReadsMetadataAndTensors) {
  const std::string bytes = Small().Build();
  auto parsed = gguf::File::Parse(AsBytes(bytes));
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto& file = *parsed.value();
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.String("general.architecture").value(), "llama");
  EXPECT_EQ(file.Int("answer").value(), 42);
  EXPECT_EQ(file.Float("pi").value(), 3.25);
  EXPECT_EQ(file.Float("answer").value(), 42.0);
  EXPECT_TRUE(file.Bool("yes").value());
  EXPECT_THAT(file.Strings("words").value(), ElementsAre("one", "", "three"));
  EXPECT_THAT(file.Floats("scores").value(), ElementsAre(0.5f, -1.0f));
  const Tensor* a = file.FindTensor("a");
  ASSERT_NE(a, nullptr);
  EXPECT_THAT(a->shape, ElementsAre(2, 3));
  EXPECT_EQ(a->bytes.size(), 24u);
  float last = 0;
  std::memcpy(&last, file.FindTensor("b")->bytes.data() + 12, 4);
  EXPECT_EQ(last, 10.0f);
  EXPECT_EQ(file.FindTensor("c"), nullptr);
}

TEST(Gguf, TypedAccessSaysWhatIsWrong) {
  const std::string bytes = Small().Build();
  auto parsed = gguf::File::Parse(AsBytes(bytes));
  ASSERT_TRUE(parsed);
  const auto& file = *parsed.value();
  EXPECT_EQ(file.Int("absent").error().code, Code::kNotFound);
  EXPECT_EQ(file.Int("pi").error().code, Code::kBadFile);
  EXPECT_EQ(file.Bool("answer").error().code, Code::kBadFile);
  EXPECT_EQ(file.String("words").error().code, Code::kBadFile);
  EXPECT_EQ(file.Strings("scores").error().code, Code::kBadFile);
  EXPECT_EQ(file.Ints("scores").error().code, Code::kBadFile);
  EXPECT_EQ(file.Floats("words").error().code, Code::kBadFile);
  EXPECT_THAT(file.Int("pi").error().message, HasSubstr("`pi`"));
}

TEST(Gguf, EveryTruncationIsRefused) {
  const std::string bytes = Small().Build();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::string cut = bytes.substr(0, size);
    EXPECT_FALSE(gguf::File::Parse(AsBytes(cut))) << size << " of " << bytes.size() << " bytes";
  }
}

struct HostileCase {
  const char* name;
  std::function<void(GgufBuilder&)> damage;
  Code code;
  const char* says;
};

class HostileGguf : public testing::TestWithParam<HostileCase> {};

TEST_P(HostileGguf, IsRefusedWithAReason) {
  GgufBuilder file = Small();
  GetParam().damage(file);
  const std::string bytes = file.Build();
  const auto parsed = gguf::File::Parse(AsBytes(bytes));
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, GetParam().code);
  EXPECT_THAT(parsed.error().message, HasSubstr(GetParam().says));
}

std::string Array(uint32_t type, uint64_t count, std::string_view bytes = "") {
  return ByteWriter().Number(type).Number(count).Raw(bytes).bytes();
}

INSTANTIATE_TEST_SUITE_P(
    Cases, HostileGguf,
    testing::Values(
        HostileCase{"version", [](auto& f) { f.version = 1; }, Code::kUnsupported, "version 1"},
        HostileCase{"big_endian", [](auto& f) { f.version = 3 << 24; }, Code::kUnsupported,
                    "little-endian"},
        HostileCase{"keys", [](auto& f) { f.extra_keys = 1ull << 60; }, Code::kBadFile, "claims"},
        HostileCase{"tensors", [](auto& f) { f.extra_tensors = 1ull << 63; }, Code::kBadFile,
                    "claims"},
        HostileCase{"one_tensor_more", [](auto& f) { f.extra_tensors = 1; }, Code::kBadFile, ""},
        HostileCase{"string_array",
                    [](auto& f) { f.Raw("x", 9, Array(8, 1ull << 61)); }, Code::kBadFile, "`x`"},
        HostileCase{"number_array", [](auto& f) { f.Raw("x", 9, Array(10, 1ull << 61)); },
                    Code::kBadFile, "`x`"},
        HostileCase{"nested_array", [](auto& f) { f.Raw("x", 9, Array(9, 1, Array(4, 0))); },
                    Code::kBadFile, "nested"},
        HostileCase{"value_type", [](auto& f) { f.Raw("x", 77, "1234"); }, Code::kBadFile,
                    "unknown type 77"},
        HostileCase{"long_string",
                    [](auto& f) { f.Raw("x", 8, ByteWriter().Number(~0ull).bytes()); },
                    Code::kBadFile, "ends inside"},
        HostileCase{"repeated_key", [](auto& f) { f.Int("answer", 1); }, Code::kBadFile, "twice"},
        HostileCase{"empty_key", [](auto& f) { f.Int("", 1); }, Code::kBadFile, "0 bytes"},
        HostileCase{"alignment", [](auto& f) { f.Int("general.alignment", 48); }, Code::kBadFile,
                    "power of two"},
        HostileCase{"zero_alignment", [](auto& f) { f.Int("general.alignment", 0); },
                    Code::kBadFile, "power of two"},
        HostileCase{"split", [](auto& f) { f.Int("split.count", 3); }, Code::kUnsupported,
                    "one of 3 parts"},
        HostileCase{"misaligned", [](auto& f) { f.tensors[1].offset = 33; }, Code::kBadFile,
                    "misaligned"},
        HostileCase{"outside", [](auto& f) { f.tensors[1].offset = 1 << 20; }, Code::kBadFile,
                    "`b` lies outside"},
        HostileCase{"offset_overflow",
                    [](auto& f) { f.tensors[1].offset = int64_t{0x7fffffffffffffe0}; },
                    Code::kBadFile, "outside"},
        HostileCase{"overlap", [](auto& f) { f.tensors[1].offset = 0; }, Code::kBadFile, "overlap"},
        HostileCase{"repeated_tensor", [](auto& f) { f.tensors[1].name = "a"; }, Code::kBadFile,
                    "twice"},
        HostileCase{"no_dimensions", [](auto& f) { f.tensors[1].shape = {}; }, Code::kBadFile,
                    "0 dimensions"},
        HostileCase{"five_dimensions", [](auto& f) { f.tensors[1].shape = {1, 1, 1, 1, 4}; },
                    Code::kBadFile, "5 dimensions"},
        HostileCase{"empty_dimension", [](auto& f) { f.tensors[1].shape = {0}; }, Code::kBadFile,
                    "impossible shape"},
        HostileCase{"shape_overflow",
                    [](auto& f) { f.tensors[1].shape = {1ull << 32, 1ull << 32}; }, Code::kBadFile,
                    "impossible shape"},
        HostileCase{"larger_than_data", [](auto& f) { f.tensors[1].shape = {1 << 20}; },
                    Code::kBadFile, "outside"},
        HostileCase{"tensor_type", [](auto& f) { f.tensors[1].type = 999; }, Code::kBadFile,
                    "unknown type 999"},
        HostileCase{"partial_block", [](auto& f) { f.tensors[1].type = 2; }, Code::kBadFile,
                    "Q4_0 blocks"}),
    [](const auto& one) { return one.param.name; });

// Forms that llama.cpp once rearranged for some processors: read as far as to be refused by name.
TEST(Gguf, TypesThatAreGoneHaveTheirNames) {
  const char* names[] = {"Q4_0_4_4", "Q4_0_4_8", "Q4_0_8_8", "TQ1_0", "TQ2_0",
                         "IQ4_NL_4_4", "IQ4_NL_4_8", "IQ4_NL_8_8"};
  for (uint32_t i = 0; i < std::size(names); ++i) {
    const gguf::TensorType* type = gguf::FindTensorType(31 + i);
    ASSERT_NE(type, nullptr) << names[i];
    EXPECT_EQ(type->name, names[i]);
    EXPECT_EQ(type->type, DataType::kOther);
  }
}

TEST(Gguf, OpenNamesTheFile) {
  TempFolder folder;
  const auto path = folder.Write("broken.gguf", "GGUF");
  const auto opened = gguf::File::Open(path);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("broken.gguf"));
  EXPECT_EQ(gguf::File::Open(folder.path() / "none.gguf").error().code, Code::kIo);
  EXPECT_EQ(gguf::File::Open(folder.path()).error().code, Code::kIo);
  EXPECT_EQ(gguf::File::Open(folder.Write("empty.gguf", "")).error().code, Code::kBadFile);
}

}  // namespace
}  // namespace portcullis::inference
