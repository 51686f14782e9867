// Every wall around requests, as raw bytes over Unix sockets and over TLS: the status that answers,
// and that the connection is closed afterwards so that nothing behind the fault is read.
#include <atomic>

#include "tests/gateway/transport/harness.h"

namespace portcullis::gateway::test {
namespace {

struct Wall {
  const char* name;
  std::string bytes;
  int status;
};

std::string Get(const std::string& fields) { return "GET / HTTP/1.1\r\n" + fields + "\r\n"; }
std::string Post(const std::string& fields, const std::string& body) {
  return "POST / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n" + body;
}
std::string Repeat(const std::string& text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

std::vector<Wall> Walls() {
  const std::string kSmuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
  return {
      {"TransferEncodingIdentity", Post("Transfer-Encoding: identity\r\n", kSmuggled), 400},
      {"TransferEncodingXchunked", Post("Transfer-Encoding: xchunked\r\n", kSmuggled), 400},
      {"TransferEncodingQuoted", Post("Transfer-Encoding: \"chunked\"\r\n", kSmuggled), 400},
      {"TransferEncodingChunkedIdentity", Post("Transfer-Encoding: chunked, identity\r\n", kSmuggled), 400},
      {"TransferEncodingGzipChunked", Post("Transfer-Encoding: gzip, chunked\r\n", kSmuggled), 400},
      {"TransferEncodingUpperCase", Post("Transfer-Encoding: Chunked\r\n", kSmuggled), 400},
      {"TransferEncodingTwice",
       Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"TransferEncodingEmpty", Post("Transfer-Encoding:\r\n", kSmuggled), 400},
      {"TransferEncodingOn10",
       "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"TransferEncodingWithLength",
       Post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400},
      {"LengthList", Post("Content-Length: 1, 1\r\n", "x"), 400},
      {"LengthTwiceEqual", Post("Content-Length: 1\r\nContent-Length: 1\r\n", "x"), 400},
      {"LengthTwiceDifferent", Post("Content-Length: 1\r\nContent-Length: 2\r\n", "xy"), 400},
      {"LengthNegative", Post("Content-Length: -1\r\n", ""), 400},
      {"LengthPlus", Post("Content-Length: +1\r\n", "x"), 400},
      {"LengthHex", Post("Content-Length: 0x1\r\n", "x"), 400},
      {"LengthEmpty", Post("Content-Length:\r\n", ""), 400},
      {"LengthOverflow", Post("Content-Length: 99999999999999999999\r\n", "x"), 400},
      {"HostMissing", "GET / HTTP/1.1\r\n\r\n", 400},
      {"HostTwice", Get("Host: a\r\nHost: a\r\n"), 400},
      {"HostEmpty", Get("Host:\r\n"), 400},
      {"HostUserInformation", Get("Host: a@b\r\n"), 400},
      {"TargetFragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"TargetEightBit", "GET /\xC3\xA9 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"TargetSpace", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"TargetAbsolute", "GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"TargetAsterisk", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"TargetDotSegment", "GET /v1/../admin HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"TargetEncodedNul", "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"TargetTooLong", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", 431},
      {"Connect", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", 405},
      {"Trace", "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405},
      {"UnknownMethod", "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 405},
      {"LowerCaseMethod", "get / HTTP/1.1\r\nHost: h\r\n\r\n", 405},
      {"MethodNotAToken", "G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"Upgrade", Get("Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"), 400},
      {"UpgradeH2c", Get("Host: h\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n"), 400},
      {"Http2Preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"Http09", "GET /\r\n\r\n", 400},
      {"Http12", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 400},
      {"HttpLowerCase", "GET / http/1.1\r\nHost: h\r\n\r\n", 400},
      {"ObsFold", Get("Host: h\r\nX: a\r\n b\r\n"), 400},
      {"ObsFoldTab", Get("Host: h\r\nX: a\r\n\tb\r\n"), 400},
      {"FoldedFirstField", Get(" Host: h\r\n"), 400},
      {"BareLfLine", "GET / HTTP/1.1\nHost: h\r\n\r\n", 400},
      {"BareLfField", Get("Host: h\nX: y\r\n"), 400},
      {"BareCrField", Get("Host: h\r\nX: a\rb\r\n"), 400},
      {"NulInField", Get(std::string("Host: h\r\nX: a\0b\r\n", 16)), 400},
      {"ControlInField", Get("Host: h\r\nX: a\x01\r\n"), 400},
      {"EightBitField", Get("Host: h\r\nX: \xff\r\n"), 400},
      {"SpaceBeforeColon", Get("Host : h\r\n"), 400},
      {"EmptyFieldName", Get("Host: h\r\n: x\r\n"), 400},
      {"NoColon", Get("Host: h\r\nnonsense\r\n"), 400},
      {"LeadingEmptyLine", "\r\n" + Get("Host: h\r\n"), 400},
      {"AuthorizationTwice", Get("Host: h\r\nAuthorization: a\r\nAuthorization: b\r\n"), 400},
      {"ContentTypeTwice", Get("Host: h\r\nContent-Type: a\r\nContent-Type: b\r\n"), 400},
      {"TooManyFields", Get("Host: h\r\n" + Repeat("X: 1\r\n", 64)), 431},
      {"HeadTooLarge", Get("Host: h\r\nX: " + std::string(8192, 'a') + "\r\n"), 431},
      {"ExpectUnknown", Post("Expect: 200-ok\r\nContent-Length: 1\r\n", "x"), 415},
      {"TrailerAnnounced", Post("Trailer: X\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"TlsBytesInPlain", "\x16\x03\x01\x02", 400},
      {"TrailerOf70Kilobytes",
       Post("Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\nX: " + std::string(70'000, 'a') + "\r\n\r\n"), 400},
      {"TrailerSmall", Post("Transfer-Encoding: chunked\r\n", "0\r\nX: y\r\n\r\n"), 400},
      {"ChunkExtension", Post("Transfer-Encoding: chunked\r\n", "1;a=b\r\nx\r\n0\r\n\r\n"), 400},
      {"ChunkSizeHuge", Post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\n"), 400},
      {"ChunkSizeNegative", Post("Transfer-Encoding: chunked\r\n", "-1\r\n"), 400},
      {"ChunkBareLf", Post("Transfer-Encoding: chunked\r\n", "1\nx\r\n0\r\n\r\n"), 400},
      {"ChunkTooLarge", Post("Transfer-Encoding: chunked\r\n", "10001\r\n"), 413},
      {"ChunksTooLarge", Post("Transfer-Encoding: chunked\r\n",
                              Repeat("1000\r\n" + std::string(4096, 'x') + "\r\n", 17)), 413},
      {"LengthTooLarge", Post("Content-Length: 65537\r\n", ""), 413},
      {"ContentEncoding", Post("Content-Encoding: gzip\r\nContent-Length: 1\r\n", "x"), 415},
  };
}

using Case = std::tuple<Via, size_t>;

class RequestWall : public testing::TestWithParam<Case> {
 protected:
  static TestServer& Shared() {
    static TestServer server;
    return server;
  }
};

TEST_P(RequestWall, RefusesAndCloses) {
  const Wall wall = Walls()[std::get<1>(GetParam())];
  Client client(Shared(), std::get<0>(GetParam()));
  ASSERT_TRUE(client.connected());
  // The second request must never be served: the fault ends the conversation.
  client.Send(wall.bytes + std::string(kGet));
  const std::string all = client.ReceiveAll();
  EXPECT_EQ(StatusOf(all), wall.status) << all;
  EXPECT_NE(all.find("connection: close"), std::string::npos);
  EXPECT_EQ(all.find("HTTP/1.1 2"), std::string::npos) << "a second response";
  EXPECT_EQ(all.find("smuggled"), std::string::npos);
  Client next(Shared(), std::get<0>(GetParam()));
  next.Send(kGet);
  EXPECT_EQ(StatusOf(next.ReceiveResponse()), 200);
}

INSTANTIATE_TEST_SUITE_P(All, RequestWall,
                         testing::Combine(testing::Values(Via::kUnix, Via::kTls),
                                          testing::Range(size_t{0}, Walls().size())),
                         [](const testing::TestParamInfo<Case>& test) {
                           return std::string(Walls()[std::get<1>(test.param)].name) +
                                  (std::get<0>(test.param) == Via::kTls ? "Tls" : "Unix");
                         });

TEST(RequestWalls, EndlessTrailerIsCutOffAtOnce) {
  TestServer server;
  Client client(server, Via::kUnix);
  client.Send(Post("Transfer-Encoding: chunked\r\n", "0\r\nX: "));
  const std::string junk(4096, 'a');
  bool open = true;
  size_t sent = 0;
  while (open && sent < 64u << 20) {
    open = client.Send(junk);
    sent += junk.size();
  }
  EXPECT_FALSE(open) << "64 MiB of trailer were taken";
}

class Requests : public testing::TestWithParam<Via> {
 protected:
  TestServer server_;
  Client client_{server_, GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Both, Requests, testing::Values(Via::kUnix, Via::kTls),
                         [](const auto& via) {
                           return std::string(via.param == Via::kTls ? "Tls" : "Unix");
                         });

TEST_P(Requests, BodiesByLengthAndByChunks) {
  client_.Send(Post("Content-Length: 5\r\n", "hello"));
  EXPECT_EQ(BodyOf(client_.ReceiveResponse()), "POST / hello");
  client_.Send(Post("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"));
  EXPECT_EQ(BodyOf(client_.ReceiveResponse()), "POST / hello");
  const std::string large(65536, 'z');
  client_.Send(Post("Content-Length: 65536\r\n", large));
  EXPECT_EQ(BodyOf(client_.ReceiveResponse()), "POST / " + large);
}

TEST_P(Requests, PipelinedOnesAreAnsweredInOrder) {
  std::string all;
  for (int i = 0; i < 50; ++i) {
    all += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab";
  }
  client_.Send(all);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(BodyOf(client_.ReceiveResponse()), "POST /" + std::to_string(i) + " ab");
  }
}

TEST_P(Requests, ByteByByte) {
  for (const char c : Post("Content-Length: 2\r\n", "ok")) client_.Send(std::string_view(&c, 1));
  EXPECT_EQ(BodyOf(client_.ReceiveResponse()), "POST / ok");
}

TEST_P(Requests, ContinueIsSentWhenAskedFor) {
  client_.Send(Post("Expect: 100-continue\r\nContent-Length: 2\r\n", ""));
  EXPECT_EQ(client_.ReceiveUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client_.Send("ok");
  EXPECT_EQ(BodyOf(client_.ReceiveResponse()), "POST / ok");
}

TEST_P(Requests, ContinueIsNotSentForTooLargeABody) {
  client_.Send(Post("Expect: 100-continue\r\nContent-Length: 65537\r\n", ""));
  EXPECT_EQ(StatusOf(client_.ReceiveAll()), 413);
}

TEST_P(Requests, UnreadBodyThatHasArrivedIsDropped) {
  client_.Send("POST /big HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(client_.ReceiveResponse().size() > (1u << 20), true);
  client_.Send(kGet);
  EXPECT_EQ(BodyOf(client_.ReceiveResponse()), "GET /x ");
}

TEST_P(Requests, ClientLeavingInTheMiddleIsNothing) {
  client_.Send(Post("Content-Length: 100\r\n", "abc"));
  client_.Reset();
  EXPECT_TRUE(Eventually([&] { return server_.counters().open == 0; }));
  Client next(server_, GetParam());
  next.Send(kGet);
  EXPECT_EQ(StatusOf(next.ReceiveResponse()), 200);
}

TEST(Pipelining, OneInFlightAndBounded) {
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  TestServer server([&](Exchange& exchange) -> boost::asio::awaitable<void> {
    most = std::max(most.load(), ++running);
    co_await Echo(exchange);
    --running;
  });
  Client client(server, Via::kUnix);
  std::thread sender([&] {
    for (int i = 0; i < 5000; ++i) client.Send(kGet);
  });
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(StatusOf(client.ReceiveResponse()), 200) << i;
  sender.join();
  EXPECT_EQ(most, 1);
}

}  // namespace
}  // namespace portcullis::gateway::test
