// Slow clients: each deadline ends them, with 408 where a request had begun.
#include "tests/gateway/transport/harness.h"

namespace portcullis::gateway::test {
namespace {

using boost::asio::awaitable;
using Clock = std::chrono::steady_clock;

Limits Quick() {
  Limits limits;
  limits.handshake = limits.head = limits.idle = limits.body_grace = limits.write = milliseconds(300);
  limits.shutdown = milliseconds(200);
  return limits;
}

class Deadline : public testing::TestWithParam<Via> {};
INSTANTIATE_TEST_SUITE_P(Both, Deadline, testing::Values(Via::kUnix, Via::kTls),
                         [](const auto& via) {
                           return std::string(via.param == Via::kTls ? "Tls" : "Unix");
                         });

TEST_P(Deadline, SlowHeadGets408HoweverSteadyItDrips) {
  TestServer server(Echo, Quick());
  Client client(server, GetParam());
  const auto start = Clock::now();
  client.Send("GET / HTTP/1.1\r\n");
  std::string answer;
  while (answer.empty() && Clock::now() - start < std::chrono::seconds(5)) {
    client.Send("X: y\r\n");
    answer = client.Receive(milliseconds(50));
  }
  EXPECT_EQ(StatusOf(answer), 408);
  EXPECT_LT(Clock::now() - start, milliseconds(2000));
  EXPECT_GE(server.counters().timeouts, 1u);
}

TEST_P(Deadline, SlowBodyGets408) {
  TestServer server(Echo, Quick());
  Client client(server, GetParam());
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n");
  const auto start = Clock::now();
  std::string answer;
  while (answer.empty() && Clock::now() - start < std::chrono::seconds(5)) {
    client.Send("x");
    answer = client.Receive(milliseconds(30));
  }
  EXPECT_EQ(StatusOf(answer), 408);
  EXPECT_LT(Clock::now() - start, milliseconds(2000));
}

TEST_P(Deadline, BodyAtTheMinimumRateIsRead) {
  Limits limits = Quick();
  limits.min_rate = 10'000;
  TestServer server(Echo, limits);
  Client client(server, GetParam());
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20000\r\n\r\n");
  const std::string piece(2000, 'x');
  for (int i = 0; i < 10; ++i) {  // 1 s in all: over the grace, within the rate
    std::this_thread::sleep_for(milliseconds(100));
    client.Send(piece);
  }
  EXPECT_EQ(StatusOf(client.ReceiveResponse()), 200);
}

TEST_P(Deadline, IdleConnectionIsClosedQuietly) {
  TestServer server(Echo, Quick());
  Client fresh(server, GetParam());
  Client used(server, GetParam());
  used.Send(kGet);
  EXPECT_EQ(StatusOf(used.ReceiveResponse()), 200);
  EXPECT_TRUE(used.AtEnd(milliseconds(2000)));
  EXPECT_TRUE(fresh.AtEnd(milliseconds(2000)));
  fresh.Close();
  used.Close();
  EXPECT_TRUE(Eventually([&] { return server.counters().open == 0; }));
}

TEST(Deadlines, SilentHandshakeIsClosed) {
  TestServer server(Echo, Quick());
  const int fd = ConnectTcp(server.port());
  ASSERT_GE(fd, 0);
  EXPECT_TRUE(Eventually([&] { return server.counters().handshakes_failed == 1; }, milliseconds(2000)));
  EXPECT_TRUE(Eventually([&] { return server.counters().open == 0; }));
  ::close(fd);
}

TEST_P(Deadline, SlowReaderIsCutOff) {
  std::atomic<bool> failed{false};
  std::atomic<size_t> written{0};
  std::atomic<bool> gone{false};
  TestServer server(
      [&](Exchange& exchange) -> awaitable<void> {
        exchange.OnPeerGone([&] { gone = true; });
        http::ResponseHead head;
        (void)co_await exchange.StartStream(std::move(head));
        const std::string piece(16 * 1024, 'x');
        while (!failed && written < 64u << 20) {
          const Result<void> sent = co_await exchange.Write(piece);
          failed = !sent;
          EXPECT_TRUE(sent || sent.error().code == Code::kPeerGone);
          written += piece.size();
        }
      },
      [] {
        Limits limits = Quick();
        limits.min_rate = 1 << 20;
        return limits;
      }());
  Client client(server, GetParam());
  client.Send(kGet);
  EXPECT_TRUE(Eventually([&] { return failed.load(); }));
  EXPECT_LT(written, 32u << 20) << "nobody read, so nearly nothing may be taken";
  EXPECT_TRUE(Eventually([&] { return server.counters().open == 0; }));
}

}  // namespace
}  // namespace portcullis::gateway::test
