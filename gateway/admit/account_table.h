// Counters of the known: one fixed-size record per key, principal or tenant, found by name through
// open addressing with a keyed SipHash. Records are never evicted, because forgetting one would
// give its budget back; their number is bounded by what administrators have issued. A full table
// refuses new accounts (fail closed) until a restart drops the ones no longer used.
// Lock-free; any thread; memory is allocated once.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "gateway/admit/gcra.h"
#include "gateway/state/records.h"

namespace portcullis::gateway {

// Tokens of the running period. One word, so that period and count change together: 16 bits of
// period index, 48 bits of tokens.
class PeriodCounter {
 public:
  struct Value {
    int32_t index = 0;
    uint64_t tokens = 0;
  };

  // Adds `tokens` unless the sum would pass `limit`; a new period starts from zero.
  bool Add(int32_t index, uint64_t tokens, uint64_t limit);

  // Replaces `reserved` by `actual`, if the period is still the same.
  void Correct(int32_t index, uint64_t reserved, uint64_t actual);

  // At start, from the store.
  void Set(const Value& value);
  Value Get(int32_t reference_index) const;

 private:
  std::atomic<uint64_t> word_{0};
};

struct alignas(64) Account {
  std::atomic<uint64_t> tag{0};  // 0: free; never changes once set
  Gcra requests;
  Gcra tokens;
  std::atomic<uint32_t> streams{0};
  std::atomic<bool> dirty{false};  // budgets changed since the last collection
  PeriodCounter day;
  PeriodCounter month;
  std::array<char, 160> name{};  // written by the thread that won the tag, before `ready`
  std::atomic<bool> ready{false};
};

class AccountTable {
 public:
  explicit AccountTable(size_t accounts);

  // Null when the table is full or the name is longer than a record holds.
  Account* FindOrAdd(std::string_view name);

  template <class Visit>
  void ForEach(Visit visit) {
    for (size_t i = 0; i < capacity_; ++i) {
      Account& account = accounts_[i];
      if (account.ready.load(std::memory_order_acquire)) visit(account);
    }
  }

  size_t size() const { return used_.load(std::memory_order_relaxed); }
  size_t memory_bytes() const { return capacity_ * sizeof(Account); }

 private:
  const size_t capacity_;  // a power of two
  const std::unique_ptr<Account[]> accounts_;
  std::atomic<size_t> used_{0};
  std::array<uint8_t, 16> key_;
};

}  // namespace portcullis::gateway
