// Penalties per source in the manner of OpenSSH's PerSourcePenalties: each misdeed adds seconds to
// the time until which the source is in disgrace; once the sum passes a threshold the source is
// refused until that time. An IPv4 source is an address, an IPv6 source a /64. Memory is fixed
// (SourceTable says what is forgotten first). Lock-free; any thread.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <cstdint>

#include "gateway/admit/source_table.h"
#include "gateway/error.h"
#include "gateway/state/clock.h"

namespace portcullis::gateway {

enum class Misdeed : uint8_t {
  kAuthFailure,  // a proof was offered and was wrong
  kNoAuth,       // left or went silent without a request that could be identified
  kHardError,    // bytes that no honest client sends: smuggling, NUL, oversized head
};

struct PenaltyOptions {
  std::chrono::seconds auth_failure{5};
  std::chrono::seconds no_auth{1};
  std::chrono::seconds hard_error{90};
  std::chrono::seconds threshold{15};  // sum from which the source is refused
  std::chrono::seconds cap{600};
  bool exempt_loopback = false;
  size_t sources = 65536;
};

class Penalties {
 public:
  Penalties(const Clock& clock, const PenaltyOptions& options);

  // kPenalized with retry_after_ms while the source is refused.
  Result<void> Check(const boost::asio::ip::address& address) const;

  void Add(const boost::asio::ip::address& address, Misdeed misdeed);

  size_t memory_bytes() const { return sources_.memory_bytes(); }
  size_t CountActive() const { return sources_.CountAfter(clock_.MonotonicNs()); }

 private:
  bool Exempt(const boost::asio::ip::address& address) const;

  const Clock& clock_;
  const PenaltyOptions options_;
  SourceTable sources_;
};

}  // namespace portcullis::gateway
