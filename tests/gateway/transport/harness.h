// A real server on loopback and raw clients for the transport tests: bytes in, bytes out.
// The server runs on its own threads; handlers run there too, so shared test state is atomic.
#pragma once

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "certs/authority.h"
#include "gateway/listen/cores.h"
#include "gateway/listen/server.h"

namespace portcullis::gateway::test {

using std::chrono::milliseconds;

enum class Via { kUnix, kTls };

// One authority, one server certificate and some client certificates for the whole test program.
struct Pki {
  std::filesystem::path dir;
  std::filesystem::path base(const std::string& name) const { return dir / name; }
};
const Pki& SharedPki();
// Issues `name` of the branch below the shared authority and returns BASE of BASE.pem, BASE.key.
std::filesystem::path IssueClient(certs::Branch branch, const std::string& name);
TlsOptions ServerTls();
std::filesystem::path FreshFolder();

// Answers every request: errors by their status, `/big` with 1 MB, otherwise
// "METHOD path body". ReadBody's limit is 64 KiB.
boost::asio::awaitable<void> Echo(Exchange& exchange);
boost::asio::awaitable<void> Answer(Exchange& exchange, int status, std::string body);

class TestServer {
 public:
  explicit TestServer(Handler handler = Echo, Limits limits = {}, TlsOptions tls = ServerTls(),
                      unsigned cores = 2);
  ~TestServer();

  Server& server() { return *server_; }
  TlsContext& tls() { return *tls_; }
  uint16_t port() const { return port_; }
  const std::string& path() const { return path_; }
  const Counters& counters() const { return server_->counters(); }

 private:
  Cores cores_;
  std::shared_ptr<TlsContext> tls_;
  std::unique_ptr<Server> server_;
  std::string path_;
  uint16_t port_ = 0;
  std::thread thread_;
};

// What a client may present or insist on.
struct ClientOptions {
  std::filesystem::path certificate{};  // BASE; empty: none
  int max_version = TLS1_3_VERSION;
  std::string alpn{};  // wire form; empty: none offered
};

class Client {
 public:
  Client(const TestServer& server, Via via, const ClientOptions& options = {});
  ~Client();
  Client(Client&& other) noexcept;
  Client& operator=(Client&&) = delete;

  bool connected() const { return connected_; }  // with TLS: the handshake went well
  int fd() const { return fd_; }
  SSL* ssl() { return ssl_; }
  bool Send(std::string_view bytes);
  // Whatever comes next; empty at the end of the connection or after the timeout.
  std::string Receive(milliseconds timeout = milliseconds(5000));
  // Until the end of the connection.
  std::string ReceiveAll(milliseconds timeout = milliseconds(5000));
  // Until `text` was received.
  std::string ReceiveUntil(std::string_view text, milliseconds timeout = milliseconds(5000));
  // One response with content-length, and no byte more.
  std::string ReceiveResponse();
  bool AtEnd(milliseconds timeout = milliseconds(5000));  // nothing but the end arrives
  void HalfClose();   // FIN, or close_notify
  void Reset();       // RST
  void Close();

 private:
  int fd_ = -1;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
  bool ended_ = false;
  std::string buffer_;
};

int ConnectTcp(uint16_t port);
int StatusOf(std::string_view response);  // 0 when there is none
std::string BodyOf(std::string_view response);
// Polls until the condition holds; false after the timeout.
bool Eventually(const std::function<bool()>& condition, milliseconds timeout = milliseconds(5000));

inline constexpr std::string_view kGet = "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";

}  // namespace portcullis::gateway::test
