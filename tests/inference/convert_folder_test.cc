// What a folder says beside its weights and `model quantize` carries over: the tokens that end an
// answer, the chat template, the recommended sampling. The folder and its GGUF file are served alike.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/model/convert.h"
#include "inference/sample/defaults.h"
#include "inference/tokenizer/tokenizer.h"
#include "tests/inference/file_builders.h"
#include "tests/inference/reference.h"

namespace portcullis::inference {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAreArray;

constexpr std::string_view kTokenizer = R"({"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]},
  "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},
  "decoder":{"type":"ByteLevel"},"added_tokens":[
  {"id":2,"content":"<|begin_of_text|>","special":true},
  {"id":3,"content":"<|end_of_text|>","special":true},
  {"id":4,"content":"<|eom_id|>","special":true},{"id":5,"content":"<|eot_id|>","special":true},
  {"id":6,"content":"<|stop|>","special":true},{"id":7,"content":"<|halt|>","special":true},
  {"id":8,"content":"<|done|>","special":true}]})";
constexpr TokenId kBegin = 2, kEndOfText = 3, kEom = 4, kEot = 5, kStop = 6, kHalt = 7, kDone = 8;

class ConvertFolder : public testing::Test {
 protected:
  ConvertFolder() {
    WriteTinyModel(MakeTinyModel(OneLayerConfig(), 1), folder_.path(), DataType::kF32);
    folder_.Write("tokenizer.json", kTokenizer);
  }

  void Convert() {
    const auto report =
        ConvertToGguf(folder_.path(), out_.path() / "out.gguf", {QuantMix::Named("F32").value(), 1});
    ASSERT_TRUE(report) << report.error().message;
    notes_ = report.value().notes;
    auto file = gguf::File::Open(out_.path() / "out.gguf");
    ASSERT_TRUE(file) << file.error().message;
    file_ = std::move(file).value();
    auto before = Tokenizer::FromFolder(folder_.path());
    auto after = Tokenizer::FromGguf(*file_);
    ASSERT_TRUE(before && after);
    before_ = std::move(before).value();
    after_ = std::move(after).value();
  }
  static std::vector<TokenId> Ends(const Tokenizer& tokenizer) {
    std::vector<TokenId> ends;
    for (TokenId id = 0; id < 9; ++id) {
      if (tokenizer.IsEnd(id)) ends.push_back(id);
    }
    return ends;
  }

  TempFolder folder_, out_;
  std::string notes_;
  std::unique_ptr<gguf::File> file_;
  std::unique_ptr<Tokenizer> before_, after_;
};

TEST_F(ConvertFolder, EveryEndOfAnAnswerIsKept) {
  folder_.Write("tokenizer_config.json", R"({"bos_token":"<|begin_of_text|>","eos_token":"<|eot_id|>"})");
  folder_.Write("generation_config.json", R"({"eos_token_id":[3,4,5]})");
  ASSERT_NO_FATAL_FAILURE(Convert());
  EXPECT_THAT(Ends(*before_), ElementsAre(kEndOfText, kEom, kEot));
  EXPECT_THAT(Ends(*after_), UnorderedElementsAreArray(Ends(*before_)));
  EXPECT_EQ(file_->Int("tokenizer.ggml.eos_token_id").value(), kEot);
  EXPECT_EQ(file_->Int("tokenizer.ggml.eom_token_id").value(), kEom);
  EXPECT_EQ(after_->bos(), kBegin);
  EXPECT_EQ(after_->add_bos(), before_->add_bos());
  EXPECT_EQ(notes_, "");
}

TEST_F(ConvertFolder, EndsThatNoReaderKnowsByTheirTextAreKeptToo) {
  folder_.Write("generation_config.json", R"({"eos_token_id":[6,7]})");
  ASSERT_NO_FATAL_FAILURE(Convert());
  EXPECT_TRUE(after_->IsEnd(kStop));
  EXPECT_TRUE(after_->IsEnd(kHalt));
  EXPECT_FALSE(after_->IsEnd(kDone));
}

TEST_F(ConvertFolder, AnEndThatHasNoPlaceIsSaid) {
  folder_.Write("generation_config.json", R"({"eos_token_id":[5,6,7,8]})");
  ASSERT_NO_FATAL_FAILURE(Convert());
  EXPECT_THAT(notes_, HasSubstr("<|done|>"));
  EXPECT_THAT(Ends(*before_), ElementsAre(kEot, kStop, kHalt, kDone));
}

TEST_F(ConvertFolder, TheTemplateIsTheOneThatTheFolderIsServedWith) {
  folder_.Write("tokenizer_config.json", R"({"chat_template":[{"name":"tool_use","template":"T"},
      {"name":"default","template":"D"}]})");
  ASSERT_NO_FATAL_FAILURE(Convert());
  EXPECT_EQ(before_->chat_template(), "D");
  EXPECT_EQ(after_->chat_template(), "D");

  folder_.Write("chat_template.jinja", "J");
  ASSERT_NO_FATAL_FAILURE(Convert());
  EXPECT_EQ(before_->chat_template(), "J");
  EXPECT_EQ(after_->chat_template(), "J");
}

TEST_F(ConvertFolder, TheRecommendedSamplingGoesAlong) {
  folder_.Write("generation_config.json", R"({"do_sample":true,"temperature":0.6,"top_p":0.95,
      "top_k":20,"min_p":0.05,"repetition_penalty":1.05})");
  ASSERT_NO_FATAL_FAILURE(Convert());
  EXPECT_FLOAT_EQ(static_cast<float>(file_->Float("general.sampling.temp").value()), 0.6f);
  const auto read = SamplingDefaultsOfGguf(*file_);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read.value().temperature, 0.6f);
  EXPECT_EQ(read.value().top_p, 0.95f);
  EXPECT_EQ(read.value().top_k, 20);
  EXPECT_EQ(read.value().min_p, 0.05f);
  EXPECT_EQ(read.value().repetition_penalty, 1.05f);

  folder_.Write("generation_config.json", R"({"do_sample":false,"temperature":0.6})");
  ASSERT_NO_FATAL_FAILURE(Convert());
  EXPECT_EQ(SamplingDefaultsOfGguf(*file_).value().temperature, 0.0f);
}

TEST(SamplingDefaults, OfAForeignFileAreCheckedAndNamed) {
  const auto read = [](const GgufBuilder& builder) {
    const std::string bytes = builder.Build();
    const auto file = gguf::File::Parse(AsBytes(bytes));
    EXPECT_TRUE(file);
    return SamplingDefaultsOfGguf(*file.value());
  };
  EXPECT_EQ(read({}).value().temperature, SamplingOptions{}.temperature);
  GgufBuilder off;
  off.Raw("general.sampling.top_k", 5, ByteWriter().Number<int32_t>(-1).bytes());
  off.Float("general.sampling.penalty_repeat", 0.1f);
  EXPECT_EQ(read(off).value().top_k, 0);
  for (const float wrong : {-0.5f, 2.5f, std::numeric_limits<float>::quiet_NaN()}) {
    GgufBuilder hot;
    hot.Float("general.sampling.temp", wrong);
    const auto refused = read(hot);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().code, Code::kBadConfig);
    EXPECT_THAT(refused.error().message, HasSubstr("general.sampling.temp"));
  }
}

}  // namespace
}  // namespace portcullis::inference
