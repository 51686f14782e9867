// Carries budget counters and days of last use between memory and the store: loads them when made,
// writes what changed every few seconds on its own thread, and once more when it ends. A crash
// loses at most one interval of counting. A failed write is reported once per run of failures and
// tried again with everything at the next turn.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>

#include "gateway/admit/admitter.h"
#include "gateway/error.h"
#include "gateway/state/clock.h"
#include "gateway/state/store.h"

namespace portcullis::gateway {

class BudgetKeeper {
 public:
  using OnError = std::function<void(const Error&)>;

  // All references must outlive the keeper. kState when the budgets cannot be read.
  static Result<std::unique_ptr<BudgetKeeper>> Start(
      Store& store, Admitter& admitter, const Clock& clock, OnError on_error,
      std::chrono::milliseconds interval = std::chrono::seconds(2));

  ~BudgetKeeper();
  BudgetKeeper(const BudgetKeeper&) = delete;
  BudgetKeeper& operator=(const BudgetKeeper&) = delete;

  // Writes now; for a clean stop and for tests.
  Result<void> Flush();

 private:
  BudgetKeeper(Store& store, Admitter& admitter, const Clock& clock, OnError on_error,
               std::chrono::milliseconds interval);
  void Loop();

  Store& store_;
  Admitter& admitter_;
  const Clock& clock_;
  const OnError on_error_;
  const std::chrono::milliseconds interval_;
  std::mutex flush_mutex_;
  std::map<std::tuple<std::string, Period, int32_t>, uint64_t> unsaved_;  // of failed writes
  bool failing_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace portcullis::gateway
