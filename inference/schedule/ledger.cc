#include "inference/schedule/ledger.h"

#include <algorithm>
#include <limits>

namespace portcullis::inference {

void Ledger::Open(const std::string& tenant) {
  Settle();
  Account& account = accounts_[tenant];
  if (account.requests++ == 0) account.served = std::max(account.served, level_);
}

void Ledger::Close(const std::string& tenant) {
  --accounts_[tenant].requests;
  Settle();
}

void Ledger::Charge(const std::string& tenant, int64_t tokens) {
  accounts_[tenant].served += tokens;
}

int64_t Ledger::Served(const std::string& tenant) const {
  const auto account = accounts_.find(tenant);
  return account == accounts_.end() ? level_ : account->second.served;
}

void Ledger::Settle() {
  int64_t least = std::numeric_limits<int64_t>::max();
  int64_t most = level_;
  for (const auto& [tenant, account] : accounts_) {
    if (account.requests > 0) least = std::min(least, account.served);
    most = std::max(most, account.served);
  }
  // Nobody asks for anything: all start level again.
  level_ = std::max(level_, least == std::numeric_limits<int64_t>::max() ? most : least);
  std::erase_if(accounts_, [&](const auto& entry) {
    return entry.second.requests == 0 && entry.second.served <= level_;
  });
}

}  // namespace portcullis::inference
