// Sockets and certificates of the transport tests.
#include "tests/gateway/transport/harness.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>

#include "certs/issue.h"

namespace portcullis::gateway::test {

using boost::asio::awaitable;

std::filesystem::path FreshFolder() {
  static std::atomic<int> count{0};
  const auto dir = std::filesystem::path(testing::TempDir()) /
                   ("transport-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
  std::filesystem::create_directories(dir);
  return dir;
}

const Pki& SharedPki() {
  static const Pki pki = [] {
    Pki made{FreshFolder()};
    certs::AuthorityOptions options;
    options.name = "Test";
    const auto authority = certs::Authority::Create(made.dir, options);
    EXPECT_TRUE(authority.has_value());
    certs::IssueRequest request;
    request.branch = certs::Branch::kServers;
    request.name = "gateway";
    request.dns = {"localhost"};
    request.ip = {"127.0.0.1"};
    EXPECT_TRUE(certs::Issue(authority.value(), request, made.base("server")).has_value());
    return made;
  }();
  return pki;
}

std::filesystem::path IssueClient(certs::Branch branch, const std::string& name) {
  const auto base = FreshFolder() / name;
  certs::IssueRequest request;
  request.branch = branch;
  request.name = name;
  const auto authority = certs::Authority::Open(SharedPki().dir);
  EXPECT_TRUE(authority.has_value());
  EXPECT_TRUE(certs::Issue(authority.value(), request, base).has_value());
  return base;
}

TlsOptions ServerTls() {
  TlsOptions options;
  options.chain_file = SharedPki().base("server.pem");
  options.key_file = SharedPki().base("server.key");
  return options;
}

awaitable<void> Answer(Exchange& exchange, int status, std::string body) {
  http::ResponseHead head;
  head.status = status;
  (void)co_await exchange.Respond(std::move(head), std::move(body));
}

awaitable<void> Echo(Exchange& exchange) {
  if (!exchange.head()) {
    const Error error = exchange.head().error();
    co_await Answer(exchange, Info(error.code).http_status, error.message);
    co_return;
  }
  const http::RequestHead& head = exchange.head().value();
  if (head.path == "/big") {
    std::string big(1 << 20, 'b');
    co_await Answer(exchange, 200, std::move(big));
    co_return;
  }
  const Result<std::string> body = co_await exchange.ReadBody(64 * 1024);
  if (!body) {
    const Error error = body.error();
    co_await Answer(exchange, Info(error.code).http_status, error.message);
    co_return;
  }
  std::string text = head.method + " " + head.path + " " + body.value();
  co_await Answer(exchange, 200, std::move(text));
}

TestServer::TestServer(Handler handler, Limits limits, TlsOptions tls, unsigned cores)
    : cores_(cores) {
  auto context = TlsContext::Open(std::move(tls));
  if (!context) throw std::runtime_error(context.error().message);
  tls_ = context.value();
  server_ = std::make_unique<Server>(cores_.all(), limits);
  path_ = (FreshFolder() / "s").string();
  ListenerConfig api{"api", TcpListen{boost::asio::ip::make_address("127.0.0.1"), 0}, tls_, handler};
  const auto port = server_->Add(api);
  if (!port) throw std::runtime_error(port.error().message);
  port_ = port.value();
  ListenerConfig local{"socket", UnixListen{path_, 0600}, nullptr, handler};
  const auto added = server_->Add(local);
  if (!added) throw std::runtime_error(added.error().message);
  thread_ = std::thread([this] { cores_.Run(); });
}

TestServer::~TestServer() {
  cores_.Stop();
  thread_.join();
  server_.reset();
}

int ConnectTcp(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&in), sizeof(in)) == 0) return fd;
  ::close(fd);
  return -1;
}

Client::Client(const TestServer& server, Via via, const ClientOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  if (via == Via::kUnix) {
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    std::strncpy(un.sun_path, server.path().c_str(), sizeof(un.sun_path) - 1);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&un), sizeof(un)) == 0;
    return;
  }
  fd_ = ConnectTcp(server.port());
  context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(context_, options.max_version);
  SSL_CTX_load_verify_locations(context_, SharedPki().base("ca/root.pem").c_str(), nullptr);
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  if (!options.certificate.empty()) {
    SSL_CTX_use_certificate_chain_file(context_, (options.certificate.string() + ".pem").c_str());
    SSL_CTX_use_PrivateKey_file(context_, (options.certificate.string() + ".key").c_str(),
                                SSL_FILETYPE_PEM);
  }
  ssl_ = SSL_new(context_);
  SSL_set1_host(ssl_, "localhost");
  SSL_set_fd(ssl_, fd_);
  if (!options.alpn.empty()) {
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(options.alpn.data()),
                        static_cast<unsigned>(options.alpn.size()));
  }
  timeval limit{5, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  connected_ = fd_ >= 0 && SSL_connect(ssl_) == 1;
  ERR_clear_error();
}

Client::Client(Client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      context_(std::exchange(other.context_, nullptr)),
      ssl_(std::exchange(other.ssl_, nullptr)),
      connected_(other.connected_),
      ended_(other.ended_),
      buffer_(std::move(other.buffer_)) {}

Client::~Client() { Close(); }

void Client::Close() {
  if (ssl_ != nullptr) SSL_free(ssl_);
  if (context_ != nullptr) SSL_CTX_free(context_);
  if (fd_ >= 0) ::close(fd_);
  ssl_ = nullptr;
  context_ = nullptr;
  fd_ = -1;
}

bool Client::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    ERR_clear_error();
    const ssize_t n = ssl_ != nullptr
                          ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                          : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

std::string Client::Receive(milliseconds timeout) {
  if (!buffer_.empty()) return std::exchange(buffer_, {});
  if (ssl_ == nullptr || SSL_pending(ssl_) == 0) {
    pollfd poll{fd_, POLLIN, 0};
    if (::poll(&poll, 1, static_cast<int>(timeout.count())) <= 0) return {};
  }
  std::string bytes(64 * 1024, '\0');
  ERR_clear_error();
  const ssize_t n = ssl_ != nullptr ? SSL_read(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                    : ::recv(fd_, bytes.data(), bytes.size(), 0);
  ended_ = n <= 0;
  bytes.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return bytes;
}

std::string Client::ReceiveAll(milliseconds timeout) {
  std::string all;
  while (!ended_) {
    const std::string bytes = Receive(timeout);
    if (bytes.empty()) break;
    all += bytes;
  }
  return all;
}

std::string Client::ReceiveUntil(std::string_view text, milliseconds timeout) {
  std::string all;
  while (all.find(text) == std::string::npos) {
    const std::string bytes = Receive(timeout);
    if (bytes.empty()) break;
    all += bytes;
  }
  return all;
}

std::string Client::ReceiveResponse() {
  std::string all = ReceiveUntil("\r\n\r\n");
  const size_t head = all.find("\r\n\r\n");
  const size_t field = all.find("content-length: ");
  if (head == std::string::npos || field == std::string::npos || field > head) return all;
  const size_t total = head + 4 + std::stoul(all.substr(field + 16));
  while (all.size() < total) {
    const std::string bytes = Receive();
    if (bytes.empty()) break;
    all += bytes;
  }
  if (all.size() > total) {
    buffer_ = all.substr(total);
    all.resize(total);
  }
  return all;
}

bool Client::AtEnd(milliseconds timeout) {
  const std::string bytes = Receive(timeout);
  return bytes.empty() && ended_;
}

void Client::HalfClose() {
  if (ssl_ != nullptr) {
    SSL_shutdown(ssl_);
  } else {
    ::shutdown(fd_, SHUT_WR);
  }
}

void Client::Reset() {
  const linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  Close();
}

int StatusOf(std::string_view response) {
  if (!response.starts_with("HTTP/1.1 ") || response.size() < 12) return 0;
  return std::atoi(std::string(response.substr(9, 3)).c_str());
}

std::string BodyOf(std::string_view response) {
  const size_t head = response.find("\r\n\r\n");
  return head == std::string_view::npos ? std::string() : std::string(response.substr(head + 4));
}

bool Eventually(const std::function<bool()>& condition, milliseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(1));
  }
  return true;
}

}  // namespace portcullis::gateway::test
