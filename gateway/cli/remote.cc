#include "gateway/cli/remote.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <filesystem>

namespace portcullis::cli {

namespace asio = boost::asio;
namespace bhttp = boost::beast::http;

namespace {

constexpr const char* kDemoSocket = "build/demo/run/admin.sock";
constexpr const char* kSystemSocket = "/run/portcullis/admin.sock";

std::string MessageOf(const boost::json::value& document, unsigned status) {
  const auto* root = document.if_object();
  const auto* error = root ? root->if_contains("error") : nullptr;
  const auto* object = error ? error->if_object() : nullptr;
  const auto* message = object ? object->if_contains("message") : nullptr;
  if (message && message->is_string()) return std::string(message->get_string());
  return "the gateway answered with status " + std::to_string(status);
}

ExitCode CodeOf(unsigned status) {
  if (status == 401) return kAuth;
  if (status == 403) return kNo;
  return status < 500 ? kUsage : kRemote;
}

}  // namespace

void AddSocketOption(CLI::App& command, std::string& socket) {
  command.add_option("--socket", socket, "administration socket of the gateway")
      ->envname("PORTCULLIS_SOCKET");
}

std::string FindSocket(const std::string& given) {
  if (!given.empty()) return given;
  return std::filesystem::exists(kDemoSocket) ? kDemoSocket : kSystemSocket;
}

RemoteAnswer CallGateway(Context& context, const std::string& socket, const std::string& method,
                         const std::string& path, const boost::json::value& body) {
  RemoteAnswer answer;
  const auto plain = [](char c) { return c > ' ' && c < 0x7f && c != '?' && c != '#' && c != '%'; };
  if (!std::all_of(path.begin(), path.end(), plain)) {
    Fail(context, kUsage, "an id holds characters that no id has: " + method + " was not sent");
    return answer;
  }
  asio::io_context io;
  asio::local::stream_protocol::socket stream(io);
  boost::system::error_code error;
  const std::string name = FindSocket(socket);
  stream.connect(asio::local::stream_protocol::endpoint(name), error);
  if (error) {
    Fail(context, kRemote, "no gateway answers at " + name + ": " + error.message() +
                               " (start it with gateway/quickstart, or name its --socket)");
    return answer;
  }
  bhttp::request<bhttp::string_body> request(bhttp::string_to_verb(method), path, 11);
  request.set(bhttp::field::host, "portcullis");
  request.set(bhttp::field::connection, "close");
  if (!body.is_null()) {
    request.set(bhttp::field::content_type, "application/json");
    request.body() = boost::json::serialize(body);
  }
  request.prepare_payload();
  bhttp::write(stream, request, error);
  boost::beast::flat_buffer buffer;
  bhttp::response<bhttp::string_body> response;
  if (!error) bhttp::read(stream, buffer, response, error);
  if (error) {
    Fail(context, kRemote, "the gateway at " + name + " broke off: " + error.message());
    return answer;
  }
  answer.document = boost::json::parse(response.body(), error);
  if (response.result_int() != 200) {
    Fail(context, CodeOf(response.result_int()), MessageOf(answer.document, response.result_int()));
    return answer;
  }
  if (error) {
    Fail(context, kRemote, "the gateway at " + name + " sent something that is not JSON");
    return answer;
  }
  answer.ok = true;
  return answer;
}

}  // namespace portcullis::cli
