// Leave to make one call: what Admit has taken (a request, tokens, a stream, budget) and will give
// back. Move-only; only Admitter makes one; every exit of the walk, cancellation and time-out too,
// ends in the destructor. The Admitter must outlive its tickets. One thread at a time.
//
// Rule for tokens when the ticket ends:
//   Settle() was called      what was really used is charged, the rest goes back;
//   Forwarded(), no Settle   the whole reservation stays charged: somebody worked, nobody counted;
//   neither                  all tokens go back.
// The stream always goes back; the request stays counted, also when admission refused it.
#pragma once

#include <cstdint>
#include <utility>

#include "gateway/admit/account_table.h"
#include "gateway/admit/gcra.h"
#include "gateway/admit/rate_headers.h"
#include "gateway/state/records.h"

namespace portcullis::gateway {

class Clock;

class Ticket {
 public:
  Ticket(Ticket&& other) noexcept { Swap(other); }
  Ticket& operator=(Ticket&& other) noexcept {
    Ticket taken(std::move(other));
    Swap(taken);
    return *this;
  }
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;
  ~Ticket() { GiveBack(); }

  // The engine has accepted the call.
  void Forwarded() { forwarded_ = true; }

  // What the call really used. The last call counts, so a stream may settle as it goes.
  void Settle(uint64_t prompt_tokens, uint64_t completion_tokens);

  uint64_t reserved_tokens() const { return reserved_tokens_; }
  const RateHeaders& headers() const { return headers_; }

 private:
  friend class Admitter;

  // Part taken from one account, as far as admission came.
  struct Share {
    AccountRef account;
    Rate tokens_rate{};
    Reservation tokens{};
    bool stream = false;
    bool day = false;    // reserved_tokens_ are counted in the account's day
    bool month = false;  // and in its month
  };

  explicit Ticket(const Clock& clock) : clock_(&clock) {}
  void Swap(Ticket& other) noexcept;
  void GiveBack() noexcept;
  void GiveBack(const Share& share, uint64_t used, int64_t now) noexcept;

  const Clock* clock_ = nullptr;  // null: moved from
  Share key_{};
  Share tenant_{};
  int32_t day_index_ = 0;
  int32_t month_index_ = 0;
  uint64_t reserved_tokens_ = 0;
  uint64_t used_tokens_ = 0;
  bool forwarded_ = false;
  bool settled_ = false;
  RateHeaders headers_{};
};

}  // namespace portcullis::gateway
