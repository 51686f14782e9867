// Every wall of the connection layer that is a number, in one place; the defaults are the
// product's, tests use smaller ones. Sizes in bytes. Plain values, read by all cores.
#pragma once

#include <chrono>
#include <cstddef>

namespace portcullis::gateway {

struct Limits {
  std::chrono::milliseconds handshake{5'000};
  std::chrono::milliseconds head{10'000};      // from the first byte of a head to its last
  std::chrono::milliseconds idle{60'000};      // keep-alive, and the first byte after a handshake
  std::chrono::milliseconds body_grace{5'000}; // added to bytes / min_rate
  std::chrono::milliseconds write{30'000};     // added to bytes / min_rate
  std::chrono::milliseconds shutdown{2'000};   // close_notify and lingering close together
  size_t min_rate = 1024;                      // bytes a second, bodies and responses
  size_t pipeline = 16 * 1024;                 // bytes kept beyond the request in flight
  size_t connections = 4096;                   // in total, over all listeners and cores
  size_t per_address = 256;                    // IPv4 address or IPv6 /64; Unix sockets are exempt
};

}  // namespace portcullis::gateway
