// Steps "accept" and "TLS": the listener has done both; here the call gets its name and its route.
#include <sodium.h>

#include <array>

#include "gateway/walk.h"

namespace portcullis::gateway {
namespace {

Listener ListenerOf(const Peer& peer) {
  if (peer.listener == "admin") return kAdminTls;
  if (peer.listener == "socket") return kAdminSocket;
  return kApi;
}

}  // namespace

Call Accept(Exchange& exchange, Services& services) {
  Call call(exchange, services);
  call.started_ns = services.clock.MonotonicNs();
  call.listener = ListenerOf(exchange.peer());
  randombytes_buf(call.id.data(), call.id.size());
  std::array<char, 33> hex{};
  sodium_bin2hex(hex.data(), hex.size(), call.id.data(), call.id.size());
  call.id_text = std::string("req_") + hex.data();
  return call;
}

Result<void> FindCall(Call& call) {
  const Peer& peer = call.exchange.peer();
  if (peer.kind == Peer::Kind::kTls) {
    BOOST_OUTCOME_TRY(call.services.admitter.AdmitAddress(peer.address));
  }
  if (!call.exchange.head()) {
    BOOST_OUTCOME_TRY(RefusePenalised(call));
    return call.exchange.head().error();
  }
  const http::RequestHead& head = call.exchange.head().value();
  BOOST_OUTCOME_TRY(auto match, FindRoute(call.listener, head.method, head.path));
  // One reading of a path for every proxy on the way: %2F is a letter of a name or nothing.
  const bool in_name = match.route->path.ends_with("{name}") &&
                       head.encoded_slash >= head.path.size() - match.argument.size();
  if (head.encoded_slash && !in_name) {
    return Error{Code::kBadRequest, "encoded slash in the path"};
  }
  if (match.route->body_limit == 0 && head.has_body()) {
    return Error{Code::kTooLarge, "this path takes no body"};
  }
  call.route = match.route;
  call.argument = std::move(match.argument);
  return boost::outcome_v2::success();
}

}  // namespace portcullis::gateway
