#include "gateway/cli/witness_http.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <ctime>
#include <memory>
#include <mutex>
#include <thread>

namespace portcullis::cli {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr size_t kMaxBody = 64 << 10;
constexpr uint32_t kMaxHead = 8 << 10;
constexpr int kMaxConnections = 16;
constexpr timeval kTimeout{10, 0};
constexpr const char* kUnix = "unix:";
constexpr const char* kHttp = "http://";

audit::Error Trouble(const std::string& what, const error_code& error) {
  return {audit::Code::kIo, what + ": " + error.message()};
}

template <class Socket>
void LimitTime(Socket& socket) {
  ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof kTimeout);
  ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_SNDTIMEO, &kTimeout, sizeof kTimeout);
}

template <class Socket>
audit::Result<audit::WitnessReply> Ask(Socket& socket, http::request<http::string_body>& request,
                                       const std::string& host) {
  LimitTime(socket);
  error_code error;
  request.version(11);
  request.set(http::field::host, host);
  request.set(http::field::connection, "close");
  request.prepare_payload();
  http::write(socket, request, error);
  if (error) return Trouble("the witness does not take the request", error);
  boost::beast::flat_buffer buffer(kMaxBody + kMaxHead);
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxBody);
  parser.header_limit(kMaxHead);
  http::read(socket, buffer, parser, error);
  if (error) return Trouble("no answer from the witness", error);
  const auto& reply = parser.get();
  return audit::WitnessReply{static_cast<int>(reply.result_int()),
                             std::string(reply[http::field::content_type]), reply.body()};
}

struct Address {
  std::string host, port;
};

audit::Result<Address> ParseAddress(std::string text) {
  if (text.starts_with(kHttp)) text.erase(0, std::string(kHttp).size());
  while (text.ends_with('/')) text.pop_back();
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) {
    return audit::Error{audit::Code::kInvalidArgument,
                        "`" + text + "` must be http://HOST:PORT or unix:/PATH"};
  }
  return Address{text.substr(0, colon), text.substr(colon + 1)};
}

audit::Result<audit::WitnessReply> Exchange(const std::string& url, http::request<http::string_body> request) {
  asio::io_context io;
  error_code error;
  if (url.starts_with(kUnix)) {
    asio::local::stream_protocol::socket socket(io);
    socket.connect(asio::local::stream_protocol::endpoint(url.substr(std::string(kUnix).size())), error);
    if (error) return Trouble("cannot reach the witness at `" + url + "`", error);
    return Ask(socket, request, "witness");
  }
  BOOST_OUTCOME_TRY(const Address address, ParseAddress(url));
  asio::ip::tcp::resolver resolver(io);
  const auto found = resolver.resolve(address.host, address.port, error);
  asio::ip::tcp::socket socket(io);
  if (!error) asio::connect(socket, found, error);
  if (error) return Trouble("cannot reach the witness at `" + url + "`", error);
  return Ask(socket, request, address.host);
}

// The witness behind its lock, shared by the connections.
struct Service {
  audit::Witness& witness;
  std::mutex mutex;
  std::atomic<int> connections = 0;
};

audit::WitnessReply Answer(Service& service, const http::request<http::string_body>& request) {
  constexpr std::string_view kLatest = "/checkpoint/";
  const std::string_view target(request.target().data(), request.target().size());
  const std::lock_guard guard(service.mutex);
  if (request.method() == http::verb::post && target == "/add-checkpoint") {
    return service.witness.Add(request.body(), static_cast<uint64_t>(std::time(nullptr)));
  }
  if (request.method() == http::verb::get && target.starts_with(kLatest)) {
    auto note = service.witness.Latest(std::string(target.substr(kLatest.size())));
    if (note) return {200, "text/plain; charset=utf-8", note.value()};
    return {404, "text/plain; charset=utf-8", note.error().message + "\n"};
  }
  return {404, "text/plain; charset=utf-8", "POST /add-checkpoint, GET /checkpoint/ORIGIN\n"};
}

template <class Socket>
void Converse(Socket socket, Service& service) {
  LimitTime(socket);
  boost::beast::flat_buffer buffer(kMaxBody + kMaxHead);
  for (;;) {
    error_code error;
    http::request_parser<http::string_body> parser;
    parser.body_limit(kMaxBody);
    parser.header_limit(kMaxHead);
    http::read(socket, buffer, parser, error);
    if (error) break;
    const audit::WitnessReply answer = Answer(service, parser.get());
    http::response<http::string_body> response(static_cast<http::status>(answer.status), 11);
    response.set(http::field::content_type, answer.content_type);
    response.body() = answer.body;
    response.keep_alive(parser.get().keep_alive());
    response.prepare_payload();
    http::write(socket, response, error);
    if (error || !response.keep_alive()) break;
  }
}

template <class Acceptor>
audit::Error AcceptAll(Acceptor& acceptor, Service& service) {
  for (;;) {
    error_code error;
    auto socket = acceptor.accept(error);
    if (error == boost::system::errc::interrupted) continue;
    if (error) return Trouble("cannot accept", error);
    if (service.connections >= kMaxConnections) continue;
    ++service.connections;
    std::thread([socket = std::move(socket), &service]() mutable {
      try {
        Converse(std::move(socket), service);
      } catch (const std::exception&) {
        // A peer's bytes must not end the witness.
      }
      --service.connections;
    }).detach();
  }
}

}  // namespace

audit::Result<audit::WitnessReply> WitnessPost(const std::string& url, const std::string& target,
                                               const std::string& body) {
  http::request<http::string_body> request(http::verb::post, target, 11);
  request.body() = body;
  request.set(http::field::content_type, "text/plain; charset=utf-8");
  return Exchange(url, std::move(request));
}

audit::Result<audit::WitnessReply> WitnessGet(const std::string& url, const std::string& target) {
  return Exchange(url, http::request<http::string_body>(http::verb::get, target, 11));
}

audit::Error ServeWitness(audit::Witness& witness, const std::string& listen,
                          const std::function<void(const std::string&)>& ready) {
  asio::io_context io;
  Service service{witness, {}, 0};
  error_code error;
  if (listen.starts_with(kUnix)) {
    const std::string path = listen.substr(std::string(kUnix).size());
    ::unlink(path.c_str());
    asio::local::stream_protocol::acceptor acceptor(io);
    acceptor.open(asio::local::stream_protocol(), error);
    if (!error) acceptor.bind(asio::local::stream_protocol::endpoint(path), error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return Trouble("cannot listen on `" + listen + "`", error);
    ready(listen);
    return AcceptAll(acceptor, service);
  }
  const auto address = ParseAddress(listen);
  if (!address) return address.error();
  asio::ip::tcp::resolver resolver(io);
  const auto found = resolver.resolve(address.value().host, address.value().port, error);
  if (error) return Trouble("cannot listen on `" + listen + "`", error);
  asio::ip::tcp::acceptor acceptor(io);
  const asio::ip::tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return Trouble("cannot listen on `" + listen + "`", error);
  ready("http://" + address.value().host + ":" + std::to_string(acceptor.local_endpoint().port()));
  return AcceptAll(acceptor, service);
}

}  // namespace portcullis::cli
