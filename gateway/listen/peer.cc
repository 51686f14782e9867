// Socket addresses as Peers.
#include "gateway/listen/peer.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "gateway/listen/peer_address.h"

namespace portcullis::gateway {

void SetAddress(const sockaddr_storage& from, Peer& peer) {
  if (from.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &from, sizeof(in));
    peer.address = boost::asio::ip::address_v4(ntohl(in.sin_addr.s_addr));
    peer.port = ntohs(in.sin_port);
  } else if (from.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &from, sizeof(in));
    boost::asio::ip::address_v6::bytes_type bytes;
    std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
    const boost::asio::ip::address_v6 address(bytes, in.sin6_scope_id);
    if (address.is_v4_mapped()) {
      peer.address = boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address);
    } else {
      peer.address = address;
    }
    peer.port = ntohs(in.sin6_port);
  }
}

}  // namespace portcullis::gateway
