// How many connections are open, in total and per source, in fixed memory: a count-min table of
// atomic counters keyed by SipHash, so that ten million sources cost what one does. A source is an
// IPv4 address or an IPv6 /64. Counts are never too low; a collision in all rows can only refuse.
// Threading: all cores, without locks. Failure: none.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/ip/address.hpp>
#include <cstddef>
#include <cstdint>

namespace portcullis::gateway {

class ConnectionTable {
 public:
  enum class Verdict { kAdmitted, kTotal, kAddress };

  ConnectionTable(size_t total, size_t per_address);

  // Every kAdmitted is given back by one Release of the same address.
  Verdict Admit(const boost::asio::ip::address& address);
  void Release(const boost::asio::ip::address& address);
  // For peers without an address (Unix sockets): the total alone.
  Verdict AdmitLocal();
  void ReleaseLocal();

 private:
  static constexpr size_t kRows = 4;
  static constexpr size_t kColumns = 4096;

  std::array<size_t, kRows> Cells(const boost::asio::ip::address& address) const;

  const size_t total_limit_;
  const size_t address_limit_;
  std::array<uint64_t, 2> key_;
  std::atomic<size_t> total_{0};
  std::array<std::atomic<uint32_t>, kRows * kColumns> cells_{};
};

}  // namespace portcullis::gateway
