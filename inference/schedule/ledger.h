// Fairness between tenants, in tokens: each tenant's account grows by what was computed for it, and
// the tenant with the smallest account goes first (the virtual token counter of Sheng et al., 2024:
// deficit round robin without rounds). Whoever had nothing waiting for a while starts level with
// the least served of those that waited, so time in which nothing was asked for is no credit. One
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace portcullis::inference {

class Ledger {
 public:
  static constexpr int64_t kPromptToken = 1;
  static constexpr int64_t kAnswerToken = 2;  // a row of its own, not one of a chunk

  // A request of the tenant began to wait, or waits no more.
  void Wait(const std::string& tenant);
  void Go(const std::string& tenant);
  void Charge(const std::string& tenant, int64_t tokens);
  int64_t Served(const std::string& tenant) const;

  size_t size() const { return accounts_.size(); }

 private:
  struct Account {
    int64_t served = 0;
    int64_t waiting = 0;  // requests
  };
  // Follows the least served tenant that waits, and forgets who is below it.
  void Settle();

  std::map<std::string, Account> accounts_;
  int64_t level_ = 0;
};

}  // namespace portcullis::inference
