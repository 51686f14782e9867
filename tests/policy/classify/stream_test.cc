// The stream's promises: findings and redacted output do not depend on how the text is cut, what is
// held back is bounded, time is linear whatever the text.
#include <ctime>

#include "tests/policy/classify/support.h"

namespace portcullis::policy {
namespace {

constexpr std::string_view kFragments[] = {
    "alice@example.com",
    "user@host",
    "@@",
    "4111 1111 1111 1111",
    "4111111111111112",
    "5500-0055-5555-5559",
    "DE89 3704 0044 0532 0130 00",
    "gb82west12345698765432",
    "DE8937",
    "+49 (0)30 1234567",
    "(415) 555-2671",
    "tel: 030 1234567",
    "SSN 123-45-6789",
    "912-70-1234",
    "8.8.8.8",
    "1.2.3.4.5",
    "2001:db8::1",
    "aa:bb:cc:dd:ee:0f",
    "std::string",
    "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",
    "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOP",
    "postgres://bob:s3cr3t@db.internal:5432/x",
    "https://u:p@",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_"
    "XgL0n3I9",
    "eyJhbGciOiJIUzI1NiJ9.",
    "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75axIXEH\nAAA==\n",
    "-----END PRIVATE KEY-----",
    "-----BEGIN ",
    "----",
    "NATO SECRET",
    "VS-NUR FÜR DEN DIENSTGEBRAUCH",
    "TOP SECRET//SI//NOFORN",
    "TRÈS SECRET UE",
    "CPR 070761-4285",
    "BSN: 111222333",
    "Aadhaar 2341 2341 2346",
    "900101-1234568",
    "４１１１１１１１１１１１１１１１",
    "\u200B",
    "\u200D",
    "é",
    "漢字",
    "\xff",
    "\xe2\x82",
    "\xf0\x9f\x98\x80",
    "the quick brown fox",
    "1",
    "12 ",
    "3.14",
    "x",
    "\n",
    "\t",
    "-",
    "_",
    ".",
    ":",
    "@",
    "+",
    "(",
    "//",
    "a",
    "e",
    "\\n",
    "\"",
    "="};

std::string RandomText(std::mt19937_64& random, size_t fragments) {
  constexpr std::string_view kGlue[] = {"", " ", "", "\n", ", ", "-", ".", ""};
  std::string text;
  for (size_t i = 0; i < fragments; ++i) {
    text += kFragments[random() % std::size(kFragments)];
    text += kGlue[random() % std::size(kGlue)];
  }
  return text;
}

void ExpectSame(const std::string& text, const std::vector<size_t>& cuts,
                const std::vector<Finding>& findings, const std::string& redacted) {
  const auto pieces = Cut(text, cuts);
  EXPECT_EQ(ScanPieces(pieces), findings) << text;
  EXPECT_EQ(RedactPieces(pieces), redacted) << text;
}

TEST(Split, EverySinglePointOfEveryFragment) {
  for (const std::string_view fragment : kFragments) {
    const std::string text = "see " + std::string(fragment) + " there";
    const auto findings = Scan(text);
    const std::string redacted = RedactAll(text);
    for (size_t at = 0; at <= text.size(); ++at) ExpectSame(text, {at}, findings, redacted);
  }
}

TEST(Split, EverySinglePointOfRandomTexts) {
  std::mt19937_64 random(11);
  for (int n = 0; n < 60; ++n) {
    const std::string text = RandomText(random, 8);
    const auto findings = Scan(text);
    const std::string redacted = RedactAll(text);
    for (size_t at = 0; at <= text.size(); ++at) ExpectSame(text, {at}, findings, redacted);
  }
}

TEST(Split, ByteByByteAndAtRandom) {
  std::mt19937_64 random(12);
  size_t found = 0;
  for (int n = 0; n < 400; ++n) {
    const std::string text = RandomText(random, 1 + random() % 40);
    const auto findings = Scan(text);
    const std::string redacted = RedactAll(text);
    found += findings.size();
    std::vector<size_t> all;
    for (size_t at = 1; at < text.size(); ++at) all.push_back(at);
    ExpectSame(text, all, findings, redacted);
    for (int round = 0; round < 3; ++round) {
      std::vector<size_t> some;
      for (const size_t at : all) {
        if (random() % (2 + static_cast<size_t>(round) * 7) == 0) some.push_back(at);
      }
      ExpectSame(text, some, findings, redacted);
    }
  }
  EXPECT_GT(found, 1000u) << "the texts must hold something";
}

TEST(Split, LongTextsAcrossInnerSlices) {
  std::mt19937_64 random(13);
  const std::string text = RandomText(random, 8000);
  ASSERT_GT(text.size(), 100000u);
  const auto findings = Scan(text);
  const std::string redacted = RedactAll(text);
  for (const size_t size : {1u, 7u, 4096u, 16384u, 50001u}) {
    std::vector<size_t> cuts;
    for (size_t at = size; at < text.size(); at += size) cuts.push_back(at);
    ExpectSame(text, cuts, findings, redacted);
  }
}

TEST(Findings, AreSortedDisjointAndInRange) {
  std::mt19937_64 random(14);
  for (int n = 0; n < 300; ++n) {
    const std::string text = RandomText(random, 30);
    uint64_t last = 0;
    for (const Finding& f : Scan(text)) {
      EXPECT_GE(f.start, last) << text;
      EXPECT_LT(f.start, f.end) << text;
      EXPECT_LE(f.end, text.size()) << text;
      EXPECT_GT(f.confidence, 0) << f.kind;
      EXPECT_LE(f.confidence, 1) << f.kind;
      last = f.end;
    }
  }
}

TEST(Settled, NeverTouchedLater) {
  std::mt19937_64 random(15);
  for (int n = 0; n < 100; ++n) {
    const std::string text = RandomText(random, 20);
    Scanner scanner(BuiltinDetectors());
    uint64_t settled = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      scanner.Feed(std::string_view(text).substr(i, 1));
      for (const Finding& f : scanner.fresh()) EXPECT_GE(f.start, settled) << text;
      EXPECT_GE(scanner.settled(), settled);
      settled = scanner.settled();
      EXPECT_LE(settled, i + 1);
    }
    scanner.Finish();
    for (const Finding& f : scanner.fresh()) EXPECT_GE(f.start, settled) << text;
  }
}

TEST(Hold, PlainTextIsHardlyHeldBack) {
  Redactor redactor(BuiltinDetectors(), RedactionPolicy::All());
  const std::string prose =
      "It was a bright cold day in April, and the clocks were striking thirteen. ";
  for (int n = 0; n < 50; ++n) {
    for (const char c : prose) {
      ASSERT_TRUE(redactor.Feed(std::string(1, c)).has_value());
      EXPECT_LE(redactor.held_bytes(), 16u) << "a word at most";
    }
  }
}

const std::string kAdversarial[] = {"1",
                                    "@",
                                    "a@",
                                    "a@a",
                                    "eyJ",
                                    "-----BEGIN ",
                                    "-",
                                    "1 ",
                                    "1-",
                                    "4 ",
                                    "+1",
                                    "(1",
                                    "a:",
                                    "a://",
                                    ":",
                                    "a://a:a@",
                                    "DE89",
                                    "de89 ",
                                    "ghp_",
                                    "sk-",
                                    "sk-ant-",
                                    "a.",
                                    "NATO ",
                                    "1.1.",
                                    "2001:",
                                    "ab:",
                                    "eyJhbGciOiJIUzI1NiJ9.",
                                    "eyJ.",
                                    "\u200B",
                                    "1\u200B",
                                    "\xff",
                                    "\xf0\x9f",
                                    "4111 ",
                                    "aws_secret",
                                    "123-45-",
                                    "tel ",
                                    "tel 1 ",
                                    "a",
                                    "\xc3\xa9",
                                    "a@a.a.",
                                    "-----BEGIN PRIVATE KEY-----",
                                    "SECRET//"};

std::string Repeat(const std::string& unit, size_t size) {
  std::string text;
  text.reserve(size + unit.size());
  while (text.size() < size) text += unit;
  return text;
}

double CpuSecondsToScan(const std::string& text) {
  const std::clock_t start = std::clock();
  Scan(text);
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

TEST(Hostile, TimeIsLinear) {
  for (const std::string& unit : kAdversarial) {
    const double quarter = CpuSecondsToScan(Repeat(unit, 256 << 10));
    const double whole = CpuSecondsToScan(Repeat(unit, 1 << 20));
    EXPECT_LT(whole, 8 * quarter + 0.05) << unit << ": " << quarter << " s, " << whole << " s";
    EXPECT_LT(whole, 10.0) << unit;
  }
}

TEST(Hostile, HoldIsBoundedAndCutsDoNotMatter) {
  for (const std::string& unit : kAdversarial) {
    const std::string text = Repeat(unit, 40000);
    const auto findings = Scan(text);
    Redactor redactor(BuiltinDetectors(), RedactionPolicy::All());
    std::string out;
    uint64_t held = 0;
    for (size_t at = 0; at < text.size(); at += 61) {
      out += redactor.Feed(std::string_view(text).substr(at, 61)).value();
      held = std::max(held, redactor.held_bytes());
    }
    out += redactor.Finish().value();
    EXPECT_LE(held, 10000u) << unit;
    EXPECT_LE(held, Scanner::kMaxHeldBytes) << unit;
    EXPECT_EQ(out, RedactAll(text)) << unit;
    EXPECT_TRUE(std::equal(findings.begin(), findings.end(), redactor.findings().begin(),
                           redactor.findings().end()))
        << unit;
  }
}

TEST(Scanner, SaysWhenTextComesAfterTheEnd) {
  Scanner scanner(BuiltinDetectors());
  scanner.Feed("a@example.com");
  scanner.Finish();
  EXPECT_TRUE(scanner.complete());
  scanner.Feed("b@example.com");
  EXPECT_EQ(scanner.findings().size(), 1u);
  EXPECT_FALSE(scanner.complete());
}

TEST(Scanner, SaysWhenItStopsListing) {
  Scanner scanner(BuiltinDetectors());
  for (size_t n = 0; n <= Scanner::kMaxFindings; ++n) scanner.Feed("a@example.com ");
  scanner.Finish();
  EXPECT_EQ(scanner.findings().size(), Scanner::kMaxFindings);
  EXPECT_FALSE(scanner.complete());
  Redactor redactor(BuiltinDetectors(), RedactionPolicy::All());
  std::string out;
  for (size_t n = 0; n <= Scanner::kMaxFindings + 5; ++n)
    out += redactor.Feed("a@example.com ").value();
  EXPECT_THAT(out, testing::Not(testing::HasSubstr("example"))) << "masking goes on all the same";
}

}  // namespace
}  // namespace portcullis::policy
