#include "gateway/decide/networks.h"

#include <algorithm>
#include <boost/asio/ip/address_v6.hpp>
#include <charconv>
#include <optional>

namespace portcullis::gateway {

namespace ip = boost::asio::ip;

namespace {

struct Parsed {
  ip::address_v6 base;
  unsigned prefix = 0;
};

ip::address_v6 Mapped(const ip::address& address) {
  return address.is_v4() ? ip::make_address_v6(ip::v4_mapped, address.to_v4()) : address.to_v6();
}

std::optional<Parsed> Parse(const std::string& text) {
  const size_t slash = std::min(text.find('/'), text.size());
  boost::system::error_code error;
  const ip::address address = ip::make_address(text.substr(0, slash), error);
  if (error) return std::nullopt;
  const unsigned width = address.is_v4() ? 32 : 128;
  unsigned prefix = width;
  if (slash < text.size()) {
    const char* const last = text.data() + text.size();
    const auto [end, bad] = std::from_chars(text.data() + slash + 1, last, prefix);
    if (bad != std::errc() || end != last || prefix > width) return std::nullopt;
  }
  return Parsed{Mapped(address), prefix + 128 - width};
}

bool Holds(const ip::address_v6& base, unsigned prefix, const ip::address_v6& address) {
  const auto left = base.to_bytes();
  const auto right = address.to_bytes();
  for (unsigned i = 0; i < left.size() && i * 8 < prefix; ++i) {
    const unsigned bits = std::min(8u, prefix - i * 8);
    const auto mask = static_cast<uint8_t>(0xff00u >> bits);
    if ((left[i] & mask) != (right[i] & mask)) return false;
  }
  return true;
}

}  // namespace

Result<void> CheckRange(const std::string& text) {
  if (Parse(text)) return boost::outcome_v2::success();
  return Error{Code::kConfig,
               "`" + text + "` is no range of addresses like 10.20.0.0/16 or fd00::/8"};
}

Networks::Networks(const std::vector<NetworkConfig>& networks) {
  for (const NetworkConfig& network : networks) {
    if (const auto parsed = Parse(network.range)) {
      ranges_.push_back({parsed->base, parsed->prefix, network});
    }
  }
  std::ranges::stable_sort(ranges_, std::greater<>(), &Range::prefix);
}

const NetworkConfig* Networks::Find(const ip::address& address) const {
  const ip::address_v6 mapped = Mapped(address);
  for (const Range& range : ranges_) {
    if (Holds(range.base, range.prefix, mapped)) return &range.network;
  }
  return nullptr;
}

}  // namespace portcullis::gateway
