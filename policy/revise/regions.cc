#include "policy/revise/regions.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>
#include <map>

#include "policy/cedar/extension.h"

namespace portcullis::policy::revise {
namespace {

using cedar::IpRange;

constexpr int64_t kDay = 86'400'000;
constexpr int64_t kYear10000 = 253'402'300'800'000;

struct Words {
  std::string_view before, after;
  std::function<std::string(int64_t)> value;
};

std::vector<Region> Cut(const std::set<int64_t>& limits, int64_t lowest, int64_t usual,
                        const Words& words) {
  std::vector<Region> out;
  const auto add = [&](int64_t first, int64_t last, std::string text) {
    Region region{first, std::move(text)};
    const bool holds_usual = first <= usual && usual <= last;
    if (holds_usual) region.value = usual;
    out.insert(holds_usual ? out.begin() : out.end(), std::move(region));
  };
  int64_t next = lowest;  // the first number that no region holds yet
  bool first = true;
  bool finished = false;
  for (const int64_t limit : limits) {
    if (limit < lowest) continue;
    if (next < limit) {
      add(next, limit - 1,
          first               ? std::string(words.before) + words.value(limit)
          : next == limit - 1 ? words.value(next)
                              : words.value(next) + " to " + words.value(limit - 1));
    }
    add(limit, limit, words.value(limit));
    first = false;
    finished = limit == std::numeric_limits<int64_t>::max();
    if (!finished) next = limit + 1;
  }
  if (!finished) {
    add(next, std::numeric_limits<int64_t>::max(),
        first ? "any" : std::string(words.after) + words.value(next - 1));
  }
  return out;
}

size_t BitsOf(const IpRange& range) { return range.v6 ? 128 : 32; }

IpRange Host(IpRange range) {
  range.prefix = static_cast<uint8_t>(BitsOf(range));
  return range;
}

// The first or the last address of a network.
IpRange EdgeOf(const IpRange& network, bool last) {
  IpRange out = Host(network);
  for (size_t bit = network.prefix; bit < BitsOf(network); ++bit) {
    const uint8_t mask = static_cast<uint8_t>(0x80u >> (bit % 8));
    uint8_t& byte = out.address[bit / 8];
    byte = static_cast<uint8_t>(last ? byte | mask : byte & ~mask);
  }
  return out;
}

// The address after or before; round the corner at the end, where it is an address like any other.
IpRange Beside(IpRange address, bool after) {
  for (size_t i = BitsOf(address) / 8; i-- > 0;) {
    const uint8_t old = address.address[i];
    address.address[i] = static_cast<uint8_t>(after ? old + 1 : old - 1);
    if (old != (after ? 0xff : 0x00)) break;
  }
  return address;
}

bool Lies(const IpRange& address, const IpRange& network) {
  const std::array arguments = {cedar::Value::Ip(address), cedar::Value::Ip(network)};
  const auto answer = cedar::Call(cedar::Function::kIsInRange, arguments);
  return answer && answer.value().bool_value();
}

bool Says(cedar::Function function, const IpRange& address) {
  const std::array arguments = {cedar::Value::Ip(address)};
  const auto answer = cedar::Call(function, arguments);
  return answer && answer.value().bool_value();
}

}  // namespace

std::vector<Region> RegionsOf(const std::set<int64_t>& limits, int64_t lowest, int64_t usual) {
  return Cut(limits, lowest, usual,
             {"under ", "over ", [](int64_t value) { return std::to_string(value); }});
}

std::vector<Region> TimesOf(const std::set<int64_t>& limits, int64_t now) {
  const auto text = [](int64_t value) {
    if (value < 0 || value >= kYear10000) return std::to_string(value) + " ms since 1970";
    const std::time_t seconds = value / 1000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 32> date{};
    std::strftime(date.data(), date.size(), value % kDay == 0 ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%S",
                  &parts);
    std::string out = date.data();
    if (value % 1000 != 0) out += "." + std::to_string(1000 + value % 1000).substr(1);
    return value % kDay == 0 ? out : out + "Z";
  };
  return Cut(limits, std::numeric_limits<int64_t>::min(), now, {"before ", "after ", text});
}

std::vector<AddressRegion> AddressesOf(const std::set<IpRange>& networks,
                                       const std::string& usual) {
  std::vector<IpRange> candidates;
  const auto parse = [&](const std::string& text) {
    if (const auto range = cedar::ParseIpRange(text)) candidates.push_back(range.value());
  };
  for (const char* text :
       {usual.c_str(), "192.0.2.1", "127.0.0.1", "224.0.0.1", "2001:db8::1", "::1", "ff02::1"}) {
    parse(text);
  }
  for (const IpRange& network : networks) {
    for (const bool last : {false, true}) {
      candidates.push_back(EdgeOf(network, last));
      candidates.push_back(Beside(EdgeOf(network, last), last));
    }
  }
  std::vector<AddressRegion> out;
  std::set<std::vector<bool>> known;
  for (const IpRange& address : candidates) {
    std::vector<bool> key = {address.v6, Says(cedar::Function::kIsLoopback, address),
                             Says(cedar::Function::kIsMulticast, address)};
    std::string in;
    for (const IpRange& network : networks) {
      key.push_back(Lies(address, network));
      if (key.back()) in += (in.empty() ? "in " : " and ") + cedar::IpText(network);
    }
    const bool special = key[1] || key[2];
    if (!known.insert(std::move(key)).second) continue;
    const std::string text = cedar::IpText(address);
    if (in.empty()) in = "in none of the networks named";
    out.push_back({text, special || address.v6 ? text + ", " + in : in});
  }
  return out;
}

}  // namespace portcullis::policy::revise
