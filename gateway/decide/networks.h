// What the network that a call comes from says about the device: its zone, whether it is managed,
// whether it is one of the government, and in which jurisdiction it stands. Of several ranges that
// hold an address the narrowest counts. Immutable, any thread.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <vector>

#include "gateway/config.h"

namespace portcullis::gateway {

class Networks {
 public:
  Networks() = default;
  // Requires ranges that passed CheckRange.
  explicit Networks(const std::vector<NetworkConfig>& networks);

  const NetworkConfig* Find(const boost::asio::ip::address& address) const;

 private:
  struct Range {
    boost::asio::ip::address_v6 base;  // IPv4 as mapped
    unsigned prefix = 0;               // of 128
    NetworkConfig network;
  };
  std::vector<Range> ranges_;  // narrowest first
};

// "10.20.0.0/16", "fd00::/8", or one address; kConfig otherwise.
Result<void> CheckRange(const std::string& text);

}  // namespace portcullis::gateway
