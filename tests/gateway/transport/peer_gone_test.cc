// The client leaves while its answer is being made: noticed within 100 ms, whatever way it leaves.
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/gateway/transport/harness.h"

namespace portcullis::gateway::test {
namespace {

using boost::asio::awaitable;
using Clock = std::chrono::steady_clock;

enum class Leave { kFin, kReset, kClose };

// A handler that works until its client is gone, or for 5 s.
struct Worker {
  std::atomic<bool> working{false};
  std::atomic<int> gone{0};
  std::atomic<bool> finished{false};
  bool stream = false;

  Handler handler() {
    return [this](Exchange& exchange) -> awaitable<void> {
      const Result<std::string> body = co_await exchange.ReadBody(1024);
      if (!body) co_return;
      boost::asio::steady_timer timer(exchange.executor(), std::chrono::seconds(5));
      exchange.OnPeerGone([&] {
        ++gone;
        timer.cancel();
      });
      if (stream) {
        http::ResponseHead head;
        (void)co_await exchange.StartStream(std::move(head));
        (void)co_await exchange.Write("data: 1\n\n");
      }
      working = true;
      boost::system::error_code ec;
      auto token = boost::asio::redirect_error(boost::asio::use_awaitable, ec);
      co_await timer.async_wait(token);
      finished = true;
      if (exchange.peer_gone()) co_return;
      if (stream) {
        (void)co_await exchange.EndStream();
      } else {
        co_await Answer(exchange, 200, "late");
      }
    };
  }
};

using Case = std::tuple<Via, Leave, bool>;
class PeerGone : public testing::TestWithParam<Case> {};

TEST_P(PeerGone, IsNoticedAtOnce) {
  const auto [via, leave, stream] = GetParam();
  Worker worker;
  worker.stream = stream;
  TestServer server(worker.handler());
  Client client(server, via);
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
  if (stream) {
    EXPECT_NE(client.ReceiveUntil("data: 1").find("data: 1"), std::string::npos);
  }
  ASSERT_TRUE(Eventually([&] { return worker.working.load(); }));
  const auto start = Clock::now();
  if (leave == Leave::kFin) client.HalfClose();
  if (leave == Leave::kReset) client.Reset();
  if (leave == Leave::kClose) client.Close();
  ASSERT_TRUE(Eventually([&] { return worker.gone.load() == 1; }));
  EXPECT_LT(Clock::now() - start, milliseconds(100));
  EXPECT_TRUE(Eventually([&] { return worker.finished && server.counters().open == 0; }));
  EXPECT_EQ(worker.gone, 1);
  EXPECT_EQ(server.counters().peer_gone, 1u);
}

INSTANTIATE_TEST_SUITE_P(
    All, PeerGone,
    testing::Combine(testing::Values(Via::kUnix, Via::kTls),
                     testing::Values(Leave::kFin, Leave::kReset, Leave::kClose), testing::Bool()),
    [](const testing::TestParamInfo<Case>& test) {
      const Leave leave = std::get<1>(test.param);
      return std::string(std::get<0>(test.param) == Via::kTls ? "Tls" : "Unix") +
             (leave == Leave::kFin ? "Fin" : leave == Leave::kReset ? "Reset" : "Close") +
             (std::get<2>(test.param) ? "Streaming" : "Pending");
    });

TEST(PeerGoneWatch, PipelinedBytesAreKeptForTheNextRequest) {
  Worker worker;
  std::atomic<int> requests{0};
  TestServer server([&](Exchange& exchange) -> awaitable<void> {
    if (++requests == 1) {
      boost::asio::steady_timer timer(exchange.executor(), milliseconds(100));
      exchange.OnPeerGone([&] { ++worker.gone; });
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    co_await Echo(exchange);
  });
  Client client(server, Via::kTls);
  client.Send(kGet);
  client.Send("POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n01234");
  ASSERT_TRUE(Eventually([&] { return requests == 1; }));
  client.Send("56789");
  EXPECT_EQ(BodyOf(client.ReceiveResponse()), "GET /x ");
  EXPECT_EQ(BodyOf(client.ReceiveResponse()), "POST /2 0123456789");
  EXPECT_EQ(worker.gone, 0);
}

TEST(PeerGoneWatch, ResetIsSeenBehindAFullPipeline) {
  Worker worker;
  TestServer server(worker.handler());
  Client client(server, Via::kUnix);
  client.Send(std::string(kGet) + std::string(20'000, 'x'));
  ASSERT_TRUE(Eventually([&] { return worker.working.load(); }));
  client.Reset();
  EXPECT_TRUE(Eventually([&] { return worker.gone == 1; }, milliseconds(1000)));
}

TEST(PeerGoneWatch, LaterRequestsAreWatchedToo) {
  Worker worker;
  std::atomic<int> requests{0};
  const Handler work = worker.handler();
  TestServer server([&](Exchange& exchange) -> awaitable<void> {
    if (++requests <= 3) {
      exchange.OnPeerGone([&] { worker.gone += 100; });
      co_await Echo(exchange);
    } else {
      co_await work(exchange);
    }
  });
  Client client(server, Via::kTls);
  for (int i = 0; i < 3; ++i) {
    client.Send(kGet);
    EXPECT_EQ(StatusOf(client.ReceiveResponse()), 200);
  }
  client.Send(kGet);
  ASSERT_TRUE(Eventually([&] { return worker.working.load(); }));
  client.Close();
  EXPECT_TRUE(Eventually([&] { return worker.gone == 1; }, milliseconds(100)));
}

TEST(PeerGoneWatch, HalfClosedClientIsStillAnswered) {
  TestServer server;
  Client client(server, Via::kUnix);
  client.Send(kGet);
  client.HalfClose();
  EXPECT_EQ(BodyOf(client.ReceiveAll()), "GET /x ");
}

}  // namespace
}  // namespace portcullis::gateway::test
