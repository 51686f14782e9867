#include "gateway/admit/source_key.h"

#include <algorithm>

namespace portcullis::gateway {
namespace {

boost::asio::ip::address_v4 ToV4(const boost::asio::ip::address& address) {
  return address.is_v4()
             ? address.to_v4()
             : boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
}

}  // namespace

bool IsIpv4(const boost::asio::ip::address& address) {
  return address.is_v4() || address.to_v6().is_v4_mapped();
}

bool IsLoopback(const boost::asio::ip::address& address) {
  return IsIpv4(address) ? ToV4(address).is_loopback() : address.to_v6().is_loopback();
}

SourceKey MakeSourceKey(const boost::asio::ip::address& address, int prefix_bits) {
  SourceKey key;
  if (IsIpv4(address)) {
    key.bytes[0] = 4;
    std::ranges::copy(ToV4(address).to_bytes(), key.bytes.begin() + 1);
    key.size = 5;
    return key;
  }
  const auto bytes = address.to_v6().to_bytes();
  const int count = prefix_bits / 8;
  key.bytes[0] = static_cast<uint8_t>(prefix_bits);
  std::copy_n(bytes.begin(), count, key.bytes.begin() + 1);
  key.size = static_cast<uint8_t>(1 + count);
  return key;
}

}  // namespace portcullis::gateway
