// Graceful stop: idle connections go, running streams end, stubborn ones are ended.
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/gateway/transport/harness.h"

namespace portcullis::gateway::test {
namespace {

using boost::asio::awaitable;

TEST(Stop, IdleConnectionsGoAtOnce) {
  TestServer server;
  Client tls(server, Via::kTls);
  Client local(server, Via::kUnix);
  local.Send(kGet);
  EXPECT_EQ(StatusOf(local.ReceiveResponse()), 200);
  std::atomic<bool> done{false};
  server.server().Stop(std::chrono::seconds(30), [&] { done = true; });
  EXPECT_TRUE(tls.AtEnd(milliseconds(1000)));
  EXPECT_TRUE(local.AtEnd(milliseconds(1000)));
  tls.Close();
  local.Close();
  EXPECT_TRUE(Eventually([&] { return done.load(); }));
  EXPECT_EQ(server.counters().open, 0);
  EXPECT_LT(ConnectTcp(server.port()), 0) << "still listening";
}

TEST(Stop, RunningStreamEndsFirst) {
  std::atomic<bool> working{false};
  std::atomic<bool> release{false};
  TestServer server([&](Exchange& exchange) -> awaitable<void> {
    http::ResponseHead head;
    (void)co_await exchange.StartStream(std::move(head));
    working = true;
    boost::asio::steady_timer timer(exchange.executor());
    while (!release) {
      timer.expires_after(milliseconds(5));
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    (void)co_await exchange.Write("data: end\n\n");
    (void)co_await exchange.EndStream();
  });
  Client client(server, Via::kTls);
  client.Send(kGet);
  ASSERT_TRUE(Eventually([&] { return working.load(); }));
  std::atomic<bool> done{false};
  server.server().Stop(std::chrono::seconds(30), [&] { done = true; });
  EXPECT_FALSE(Eventually([&] { return done.load(); }, milliseconds(100)));
  release = true;
  EXPECT_NE(client.ReceiveAll().find("data: end\n\n\r\n0\r\n\r\n"), std::string::npos);
  client.Close();
  EXPECT_TRUE(Eventually([&] { return done.load(); }));
}

TEST(Stop, DeadlineEndsTheRest) {
  std::atomic<bool> working{false};
  std::atomic<bool> gone{false};
  TestServer server([&](Exchange& exchange) -> awaitable<void> {
    boost::asio::steady_timer timer(exchange.executor(), std::chrono::seconds(30));
    exchange.OnPeerGone([&] {
      gone = true;
      timer.cancel();
    });
    working = true;
    try {
      co_await timer.async_wait(boost::asio::use_awaitable);
    } catch (const boost::system::system_error&) {
    }
  });
  Client client(server, Via::kTls);
  client.Send(kGet);
  ASSERT_TRUE(Eventually([&] { return working.load(); }));
  std::atomic<bool> done{false};
  const auto start = std::chrono::steady_clock::now();
  server.server().Stop(milliseconds(100), [&] { done = true; });
  EXPECT_TRUE(Eventually([&] { return done.load(); }));
  EXPECT_TRUE(gone);
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(2000));
}

TEST(Stop, NothingOpenIsDoneAtOnce) {
  TestServer server;
  std::atomic<int> done{0};
  server.server().Stop(std::chrono::seconds(30), [&] { ++done; });
  EXPECT_TRUE(Eventually([&] { return done == 1; }));
}

}  // namespace
}  // namespace portcullis::gateway::test
