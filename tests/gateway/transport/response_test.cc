// Responses: framing is the connection's own, and a body is never longer or shorter than said.
#include "tests/gateway/transport/harness.h"

namespace portcullis::gateway::test {
namespace {

using boost::asio::awaitable;

TEST(Response, HeadHasALengthAndNoBody) {
  TestServer server;
  Client client(server, Via::kUnix);
  client.Send("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\nGET /y HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string all = client.ReceiveAll();
  EXPECT_NE(all.find("content-length: 8\r\n\r\nHTTP/1.1 200"), std::string::npos) << all;
}

TEST(Response, Http10IsClosed) {
  TestServer server;
  Client client(server, Via::kUnix);
  client.Send("GET /x HTTP/1.0\r\nHost: h\r\n\r\n");
  const std::string all = client.ReceiveAll();
  EXPECT_EQ(BodyOf(all), "GET /x ");
  EXPECT_NE(all.find("connection: close"), std::string::npos);
}

awaitable<void> Stream(Exchange& exchange) {
  http::ResponseHead head;
  (void)co_await exchange.StartStream(std::move(head));
  (void)co_await exchange.Write("data: 1\n\n");
  (void)co_await exchange.Write("data: [DONE]\n\n");
  (void)co_await exchange.EndStream();
}

TEST(Response, StreamsAreChunkedAndKeepTheConnection) {
  TestServer server(Stream);
  for (const Via via : {Via::kUnix, Via::kTls}) {
    Client client(server, via);
    for (int i = 0; i < 2; ++i) {
      client.Send(kGet);
      const std::string all = client.ReceiveUntil("0\r\n\r\n");
      EXPECT_NE(all.find("content-type: text/event-stream\r\n"), std::string::npos);
      EXPECT_NE(all.find("cache-control: no-store\r\n"), std::string::npos);
      EXPECT_NE(all.find("x-accel-buffering: no\r\n"), std::string::npos);
      EXPECT_NE(all.find("transfer-encoding: chunked\r\n"), std::string::npos);
      EXPECT_EQ(BodyOf(all), "9\r\ndata: 1\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
    }
  }
}

TEST(Response, StreamsToHttp10EndWithTheConnection) {
  TestServer server(Stream);
  Client client(server, Via::kUnix);
  client.Send("GET / HTTP/1.0\r\nHost: h\r\n\r\n");
  const std::string all = client.ReceiveAll();
  EXPECT_EQ(BodyOf(all), "data: 1\n\ndata: [DONE]\n\n");
  EXPECT_EQ(all.find("transfer-encoding"), std::string::npos);
}

TEST(Response, SplittingIsRefused) {
  TestServer server([](Exchange& exchange) -> awaitable<void> {
    http::ResponseHead bad;
    bad.fields.push_back(http::Field{"x-note", "a\r\nset-cookie: b"});
    const Result<void> sent = co_await exchange.Respond(std::move(bad), "x");
    http::ResponseHead framed;
    framed.fields.push_back(http::Field{"content-length", "5"});
    const Result<void> again = co_await exchange.Respond(std::move(framed), "x");
    co_await Answer(exchange, 200, sent || again ? "sent" : "refused");
  });
  Client client(server, Via::kUnix);
  client.Send(kGet);
  EXPECT_EQ(BodyOf(client.ReceiveResponse()), "refused");
}

TEST(Response, OnlyOneIsSent) {
  TestServer server([](Exchange& exchange) -> awaitable<void> {
    co_await Answer(exchange, 200, "first");
    const std::string second = "second";
    http::ResponseHead head;
    const Result<void> again = co_await exchange.Respond(std::move(head), second);
    EXPECT_FALSE(again);
    EXPECT_TRUE(exchange.response_started());
  });
  Client client(server, Via::kUnix);
  client.Send("GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string all = client.ReceiveAll();
  EXPECT_EQ(BodyOf(all), "first");
}

TEST(Response, ThrowingHandlerCostsItsConnectionOnly) {
  TestServer server([](Exchange& exchange) -> awaitable<void> {
    if (exchange.head().value().path == "/throw") throw std::length_error("bug");
    co_await Echo(exchange);
  });
  Client other(server, Via::kTls);
  Client client(server, Via::kTls);
  client.Send("GET /throw HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.ReceiveAll(), "");
  EXPECT_EQ(server.counters().exceptions, 1u);
  other.Send(kGet);
  EXPECT_EQ(StatusOf(other.ReceiveResponse()), 200);
}

TEST(Response, UnendedStreamIsSeenAsCutOff) {
  TestServer server([](Exchange& exchange) -> awaitable<void> {
    http::ResponseHead head;
    (void)co_await exchange.StartStream(std::move(head));
    (void)co_await exchange.Write("data: 1\n\n");
  });
  Client client(server, Via::kTls);
  client.Send(kGet);
  const std::string all = client.ReceiveAll();
  EXPECT_NE(all.find("data: 1"), std::string::npos);
  EXPECT_EQ(all.find("0\r\n\r\n"), std::string::npos);
}

TEST(Response, NoAnswerIsADroppedConnection) {
  TestServer server([](Exchange&) -> awaitable<void> { co_return; });
  Client client(server, Via::kUnix);
  client.Send(kGet);
  EXPECT_EQ(client.ReceiveAll(), "");
}

TEST(Response, LargeBodiesArriveWhole) {
  TestServer server;
  for (const Via via : {Via::kUnix, Via::kTls}) {
    Client client(server, via);
    for (int i = 0; i < 3; ++i) {
      client.Send("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
      EXPECT_EQ(BodyOf(client.ReceiveResponse()), std::string(1 << 20, 'b'));
    }
  }
}

}  // namespace
}  // namespace portcullis::gateway::test
