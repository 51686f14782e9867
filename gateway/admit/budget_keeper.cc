#include "gateway/admit/budget_keeper.h"

#include <utility>

namespace portcullis::gateway {

BudgetKeeper::BudgetKeeper(Store& store, Admitter& admitter, const Clock& clock, OnError on_error,
                           std::chrono::milliseconds interval)
    : store_(store),
      admitter_(admitter),
      clock_(clock),
      on_error_(std::move(on_error)),
      interval_(interval),
      thread_([this] { Loop(); }) {}

Result<std::unique_ptr<BudgetKeeper>> BudgetKeeper::Start(Store& store, Admitter& admitter,
                                                          const Clock& clock, OnError on_error,
                                                          std::chrono::milliseconds interval) {
  const int64_t now = clock.UnixSeconds();
  BOOST_OUTCOME_TRY(const auto rows, store.LoadBudgets(DayOf(now), MonthOf(now)));
  admitter.LoadBudgets(rows);
  return std::unique_ptr<BudgetKeeper>(
      new BudgetKeeper(store, admitter, clock, std::move(on_error), interval));
}

BudgetKeeper::~BudgetKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Result<void> BudgetKeeper::Flush() {
  const std::lock_guard lock(flush_mutex_);
  for (BudgetRow& row : admitter_.CollectBudgets()) {
    unsaved_[{std::move(row.account), row.period, row.index}] = row.tokens;
  }
  std::vector<BudgetRow> rows;
  rows.reserve(unsaved_.size());
  for (const auto& [key, tokens] : unsaved_) {
    const auto& [account, period, index] = key;
    rows.push_back({account, period, index, tokens});
  }
  const int64_t now = clock_.UnixSeconds();
  const Result<void> saved = store_.SaveUsage(rows, DayOf(now), MonthOf(now));
  if (saved) {
    unsaved_.clear();
    failing_ = false;
    return saved;
  }
  if (!std::exchange(failing_, true) && on_error_) on_error_(saved.error());
  return saved;
}

void BudgetKeeper::Loop() {
  for (bool last = false; !last;) {
    {
      std::unique_lock lock(mutex_);
      last = wake_.wait_for(lock, interval_, [this] { return stop_; });
    }
    // A failure has been reported by Flush; the next turn tries again.
    static_cast<void>(Flush());
  }
}

}  // namespace portcullis::gateway
