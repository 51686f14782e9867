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

// Whoever gives a record away sets kTaken from no pins at all; a pin that comes later sees it and
// goes back. The name is looked at again under the pin, as it may be somebody else's by then.
bool Account::Pin() {
  if ((pins.fetch_add(1, std::memory_order_acq_rel) & kTaken) == 0) return true;
  Unpin();
  return false;
}

bool Account::Settled(const Moment& now) const {
  const auto untouched = [](const PeriodCounter& counter, int32_t index) {
    const PeriodCounter::Value value = counter.Get(index);
    return value.tokens == 0 || value.index < index;
  };
  return streams.load() == 0 && !dirty.load() && requests.Full(now.monotonic_ns) &&
         tokens.Full(now.monotonic_ns) && untouched(day, now.day) && untouched(month, now.month);
}

void Account::Reset() {
  requests.Reset();
  tokens.Reset();
  day.Set({});
  month.Set({});
  name = {};
}

AccountTable::AccountTable(size_t accounts)
    : capacity_(std::bit_ceil(std::max<size_t>(accounts, 16))),
      probes_(std::min<size_t>(capacity_, 1024)),
      accounts_(std::make_unique<Account[]>(capacity_)) {
  certs::InitSodium();
  crypto_shorthash_keygen(key_.data());
}

// The record with this tag, pinned.
Account* AccountTable::Find(uint64_t tag) {
  for (size_t step = 0; step < probes_; ++step) {
    Account& account = accounts_[(tag + step) & (capacity_ - 1)];
    const uint64_t seen = account.tag.load(std::memory_order_acquire);
    if (seen == 0) return nullptr;
    if (seen != tag || !account.Pin()) continue;
    if (account.tag.load(std::memory_order_acquire) == tag) return &account;
    account.Unpin();
  }
  return nullptr;
}

// With the lock held, after Find() has found nothing: the free record at the end of the way while
// the table is not nearly full, else the settled one on it that was used longest ago, where there is
// one.
Account* AccountTable::Add(uint64_t tag, std::string_view name, const Moment& now) {
  Account* oldest = nullptr;
  for (size_t step = 0; step < probes_; ++step) {
    Account& account = accounts_[(tag + step) & (capacity_ - 1)];
    if (account.tag.load(std::memory_order_acquire) == 0) {
      const bool nearly_full = used_.load(std::memory_order_relaxed) >= capacity_ - capacity_ / 8;
      if (nearly_full && oldest != nullptr) break;
      used_.fetch_add(1, std::memory_order_relaxed);
      oldest = &account;
      break;
    }
    const bool older = oldest == nullptr || account.used_ns.load() < oldest->used_ns.load();
    if (older && account.pins.load() == 0 && account.Settled(now)) oldest = &account;
  }
  uint32_t nobody = 0;
  if (oldest == nullptr || !oldest->pins.compare_exchange_strong(nobody, Account::kTaken)) return nullptr;
  // Somebody may have come and gone between the look and the taking.
  if (oldest->tag.load() != 0 && !oldest->Settled(now)) {
    oldest->pins.fetch_sub(Account::kTaken);
    return nullptr;
  }
  oldest->Reset();
  std::ranges::copy(name, oldest->name.begin());
  oldest->tag.store(tag, std::memory_order_release);
  oldest->pins.fetch_sub(Account::kTaken - 1, std::memory_order_acq_rel);  // pinned by us from here
  return oldest;
}

AccountRef AccountTable::FindOrAdd(std::string_view name, const Moment& now) {
  if (name.empty() || name.size() >= sizeof(Account::name)) return {};
  uint64_t tag;
  crypto_shorthash(reinterpret_cast<uint8_t*>(&tag), reinterpret_cast<const uint8_t*>(name.data()),
                   name.size(), key_.data());
  tag |= uint64_t{1} << 63;
  Account* account = Find(tag);
  if (account == nullptr) {
    const std::lock_guard lock(adding_);
    account = Find(tag);
    // A record that was chosen may be looked at by ForEach() for a moment: then there is another.
    for (int attempt = 0; account == nullptr && attempt < 4; ++attempt) account = Add(tag, name, now);
    if (account == nullptr) return {};
  }
  account->used_ns.store(now.monotonic_ns, std::memory_order_relaxed);
  return AccountRef(account);
}

}  // namespace portcullis::gateway
