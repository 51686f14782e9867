// National numbers: generated against oracles written here, with and without context.
#include "tests/policy/classify/support.h"

namespace portcullis::policy {
namespace {

constexpr int kCases = 500;

std::string TwoDigits(uint64_t value) {
  return {static_cast<char>('0' + value / 10 % 10), static_cast<char>('0' + value % 10)};
}

TEST(InAadhaar, FollowsVerhoeff) {
  // The published table of the dihedral group D5.
  static const int kD[10][10] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5},
                                 {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
                                 {4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1},
                                 {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
                                 {8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0}};
  static const int kP[8][10] = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4},
                                {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
                                {9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1},
                                {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8}};
  const auto holds = [](const std::string& digits) {
    int c = 0;
    for (size_t i = 0; i < digits.size(); ++i)
      c = kD[c][kP[i % 8][digits[digits.size() - 1 - i] - '0']];
    return c == 0;
  };
  std::mt19937_64 random(1);
  int valid = 0;
  for (int n = 0; n < kCases * 10; ++n) {
    const std::string d = RandomFrom(random, "23456789", 1) + RandomFrom(random, kDigits, 11);
    const std::string printed = d.substr(0, 4) + " " + d.substr(4, 4) + " " + d.substr(8);
    EXPECT_EQ(Finds("in_aadhaar", printed, "Aadhaar no "), holds(d)) << d;
    EXPECT_EQ(Finds("in_aadhaar", d, "Aadhaar "), holds(d)) << d;
    EXPECT_FALSE(FindsKind("in_aadhaar", "order " + d)) << "no context: " << d;
    valid += holds(d);
  }
  EXPECT_GE(valid, kCases / 2);
}

TEST(NlBsn, FollowsTheElevenTest) {
  std::mt19937_64 random(2);
  int valid = 0;
  for (int n = 0; n < kCases * 12; ++n) {
    const std::string d = RandomFrom(random, "123456789", 1) + RandomFrom(random, kDigits, 8);
    int sum = -(d[8] - '0');
    for (int i = 0; i < 8; ++i) sum += (9 - i) * (d[static_cast<size_t>(i)] - '0');
    EXPECT_EQ(Finds("nl_bsn", d, "BSN: "), sum % 11 == 0) << d;
    EXPECT_FALSE(FindsKind("nl_bsn", "order " + d)) << d;
    valid += sum % 11 == 0;
  }
  EXPECT_GE(valid, kCases / 2);
}

TEST(DkCpr, WantsARealDate) {
  std::mt19937_64 random(3);
  static const uint64_t kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (int n = 0; n < kCases * 2; ++n) {
    const uint64_t day = random() % 40, month = random() % 15, year = random() % 100;
    const bool real = month >= 1 && month <= 12 && day >= 1 &&
                      day <= kDays[month - 1] + (month == 2 && year % 4 == 0 ? 1 : 0);
    const std::string cpr =
        TwoDigits(day) + TwoDigits(month) + TwoDigits(year) + "-" + RandomFrom(random, kDigits, 4);
    EXPECT_EQ(Finds("dk_cpr", cpr, "CPR "), real) << cpr;
  }
  EXPECT_EQ(Scan("CPR 070761-4285").at(0).jurisdiction, "DK");
  EXPECT_FALSE(FindsKind("dk_cpr", "order 0707614285"));
  EXPECT_FALSE(FindsKind("dk_cpr", "070761-42851"));
  EXPECT_FALSE(FindsKind("dk_cpr", "12-070761-4285"));
}

TEST(KrRrn, ChecksumRaisesConfidence) {
  std::mt19937_64 random(4);
  for (int n = 0; n < kCases; ++n) {
    std::string d = TwoDigits(random() % 100) + TwoDigits(1 + random() % 12) +
                    TwoDigits(1 + random() % 28) + RandomFrom(random, "1234", 1) +
                    RandomFrom(random, kDigits, 5);
    int sum = 0;
    for (size_t i = 0; i < 12; ++i) sum += (d[i] - '0') * static_cast<int>(i % 8 + 2);
    const int check = (11 - sum % 11) % 10;
    const std::string good = d.substr(0, 6) + "-" + d.substr(6) + static_cast<char>('0' + check);
    std::string bad = good;
    bad.back() = static_cast<char>('0' + (check + 1) % 10);
    EXPECT_TRUE(Finds("kr_rrn", good)) << good;
    EXPECT_GE(Scan(good).at(0).confidence, 0.9f) << good;
    EXPECT_EQ(Scan(good).at(0).jurisdiction, "KR");
    EXPECT_LT(Scan(bad).at(0).confidence, 0.7f) << bad;
  }
  EXPECT_FALSE(FindsKind("kr_rrn", "901301-1234567")) << "month 13";
  EXPECT_FALSE(FindsKind("kr_rrn", "900101-9234567")) << "century digit 9";
}

TEST(UsItin, SharesTheFormOfSsn) {
  EXPECT_TRUE(Finds("us_itin", "912-70-1234"));
  EXPECT_TRUE(Finds("us_itin", "900-50-0001"));
  EXPECT_FALSE(FindsKind("us_itin", "912-45-1234"));
  EXPECT_FALSE(FindsKind("us_itin", "912-93-1234"));
  EXPECT_FALSE(FindsKind("us_itin", "912-70-0000"));
}

}  // namespace
}  // namespace portcullis::policy
