// The head grammar as pure functions: what is accepted and what it becomes.
#include "gateway/http/head_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace portcullis::gateway::http {
namespace {

std::string Head(const std::string& line, const std::string& fields = "Host: h\r\n") {
  return line + "\r\n" + fields + "\r\n";
}

TEST(HeadParser, ReadsAnOrdinaryRequest) {
  const auto head = ParseHead(Head("POST /v1/chat/completions?a=b HTTP/1.1",
                                   "Host: gw.local:8443\r\nContent-Type: application/json\r\n"
                                   "X-Note: \t two words \r\nContent-Length: 12\r\n"));
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head.value().method, "POST");
  EXPECT_EQ(head.value().path, "/v1/chat/completions");
  EXPECT_EQ(head.value().query, "a=b");
  EXPECT_EQ(head.value().content_length, 12u);
  EXPECT_EQ(head.value().Get("x-note"), "two words");
  EXPECT_EQ(head.value().Get("absent"), std::nullopt);
  EXPECT_TRUE(head.value().keep_alive);
  EXPECT_TRUE(head.value().has_body());
}

TEST(HeadParser, DecodesThePathOnce) {
  const auto head = ParseHead(Head("GET /v1/models/a%20b%C3%A9 HTTP/1.1"));
  ASSERT_TRUE(head);
  EXPECT_EQ(head.value().path, "/v1/models/a b\xC3\xA9");
}

TEST(HeadParser, KnowsWhenToKeepAlive) {
  EXPECT_FALSE(ParseHead(Head("GET / HTTP/1.0")).value().keep_alive);
  EXPECT_FALSE(ParseHead(Head("GET / HTTP/1.1", "Host: h\r\nConnection: Close\r\n")).value().keep_alive);
  EXPECT_TRUE(
      ParseHead(Head("GET / HTTP/1.1", "Host: h\r\nConnection: keep-alive\r\n")).value().keep_alive);
}

TEST(HeadParser, AcceptsIpv6Hosts) {
  EXPECT_TRUE(ParseHead(Head("GET / HTTP/1.1", "Host: [::1]:443\r\n")));
  EXPECT_TRUE(ParseHead(Head("GET / HTTP/1.1", "Host: 127.0.0.1:443\r\n")));
}

TEST(HeadParser, RefusesBadHosts) {
  for (const char* host : {"", "a b", "u@h", "h/", "h:", "h:123456", "[::1", "h:8a", "a,b"}) {
    const auto head = ParseHead(Head("GET / HTTP/1.1", "Host: " + std::string(host) + "\r\n"));
    EXPECT_FALSE(head) << host;
  }
}

TEST(HeadParser, RefusesPathsWithTwoReadings) {
  for (const char* path :
       {"/a/../b", "/a/./b", "/..", "/%2e%2e/x", "/a%5cb", "/a\\b", "/a%00", "/a%0a", "//a",
        "/a//b", "/a%", "/a%4", "/a%zz", "/%252e", "/%c0%ae", "/%ff", "/%ed%a0%80", "/a#b"}) {
    const auto head = ParseHead(Head("GET " + std::string(path) + " HTTP/1.1"));
    ASSERT_FALSE(head) << path;
    EXPECT_EQ(head.error().code, Code::kBadRequest) << path;
  }
}

TEST(HeadParser, SaysWhereAnEncodedSlashStands) {
  const auto head = ParseHead(Head("GET /m/a%2Fb%2fc HTTP/1.1"));
  ASSERT_TRUE(head);
  EXPECT_EQ(head.value().path, "/m/a/b/c");
  EXPECT_EQ(head.value().encoded_slash, 4u);
  EXPECT_FALSE(ParseHead(Head("GET /m/a HTTP/1.1")).value().encoded_slash);
  for (const char* path : {"/m%2F", "/m/%2Fa", "/m/%2E%2E%2Fa", "/m/a%2F..", "/m/a%252Fb"}) {
    EXPECT_FALSE(ParseHead(Head("GET " + std::string(path) + " HTTP/1.1"))) << path;
  }
}

TEST(HeadParser, CountsFields) {
  std::string fields = "Host: h\r\n";
  for (size_t i = 1; i < kMaxFields; ++i) fields += "X-" + std::to_string(i) + ": 1\r\n";
  EXPECT_TRUE(ParseHead(Head("GET / HTTP/1.1", fields)));
  const auto over = ParseHead(Head("GET / HTTP/1.1", fields + "X-64: 1\r\n"));
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Code::kHeaderTooLarge);
}

TEST(HeadScanner, FindsTheEndWhateverThePieces) {
  const std::string text = Head("GET / HTTP/1.1") + "BODY";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    HeadScanner scanner;
    size_t length = 0;
    for (size_t have = piece; length == 0; have += piece) {
      const auto found = scanner.Scan(std::string_view(text).substr(0, have));
      ASSERT_TRUE(found);
      length = found.value();
    }
    EXPECT_EQ(length, text.size() - 4);
  }
}

TEST(HeadScanner, RefusesControlBytesAtOnce) {
  for (const std::string& bad : {std::string("GET / HTTP/1.1\nHost"), std::string("GET /\0", 6),
                                std::string("GET / HTTP/1.1\rX"), std::string("\r\n"),
                                std::string("GET /\x7f"), std::string("\n")}) {
    HeadScanner scanner;
    EXPECT_FALSE(scanner.Scan(bad)) << bad;
  }
}

TEST(HeadScanner, RefusesTheFirstByteOverTheLimit) {
  HeadScanner fits;
  EXPECT_TRUE(fits.Scan(std::string(kMaxHead, 'a')));
  HeadScanner over;
  const auto result = over.Scan(std::string(kMaxHead + 1, 'a'));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kHeaderTooLarge);
}

}  // namespace
}  // namespace portcullis::gateway::http
