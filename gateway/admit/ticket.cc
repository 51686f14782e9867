#include "gateway/admit/ticket.h"

#include <limits>

#include "gateway/state/clock.h"

namespace portcullis::gateway {

void Ticket::Settle(uint64_t prompt_tokens, uint64_t completion_tokens) {
  settled_ = true;
  if (__builtin_add_overflow(prompt_tokens, completion_tokens, &used_tokens_)) {
    used_tokens_ = std::numeric_limits<uint64_t>::max();
  }
}

void Ticket::Swap(Ticket& other) noexcept {
  std::swap(clock_, other.clock_);
  std::swap(key_, other.key_);
  std::swap(tenant_, other.tenant_);
  std::swap(day_index_, other.day_index_);
  std::swap(month_index_, other.month_index_);
  std::swap(reserved_tokens_, other.reserved_tokens_);
  std::swap(used_tokens_, other.used_tokens_);
  std::swap(forwarded_, other.forwarded_);
  std::swap(settled_, other.settled_);
  std::swap(headers_, other.headers_);
}

void Ticket::GiveBack() noexcept {
  if (clock_ == nullptr) return;
  const int64_t now = clock_->MonotonicNs();
  const uint64_t used = settled_ ? used_tokens_ : forwarded_ ? reserved_tokens_ : 0;
  GiveBack(key_, used, now);
  GiveBack(tenant_, used, now);
}

void Ticket::GiveBack(const Share& share, uint64_t used, int64_t now) noexcept {
  if (!share.account) return;
  if (share.tokens_rate.limit != 0) {
    share.account->tokens.Settle(share.tokens_rate, share.tokens, used, now);
  }
  if (share.day) share.account->day.Correct(day_index_, reserved_tokens_, used);
  if (share.month) share.account->month.Correct(month_index_, reserved_tokens_, used);
  const bool counted = (share.day || share.month) && (reserved_tokens_ > 0 || used > 0);
  if (counted) share.account->dirty.store(true, std::memory_order_release);
  if (share.stream) share.account->streams.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace portcullis::gateway
