#include "gateway/admit/penalties.h"

#include <algorithm>

#include "gateway/admit/source_key.h"

namespace portcullis::gateway {
namespace {

constexpr int kIpv6PrefixBits = 64;

int64_t ToNs(std::chrono::seconds seconds) { return std::chrono::nanoseconds(seconds).count(); }

}  // namespace

Penalties::Penalties(const Clock& clock, const PenaltyOptions& options)
    : clock_(clock), options_(options), sources_(options.sources, clock.MonotonicNs()) {}

bool Penalties::Exempt(const boost::asio::ip::address& address) const {
  return options_.exempt_loopback && IsLoopback(address);
}

Result<void> Penalties::Check(const boost::asio::ip::address& address) const {
  if (Exempt(address)) return boost::outcome_v2::success();
  const SourceTable::Entry entry = sources_.Find(MakeSourceKey(address, kIpv6PrefixBits).View());
  const int64_t left = entry.time_ns - sources_.Since(clock_.MonotonicNs());
  if (!entry.flag || left <= 0) return boost::outcome_v2::success();
  return Error{Code::kPenalized,
               "this address is refused for a while after repeated failures",
               {},
               (left + 999'999) / 1'000'000};
}

void Penalties::Add(const boost::asio::ip::address& address, Misdeed misdeed) {
  if (Exempt(address)) return;
  std::chrono::seconds amount{0};
  switch (misdeed) {
    case Misdeed::kAuthFailure:
      amount = options_.auth_failure;
      break;
    case Misdeed::kNoAuth:
      amount = options_.no_auth;
      break;
    case Misdeed::kHardError:
      amount = options_.hard_error;
      break;
  }
  const int64_t now = sources_.Since(clock_.MonotonicNs());
  sources_.Update(MakeSourceKey(address, kIpv6PrefixBits).View(), [&](SourceTable::Entry& entry) {
    if (entry.time_ns <= now) entry = {.time_ns = now, .flag = false};
    entry.time_ns = std::min(entry.time_ns + ToNs(amount), now + ToNs(options_.cap));
    if (entry.time_ns - now >= ToNs(options_.threshold)) entry.flag = true;
    return true;
  });
}

}  // namespace portcullis::gateway
