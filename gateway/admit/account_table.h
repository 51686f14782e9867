// Counters of the known: one fixed-size record per key, principal or tenant, found by name through
// open addressing with a keyed SipHash. Once the table is full, a newcomer takes the record that was
// used longest ago among the settled ones on its way: those in nobody's hands whose rates are full
// again and whose budgets of the day and the month are untouched, so that nothing is forgotten. Where
// there is none it is refused (fail closed).
// Threading: finding is lock-free, from any thread; adding takes a lock, once per account. An
// AccountRef pins its record: what is pinned is never given away. Memory is allocated once.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

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

// When something is asked of the table.
struct Moment {
  int64_t monotonic_ns = 0;
  int32_t day = 0;  // clock.h
  int32_t month = 0;
};

struct alignas(64) Account {
  std::atomic<uint64_t> tag{0};   // 0: free
  std::atomic<uint32_t> pins{0};  // holders; kTaken while the record changes hands
  std::atomic<int64_t> used_ns{0};
  Gcra requests;
  Gcra tokens;
  std::atomic<uint32_t> streams{0};
  std::atomic<bool> dirty{false};  // budgets changed since the last collection
  PeriodCounter day;
  PeriodCounter month;
  std::array<char, 160> name{};

  static constexpr uint32_t kTaken = uint32_t{1} << 31;

  // False when the record is changing hands.
  bool Pin();
  void Unpin() { pins.fetch_sub(1, std::memory_order_acq_rel); }
  bool Settled(const Moment& now) const;
  void Reset();
};

// A pinned record, or none. One thread at a time.
class AccountRef {
 public:
  AccountRef() = default;
  explicit AccountRef(Account* pinned) : account_(pinned) {}
  AccountRef(AccountRef&& other) noexcept : account_(std::exchange(other.account_, nullptr)) {}
  AccountRef& operator=(AccountRef&& other) noexcept {
    std::swap(account_, other.account_);
    return *this;
  }
  AccountRef(const AccountRef&) = delete;
  AccountRef& operator=(const AccountRef&) = delete;
  ~AccountRef() {
    if (account_ != nullptr) account_->Unpin();
  }

  explicit operator bool() const { return account_ != nullptr; }
  Account* operator->() const { return account_; }

 private:
  Account* account_ = nullptr;
};

class AccountTable {
 public:
  explicit AccountTable(size_t accounts);

  // None when the table is full or the name is longer than a record holds.
  AccountRef FindOrAdd(std::string_view name, const Moment& now);

  template <class Visit>
  void ForEach(Visit visit) {
    for (size_t i = 0; i < capacity_; ++i) {
      Account& account = accounts_[i];
      if (account.tag.load(std::memory_order_acquire) == 0 || !account.Pin()) continue;
      const AccountRef pinned(&account);
      visit(account);
    }
  }

  size_t size() const { return used_.load(std::memory_order_relaxed); }
  size_t memory_bytes() const { return capacity_ * sizeof(Account); }

 private:
  Account* Find(uint64_t tag);
  Account* Add(uint64_t tag, std::string_view name, const Moment& now);

  const size_t capacity_;  // a power of two
  const size_t probes_;    // how far from its place a record may lie
  const std::unique_ptr<Account[]> accounts_;
  std::atomic<size_t> used_{0};
  std::array<uint8_t, 16> key_;
  std::mutex adding_;
};

}  // namespace portcullis::gateway
