// Opens listening sockets: TCP, one a core on one port, Unix with a mode, or inherited from systemd.
// Threading: start-up only. Failure: kConfig or kIo, naming the address and what to do.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <filesystem>

#include "gateway/error.h"

namespace portcullis::gateway {

struct ListeningSocket {
  int fd = -1;        // owned by the caller
  uint16_t port = 0;  // TCP: the bound port
  bool is_unix = false;
};

// SO_REUSEPORT shares a port with every process of the same user, so the first socket of a port takes
// it alone: a second gateway is told that the port is in use instead of getting half of the calls.
enum class PortShare { kAlone, kWithOurs };
Result<ListeningSocket> ListenTcp(const boost::asio::ip::address& address, uint16_t port,
                                  PortShare share = PortShare::kAlone);
Result<ListeningSocket> ListenUnix(const std::filesystem::path& path, unsigned mode);
Result<ListeningSocket> AdoptListening(int fd);

}  // namespace portcullis::gateway
