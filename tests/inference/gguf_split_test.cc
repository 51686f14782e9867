// Models in several GGUF files: complete, and with parts that are missing, foreign or exchanged.
#include <gtest/gtest.h>

#include "inference/model/gguf.h"
#include "tests/inference/file_builders.h"

namespace portcullis::inference {
namespace {

constexpr const char* kFirst = "m-00001-of-00002.gguf";
constexpr const char* kSecond = "m-00002-of-00002.gguf";

std::string Part(uint32_t number, uint32_t count, const char* tensor, uint32_t total = 2) {
  GgufBuilder builder;
  builder.Int("split.no", number);
  builder.Int("split.count", count);
  builder.Int("split.tensors.count", total);
  if (number == 0) builder.String("general.architecture", "llama");
  builder.Tensor(tensor, {4}, {1, 2, 3, 4});
  return builder.Build();
}

TEST(GgufSplitTest, AllPartsAreOneModel) {
  const TempFolder folder;
  const auto first = folder.Write(kFirst, Part(0, 2, "a"));
  folder.Write(kSecond, Part(1, 2, "b"));
  const auto file = gguf::File::Open(first);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file.value()->tensors().size(), 2u);
  ASSERT_NE(file.value()->FindTensor("a"), nullptr);
  ASSERT_NE(file.value()->FindTensor("b"), nullptr);
  EXPECT_EQ(file.value()->files().size(), 2u);
}

TEST(GgufSplitTest, WrongPartsAreRefusedByName) {
  struct Case {
    std::string first, second;
    const char* open;
    const char* says;
  };
  const Case cases[] = {
      {Part(0, 2, "a"), "", kFirst, kSecond},                          // missing
      {Part(0, 2, "a"), Part(1, 2, "b"), kSecond, "opened by its first"},
      {Part(0, 2, "a"), Part(1, 3, "b"), kFirst, "is not part 2 of 2"},
      {Part(0, 2, "a"), Part(0, 2, "b"), kFirst, "is not part 2 of 2"},
      {Part(0, 2, "a"), Part(1, 2, "a"), kFirst, "appears twice"},
      {Part(0, 2, "a", 3), Part(1, 2, "b", 3), kFirst, "2 of 3 tensors"},
      {Part(0, 4097, "a"), Part(1, 2, "b"), kFirst, "split.count"},
      {Part(1, 2, "a"), Part(1, 2, "b"), kFirst, "opened by its first"},
  };
  for (const auto& wrong : cases) {
    const TempFolder folder;
    folder.Write(kFirst, wrong.first);
    if (!wrong.second.empty()) folder.Write(kSecond, wrong.second);
    const auto file = gguf::File::Open(folder.path() / wrong.open);
    ASSERT_FALSE(file) << wrong.says;
    EXPECT_NE(file.error().message.find(wrong.says), std::string::npos) << file.error().message;
  }
}

TEST(GgufSplitTest, BytesOfOnePartAreNoModel) {
  const auto bytes = Part(0, 2, "a");
  EXPECT_FALSE(gguf::File::Parse(AsBytes(bytes)));
}

}  // namespace
}  // namespace portcullis::inference
