#include "inference/schedule/ledger.h"

#include <algorithm>
#include <limits>

namespace portcullis::inference {

void Ledger::Wait(const std::string& tenant) {
  Account& account = accounts_[tenant];
  if (account.waiting++ == 0) account.served = std::max(account.served, level_);
}

void Ledger::Go(const std::string& tenant) {
  Settle();
  --accounts_[tenant].waiting;
}

void Ledger::Charge(const std::string& tenant, int64_t tokens) {
  const auto account = accounts_.try_emplace(tenant, Account{level_, 0}).first;
  account->second.served += tokens;
}

int64_t Ledger::Served(const std::string& tenant) const {
  const auto account = accounts_.find(tenant);
  return account == accounts_.end() ? level_ : account->second.served;
}

void Ledger::Settle() {
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const auto& [tenant, account] : accounts_) {
    if (account.waiting > 0) least = std::min(least, account.served);
  }
  level_ = std::max(level_, least);
  std::erase_if(accounts_, [&](const auto& entry) {
    return entry.second.waiting == 0 && entry.second.served <= level_;
  });
}

}  // namespace portcullis::inference
