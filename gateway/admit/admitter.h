// Step "admit" of the walk: may this caller make this call now? Checks, cheapest first, a request
// rate, concurrent streams, a token rate and token budgets, of the key (or principal) and then of
// its tenant. A refused call counts as a request and takes nothing else.
// Before identification: AdmitAddress, a request rate per source with tiers for IPv6 (/64 once,
// /56 four times, /48 sixteen times the limit); AdmitUnauthenticated, one rate for all answers
// given to callers without an Identity.
// Threading: lock-free, any thread. Memory is fixed at construction. Failure: kRateLimited or
// kBudgetSpent with retry_after_ms; kInternal when the account table is full.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "gateway/admit/account_table.h"
#include "gateway/admit/source_table.h"
#include "gateway/admit/ticket.h"
#include "gateway/error.h"
#include "gateway/identify/identity.h"
#include "gateway/state/clock.h"

namespace portcullis::gateway {

struct AdmitterOptions {
  // Used where a key's or a tenant's own limit is 0.
  UsageLimits key{.requests_per_minute = 600,
                  .tokens_per_minute = 200'000,
                  .concurrent_streams = 16,
                  .tokens_per_day = UsageLimits::kUnlimited,
                  .tokens_per_month = UsageLimits::kUnlimited};
  UsageLimits tenant{.requests_per_minute = 6000,
                     .tokens_per_minute = UsageLimits::kUnlimited,
                     .concurrent_streams = UsageLimits::kUnlimited,
                     .tokens_per_day = UsageLimits::kUnlimited,
                     .tokens_per_month = UsageLimits::kUnlimited};
  uint64_t requests_per_minute_address = 1200;
  uint64_t unauthenticated_per_minute = 3000;
  size_t accounts = 16384;  // keys, principals and tenants remembered (256 bytes each)
  size_t sources = 65536;  // addresses and IPv6 prefixes remembered (8 bytes each)
};

// What a call will use at most. Calls that run no model cost no tokens and no stream.
struct CallCost {
  uint64_t prompt_tokens = 0;  // estimate
  uint64_t max_tokens = 0;
  bool stream = true;  // occupies one of the key's concurrent places until the ticket ends
};

class Admitter {
 public:
  Admitter(const Clock& clock, const AdmitterOptions& options);

  Result<void> AdmitAddress(const boost::asio::ip::address& address);
  Result<void> AdmitUnauthenticated();

  // On refusal `*headers`, if given, is filled as well.
  Result<Ticket> Admit(const Identity& identity, const CallCost& cost,
                       RateHeaders* headers = nullptr);

  // Budgets: loaded at start; collected by the BudgetKeeper. Collect returns the accounts that
  // changed since the last call.
  void LoadBudgets(const std::vector<BudgetRow>& rows);
  std::vector<BudgetRow> CollectBudgets();

  struct Usage {
    uint64_t streams = 0;
    uint64_t tokens_today = 0;
    uint64_t tokens_this_month = 0;
  };
  Usage UsageOf(const Identity& identity);

  size_t memory_bytes() const { return accounts_.memory_bytes() + sources_.memory_bytes(); }

 private:
  Moment Now() const;
  Result<void> Take(Ticket& ticket, Ticket::Share& share, const std::string& account,
                    const UsageLimits& limits, const CallCost& cost, RateHeaders* headers);
  Result<void> TakeTokens(Ticket& ticket, Ticket::Share& share, const UsageLimits& limits,
                          RateHeaders* headers);
  bool AdmitSource(const boost::asio::ip::address& address, int prefix_bits, uint64_t factor,
                   int64_t* retry_after_ns);

  const Clock& clock_;
  const AdmitterOptions options_;
  AccountTable accounts_;
  SourceTable sources_;
  Gcra unauthenticated_;
};

}  // namespace portcullis::gateway
