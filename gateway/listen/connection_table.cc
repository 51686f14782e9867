// Admission adds first and looks then, so that two cores can never both take the last place.
#include "gateway/listen/connection_table.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <random>

namespace portcullis::gateway {
namespace {

// SipHash-2-4 of one 64-bit word (Aumasson and Bernstein, 2012).
uint64_t SipHash(const std::array<uint64_t, 2>& key, uint64_t word) {
  uint64_t v0 = key[0] ^ 0x736f6d6570736575;
  uint64_t v1 = key[1] ^ 0x646f72616e646f6d;
  uint64_t v2 = key[0] ^ 0x6c7967656e657261;
  uint64_t v3 = key[1] ^ 0x7465646279746573;
  const auto round = [&] {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  };
  for (const uint64_t block : {word, uint64_t{8} << 56}) {
    v3 ^= block;
    round();
    round();
    v0 ^= block;
  }
  v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) round();
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace

ConnectionTable::ConnectionTable(size_t total, size_t per_address)
    : total_limit_(total), address_limit_(per_address) {
  std::random_device random;
  for (uint64_t& word : key_) word = uint64_t{random()} << 32 | random();
}

std::array<size_t, ConnectionTable::kRows> ConnectionTable::Cells(
    const boost::asio::ip::address& address) const {
  uint64_t source = 0;
  if (address.is_v4()) {
    source = address.to_v4().to_uint();
  } else {
    const auto bytes = address.to_v6().to_bytes();
    for (size_t i = 0; i < 8; ++i) source = source << 8 | bytes[i];
    source = ~source;  // apart from IPv4 addresses
  }
  const uint64_t hash = SipHash(key_, source);
  std::array<size_t, kRows> cells{};
  for (size_t row = 0; row < kRows; ++row) {
    cells[row] = row * kColumns + static_cast<size_t>(hash >> (16 * row)) % kColumns;
  }
  return cells;
}

ConnectionTable::Verdict ConnectionTable::AdmitLocal() {
  if (total_.fetch_add(1, std::memory_order_relaxed) < total_limit_) return Verdict::kAdmitted;
  ReleaseLocal();
  return Verdict::kTotal;
}

void ConnectionTable::ReleaseLocal() { total_.fetch_sub(1, std::memory_order_relaxed); }

ConnectionTable::Verdict ConnectionTable::Admit(const boost::asio::ip::address& address) {
  if (AdmitLocal() != Verdict::kAdmitted) return Verdict::kTotal;
  uint32_t least = std::numeric_limits<uint32_t>::max();
  for (const size_t cell : Cells(address)) {
    least = std::min(least, cells_[cell].fetch_add(1, std::memory_order_relaxed));
  }
  if (least < address_limit_) return Verdict::kAdmitted;
  Release(address);
  return Verdict::kAddress;
}

void ConnectionTable::Release(const boost::asio::ip::address& address) {
  for (const size_t cell : Cells(address)) cells_[cell].fetch_sub(1, std::memory_order_relaxed);
  ReleaseLocal();
}

}  // namespace portcullis::gateway
