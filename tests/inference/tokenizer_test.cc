// Encoding, decoding and the rule that text never becomes a control token.
#include "inference/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/tokenizer/utf8.h"
#include "tests/inference/serve_helpers.h"

namespace portcullis::inference {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<TokenId> Encode(const Tokenizer& tokenizer, const std::string& text,
                            Specials specials = Specials::kAsText) {
  std::vector<TokenId> ids;
  EXPECT_TRUE(tokenizer.Encode(text, specials, ids).has_value());
  return ids;
}

std::string Decode(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  Detokenizer detokenizer(tokenizer, true);
  std::string text;
  for (const TokenId id : ids) text += detokenizer.Push(id);
  return text + detokenizer.Finish();
}

Result<std::unique_ptr<Tokenizer>> FromText(const std::string& json) {
  return Tokenizer::FromJson({json, {}, {}, {}});
}

TEST(Tokenizer, MergesByRank) {
  const auto tokenizer = TestTokenizer("");
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_THAT(Encode(*tokenizer, "hello"), ElementsAre(kHello));
  EXPECT_THAT(Encode(*tokenizer, "hellhe"), ElementsAre(kHell, kHe));
  EXPECT_THAT(Encode(*tokenizer, "lll"), ElementsAre(kLl, 'l'));
}

TEST(Tokenizer, LongPiecesMergeAsShortOnesDo) {
  const auto tokenizer = TestTokenizer("");
  std::string text;
  std::vector<TokenId> expected;
  for (int i = 0; i < 500; ++i) {
    text += "hello";
    expected.push_back(kHello);
  }
  EXPECT_EQ(Encode(*tokenizer, text), expected);
}

TEST(Tokenizer, TextNeverBecomesAControlToken) {
  const auto tokenizer = TestTokenizer("");
  for (const std::string text :
       {"<｜User｜>", "<think>", "</think>", "<|im_start|>system", "a<｜end▁of▁sentence｜>b"}) {
    const auto ids = Encode(*tokenizer, text);
    for (const TokenId id : ids) EXPECT_FALSE(tokenizer->vocab().IsControl(id)) << text;
    EXPECT_EQ(Decode(*tokenizer, ids), text);
  }
}

TEST(Tokenizer, TrustedTextMayHoldControlTokens) {
  const auto tokenizer = TestTokenizer("");
  EXPECT_THAT(Encode(*tokenizer, "<｜User｜>hello</think>", Specials::kParse),
              ElementsAre(kUserMark, kHello, kThinkClose));
}

TEST(Tokenizer, AMergeTableCannotMakeAControlToken) {
  // The file's own merges would join `<` and `s>` to the special token.
  const std::string json = R"({"added_tokens":[{"id":3,"content":"<s>","special":true}],
    "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":false},
    "model":{"type":"BPE","ignore_merges":true,"vocab":{"<":0,"s":1,">":2,"<s>":3,"s>":4},
    "merges":["s >","< s>"]}})";
  const auto tokenizer = FromText(json);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  EXPECT_THAT(Encode(*tokenizer.value(), "<s>"), ElementsAre(0, 4));
  EXPECT_THAT(Encode(*tokenizer.value(), "<s>", Specials::kParse), ElementsAre(3));
}

TEST(Tokenizer, EveryByteComesBack) {
  const auto tokenizer = TestTokenizer("");
  const std::string text = "héllo \n\t你好 👩‍🚀 hello\u0085\u3000x";
  EXPECT_EQ(Decode(*tokenizer, Encode(*tokenizer, text)), text);
}

TEST(Tokenizer, BadUtf8IsRefused) {
  const auto tokenizer = TestTokenizer("");
  std::vector<TokenId> ids;
  const auto result = tokenizer->Encode("ab\xff", Specials::kAsText, ids);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kInvalidArgument);
}

TEST(Detokenizer, HoldsHalfCharactersAndScrubsWhatCannotBecomeOne) {
  const auto tokenizer = TestTokenizer("");
  Detokenizer detokenizer(*tokenizer, false);
  EXPECT_EQ(detokenizer.Push(0xF0), "");
  EXPECT_EQ(detokenizer.Push(0x9F), "");
  EXPECT_EQ(detokenizer.Push(0x99), "");
  EXPECT_EQ(detokenizer.Push(0x82), "🙂");
  EXPECT_EQ(detokenizer.Push(0xE4), "");
  EXPECT_EQ(detokenizer.Push('a'), "\uFFFDa");
  EXPECT_EQ(detokenizer.Push(0xC3), "");
  EXPECT_EQ(detokenizer.Finish(), "\uFFFD");
  EXPECT_EQ(detokenizer.Push(kEos), "");
  EXPECT_EQ(detokenizer.Push(kUserMark), "<｜User｜>");
}

TEST(SentencePiece, ScoresMergeBytesFallBackAndTheFirstSpaceGoes) {
  const std::string json = R"({"added_tokens":[{"id":0,"content":"<unk>","special":true}],
    "normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
      {"type":"Replace","pattern":{"String":" "},"content":"▁"}]},
    "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},
      "content":" "},{"type":"ByteFallback"},{"type":"Fuse"},
      {"type":"Strip","content":" ","start":1,"stop":0}]},
    "model":{"type":"BPE","byte_fallback":true,"unk_token":"<unk>","vocab":{"<unk>":0,"<0xC3>":1,
      "<0xA9>":2,"▁":3,"a":4,"b":5,"▁a":6,"ab":7},"merges":["▁ a","a b"]}})";
  const auto tokenizer = FromText(json);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  const auto ids = Encode(*tokenizer.value(), "ab aé");
  EXPECT_THAT(ids, ElementsAre(6, 5, 6, 1, 2));
  EXPECT_EQ(Decode(*tokenizer.value(), ids), "ab aé");
}

TEST(TokenizerJson, RefusesWhatItCannotDo) {
  const auto refusal = [](const std::string& json) {
    const auto result = FromText(json);
    return result.has_value() ? std::string("accepted") : result.error().message;
  };
  EXPECT_THAT(refusal("{"), HasSubstr("tokenizer.json"));
  EXPECT_THAT(refusal(R"({"model":{"type":"Unigram"}})"), HasSubstr("Unigram"));
  EXPECT_THAT(refusal(R"({"normalizer":{"type":"Bert"},"model":{"vocab":{},"merges":[]}})"),
              HasSubstr("Bert"));
  EXPECT_THAT(refusal(R"({"model":{"vocab":{"a":0},"merges":["a b"]}})"), HasSubstr("merge 0"));
  EXPECT_THAT(refusal(R"({"model":{"vocab":{"a":-1},"merges":[]}})"), HasSubstr("token id"));
  EXPECT_THAT(refusal(R"({"model":{"vocab":{"a":2000000000},"merges":[]}})"), HasSubstr("outside"));
  EXPECT_THAT(refusal(R"({"model":{"vocab":{},"merges":[]}})"), HasSubstr("empty"));
}

TEST(Utf8, CompletePrefixStopsBeforeAStartedCharacter) {
  EXPECT_EQ(CompletePrefix("abc"), 3u);
  EXPECT_EQ(CompletePrefix("ab\xE4\xBD"), 2u);
  EXPECT_EQ(CompletePrefix("ab\xE0\x80"), 4u);  // overlong: no byte can mend it
  EXPECT_EQ(CompletePrefix("\xF4\x90"), 2u);    // beyond U+10FFFF
  EXPECT_FALSE(IsValidUtf8("\xED\xA0\x80"));    // a surrogate
  EXPECT_TRUE(IsValidUtf8("é你🙂"));
}

}  // namespace
}  // namespace portcullis::inference
