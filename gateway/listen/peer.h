// Who is at the other end of a connection, as far as the transport can prove it. The walk's
// Identify step turns this (and the call) into an Identity; nothing else may.
// Threading: an immutable value for the life of its connection.
#pragma once

#include <sys/types.h>

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <optional>
#include <string>

namespace portcullis::gateway {

// A client certificate that was verified against the listener's CA, CRLs and issuers.
struct ClientCertificate {
  std::string san_uri;  // the one URI of the subject alternative name; empty unless exactly one
  std::string subject;  // RFC 2253
  std::string serial;   // hexadecimal, upper case
  std::string sha256;   // of the DER, hexadecimal, lower case
  std::string issuer;   // RFC 2253
};

struct Peer {
  enum class Kind { kTls, kUnix };

  Kind kind = Kind::kTls;
  boost::asio::ip::address address;  // kTls; IPv4-mapped addresses are shown as IPv4
  uint16_t port = 0;
  uid_t uid = static_cast<uid_t>(-1);  // kUnix, SO_PEERCRED
  gid_t gid = static_cast<gid_t>(-1);
  pid_t pid = -1;
  std::string listener;  // "api", "admin", "socket"
  std::optional<ClientCertificate> certificate;
  std::string tls_version;  // "TLSv1.3"
  std::string tls_group;    // key agreement, for example "X25519"
};

}  // namespace portcullis::gateway
