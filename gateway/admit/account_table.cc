#include "gateway/admit/account_table.h"

#include <sodium.h>

#include <algorithm>
#include <bit>

#include "certs/secret.h"

namespace portcullis::gateway {
namespace {

constexpr int kTokenBits = 48;
constexpr uint64_t kTokenMask = (uint64_t{1} << kTokenBits) - 1;

uint16_t Index(uint64_t word) { return static_cast<uint16_t>(word >> kTokenBits); }

uint64_t Word(uint16_t index, uint64_t tokens) {
  return (uint64_t{index} << kTokenBits) | std::min(tokens, kTokenMask);
}

// Difference of two period indexes of which one is known by its low 16 bits only.
int16_t Distance(int32_t index, uint16_t stored) {
  return static_cast<int16_t>(static_cast<uint16_t>(index) - stored);
}

}  // namespace

bool PeriodCounter::Add(int32_t index, uint64_t tokens, uint64_t limit) {
  uint64_t old = word_.load(std::memory_order_relaxed);
  for (;;) {
    // A clock that steps back counts into the newer period: it never wins a fresh budget.
    const bool fresh = Distance(index, Index(old)) > 0;
    const uint64_t used = fresh ? 0 : old & kTokenMask;
    if (tokens > limit || used > limit - tokens) return false;
    const uint16_t period = fresh ? static_cast<uint16_t>(index) : Index(old);
    if (word_.compare_exchange_weak(old, Word(period, used + std::min(tokens, kTokenMask)),
                                    std::memory_order_relaxed)) {
      return true;
    }
  }
}

void PeriodCounter::Correct(int32_t index, uint64_t reserved, uint64_t actual) {
  uint64_t old = word_.load(std::memory_order_relaxed);
  for (;;) {
    if (Index(old) != static_cast<uint16_t>(index)) return;
    const uint64_t used = old & kTokenMask;
    const uint64_t rest = used - std::min(used, reserved);
    if (word_.compare_exchange_weak(old, Word(Index(old), rest + std::min(actual, kTokenMask)),
                                    std::memory_order_relaxed)) {
      return;
    }
  }
}

void PeriodCounter::Set(const Value& value) {
  word_.store(Word(static_cast<uint16_t>(value.index), value.tokens), std::memory_order_relaxed);
}

PeriodCounter::Value PeriodCounter::Get(int32_t reference_index) const {
  const uint64_t word = word_.load(std::memory_order_relaxed);
  return {reference_index - Distance(reference_index, Index(word)), word & kTokenMask};
}

AccountTable::AccountTable(size_t accounts)
    : capacity_(std::bit_ceil(std::max<size_t>(accounts, 16))),
      accounts_(std::make_unique<Account[]>(capacity_)) {
  certs::InitSodium();
  crypto_shorthash_keygen(key_.data());
}

Account* AccountTable::FindOrAdd(std::string_view name) {
  if (name.empty() || name.size() >= sizeof(Account::name)) return nullptr;
  uint64_t tag;
  crypto_shorthash(reinterpret_cast<uint8_t*>(&tag), reinterpret_cast<const uint8_t*>(name.data()),
                   name.size(), key_.data());
  tag |= uint64_t{1} << 63;
  const size_t mask = capacity_ - 1;
  for (size_t step = 0; step < capacity_; ++step) {
    Account& account = accounts_[(tag + step) & mask];
    uint64_t seen = account.tag.load(std::memory_order_acquire);
    if (seen == 0) {
      if (used_.load(std::memory_order_relaxed) >= capacity_ - capacity_ / 8) return nullptr;
      if (account.tag.compare_exchange_strong(seen, tag, std::memory_order_acq_rel)) {
        used_.fetch_add(1, std::memory_order_relaxed);
        std::ranges::copy(name, account.name.begin());
        account.ready.store(true, std::memory_order_release);
        return &account;
      }
    }
    if (seen == tag) return &account;
  }
  return nullptr;
}

}  // namespace portcullis::gateway
