// Contact, Network and Classified detectors: valid, invalid and bordering examples.
#include "tests/policy/classify/support.h"

namespace portcullis::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Email, FindsAddresses) {
  for (const char* address :
       {"alice@example.com", "a.b-c_d+tag@sub.example.co.uk", "x@y.de", "o'neil@example.ie",
        "user%dept@example.org", "1234567890@example.com", "jörg@müller.de", "a@xn--mnchen-3ya.de",
        "UPPER@EXAMPLE.COM", "user@example-shop.museum", "иван@пример.рф"}) {
    EXPECT_TRUE(Finds("email", address)) << address;
    EXPECT_TRUE(Finds("email", address, "<", ">")) << address;
    EXPECT_TRUE(Finds("email", address, "to:", ".")) << address;
    EXPECT_TRUE(Finds("email", address, "(", "),")) << address;
    EXPECT_TRUE(Finds("email", address, "\"", "\"")) << address;
    EXPECT_TRUE(Finds("email", address, "'", "'")) << address;
  }
}

TEST(Email, LetsOthersGo) {
  for (const char* text :
       {"@example.com", "alice@", "alice@example", "alice@.com", "alice.@example.com", "a@b.c",
        "a@-example.com", "a@example-.com", "lodash@4.17.21", "@app.route", "a @ b.com",
        "user@host", "git@github.com:owner/repo.git", "a@b..com", "@@@@", "f(x)@y",
        "Wert @ 3.50 EUR"}) {
    EXPECT_FALSE(FindsKind("email", text)) << text;
  }
  const std::string longest(64, 'a');
  EXPECT_TRUE(Finds("email", longest + "@example.com"));
  EXPECT_FALSE(FindsKind("email", longest + "a@example.com"));
  EXPECT_FALSE(FindsKind("email", "a@" + longest + ".com")) << "a label has at most 63";
}

TEST(Email, TwoDotsAndTrailingLabels) {
  EXPECT_THAT(Found("well..bob@example.com"), ElementsAre("email:bob@example.com"));
  EXPECT_THAT(Found("bob@example.com.1"), ElementsAre("email:bob@example.com"));
  EXPECT_THAT(Found("a@b.org,c@d.net;e@f.info"),
              ElementsAre("email:a@b.org", "email:c@d.net", "email:e@f.info"));
}

TEST(Phone, FindsInternationalNumbers) {
  for (const char* number :
       {"+1 415 555 2671", "+14155552671", "+1 (415) 555-2671", "+49 30 1234567", "+4915112345678",
        "+49 (0)30 / 1234567", "+44 20 7946 0958", "+33 1 42 68 53 00", "+81-3-1234-5678",
        "+7 495 123-45-67", "+358 9 12345678", "+86 138 0013 8000", "+353.1.679.1122"}) {
    EXPECT_TRUE(Finds("phone", number)) << number;
  }
  EXPECT_EQ(Scan("+49 30 1234567").at(0).jurisdiction, "DE");
  EXPECT_EQ(Scan("+358 9 12345678").at(0).jurisdiction, "FI");
  EXPECT_EQ(Scan("+1 415 555 2671").at(0).jurisdiction, "") << "shared by several countries";
}

TEST(Phone, FindsNationalNumbers) {
  for (const char* number : {"(415) 555-2671", "415-555-2671", "415.555.2671", "1-415-555-2671"}) {
    EXPECT_TRUE(Finds("phone", number)) << number;
  }
  for (const char* number : {"030 1234567", "415 555 2671", "0171/1234567", "(030) 1234567"}) {
    EXPECT_TRUE(Finds("phone", number, "Tel.: ")) << number;
    EXPECT_TRUE(Finds("phone", number, "phoneNumber=")) << number;
    EXPECT_FALSE(FindsKind("phone", std::string("rows ") + number)) << number;
  }
}

TEST(Phone, LetsOthersGo) {
  for (const char* text :
       {"+0 123 456 789", "+1 115 555 2671", "+1 415 155 2671", "+1 415 555 267", "x+14155552671",
        "+999 12345678", "a+b", "1+4155552671", "+12", "415-555-26711", "2024-01-02", "211-555",
        "phone meeting on 2024-01-02", "tell me 1234567 things", "555-2671", "12-415-555-2671",
        "call 12.30.45", "order number 20240315"}) {
    EXPECT_FALSE(FindsKind("phone", text)) << text;
  }
}

TEST(Ipv4, FindsAddresses) {
  for (const char* ip : {"8.8.8.8", "192.168.1.254", "10.0.0.1", "255.255.254.1", "1.0.0.0"}) {
    EXPECT_TRUE(Finds("ipv4", ip)) << ip;
    EXPECT_TRUE(Finds("ipv4", ip, "http://", ":8080/")) << ip;
    EXPECT_TRUE(Finds("ipv4", ip, "from=", "/24.")) << ip;
    EXPECT_TRUE(Finds("ipv4", ip, "at ", ".")) << ip;
  }
}

TEST(Ipv4, LetsOthersGo) {
  for (const char* text :
       {"256.1.1.1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.04", "1.2.3.4x", "v1.2.3.4",
        "version 1.2.3.4", "Chrome/120.0.6099.71", "127.0.0.1", "0.0.0.0", "255.255.255.255",
        "1..2.3.4", "1.2.3.4.example", "1.2.3.1000", "00.1.2.3"}) {
    EXPECT_FALSE(FindsKind("ipv4", text)) << text;
  }
}

TEST(Ipv6, FindsAddressesAndMacs) {
  for (const char* ip : {"2001:db8::1", "2001:0db8:85a3:0000:0000:8a2e:0370:7334", "fe80::1",
                         "fd00::", "2a00:1450:4001:81b::200e", "FE80::A:B"}) {
    EXPECT_TRUE(Finds("ipv6", ip)) << ip;
    EXPECT_TRUE(Finds("ipv6", ip, "[", "]:443")) << ip;
  }
  EXPECT_TRUE(Finds("mac", "00:1A:2b:3c:4D:5e"));
  for (const char* text : {"std::string", "a::b", "12:30:45", "::1", "dead::beef", "2001:db8::1::2",
                           "2001:db8:1", "10:20", "ab::cd", "2001:db8::12345", "x2001:db8::1",
                           "00:1A:2b:3c:4D", "00:1A:2b:3c:4D:5e:6f", "00:00:00:00:00:00"}) {
    EXPECT_THAT(Found(text), IsEmpty()) << text;
  }
}

TEST(Marking, FindsBanners) {
  struct Case {
    const char* kind;
    const char* text;
  };
  for (const Case& c :
       {Case{"nato_marking", "NATO SECRET"}, Case{"nato_marking", "NATO RESTRICTED"},
        Case{"nato_marking", "COSMIC TOP SECRET"},
        Case{"nato_marking", "NATO  CONFIDENTIAL ATOMAL"},
        Case{"eu_marking", "RESTREINT UE/EU RESTRICTED"}, Case{"eu_marking", "EU CONFIDENTIAL"},
        Case{"eu_marking", "TRÈS SECRET UE/EU TOP SECRET"}, Case{"de_marking", "VS-NfD"},
        Case{"de_marking", "VS – NUR FÜR DEN DIENSTGEBRAUCH"},
        Case{"de_marking", "VS-NUR FUER DEN DIENSTGEBRAUCH"}, Case{"de_marking", "VS-VERTRAULICH"},
        Case{"us_marking", "TOP SECRET//SI//NOFORN"}, Case{"us_marking", "SECRET//REL TO USA, GBR"},
        Case{"us_marking", "CUI//SP-PRVCY"}}) {
    EXPECT_TRUE(Finds(c.kind, c.text, "", "\nThe plan")) << c.text;
    EXPECT_TRUE(Finds(c.kind, c.text, "(", ")")) << c.text;
  }
}

TEST(Marking, LetsSentencesGo) {
  for (const char* text :
       {"NATO secret services", "the NATO summit", "eu confidential data", "VS Code", "SECRETS",
        "XNATO SECRET", "NATO SECRETS", "TOP OF THE SECRET", "// CUI", "CONFIDENTIAL// see below",
        "NATO\n\n\n\n\n\nSECRET"}) {
    EXPECT_THAT(Found(text), IsEmpty()) << text;
  }
}

TEST(Findings, CarryClassAndSummary) {
  const auto findings =
      Scan("alice@example.com, bob@example.com, 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");
  const auto summary = Summarize(findings);
  ASSERT_EQ(summary.size(), 2u);
  EXPECT_EQ(summary.at("Contact").count, 2u);
  EXPECT_EQ(summary.at("Contact").top_severity, 2);
  EXPECT_EQ(summary.at("Secret").count, 1u);
  EXPECT_EQ(summary.at("Secret").top_severity, 4);
  EXPECT_GT(summary.at("Secret").top_confidence, 0.9f);
}

TEST(Findings, EveryDetectorHasAKnownClass) {
  for (const Detector* detector : BuiltinDetectors().detectors()) {
    EXPECT_THAT(kDataClasses, testing::Contains(detector->label.data_class))
        << detector->label.kind;
    EXPECT_NE(detector->probe, nullptr);
    for (const std::string_view literal : detector->literals)
      EXPECT_GE(literal.size(), 2u) << literal;
  }
}

}  // namespace
}  // namespace portcullis::policy
