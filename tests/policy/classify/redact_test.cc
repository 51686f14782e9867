// Redaction: masks, what passes untouched, which classes, failure.
#include "tests/policy/classify/support.h"

namespace portcullis::policy {
namespace {

TEST(Redact, MasksAndLeavesTheRestByteForByte) {
  EXPECT_EQ(RedactAll("Mail alice@example.com, card 4111 1111 1111 1111.\n"),
            "Mail [redacted:email], card [redacted:pan].\n");
  const std::string odd("no \xff\xfe finding \0 here \u200B\u202E é 漢\xe2\x82", 36);
  EXPECT_EQ(RedactAll(odd), odd);
  EXPECT_EQ(RedactAll(""), "");
  EXPECT_EQ(RedactAll("alice@example.com"), "[redacted:email]");
}

TEST(Redact, OnlyTheClassesOfThePolicy) {
  const std::string text = "alice@example.com 8.8.8.8 AKIAIOSFODNN7EXAMPLE";
  const auto with = [&](const std::vector<std::string>& classes) {
    return Redact(BuiltinDetectors(), RedactionPolicy::Of(classes).value(), text).value();
  };
  EXPECT_EQ(with({"Secret"}), "alice@example.com 8.8.8.8 [redacted:aws_access_key_id]");
  EXPECT_EQ(with({"Contact", "Network"}), "[redacted:email] [redacted:ipv4] AKIAIOSFODNN7EXAMPLE");
  EXPECT_EQ(with({}), text);
}

TEST(Redact, AClassThatIsLeftAloneDoesNotShieldAnother) {
  // The URL covers the address; only contacts are to be masked.
  Redactor redactor(BuiltinDetectors(), RedactionPolicy::Of({"Contact"}).value());
  std::string out = redactor.Feed("smtp://u:p.bob@example.com x").value();
  out += redactor.Finish().value();
  EXPECT_EQ(out, "smtp://u:[redacted:email] x");
  ASSERT_EQ(redactor.findings().size(), 1u);
  EXPECT_EQ(redactor.findings()[0].kind, "email");
}

TEST(Redact, AnUnknownClassIsAnError) {
  const auto policy = RedactionPolicy::Of({"Contact", "Kontakt"});
  ASSERT_FALSE(policy.has_value());
  EXPECT_EQ(policy.error().code, Code::kText);
  EXPECT_THAT(policy.error().message, testing::HasSubstr("`Kontakt`"));
}

TEST(Redact, NothingAfterTheEnd) {
  Redactor redactor(BuiltinDetectors(), RedactionPolicy::All());
  EXPECT_TRUE(redactor.Feed("a").has_value());
  EXPECT_TRUE(redactor.Finish().has_value());
  EXPECT_FALSE(redactor.Feed("b").has_value());
  EXPECT_FALSE(redactor.Finish().has_value());
}

bool Throw(const Window&, size_t, size_t, Match&) { throw std::runtime_error("detector broke"); }

TEST(Redact, AFailingDetectorWithholdsTheText) {
  const Detector broken = {.label = {"Contact", "broken", 1}, .triggers = kOnAt, .probe = Throw};
  const Detector* const table[] = {&broken};
  const DetectorSet set(table);
  Redactor redactor(set, RedactionPolicy::All());
  EXPECT_EQ(redactor.Feed("fine so far ").value(), "fine so far ");
  const auto failed = redactor.Feed("secret @ text");
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, Code::kText);
  EXPECT_THAT(failed.error().message, testing::Not(testing::HasSubstr("secret")));
  EXPECT_FALSE(redactor.Feed("more").has_value()) << "it stays failed";
  EXPECT_FALSE(redactor.Finish().has_value());
}

// Overlaps: nothing that any candidate covered shows up in the output.
TEST(Redact, OverlappingFindingsLeaveNothing) {
  const std::string out =
      RedactAll("s3://AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI@bucket.example.com tail");
  EXPECT_THAT(out, testing::Not(testing::HasSubstr("wJalr")));
  EXPECT_THAT(out, testing::Not(testing::HasSubstr("AKIA")));
  EXPECT_THAT(out, testing::EndsWith(" tail"));
}

TEST(Redact, APrivateKeyIsSwallowedAsItStreams) {
  Redactor redactor(BuiltinDetectors(), RedactionPolicy::All());
  std::string out = redactor.Feed("key: -----BEGIN PRIVATE KEY-----\n").value();
  for (int i = 0; i < 2000; ++i) {
    out +=
        redactor.Feed("MIIEpAIBAAKCAQEA75axIXEH0vZyv7d0qzzEL9o9k8X1v0YqAbCdEf0123456789\n").value();
    EXPECT_LT(redactor.held_bytes(), 200u);
  }
  EXPECT_EQ(out, "key: [redacted:private_key]");
  out += redactor.Feed("-----END PRIVATE KEY----- and more").value();
  out += redactor.Finish().value();
  EXPECT_EQ(out, "key: [redacted:private_key] and more");
  ASSERT_EQ(redactor.findings().size(), 1u);
  EXPECT_EQ(redactor.findings()[0].end - redactor.findings()[0].start, 2000u * 65 + 28 + 25);
}

}  // namespace
}  // namespace portcullis::policy
