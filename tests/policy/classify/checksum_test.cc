// Generated valid and mutated numbers against oracles written here from the definitions, in another
// way than the detectors compute them.
#include <cstdint>

#include "tests/policy/classify/support.h"

namespace portcullis::policy {
namespace {

constexpr int kCases = 600;

// Luhn by table: the doubled digits' sums, from the left, given the parity of the length.
bool OracleLuhn(const std::string& digits) {
  static const int kDoubled[] = {0, 2, 4, 6, 8, 1, 3, 5, 7, 9};
  int sum = 0;
  for (size_t i = 0; i < digits.size(); ++i) {
    const int d = digits[i] - '0';
    sum += (digits.size() - i) % 2 == 0 ? kDoubled[d] : d;
  }
  return sum % 10 == 0;
}

std::string WithLuhn(std::string body) {
  for (char check = '0'; check <= '9'; ++check) {
    if (OracleLuhn(body + check)) return body + check;
  }
  return {};
}

struct Brand {
  std::string_view prefix;
  size_t length;
};
constexpr Brand kBrands[] = {{"4", 16},    {"4", 19},    {"4", 13},    {"51", 16},   {"55", 16},
                             {"2221", 16}, {"2720", 16}, {"2500", 16}, {"34", 15},   {"37", 15},
                             {"36", 14},   {"305", 14},  {"6011", 16}, {"644", 16},  {"65", 19},
                             {"3528", 16}, {"3589", 16}, {"62", 16},   {"62", 19},   {"5018", 12},
                             {"6304", 13}, {"6759", 18}, {"2200", 16}, {"97920", 16}};

std::string Group(const std::string& digits, char separator, size_t size = 4) {
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && i % size == 0) grouped += separator;
    grouped += digits[i];
  }
  return grouped;
}

TEST(Pan, FindsEveryValidNumberInEveryForm) {
  std::mt19937_64 random(1);
  for (int n = 0; n < kCases; ++n) {
    const Brand brand = kBrands[static_cast<size_t>(n) % std::size(kBrands)];
    const std::string pan =
        WithLuhn(std::string(brand.prefix) +
                 RandomFrom(random, kDigits, brand.length - brand.prefix.size() - 1));
    EXPECT_TRUE(Finds("pan", pan)) << pan;
    // Rarely a part of a number of unusual length is itself a stronger number: nothing must show.
    if (brand.length < 14 || brand.length > 16) {
      EXPECT_EQ(RedactAll(Group(pan, ' ')).find_first_of(kDigits), std::string::npos) << pan;
      continue;
    }
    EXPECT_TRUE(Finds("pan", Group(pan, ' '))) << pan;
    EXPECT_TRUE(Finds("pan", Group(pan, '-'))) << pan;
  }
}

TEST(Pan, LetsMutantsGo) {
  std::mt19937_64 random(2);
  int mutants = 0;
  while (mutants < kCases) {
    const Brand brand = kBrands[random() % std::size(kBrands)];
    std::string pan = WithLuhn(std::string(brand.prefix) +
                               RandomFrom(random, kDigits, brand.length - brand.prefix.size() - 1));
    const size_t at = random() % pan.size();
    pan[at] = static_cast<char>('0' + (pan[at] - '0' + 1 + random() % 9) % 10);
    ASSERT_FALSE(OracleLuhn(pan)) << "every single digit error is seen by Luhn";
    EXPECT_FALSE(FindsKind("pan", "see " + pan + " there")) << pan;
    ++mutants;
  }
}

TEST(Pan, KnowsTheBordersOfIssuerRanges) {
  for (const char* outside : {"222099", "272100", "209999", "100000", "700000", "995500"}) {
    const std::string pan = WithLuhn(std::string(outside) + "123456789");
    EXPECT_FALSE(FindsKind("pan", pan)) << pan;
  }
  for (const char* inside : {"222100", "272099", "510000", "559999", "400000", "499999"}) {
    EXPECT_TRUE(Finds("pan", WithLuhn(std::string(inside) + "123456789"))) << inside;
  }
}

TEST(Pan, RetriesOverlappingStarts) {
  EXPECT_THAT(Found("order 12 4111 1111 1111 1111 ok"),
              testing::ElementsAre("pan:4111 1111 1111 1111"));
  EXPECT_THAT(Found("4000 4111 1111 1111 1111"), testing::Contains("pan:4111 1111 1111 1111"));
  EXPECT_THAT(Found("card 4111111111111111 12/29"), testing::ElementsAre("pan:4111111111111111"));
}

TEST(Pan, StaysOutOfLongerWordsAndDecimals) {
  for (const char* text : {"x4111111111111111", "4111111111111111x", "41111111111111111111111",
                           "0.4111111111111111", "0x4111111111111111", "a1b4111111111111111"}) {
    EXPECT_FALSE(FindsKind("pan", text)) << text;
  }
}

// MOD 97-10 by long division of the number written out in full.
int OracleMod97(const std::string& iban) {
  std::string digits;
  for (const char c : iban.substr(4) + iban.substr(0, 4)) {
    digits += c >= 'A' ? std::to_string(c - 'A' + 10) : std::string(1, c);
  }
  int rest = 0;
  for (const char c : digits) rest = (rest * 10 + (c - '0')) % 97;
  return rest;
}

std::string MakeIban(const std::string& country, const std::string& account) {
  const int check = 98 - OracleMod97(country + "00" + account);
  return country + (check < 10 ? "0" : "") + std::to_string(check) + account;
}

struct Country {
  std::string_view code;
  size_t length;
};
constexpr Country kCountries[] = {{"DE", 22}, {"FR", 27}, {"GB", 22}, {"NO", 15}, {"MT", 31},
                                  {"NL", 18}, {"CH", 21}, {"LC", 32}, {"SA", 24}, {"BR", 29}};

TEST(Iban, FindsEveryValidNumberInEveryForm) {
  std::mt19937_64 random(3);
  for (int n = 0; n < kCases; ++n) {
    const Country country = kCountries[static_cast<size_t>(n) % std::size(kCountries)];
    const std::string_view alphabet = n % 3 == 0 ? kDigits : kAlnums.substr(0, 36);
    const std::string iban =
        MakeIban(std::string(country.code), RandomFrom(random, alphabet, country.length - 4));
    EXPECT_TRUE(Finds("iban", iban)) << iban;
    EXPECT_TRUE(Finds("iban", Group(iban, ' '))) << iban;
    std::string lower = iban;
    for (char& c : lower) c = static_cast<char>(std::tolower(c));
    EXPECT_TRUE(Finds("iban", lower)) << lower;
    EXPECT_TRUE(Finds("iban", Group(iban, ' ', 3), "IBAN: ")) << iban;
    EXPECT_EQ(Scan(iban).at(0).jurisdiction, country.code);
  }
}

TEST(Iban, LetsMutantsGo) {
  std::mt19937_64 random(4);
  for (int n = 0; n < kCases; ++n) {
    const Country country = kCountries[random() % std::size(kCountries)];
    const std::string iban =
        MakeIban(std::string(country.code), RandomFrom(random, kDigits, country.length - 4));
    std::string mutant = iban;
    const size_t at = 2 + random() % (iban.size() - 2);
    mutant[at] = static_cast<char>('0' + (iban[at] - '0' + 1 + random() % 9) % 10);
    ASSERT_NE(OracleMod97(mutant), 1);
    EXPECT_FALSE(FindsKind("iban", mutant)) << mutant;
    EXPECT_FALSE(FindsKind("iban", iban + "0")) << "too long: " << iban;
    EXPECT_FALSE(FindsKind("iban", iban.substr(0, iban.size() - 1))) << "too short: " << iban;
    EXPECT_FALSE(FindsKind("iban", "X" + iban)) << "inside a word: " << iban;
  }
}

bool OracleSsn(int area, int group, int serial) {
  return area > 0 && area < 900 && area != 666 && group > 0 && serial > 0;
}

std::string Padded(int value, size_t width) {
  const std::string text = std::to_string(value);
  return std::string(width - text.size(), '0') + text;
}

TEST(UsSsn, AgreesWithTheRulesOfTheSsa) {
  std::mt19937_64 random(5);
  int valid = 0;
  int invalid = 0;
  while (valid < kCases || invalid < kCases) {
    int area = static_cast<int>(random() % 1000);
    int group = static_cast<int>(random() % 100);
    int serial = static_cast<int>(random() % 10000);
    switch (random() % 8) {
      case 0:
        area = 0;
        break;
      case 1:
        area = 666;
        break;
      case 2:
        group = 0;
        break;
      case 3:
        serial = 0;
        break;
    }
    const std::string ssn = Padded(area, 3) + "-" + Padded(group, 2) + "-" + Padded(serial, 4);
    const bool expected = OracleSsn(area, group, serial);
    (expected ? valid : invalid)++;
    EXPECT_EQ(Finds("us_ssn", ssn), expected) << ssn;
    const std::string solid = Padded(area, 3) + Padded(group, 2) + Padded(serial, 4);
    EXPECT_EQ(Finds("us_ssn", solid, "SSN: ", "."), expected) << solid;
    EXPECT_FALSE(FindsKind("us_ssn", "order " + solid + " shipped")) << "no context: " << solid;
  }
}

// CRC-32 bit by bit, as polynomial division.
uint32_t OracleCrc(const std::string& bytes) {
  uint32_t rest = ~0u;
  for (const char byte : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool high = ((rest ^ static_cast<unsigned char>(byte) >> bit) & 1) != 0;
      rest = rest >> 1 ^ (high ? 0xEDB88320u : 0);
    }
  }
  return ~rest;
}

std::string MakeToken(const std::string& prefix, const std::string& entropy) {
  std::string check;
  for (uint32_t crc = OracleCrc(entropy); check.size() < 6; crc /= 62) {
    check.insert(check.begin(), kAlnums[crc % 62]);
  }
  return prefix + entropy + check;
}

TEST(GithubToken, ChecksumDecidesConfidence) {
  // A published example of the format.
  ASSERT_EQ(MakeToken("ghp_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"),
            "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");
  std::mt19937_64 random(6);
  constexpr const char* kPrefixes[] = {"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "npm_"};
  for (int n = 0; n < kCases; ++n) {
    const std::string prefix = kPrefixes[n % 6];
    const std::string kind = prefix == "npm_" ? "npm_token" : "github_token";
    std::string token = MakeToken(prefix, RandomFrom(random, kAlnums, 30));
    EXPECT_TRUE(Finds(kind, token)) << token;
    EXPECT_GT(Scan(token).at(0).confidence, 0.9f) << token;
    const size_t at = 4 + random() % 36;
    const char old = token[at];
    while (token[at] == old) token[at] = kAlnums[random() % kAlnums.size()];
    EXPECT_TRUE(Finds(kind, token)) << token;
    EXPECT_LT(Scan(token).at(0).confidence, 0.5f) << "checksum broken: " << token;
    EXPECT_THAT(Found(token + "x"), testing::IsEmpty()) << "too long";
    EXPECT_THAT(Found("x" + token), testing::IsEmpty()) << "inside a word";
  }
}

}  // namespace
}  // namespace portcullis::policy
