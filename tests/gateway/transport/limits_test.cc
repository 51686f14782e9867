// Many connections, too many connections, no descriptors left; and how small an idle one is.
#include <malloc.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <netinet/in.h>
#include <arpa/inet.h>

#include "gateway/listen/sockets.h"
#include "tests/gateway/transport/harness.h"

namespace portcullis::gateway::test {
namespace {

TEST(Connections, TwoHundredInParallel) {
  TestServer server;
  std::vector<Client> clients;
  for (int i = 0; i < 200; ++i) clients.emplace_back(server, Via::kTls);
  EXPECT_EQ(server.counters().open, 200);
  for (Client& client : clients) ASSERT_TRUE(client.Send(kGet));
  for (Client& client : clients) EXPECT_EQ(BodyOf(client.ReceiveResponse()), "GET /x ");
  clients.clear();
  EXPECT_TRUE(Eventually([&] { return server.counters().open == 0; }));
}

TEST(Connections, OneAddressIsCapped) {
  Limits limits;
  limits.per_address = 2;
  TestServer server(Echo, limits);
  Client a(server, Via::kTls);
  Client b(server, Via::kTls);
  Client c(server, Via::kTls);
  EXPECT_FALSE(c.connected());
  Client local(server, Via::kUnix);
  local.Send(kGet);
  EXPECT_EQ(StatusOf(local.ReceiveResponse()), 200) << "Unix sockets are exempt";
  EXPECT_EQ(server.counters().refused_address, 1u);
  a.Close();
  EXPECT_TRUE(Eventually([&] { return server.counters().open == 2; }));
  Client d(server, Via::kTls);
  EXPECT_TRUE(d.connected());
}

TEST(Connections, TheTotalIsCapped) {
  Limits limits;
  limits.connections = 2;
  TestServer server(Echo, limits);
  Client a(server, Via::kTls);
  Client b(server, Via::kUnix);
  b.Send(kGet);
  EXPECT_EQ(StatusOf(b.ReceiveResponse()), 200);
  Client c(server, Via::kUnix);
  EXPECT_TRUE(c.AtEnd());
  EXPECT_EQ(server.counters().refused_total, 1u);
}

TEST(Listening, APortBelongsToOneGateway) {
  TestServer server;  // two cores: two sockets on one port
  const auto second = ListenTcp(boost::asio::ip::address_v4::loopback(), server.port());
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another program uses it"), std::string::npos)
      << second.error().message;
  Client client(server, Via::kTls);
  client.Send(kGet);
  EXPECT_EQ(StatusOf(client.ReceiveResponse()), 200);
}

TEST(Connections, RunningOutOfDescriptorsIsSurvived) {
  TestServer server;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  std::vector<int> sockets;
  for (int i = 0; i < 8; ++i) sockets.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(sockets.back()) + 1;  // every lower number is taken
  std::vector<int> fill;
  for (int fd = ::open("/dev/null", O_RDONLY); fd >= 0 && fd < sockets.back();
       fd = ::open("/dev/null", O_RDONLY)) {
    fill.push_back(fd);
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(server.port());
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (const int fd : sockets) {
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&in), sizeof(in)), 0);
  }
  EXPECT_TRUE(Eventually([&] { return server.counters().accept_errors >= 3; }));
  const uint64_t errors = server.counters().accept_errors;
  std::this_thread::sleep_for(milliseconds(500));
  EXPECT_LE(server.counters().accept_errors - errors, 20u) << "the accept loop spins";
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  for (const int fd : sockets) ::close(fd);
  for (const int fd : fill) ::close(fd);
  Client client(server, Via::kTls);
  client.Send(kGet);
  EXPECT_EQ(StatusOf(client.ReceiveResponse()), 200);
}

// The clients live in a child process, so that the heap measured here is the server's alone.
TEST(Connections, AnIdleOneIsSmall) {
#ifdef PORTCULLIS_SANITIZED
  GTEST_SKIP() << "sanitizers replace the allocator that is measured";
#endif
  constexpr int kCount = 200;
  int to_child[2];
  int from_child[2];
  ASSERT_EQ(::pipe(to_child), 0);
  ASSERT_EQ(::pipe(from_child), 0);
  SharedPki();
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(to_child[1]);
    ::close(from_child[0]);
    uint16_t port = 0;
    if (::read(to_child[0], &port, sizeof(port)) != sizeof(port)) ::_exit(1);
    SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    for (int i = 0; i < kCount; ++i) {
      SSL* const ssl = SSL_new(context);
      SSL_set_fd(ssl, ConnectTcp(port));
      char bytes[1024];
      if (SSL_connect(ssl) != 1 || SSL_write(ssl, kGet.data(), static_cast<int>(kGet.size())) <= 0 ||
          SSL_read(ssl, bytes, sizeof(bytes)) <= 0) {
        ::_exit(1);
      }
    }
    (void)!::write(from_child[1], "x", 1);
    char wait = 0;
    (void)!::read(to_child[0], &wait, 1);
    ::_exit(0);
  }
  TestServer server;
  { Client warm(server, Via::kTls); }
  ASSERT_TRUE(Eventually([&] { return server.counters().open == 0; }));
  const size_t before = ::mallinfo2().uordblks;
  const uint16_t port = server.port();
  ASSERT_EQ(::write(to_child[1], &port, sizeof(port)), static_cast<ssize_t>(sizeof(port)));
  char ready = 0;
  ASSERT_EQ(::read(from_child[0], &ready, 1), 1);
  ASSERT_EQ(server.counters().open, kCount);
  std::this_thread::sleep_for(milliseconds(100));
  const size_t each = (::mallinfo2().uordblks - before) / kCount;
  RecordProperty("bytes_per_idle_tls_connection", std::to_string(each));
  std::printf("idle TLS connection: %zu bytes of heap\n", each);
  EXPECT_LE(each, 24u * 1024);
  EXPECT_GT(each, 1024u) << "the measurement is broken";
  for (const int fd : {to_child[0], to_child[1], from_child[0], from_child[1]}) ::close(fd);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace portcullis::gateway::test
