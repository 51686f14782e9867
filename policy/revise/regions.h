// Values that stand for all others: between two numbers that the policies compare with, every
// number is decided alike, and so is every address that lies in the same of their networks. Each
// region is given by one value and by words. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "policy/cedar/value.h"

namespace portcullis::policy::revise {

struct Region {
  int64_t value = 0;
  std::string words;  // "under 100", "100", "101 to 999", "over 1000"
};
// The regions that `limits` cut the numbers from `lowest` on into; the one of `usual` comes first,
// with that value. One region when there are no limits.
std::vector<Region> RegionsOf(const std::set<int64_t>& limits, int64_t lowest, int64_t usual);

// The same for points in time, in milliseconds since 1970.
std::vector<Region> TimesOf(const std::set<int64_t>& limits, int64_t now);

struct AddressRegion {
  std::string address;  // as text
  std::string words;    // "in 10.0.0.0/8", "in none of the networks named"
};
// `usual` comes first. Loopback, multicast and version 6 addresses are always among them.
std::vector<AddressRegion> AddressesOf(const std::set<cedar::IpRange>& networks,
                                       const std::string& usual);

}  // namespace portcullis::policy::revise
