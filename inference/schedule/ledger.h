// Fairness between tenants, in tokens: each tenant's account grows by what was computed for it, and
// the tenant with the smallest account goes first (the virtual token counter of Sheng et al., 2024:
// deficit round robin without rounds). Whoever comes back after a pause starts level with the least
// served of those that stayed, so idle time is no credit. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace portcullis::inference {

class Ledger {
 public:
  static constexpr int64_t kPromptToken = 1;
  static constexpr int64_t kAnswerToken = 2;  // a row of its own, not one of a chunk

  // A request of the tenant arrived, or ended.
  void Open(const std::string& tenant);
  void Close(const std::string& tenant);
  void Charge(const std::string& tenant, int64_t tokens);
  int64_t Served(const std::string& tenant) const;

  size_t size() const { return accounts_.size(); }

 private:
  struct Account {
    int64_t served = 0;
    int64_t requests = 0;
  };
  // Follows the least served tenant that has requests, and forgets who is below it.
  void Settle();

  std::map<std::string, Account> accounts_;
  int64_t level_ = 0;
};

}  // namespace portcullis::inference
