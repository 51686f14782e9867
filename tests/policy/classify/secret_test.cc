// Detectors of secrets: keys, tokens, private keys, URLs with passwords.
#include "policy/classify/detectors/secret_prefix.h"
#include "tests/policy/classify/support.h"

namespace portcullis::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kJwt =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0."
    "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

TEST(Jwt, FindsTokens) {
  EXPECT_TRUE(Finds("jwt", kJwt));
  EXPECT_TRUE(Finds("jwt", kJwt, "Authorization: Bearer ", "\n"));
  EXPECT_TRUE(Finds("jwt", kJwt, "token=\"", "\"."));
  // {"alg":"none"} with an empty signature; {"alg":"dir","enc":"A128GCM"} with five parts.
  EXPECT_TRUE(Finds("jwt", "eyJhbGciOiJub25lIn0.eyJhIjoxfQ."));
  EXPECT_TRUE(Finds("jwt", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..aXY.Y2lwaGVy.dGFn"));
}

TEST(Jwt, LetsOthersGo) {
  const std::string head(kJwt.substr(0, kJwt.rfind('.')));
  for (const std::string& text :
       {head, std::string("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"), std::string("eyJ.eyJ.eyJ"),
        std::string("eyJ0eXAiOiJKV1QifQ.eyJhIjoxfQ.c2ln"),  // no alg
        "x" + std::string(kJwt), "a-" + std::string(kJwt)}) {
    EXPECT_THAT(Found(text), IsEmpty()) << text;
  }
}

TEST(Jwt, LongTokensStream) {
  const std::string jwt = std::string(kJwt.substr(0, 40)) + std::string(50000, 'A') + ".c2ln";
  const std::string text = "a " + jwt + " b";
  EXPECT_THAT(Found(text), ElementsAre("jwt:" + jwt));
  EXPECT_EQ(RedactAll(text), "a [redacted:jwt] b");
}

TEST(PrivateKey, FindsTheWholeBlock) {
  const std::string body =
      "MIIEpAIBAAKCAQEA75axIXEH0vZyv7d0qzzEL9o9k8X1v0Yq\nAbCdEf0123456789+/==\n";
  for (const std::string label :
       {"RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY", "PGP PRIVATE KEY BLOCK"}) {
    const std::string pem =
        "-----BEGIN " + label + "-----\n" + body + "-----END " + label + "-----";
    EXPECT_TRUE(Finds("private_key", pem, "key:\n", "\nthanks")) << label;
    std::string escaped = pem;
    for (size_t at; (at = escaped.find('\n')) != std::string::npos;) escaped.replace(at, 1, "\\n");
    EXPECT_TRUE(Finds("private_key", escaped, "{\"key\":\"", "\"}")) << label;
  }
  const std::string encrypted =
      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,3F17\n\n" +
      body + "-----END RSA PRIVATE KEY-----";
  EXPECT_TRUE(Finds("private_key", encrypted));
  const std::string ssh2 = "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n" + body +
                           "---- END SSH2 ENCRYPTED PRIVATE KEY ----";
  EXPECT_TRUE(Finds("private_key", ssh2));
}

TEST(PrivateKey, WithoutItsEndGoesOnAsLongAsKeyMaterial) {
  const std::string text =
      "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75axIXEH0vZyv7d0qzzE\nAAAA(cut) "
      "alice@example.com";
  const auto findings = Scan(text);
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].kind, "private_key");
  EXPECT_EQ(text.substr(findings[0].end, 5), "(cut)");
  EXPECT_LT(findings[0].confidence, 0.9f);
  EXPECT_EQ(findings[1].kind, "email");
}

TEST(PrivateKey, LetsOthersGo) {
  for (const char* text :
       {"-----BEGIN CERTIFICATE-----\nMIIEpAIBAAKCAQEA75axIXEH0vZy\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIEpAIBAAKCAQEA75axIXEH0vZy\n-----END PUBLIC KEY-----",
        "starts_with(\"-----BEGIN PRIVATE KEY-----\")", "a -----BEGIN PRIVATE KEY----- line",
        "-----BEGIN PRIVATE KEY", "----------"}) {
    EXPECT_THAT(Found(text), IsEmpty()) << text;
  }
}

TEST(Aws, FindsKeysBySort) {
  EXPECT_TRUE(Finds("aws_access_key_id", "AKIAIOSFODNN7EXAMPLE"));
  EXPECT_TRUE(Finds("aws_access_key_id", "ASIAY34FZKBOKMUTVV7A", "id=\"", "\""));
  constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
  for (const char* before :
       {"aws_secret_access_key = ", "AWS_SECRET_ACCESS_KEY=", "secretAccessKey: '",
        "\"SecretAccessKey\": \"", "export AWS_SECRET_ACCESS_KEY=\""}) {
    EXPECT_TRUE(Finds("aws_secret_key", kSecret, before, "\n")) << before;
  }
  for (const char* text :
       {"AKIAIOSFODNN7EXAMPL", "AKIAIOSFODNN7EXAMPLEX", "xAKIAIOSFODNN7EXAMPLE",
        "AKIAiosfodnn7example", "AKIAAAAAAAAAAAAAAAAA", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "aws_secret_access_key = None",
        "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEYwJalr"}) {
    EXPECT_THAT(Found(text), IsEmpty()) << text;
  }
}

TEST(Github, FineGrainedTokens) {
  std::mt19937_64 random(1);
  const std::string token =
      "github_pat_" + RandomFrom(random, kAlnums, 22) + "_" + RandomFrom(random, kAlnums, 59);
  EXPECT_TRUE(Finds("github_token", token));
  EXPECT_THAT(Found(token + "a"), IsEmpty());
  EXPECT_THAT(Found(token.substr(0, token.size() - 1)), IsEmpty());
}

TEST(ConnectionString, FindsPasswordsInUrls) {
  for (const char* url :
       {"postgres://bob:s3cr3t@db.internal:5432", "mongodb+srv://u:p%40ss@cluster0.example.net",
        "redis://:hunter2@localhost:6379", "https://alice:pass@example.com", "amqp://a:b@c@rabbit",
        "jdbc:postgresql://u:secret@10.1.2.3:5432"}) {
    const std::string_view value(url);
    const std::string_view scheme = value.starts_with("jdbc:") ? value.substr(5) : value;
    EXPECT_TRUE(Finds("connection_string", scheme, "url=", "/db?x=1")) << url;
  }
  for (const char* text :
       {"https://example.com/a:b@c", "https://user@example.com", "postgres://bob:@db", "a://b",
        "http://", "postgres://bob:${PASSWORD}@db", "postgres://bob:<password>@db",
        "postgres://bob:****@db", "postgres://bob:xxxxx@db", "see http://example.com:8080/x",
        "://u:p@h"}) {
    EXPECT_FALSE(FindsKind("connection_string", text)) << text;
  }
}

TEST(SecretPrefix, EveryLineOfTheTableFindsItsKeyAndRejectsMutants) {
  std::mt19937_64 random(7);
  for (const SecretPrefix& entry : kSecretPrefixTable) {
    const std::string_view alphabet =
        entry.alphabet == KeyAlphabet::kHex          ? std::string_view("0123456789abcdef")
        : entry.alphabet == KeyAlphabet::kUpperDigit ? kAlnums.substr(0, 36)
                                                     : kAlnums;
    for (int n = 0; n < 20; ++n) {
      const size_t length = entry.min + random() % (entry.max - entry.min + 1u);
      const std::string key = std::string(entry.prefix) + RandomFrom(random, alphabet, length);
      EXPECT_TRUE(Finds(entry.label.kind, key)) << key;
      EXPECT_FALSE(FindsKind(entry.label.kind, "x" + key)) << key;
      const std::string shorter =
          std::string(entry.prefix) + RandomFrom(random, alphabet, entry.min - 1u);
      EXPECT_FALSE(Finds(entry.label.kind, shorter)) << shorter;
      const std::string longer =
          std::string(entry.prefix) + RandomFrom(random, alphabet, entry.max + 1u);
      EXPECT_FALSE(Finds(entry.label.kind, longer)) << longer;
    }
    const std::string placeholder = std::string(entry.prefix) + std::string(entry.min, 'x');
    EXPECT_FALSE(FindsKind(entry.label.kind, placeholder)) << placeholder;
  }
}

}  // namespace
}  // namespace portcullis::policy
