// Normalisation: against ICU over all of Unicode, and offsets back into the original bytes.
#include "policy/classify/normalize.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

#include "tests/policy/classify/support.h"

namespace portcullis::policy {
namespace {

// ASCII that compatibility decomposition without marks gives for one code point, or 0.
char OracleAscii(const icu::Normalizer2& nfkd, UChar32 c) {
  icu::UnicodeString decomposed;
  if (!nfkd.getDecomposition(c, decomposed)) {
    const int digit = u_charType(c) == U_DECIMAL_DIGIT_NUMBER ? u_charDigitValue(c) : -1;
    return digit < 0 ? '\0' : static_cast<char>('0' + digit);
  }
  char ascii = 0;
  int kept = 0;
  for (int i = 0; i < decomposed.length(); i = decomposed.moveIndex32(i, 1)) {
    const UChar32 part = decomposed.char32At(i);
    if (u_charType(part) == U_NON_SPACING_MARK) {
      if (ascii == ' ') return 0;  // a mark that stands alone
      continue;
    }
    ++kept;
    ascii = part < 0x80 ? static_cast<char>(part) : '\0';
  }
  return kept == 1 ? ascii : '\0';
}

TEST(Fold, AgreesWithIcuOnEverythingThatIsAsciiInDisguise) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfkd = icu::Normalizer2::getNFKDInstance(error);
  ASSERT_TRUE(U_SUCCESS(error));
  int checked = 0;
  for (UChar32 c = 0x80; c < 0x20000; ++c) {
    const char expected = OracleAscii(*nfkd, c);
    if (expected == 0) continue;
    EXPECT_EQ(FoldCodePoint(static_cast<char32_t>(c)), expected) << std::hex << c;
    ++checked;
  }
  EXPECT_GT(checked, 1500);
}

TEST(Fold, MakesFormatCharactersInvisibleAndKeepsTheRest) {
  for (UChar32 c = 0x80; c < 0xE1000; ++c) {
    if (u_charType(c) == U_FORMAT_CHAR && c < 0x110BD) {
      EXPECT_EQ(FoldCodePoint(static_cast<char32_t>(c)), 0) << std::hex << c;
    }
  }
  EXPECT_EQ(FoldCodePoint(U'Ж'), Normalizer::kLetter);
  EXPECT_EQ(FoldCodePoint(U'А'), 'A') << "Cyrillic look-alike";
  EXPECT_EQ(FoldCodePoint(U'漢'), Normalizer::kOther) << "no spaces between words: no word border";
  EXPECT_EQ(FoldCodePoint(U'—'), '-');
  EXPECT_EQ(FoldCodePoint(U'😀'), Normalizer::kOther);
  EXPECT_EQ(FoldCodePoint(U'\u200D'), 0);
}

std::string Units(const std::vector<std::string_view>& pieces, OffsetMap* map = nullptr) {
  Normalizer normalizer;
  std::string units;
  for (const auto piece : pieces) normalizer.Append(piece, units);
  normalizer.Finish(units);
  if (map) *map = normalizer.map();
  return units;
}

TEST(Normalizer, MapsUnitsBackToBytes) {
  OffsetMap map;
  const std::string text = "aé\u200B\u200B4漢b";  // widths 1 2 3 3 1 3 1
  ASSERT_EQ(Units({text}, &map), std::string("ae4") + Normalizer::kOther + "b");
  const uint64_t starts[] = {0, 1, 9, 10, 13};
  const uint64_t ends[] = {1, 3, 10, 13, 14};
  for (uint64_t unit = 0; unit < 5; ++unit) {
    EXPECT_EQ(map.Start(unit), starts[unit]) << unit;
    EXPECT_EQ(map.End(unit), ends[unit]) << unit;
  }
}

TEST(Normalizer, TakesInvalidBytesOneByOne) {
  for (const std::string bytes :
       {"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xf0\x9f\x98", "\x80",
        "\xf4\x90\x80\x80", "\xe0\x80\xaf"}) {
    EXPECT_EQ(Units({bytes}), std::string(bytes.size(), Normalizer::kOther)) << bytes.size();
  }
  EXPECT_EQ(Units({"\xe2\x82x"}), std::string(2, Normalizer::kOther) + "x");
}

TEST(Normalizer, DoesNotDependOnCuts) {
  const std::string text =
      "a\xe2\x82\xac\xff\xf0\x9f\x98\x80\xe2\x80\x8b\xc3(é\xed\xa0\x80z\xf0\x9f";
  const std::string whole = Units({text});
  for (size_t i = 0; i <= text.size(); ++i) {
    for (size_t j = i; j <= text.size(); ++j)
      EXPECT_EQ(Units(Cut(text, {i, j})), whole) << i << " " << j;
  }
}

TEST(Evasion, InvisibleCharactersDoNotHideNumbers) {
  for (const std::string hidden : {"\u200B", "\u200D", "\u2060", "\uFEFF", "\u202E", "\u2066",
                                   "\u00AD", "\u034F", "\uFE0F", "\U000E0041", "\u0301"}) {
    std::string pan;
    for (const char c : std::string("4111111111111111")) pan += c + hidden;
    pan.resize(pan.size() - hidden.size());
    EXPECT_TRUE(Finds("pan", pan)) << pan;
    EXPECT_TRUE(Finds("email", "al" + hidden + "ice@exa" + hidden + "mple.com"));
    EXPECT_TRUE(Finds("github_token", "gh" + hidden + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"));
    EXPECT_EQ(RedactAll("x " + pan + " y"), "x [redacted:pan] y");
  }
}

TEST(Evasion, OtherDigitsAndLetters) {
  EXPECT_TRUE(Finds("pan", "４１１１１１１１１１１１１１１１"));
  EXPECT_TRUE(Finds("pan", "٤١١١١١١١١١١١١١١١"));
  EXPECT_TRUE(Finds("pan", "𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏"));
  EXPECT_TRUE(Finds("pan", "4111\u00A01111\u20091111\u20111111"));
  EXPECT_TRUE(Finds("email", "alice＠example．com"));
  EXPECT_TRUE(Finds("aws_access_key_id", "АKIAIOSFODNN7EXAMPLE")) << "Cyrillic first letter";
  EXPECT_TRUE(Finds("iban", "ＤＥ89370400440532013000"));
  EXPECT_TRUE(Finds("pan", "4111111111111111", "卡号", "号")) << "no spaces in Chinese";
}

TEST(Evasion, ARunTooLongToSeeThroughIsSaid) {
  const auto complete = [](size_t run) {
    std::string text = "4111";
    for (size_t i = 0; i < run; ++i) text += "\u200B";
    Scanner scanner(BuiltinDetectors());
    scanner.Feed(text + "111111111111");
    scanner.Finish();
    return std::pair(scanner.complete(), scanner.findings().size());
  };
  EXPECT_EQ(complete(Normalizer::kMaxInvisibleRun), std::pair(true, size_t{1}));
  EXPECT_EQ(complete(Normalizer::kMaxInvisibleRun + 1).first, false);
}

}  // namespace
}  // namespace portcullis::policy
