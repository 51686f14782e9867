#include "gateway/admit/admitter.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <utility>

#include "gateway/admit/source_key.h"

namespace portcullis::gateway {
namespace {

constexpr int64_t kStreamRetryMs = 1000;

struct Tier {
  int prefix_bits;
  uint64_t factor;  // times the limit of one address
};
constexpr std::array<Tier, 3> kIpv6Tiers = {{{64, 1}, {56, 4}, {48, 16}}};

auto Ok() { return boost::outcome_v2::success(); }

uint64_t Choose(uint64_t own, uint64_t standard) { return own != 0 ? own : standard; }

UsageLimits Effective(const UsageLimits& own, const UsageLimits& standard) {
  return {.requests_per_minute = Choose(own.requests_per_minute, standard.requests_per_minute),
          .tokens_per_minute = Choose(own.tokens_per_minute, standard.tokens_per_minute),
          .concurrent_streams = Choose(own.concurrent_streams, standard.concurrent_streams),
          .tokens_per_day = Choose(own.tokens_per_day, standard.tokens_per_day),
          .tokens_per_month = Choose(own.tokens_per_month, standard.tokens_per_month)};
}

bool Limited(uint64_t limit) { return limit < UsageLimits::kUnlimited; }

int64_t ToMs(int64_t ns) { return ns / 1'000'000 + (ns % 1'000'000 != 0 ? 1 : 0); }

Error RateError(const std::string& what, int64_t retry_after_ns) {
  return Error{Code::kRateLimited,
               what + ": try again in " + FormatDuration(retry_after_ns),
               {},
               ToMs(retry_after_ns)};
}

Error BudgetError(const std::string& period, uint64_t limit, int64_t seconds_left) {
  return Error{Code::kBudgetSpent,
               "the budget of " + std::to_string(limit) + " tokens per " + period +
                   " does not cover this call: ask your administrator or wait for the next " +
                   period,
               {},
               seconds_left * 1000};
}

void Fill(RateState& state, uint64_t limit, const GcraResult& result) {
  state = {.limit = limit, .remaining = result.remaining, .reset_ns = result.reset_ns};
}

uint64_t SaturatingAdd(uint64_t a, uint64_t b) {
  return a > std::numeric_limits<uint64_t>::max() - b ? std::numeric_limits<uint64_t>::max()
                                                      : a + b;
}

}  // namespace

Admitter::Admitter(const Clock& clock, const AdmitterOptions& options)
    : clock_(clock),
      options_(options),
      accounts_(options.accounts),
      sources_(options.sources, clock.MonotonicNs()) {}

bool Admitter::AdmitSource(const boost::asio::ip::address& address, int prefix_bits,
                           uint64_t factor, int64_t* retry_after_ns) {
  const Rate rate = Rate::PerMinute(options_.requests_per_minute_address * factor);
  const int64_t cost = rate.CostNs(1);
  const int64_t tolerance = rate.CostNs(rate.burst);
  const int64_t now = sources_.Since(clock_.MonotonicNs());
  const SourceKey key = MakeSourceKey(address, prefix_bits);
  bool allowed = false;
  sources_.Update(key.View(), [&](SourceTable::Entry& entry) {
    const int64_t next = std::max(entry.time_ns, now) + cost;
    *retry_after_ns = next - now - tolerance;
    // Times are stored in quanta, rounded up: half a quantum of a full burst must not refuse.
    allowed = *retry_after_ns <= SourceTable::kQuantumNs;
    if (allowed) entry.time_ns = next;
    return allowed;
  });
  return allowed;
}

Moment Admitter::Now() const {
  const int64_t unix_now = clock_.UnixSeconds();
  return {clock_.MonotonicNs(), DayOf(unix_now), MonthOf(unix_now)};
}

Result<void> Admitter::AdmitAddress(const boost::asio::ip::address& address) {
  if (!Limited(options_.requests_per_minute_address)) return Ok();
  int64_t retry_after_ns = 0;
  for (const Tier& tier : kIpv6Tiers) {
    if (!AdmitSource(address, tier.prefix_bits, tier.factor, &retry_after_ns)) {
      return RateError("too many requests from this address", retry_after_ns);
    }
    if (IsIpv4(address)) break;
  }
  return Ok();
}

Result<void> Admitter::AdmitUnauthenticated() {
  const Rate rate = Rate::PerMinute(options_.unauthenticated_per_minute);
  Reservation reservation;
  const GcraResult result = unauthenticated_.Reserve(rate, 1, clock_.MonotonicNs(), &reservation);
  if (result.allowed) return Ok();
  return RateError("too many requests without a valid key", result.retry_after_ns);
}

Result<Ticket> Admitter::Admit(const Identity& identity, const CallCost& cost,
                               RateHeaders* headers) {
  const int64_t unix_now = clock_.UnixSeconds();
  Ticket ticket(clock_);
  ticket.day_index_ = DayOf(unix_now);
  ticket.month_index_ = MonthOf(unix_now);
  ticket.reserved_tokens_ = SaturatingAdd(cost.prompt_tokens, cost.max_tokens);
  const Result<void> key = Take(ticket, ticket.key_, identity.account(),
                                Effective(identity.limits(), options_.key), cost, &ticket.headers_);
  if (headers != nullptr) *headers = ticket.headers_;
  if (!key) return key.error();
  BOOST_OUTCOME_TRY(Take(ticket, ticket.tenant_, "tenant:" + identity.tenant().id,
                         Effective(identity.tenant().limits, options_.tenant), cost, nullptr));
  return ticket;
}

Result<void> Admitter::Take(Ticket& ticket, Ticket::Share& share, const std::string& account,
                            const UsageLimits& limits, const CallCost& cost, RateHeaders* headers) {
  share.account = accounts_.FindOrAdd(account, Now());
  if (!share.account) {
    return Error{Code::kInternal, "more accounts are active than the gateway has room for"};
  }
  const std::string whose = headers != nullptr ? "your key" : "your organisation";
  if (Limited(limits.requests_per_minute)) {
    const Rate rate = Rate::PerMinute(limits.requests_per_minute);
    Reservation reservation;
    const GcraResult result =
        share.account->requests.Reserve(rate, 1, clock_.MonotonicNs(), &reservation);
    if (headers != nullptr) Fill(headers->requests, rate.limit, result);
    if (!result.allowed) {
      return RateError("the limit of " + std::to_string(rate.limit) + " requests per minute of " +
                           whose + " is reached",
                       result.retry_after_ns);
    }
  }
  if (cost.stream) {
    share.stream = true;
    const uint64_t running = share.account->streams.fetch_add(1, std::memory_order_relaxed);
    if (running >= limits.concurrent_streams) {
      return RateError("the limit of " + std::to_string(limits.concurrent_streams) +
                           " calls at once of " + whose + " is reached",
                       kStreamRetryMs * 1'000'000);
    }
  }
  return TakeTokens(ticket, share, limits, headers);
}

Result<void> Admitter::TakeTokens(Ticket& ticket, Ticket::Share& share, const UsageLimits& limits,
                                  RateHeaders* headers) {
  const uint64_t tokens = ticket.reserved_tokens_;
  if (Limited(limits.tokens_per_minute)) {
    const Rate rate = Rate::PerMinute(limits.tokens_per_minute);
    const GcraResult result =
        share.account->tokens.Reserve(rate, tokens, clock_.MonotonicNs(), &share.tokens);
    if (headers != nullptr) Fill(headers->tokens, rate.limit, result);
    if (!result.allowed && result.retry_after_ns < 0) {
      return Error{Code::kRateLimited,
                   "the call needs " + std::to_string(tokens) + " tokens at most, the limit is " +
                       std::to_string(rate.limit) +
                       " tokens per minute: shorten the prompt or lower max_tokens"};
    }
    if (!result.allowed) {
      return RateError(
          "the limit of " + std::to_string(rate.limit) + " tokens per minute is reached",
          result.retry_after_ns);
    }
    share.tokens_rate = rate;
  }
  if (tokens == 0) {  // nothing to refuse, but what is used after all counts
    constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();
    share.day = share.account->day.Add(ticket.day_index_, 0, kNoLimit);
    share.month = share.account->month.Add(ticket.month_index_, 0, kNoLimit);
    return Ok();
  }
  const int64_t unix_now = clock_.UnixSeconds();
  share.day = share.account->day.Add(ticket.day_index_, tokens, limits.tokens_per_day);
  if (!share.day) {
    return BudgetError("day", limits.tokens_per_day, StartOfDay(ticket.day_index_ + 1) - unix_now);
  }
  share.month = share.account->month.Add(ticket.month_index_, tokens, limits.tokens_per_month);
  if (!share.month) {
    return BudgetError("month", limits.tokens_per_month,
                       StartOfMonth(ticket.month_index_ + 1) - unix_now);
  }
  share.account->dirty.store(true, std::memory_order_release);
  return Ok();
}

void Admitter::LoadBudgets(const std::vector<BudgetRow>& rows) {
  for (const BudgetRow& row : rows) {
    const AccountRef account = accounts_.FindOrAdd(row.account, Now());
    if (!account) continue;
    PeriodCounter& counter = row.period == Period::kDay ? account->day : account->month;
    counter.Set({row.index, row.tokens});
  }
}

std::vector<BudgetRow> Admitter::CollectBudgets() {
  const int64_t now = clock_.UnixSeconds();
  std::vector<BudgetRow> rows;
  accounts_.ForEach([&rows, now](Account& account) {
    if (!account.dirty.exchange(false, std::memory_order_acq_rel)) return;
    const PeriodCounter::Value day = account.day.Get(DayOf(now));
    const PeriodCounter::Value month = account.month.Get(MonthOf(now));
    rows.push_back({account.name.data(), Period::kDay, day.index, day.tokens});
    rows.push_back({account.name.data(), Period::kMonth, month.index, month.tokens});
  });
  return rows;
}

Admitter::Usage Admitter::UsageOf(const Identity& identity) {
  const AccountRef account = accounts_.FindOrAdd(identity.account(), Now());
  if (!account) return {};
  const int64_t now = clock_.UnixSeconds();
  const auto current = [](const PeriodCounter& counter, int32_t index) {
    const PeriodCounter::Value value = counter.Get(index);
    return value.index == index ? value.tokens : 0;
  };
  return {.streams = account->streams.load(std::memory_order_relaxed),
          .tokens_today = current(account->day, DayOf(now)),
          .tokens_this_month = current(account->month, MonthOf(now))};
}

}  // namespace portcullis::gateway
