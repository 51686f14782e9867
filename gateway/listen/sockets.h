// Opens listening sockets: TCP with SO_REUSEPORT, Unix with a mode, or inherited from systemd.
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

Result<ListeningSocket> ListenTcp(const boost::asio::ip::address& address, uint16_t port);
Result<ListeningSocket> ListenUnix(const std::filesystem::path& path, unsigned mode);
Result<ListeningSocket> AdoptListening(int fd);

}  // namespace portcullis::gateway
