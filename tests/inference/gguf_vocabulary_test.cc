// Byte-level vocabularies in GGUF metadata: tokenizer.ggml.model `gpt2` with GPT-2's own way of
// splitting text, the control tokens among them, and refusal of what is not known or does not fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/tokenizer/tokenizer.h"
#include "inference/tokenizer/utf8.h"
#include "tests/inference/file_builders.h"

namespace portcullis::inference {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint32_t kNormal = 1, kControl = 3;

// GPT-2's alphabet: printable characters of Latin-1 stand for themselves, the other bytes for those
// from U+0100 on, in their order.
std::string ToByteLevel(std::string_view text) {
  static const std::vector<char32_t> alphabet = [] {
    std::vector<char32_t> characters;
    char32_t next = 0x100;
    for (char32_t byte = 0; byte < 256; ++byte) {
      const bool printable = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
      characters.push_back(printable ? byte : next++);
    }
    return characters;
  }();
  std::string out;
  for (const char c : text) AppendUtf8(alphabet[static_cast<unsigned char>(c)], out);
  return out;
}

// All 256 bytes, then merged tokens, then <|endoftext|>.
struct Vocabulary {
  std::vector<std::string> tokens, merges;
  std::vector<uint32_t> types;

  Vocabulary() {
    for (int byte = 0; byte < 256; ++byte) {
      Add(ToByteLevel(std::string(1, static_cast<char>(byte))));
    }
  }
  void Add(const std::string& token, uint32_t type = kNormal) {
    tokens.push_back(token);
    types.push_back(type);
  }
  void Merge(const std::string& left, const std::string& right) {
    merges.push_back(ToByteLevel(left) + " " + ToByteLevel(right));
    Add(ToByteLevel(left + right));
  }
  GgufBuilder File(std::string_view pre) const {
    GgufBuilder file;
    file.String("tokenizer.ggml.model", "gpt2");
    if (!pre.empty()) file.String("tokenizer.ggml.pre", pre);
    file.Strings("tokenizer.ggml.tokens", tokens);
    ByteWriter array;
    array.Number<uint32_t>(4).Number<uint64_t>(types.size());
    for (const uint32_t type : types) array.Number(type);
    file.Raw("tokenizer.ggml.token_type", 9, array.bytes());
    file.Strings("tokenizer.ggml.merges", merges);
    return file;
  }
};

Result<std::unique_ptr<Tokenizer>> Read(const GgufBuilder& builder) {
  const std::string bytes = builder.Build();
  auto file = gguf::File::Parse(AsBytes(bytes));
  if (!file) return file.error();
  return Tokenizer::FromGguf(*file.value());
}

class GgufVocabulary : public testing::Test {
 protected:
  GgufVocabulary() {
    for (const auto& [left, right] : {std::pair{"h", "e"}, {" ", "he"}, {"'", "s"}, {"1", "2"},
                                      {"12", "3"}, {"123", "4"}}) {
      vocabulary_.Merge(left, right);
    }
    end_ = static_cast<TokenId>(vocabulary_.tokens.size());
    vocabulary_.Add("<|endoftext|>", kControl);
  }
  TokenId Of(const std::string& text) const {
    const auto found = std::ranges::find(vocabulary_.tokens, ToByteLevel(text));
    return static_cast<TokenId>(found - vocabulary_.tokens.begin());
  }

  Vocabulary vocabulary_;
  TokenId end_ = 0;
};

TEST_F(GgufVocabulary, Gpt2SplitsAsGpt2Does) {
  auto file = vocabulary_.File("gpt-2");
  file.Int("tokenizer.ggml.eos_token_id", static_cast<uint32_t>(end_));
  const auto read = Read(file);
  ASSERT_TRUE(read) << read.error().message;
  const Tokenizer& tokenizer = *read.value();
  EXPECT_FALSE(tokenizer.add_bos());
  EXPECT_TRUE(tokenizer.IsEnd(end_));
  const auto encode = [&](const char* text, Specials specials = Specials::kAsText) {
    std::vector<TokenId> ids;
    EXPECT_TRUE(tokenizer.Encode(text, specials, ids));
    return ids;
  };
  // A blank goes with the word behind it, digits stay together however many, 's is a piece.
  EXPECT_THAT(encode("he he's"), ElementsAre(Of("he"), Of(" he"), Of("'s")));
  EXPECT_THAT(encode("12345"), ElementsAre(Of("1234"), Of("5")));
  // Of two blanks the first is a piece of its own.
  EXPECT_THAT(encode("  he"), ElementsAre(Of(" "), Of(" he")));
  EXPECT_THAT(encode("<|endoftext|>", Specials::kParse), ElementsAre(end_));
  EXPECT_EQ(std::ranges::count(encode("<|endoftext|>"), end_), 0);
}

// Llama 3.1 ends a call of a tool with <|eom_id|>; its files name the token or do not.
TEST_F(GgufVocabulary, TheEndOfAMessageEndsAnAnswer) {
  const auto eom = static_cast<TokenId>(vocabulary_.tokens.size());
  vocabulary_.Add("<|eom_id|>", kControl);
  vocabulary_.Add("<|over|>", kControl);
  auto file = vocabulary_.File("gpt-2");
  const auto by_text = Read(file);
  ASSERT_TRUE(by_text);
  EXPECT_TRUE(by_text.value()->IsEnd(eom));
  EXPECT_FALSE(by_text.value()->IsEnd(eom + 1));
  file.Int("tokenizer.ggml.eom_token_id", static_cast<uint32_t>(eom + 1));
  EXPECT_TRUE(Read(file).value()->IsEnd(eom + 1));
}

TEST_F(GgufVocabulary, EveryByteComesBack) {
  const auto read = Read(vocabulary_.File("gpt-2"));
  ASSERT_TRUE(read);
  std::string text;
  for (char32_t c = 1; c < 0x250; ++c) AppendUtf8(c, text);
  std::vector<TokenId> ids;
  ASSERT_TRUE(read.value()->Encode(text, Specials::kAsText, ids));
  Detokenizer detokenizer(*read.value(), true);
  std::string back;
  for (const TokenId id : ids) back += detokenizer.Push(id);
  EXPECT_EQ(back + detokenizer.Finish(), text);
}

// Guessing how text is split gives a model that answers, badly.
TEST_F(GgufVocabulary, AnUnnamedOrUnknownSplitIsRefusedByName) {
  for (const char* pre : {"", "default", "mpt"}) {
    const auto read = Read(vocabulary_.File(pre));
    ASSERT_FALSE(read) << pre;
    EXPECT_THAT(read.error().message, HasSubstr(*pre == '\0' ? "tokenizer.ggml.pre" : pre));
  }
}

TEST_F(GgufVocabulary, PartsThatDoNotFitAreRefused) {
  auto file = vocabulary_.File("gpt-2");
  file.Int("tokenizer.ggml.eos_token_id", static_cast<uint32_t>(end_ + 1));
  EXPECT_THAT(Read(file).error().message, HasSubstr("tokenizer.ggml.eos_token_id"));
  vocabulary_.merges.push_back("nonsense");
  EXPECT_THAT(Read(vocabulary_.File("gpt-2")).error().message, HasSubstr("merge"));
  vocabulary_.merges.pop_back();
  vocabulary_.types.pop_back();
  EXPECT_THAT(Read(vocabulary_.File("gpt-2")).error().message, HasSubstr("token_type"));
}

}  // namespace
}  // namespace portcullis::inference
