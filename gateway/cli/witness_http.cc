#include "gateway/cli/witness_http.h"

#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <ctime>
#include <exception>
#include <vector>

namespace portcullis::cli {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using Local = asio::local::stream_protocol;
using Tcp = asio::ip::tcp;

constexpr auto kQuiet = asio::as_tuple(asio::use_awaitable);
constexpr size_t kMaxBody = 64 << 10;
constexpr uint32_t kMaxHead = 8 << 10;
constexpr const char* kUnix = "unix:";
constexpr const char* kHttp = "http://";

audit::Error Trouble(const std::string& what, const error_code& error) {
  return {audit::Code::kIo, what + ": " + error.message()};
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

struct Question {
  std::string url;
  std::string host;
  http::request<http::string_body> request;
  WitnessLimits limits;
};

template <class Protocol>
asio::awaitable<audit::Result<audit::WitnessReply>> Ask(asio::io_context& io, Question& question,
                                                        std::vector<typename Protocol::endpoint> where) {
  boost::beast::basic_stream<Protocol> stream(io);
  error_code failure = asio::error::host_not_found;
  for (const auto& endpoint : where) {
    stream.expires_after(question.limits.message);
    auto [error] = co_await stream.async_connect(endpoint, kQuiet);
    failure = error;
    if (!error) break;
  }
  if (failure) co_return Trouble("cannot reach the witness at `" + question.url + "`", failure);
  auto& request = question.request;
  request.version(11);
  request.set(http::field::host, question.host);
  request.set(http::field::connection, "close");
  request.prepare_payload();
  stream.expires_after(question.limits.message);
  auto [sending, sent] = co_await http::async_write(stream, request, kQuiet);
  if (sending) co_return Trouble("the witness does not take the request", sending);
  boost::beast::flat_buffer buffer(kMaxBody + kMaxHead);
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxBody);
  parser.header_limit(kMaxHead);
  stream.expires_after(question.limits.message);
  auto [reading, read] = co_await http::async_read(stream, buffer, parser, kQuiet);
  if (reading) co_return Trouble("no answer from the witness", reading);
  const auto& reply = parser.get();
  co_return audit::WitnessReply{static_cast<int>(reply.result_int()),
                                std::string(reply[http::field::content_type]), reply.body()};
}

template <class Protocol>
asio::awaitable<void> AskInto(asio::io_context& io, Question& question,
                              std::vector<typename Protocol::endpoint> where,
                              audit::Result<audit::WitnessReply>& reply) {
  reply = co_await Ask<Protocol>(io, question, std::move(where));
}

template <class Protocol>
audit::Result<audit::WitnessReply> RunAsk(asio::io_context& io, Question question,
                                          std::vector<typename Protocol::endpoint> where) {
  audit::Result<audit::WitnessReply> reply = audit::Error{audit::Code::kIo, "the witness was not asked"};
  std::exception_ptr trouble;
  asio::co_spawn(io, AskInto<Protocol>(io, question, std::move(where), reply),
                 [&trouble](std::exception_ptr thrown) { trouble = thrown; });
  io.run();
  if (trouble) return audit::Error{audit::Code::kIo, "the witness's answer is not HTTP"};
  return reply;
}

audit::Result<audit::WitnessReply> Exchange(const std::string& url,
                                            http::request<http::string_body> request,
                                            const WitnessLimits& limits) {
  asio::io_context io;
  if (url.starts_with(kUnix)) {
    std::vector<Local::endpoint> where{Local::endpoint(url.substr(std::string(kUnix).size()))};
    return RunAsk<Local>(io, Question{url, "witness", std::move(request), limits}, std::move(where));
  }
  BOOST_OUTCOME_TRY(const Address address, ParseAddress(url));
  error_code error;
  Tcp::resolver resolver(io);
  const auto found = resolver.resolve(address.host, address.port, error);
  if (error) return Trouble("cannot find the witness at `" + url + "`", error);
  std::vector<Tcp::endpoint> where;
  for (const auto& entry : found) where.push_back(entry.endpoint());
  return RunAsk<Tcp>(io, Question{url, address.host, std::move(request), limits}, std::move(where));
}

struct Service {
  audit::Witness& witness;
  WitnessLimits limits;
  int connections = 0;
};

audit::WitnessReply Answer(Service& service, const http::request<http::string_body>& request) {
  constexpr std::string_view kLatest = "/checkpoint/";
  const std::string_view target(request.target().data(), request.target().size());
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
asio::awaitable<void> Converse(Socket socket, Service& service) {
  boost::beast::basic_stream<typename Socket::protocol_type> stream(std::move(socket));
  boost::beast::flat_buffer buffer(kMaxBody + kMaxHead);
  for (;;) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(kMaxBody);
    parser.header_limit(kMaxHead);
    stream.expires_after(service.limits.message);
    auto [reading, read] = co_await http::async_read(stream, buffer, parser, kQuiet);
    if (reading) co_return;
    const audit::WitnessReply answer = Answer(service, parser.get());
    http::response<http::string_body> response(static_cast<http::status>(answer.status), 11);
    response.set(http::field::content_type, answer.content_type);
    response.body() = answer.body;
    response.keep_alive(parser.get().keep_alive());
    response.prepare_payload();
    stream.expires_after(service.limits.message);
    auto [sending, sent] = co_await http::async_write(stream, response, kQuiet);
    if (sending || !response.keep_alive()) co_return;
  }
}

template <class Acceptor>
asio::awaitable<void> AcceptAll(Acceptor& acceptor, Service& service, error_code& ended) {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(kQuiet);
    if (error == asio::error::connection_aborted || error == asio::error::interrupted) continue;
    if (error) {
      ended = error;
      co_return;
    }
    if (service.connections >= service.limits.connections) continue;
    ++service.connections;
    // What a peer's bytes throw ends this conversation, never the witness.
    asio::co_spawn(acceptor.get_executor(), Converse(std::move(socket), service),
                   [&service](std::exception_ptr) { --service.connections; });
  }
}

template <class Acceptor>
audit::Error Run(asio::io_context& io, Acceptor& acceptor, Service& service) {
  error_code ended;
  asio::co_spawn(io, AcceptAll(acceptor, service, ended), asio::detached);
  io.run();
  return Trouble("cannot accept", ended);
}

}  // namespace

audit::Result<audit::WitnessReply> WitnessPost(const std::string& url, const std::string& target,
                                               const std::string& body, const WitnessLimits& limits) {
  http::request<http::string_body> request(http::verb::post, target, 11);
  request.body() = body;
  request.set(http::field::content_type, "text/plain; charset=utf-8");
  return Exchange(url, std::move(request), limits);
}

audit::Result<audit::WitnessReply> WitnessGet(const std::string& url, const std::string& target,
                                              const WitnessLimits& limits) {
  return Exchange(url, http::request<http::string_body>(http::verb::get, target, 11), limits);
}

audit::Error ServeWitness(audit::Witness& witness, const std::string& listen, const WitnessLimits& limits,
                          const std::function<void(const std::string&)>& ready) {
  asio::io_context io;
  Service service{witness, limits};
  error_code error;
  if (listen.starts_with(kUnix)) {
    const std::string path = listen.substr(std::string(kUnix).size());
    ::unlink(path.c_str());
    Local::acceptor acceptor(io);
    acceptor.open(Local(), error);
    if (!error) acceptor.bind(Local::endpoint(path), error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return Trouble("cannot listen on `" + listen + "`", error);
    ready(listen);
    return Run(io, acceptor, service);
  }
  const auto address = ParseAddress(listen);
  if (!address) return address.error();
  Tcp::resolver resolver(io);
  const auto found = resolver.resolve(address.value().host, address.value().port, error);
  if (error) return Trouble("cannot listen on `" + listen + "`", error);
  Tcp::acceptor acceptor(io);
  const Tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return Trouble("cannot listen on `" + listen + "`", error);
  ready("http://" + address.value().host + ":" + std::to_string(acceptor.local_endpoint().port()));
  return Run(io, acceptor, service);
}

}  // namespace portcullis::cli
