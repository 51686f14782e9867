// The bytes under which an address is counted: IPv4 (also when mapped into IPv6) whole, IPv6 by
// prefix. A leading byte tells the kinds and prefix lengths apart. Pure functions.
#pragma once

#include <array>
#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <span>

namespace portcullis::gateway {

struct SourceKey {
  std::array<uint8_t, 9> bytes{};
  uint8_t size = 0;

  std::span<const uint8_t> View() const { return {bytes.data(), size}; }
};

// True for IPv4 and IPv4-mapped IPv6.
bool IsIpv4(const boost::asio::ip::address& address);

// 127.0.0.0/8, ::1 and their mapped forms.
bool IsLoopback(const boost::asio::ip::address& address);

// `prefix_bits` (48, 56 or 64) counts for IPv6 only.
SourceKey MakeSourceKey(const boost::asio::ip::address& address, int prefix_bits);

}  // namespace portcullis::gateway
