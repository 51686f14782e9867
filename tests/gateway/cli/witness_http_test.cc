// A witness among strangers who say nothing: connections without a word must not keep it from others,
// and a witness without a word must not keep its client.
#include "gateway/cli/witness_http.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <filesystem>
#include <vector>

#include "certs/secret.h"

namespace portcullis::cli {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

// `portcullis witness serve` in a process of its own, on a port of its own.
class WitnessHttpTest : public testing::Test {
 protected:
  void SetUp() override {
    certs::InitSodium();
    folder_ = std::filesystem::temp_directory_path() / ("portcullis-witness-" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
  }
  void TearDown() override {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
    std::filesystem::remove_all(folder_);
  }

  void Serve(const WitnessLimits& limits) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    child_ = ::fork();
    ASSERT_GE(child_, 0);
    if (child_ == 0) {
      ::_exit(ServeHere(limits, ends[1]));
    }
    ::close(ends[1]);
    char text[256];
    const ssize_t size = ::read(ends[0], text, sizeof text);
    ::close(ends[0]);
    ASSERT_GT(size, 0);
    url_.assign(text, static_cast<size_t>(size));
  }

  int ServeHere(const WitnessLimits& limits, int out) {
    if (!audit::MakeWitnessKey(folder_ / "key", "witness.example/w")) return 1;
    auto key = audit::LoadWitnessKey(folder_ / "key");
    if (!key) return 1;
    auto witness = audit::Witness::Open(key.value().key, std::move(key.value().secret), folder_ / "seen", {});
    if (!witness) return 1;
    (void)ServeWitness(witness.value(), "127.0.0.1:0", limits, [out](const std::string& address) {
      if (::write(out, address.data(), address.size()) < 0) ::_exit(1);
    });
    return 1;
  }

  Tcp::socket Connect() {
    Tcp::socket socket(io_);
    const auto port = static_cast<uint16_t>(std::stoi(url_.substr(url_.rfind(':') + 1)));
    socket.connect(Tcp::endpoint(asio::ip::address_v4::loopback(), port));
    return socket;
  }

  std::filesystem::path folder_;
  std::string url_;
  pid_t child_ = -1;
  asio::io_context io_;
};

TEST_F(WitnessHttpTest, SilentConnectionsEndAndOthersAreServed) {
  WitnessLimits limits;
  limits.message = std::chrono::milliseconds(300);
  limits.connections = 4;
  Serve(limits);
  EXPECT_EQ(WitnessGet(url_, "/checkpoint/unknown").value().status, 404);

  std::vector<Tcp::socket> silent;
  for (int i = 0; i < limits.connections; ++i) silent.push_back(Connect());
  silent.push_back(Connect());  // one too many: closed at once
  char byte;
  boost::system::error_code error;
  silent.back().read_some(asio::buffer(&byte, 1), error);
  EXPECT_TRUE(error);
  // Each ends by itself; the read returns when it does.
  for (Tcp::socket& socket : silent) {
    error = {};
    socket.read_some(asio::buffer(&byte, 1), error);
    EXPECT_TRUE(error);
  }
  const auto reply = WitnessGet(url_, "/checkpoint/unknown");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply.value().status, 404);
}

TEST_F(WitnessHttpTest, AWordAtATimeIsNoWayToStay) {
  WitnessLimits limits;
  limits.message = std::chrono::milliseconds(300);
  Serve(limits);
  Tcp::socket slow = Connect();
  boost::system::error_code error;
  const auto begin = std::chrono::steady_clock::now();
  // The deadline is the message's: bytes that keep coming do not move it.
  while (!error && std::chrono::steady_clock::now() - begin < std::chrono::seconds(20)) {
    slow.write_some(asio::buffer("G", 1), error);
    ::usleep(10'000);
  }
  EXPECT_TRUE(error);
}

TEST_F(WitnessHttpTest, AClientDoesNotWaitForASilentWitness) {
  Tcp::acceptor acceptor(io_, Tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  WitnessLimits limits;
  limits.message = std::chrono::milliseconds(300);
  const std::string url = "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
  const auto reply = WitnessPost(url, "/add-checkpoint", "x", limits);
  ASSERT_FALSE(reply);
  EXPECT_NE(reply.error().message.find("no answer from the witness"), std::string::npos)
      << reply.error().message;
  EXPECT_FALSE(WitnessGet("unix:" + (folder_ / "none").string(), "/", limits));
  EXPECT_FALSE(WitnessGet("nowhere", "/", limits));
}

}  // namespace
}  // namespace portcullis::cli
